"""Signing in and out, and the language."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response

from outreach.auth import sessions
from outreach.auth.signin import SignInRefused, sign_in_as
from outreach.core.i18n import LOCALES
from outreach.web.frame import COOKIE, LANGUAGE_COOKIE, Desk, Desks, Page, safe_path

# The demonstration's people, by user name; shown only there.
DEMONSTRATION = (
    ("manager.sh", "沈若兰", "Branch manager, Shanghai"),
    ("deputy.sh", "许知行", "Deputy, Shanghai"),
    ("advisor1.sh", "林晓", "Advisor, Shanghai"),
    ("manager.bj", "陆景行", "Branch manager, Beijing"),
    ("advisor1.bj", "何思远", "Advisor, Beijing"),
    ("head.office", "程静怡", "Head office"),
    ("compliance", "严正清", "Compliance"),
    ("operator", "欧阳宁", "Operator"),
)


def router(desk: Desks) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=Page)
    here = Annotated[Desk, Depends(desk)]

    @routes.get("/sign-in")
    def form(desk: here, next: str = "/") -> Response:
        if desk.session is not None:
            return desk.go(safe_path(next))
        return desk.page("sign_in.html", next=safe_path(next), error="", username="", people=DEMONSTRATION)

    @routes.post("/sign-in")
    def sign_in(
        desk: here,
        username: Annotated[str, Form(max_length=200)] = "",
        password: Annotated[str, Form(max_length=500)] = "",
        next: Annotated[str, Form(max_length=500)] = "/",
    ) -> Response:
        try:
            actor = sign_in_as(desk.site.open_work, username.strip(), password)
        except SignInRefused as refused:
            return desk.page(
                "sign_in.html",
                status=401,
                next=safe_path(next),
                error=f"{desk.say(refused.message)} {desk.say(refused.mend)}",
                username=username,
                people=DEMONSTRATION,
            )
        assert actor.staff_id is not None
        with desk.site.open_work(actor) as work:
            token = sessions.begin(work, actor.staff_id)
        answer = RedirectResponse(safe_path(next), status_code=303)
        answer.set_cookie(
            COOKIE,
            token,
            max_age=int(sessions.LIFETIME.total_seconds()),
            httponly=True,
            samesite="lax",
            secure=desk.site.settings.public_url.startswith("https://"),
        )
        return answer

    @routes.post("/sign-out")
    def sign_out(desk: here, csrf: Annotated[str, Form()] = "") -> Response:
        desk.check_form(csrf)
        with desk.work() as work:
            sessions.end(work, desk.request.cookies.get(COOKIE, ""))
        answer = RedirectResponse("/sign-in", status_code=303)
        answer.delete_cookie(COOKIE)
        return answer

    @routes.post("/language")
    def language(
        language: Annotated[str, Form()] = "", next: Annotated[str, Form(max_length=500)] = "/"
    ) -> Response:
        answer = RedirectResponse(safe_path(next), status_code=303)
        if language in LOCALES:
            answer.set_cookie(LANGUAGE_COOKIE, language, max_age=365 * 86400, httponly=True, samesite="lax")
        return answer

    return routes
