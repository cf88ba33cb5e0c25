"""The sandbox's phone and mailbox beside the inbox: what a client would see, and a place to type as the client."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse, Response

from outreach.core.access import Permission, Role, require
from outreach.core.errors import BadInput, NotFound
from outreach.people.clients import names_at
from outreach.web.frame import Desk, Desks, Page
from outreach.web.loopback import Loopback, Mail, Phone, loopback

# The mail as its sender wrote it, in a frame of its own that can do nothing at all.
_MAIL_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"


def router(desk: Desks) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=Page)
    here = Annotated[Desk, Depends(desk)]

    @routes.get("/sandbox")
    def start(desk: here, number: str = "", show: str = "phone") -> Response:
        box = _open(desk)
        phones = box.recent_phones()
        chosen = number or (phones[0].number if phones else "")
        with desk.work() as work:
            names = names_at(work, "sms", [*(phone.number for phone in phones), chosen])
        return desk.page(
            "sandbox.html",
            phones=_with_chosen(phones, chosen),
            phones_mark=_mark(phones),
            names=names,
            mails=box.recent_mails() if show == "mail" else [],
            show=show if show in {"phone", "mail"} else "phone",
            beside=_beside(desk),
            **_screen(box, chosen, follow=not number),
        )

    @routes.get("/sandbox/phone")
    def phone(desk: here, number: str = "", seen: str = "", follow: bool = False) -> Response:
        """The conversation, when it has changed since ``seen``; else 204. ``follow``: of whoever had the last text."""
        box = _open(desk)
        if follow and (phones := box.recent_phones(1)):
            number = phones[0].number
        values = _screen(box, number, follow)
        if values["mark"] == seen:
            return Response(status_code=204)
        with desk.work() as work:
            return desk.page("sandbox_phone.html", names=names_at(work, "sms", [number]), **values)

    @routes.get("/sandbox/phones")
    def phones(desk: here, number: str = "", seen: str = "") -> Response:
        """The list of phones, when another one is on top of it; else 204."""
        found = _open(desk).recent_phones()
        if _mark(found) == seen:
            return Response(status_code=204)
        with desk.work() as work:
            names = names_at(work, "sms", [one.number for one in found])
        return desk.page(
            "sandbox_phones.html",
            phones=_with_chosen(found, number),
            phones_mark=_mark(found),
            names=names,
            phone_no=number,
        )

    @routes.post("/sandbox/type")
    def type_on_phone(
        desk: here,
        number: Annotated[str, Form(max_length=20)] = "",
        body: Annotated[str, Form(max_length=1000)] = "",
        csrf: Annotated[str, Form()] = "",
    ) -> Response:
        desk.check_form(csrf)
        box = _open(desk)
        if not number or not body.strip():
            raise BadInput("There is nothing to send.", mend="Choose a phone and type something.")
        box.type_on_phone(number, body)
        if desk.partial:
            return desk.page("sandbox_phone.html", names={}, **_screen(box, number))
        return desk.go(f"/sandbox?number={quote(number)}")

    @routes.get("/sandbox/mails")
    def mails(desk: here, seen: int = -1) -> Response:
        found = _open(desk).recent_mails()
        if seen == (found[0].n if found else 0):
            return Response(status_code=204)
        return desk.page("sandbox_mails.html", mails=found)

    @routes.get("/sandbox/mail/{n}")
    def mail(desk: here, n: int) -> Response:
        return desk.page("sandbox_mail.html", mail=_mail(desk, n))

    @routes.get("/sandbox/mail/{n}/html")
    def mail_html(desk: here, n: int) -> Response:
        return HTMLResponse(_mail(desk, n).html, headers={"Content-Security-Policy": _MAIL_POLICY})

    return routes


def _open(desk: Desk) -> Loopback:
    """The sandbox. Raises NotFound where there is none, Forbidden for whoever never sees messages."""
    require(desk.actor, Permission.READ_MESSAGES)
    state = desk.site.settings.sandbox_state
    if state is None:
        raise NotFound("There is no sandbox here: messages go to real providers.")
    return loopback(state)


def _mail(desk: Desk, n: int) -> Mail:
    found = _open(desk).mail(n)
    if found is None:
        raise NotFound("There is no such mail in the sandbox.")
    return found


def _screen(box: Loopback, number: str, follow: bool = False) -> dict[str, Any]:
    """What a phone's screen shows; ``mark`` differs when it does."""
    bubbles = box.conversation(number) if number else []
    arrived = sum(bubble.status == "delivered" for bubble in bubbles)
    tail = number[-4:]
    return {
        "phone_no": number,
        "bubbles": bubbles,
        "mark": f"{tail}-{len(bubbles)}-{arrived}",
        "follow": follow,
    }


def _with_chosen(phones: list[Phone], chosen: str) -> list[Phone]:
    if not chosen or any(phone.number == chosen for phone in phones):
        return phones
    return [Phone(chosen, None, ""), *phones]


def _mark(phones: list[Phone]) -> str:
    return f"{phones[0].number}-{len(phones)}" if phones else ""


def _beside(desk: Desk) -> str:
    """The page that stands beside the phone."""
    if desk.actor.may(Permission.DECIDE):
        return "/inbox"
    return "/mine" if Role.ADVISOR in desk.actor.roles() else ""
