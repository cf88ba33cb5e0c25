"""What every page stands in: who is signed in, the language, the form token, rendering, and errors in words."""

import hmac
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial, wraps
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.concurrency import run_in_threadpool

from outreach.auth.sessions import Session, resume
from outreach.core import clock
from outreach.core.access import Actor, Permission, Role
from outreach.core.errors import Forbidden, OutreachError
from outreach.core.i18n import (
    LOCALES,
    choose,
    date_text,
    in_language,
    instant_text,
    number_text,
    translate,
)
from outreach.core.settings import Settings
from outreach.ledger.work import Opener, Work
from outreach.review.conflicts import Happened, in_words
from outreach.web.inbox_filters import place
from outreach.web.told import told

COOKIE = "outreach_session"
LANGUAGE_COOKIE = "outreach_language"
_MOST_TOLD = 10  # messages of a conflict that are told one by one
PAGES = Path(__file__).parent / "pages"


class Site(Protocol):
    """What the pages need of the composition root."""

    settings: Settings
    open_work: Opener


class SignInNeeded(Exception):
    """Nobody is signed in; the person is sent to the sign-in page and back."""


class FormExpired(OutreachError):
    """This form is not from this session."""

    code = "form_expired"
    mend = "Open the page again and send it once more."


def environment() -> Environment:
    """The pages' templates: escaped, and strict about what they name."""
    env = Environment(
        loader=PackageLoader("outreach.web", "pages"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    env.filters["count"] = number_text
    env.globals["place"] = place
    return env


_ENVIRONMENT = environment()


@dataclass
class Desk:
    """One request: its session, language and services. Pages are made by ``page``, work is done in ``work``.

    ``Page`` has it ``enter`` before anything else is done at it.
    """

    site: Site
    request: Request
    locale: str
    session: Session | None = field(init=False)

    def enter(self) -> "Desk":
        """Look who is signed in. Raises SignInNeeded where somebody must be."""
        self.session = resume(self.site.open_work, self.request.cookies.get(COOKIE, ""))
        if self.session is None and not _open_path(self.request.url.path):
            raise SignInNeeded
        return self

    @property
    def actor(self) -> Actor:
        """Whoever is signed in. Raises SignInNeeded."""
        if self.session is None:
            raise SignInNeeded
        return self.session.actor

    @contextmanager
    def work(self) -> Iterator[Work]:
        """One transaction as the signed-in person."""
        with self.site.open_work(self.actor) as work:
            yield work

    @contextmanager
    def look(self) -> Iterator[Work]:
        """As ``work``, for a page that writes nothing: no transaction is opened for it."""
        with self.site.open_work(self.actor, looking=True) as work:
            yield work

    def say(self, msgid: str, **params: object) -> str:
        """``msgid`` in this request's language."""
        return translate(self.locale, msgid, **params)

    def page(self, name: str, status: int = 200, **values: Any) -> HTMLResponse:
        """The page ``name`` with ``values``."""
        template = _ENVIRONMENT.get_template(name)
        return HTMLResponse(template.render(**self._context(), **values), status_code=status)

    def go(self, path: str, notice: str = "") -> RedirectResponse:
        """Send the browser to ``path`` after a form (303); ``notice`` is shown there once."""
        answer = RedirectResponse(path, status_code=303)
        if notice:
            answer.set_cookie(
                "outreach_notice",
                notice.encode("unicode_escape").decode(),
                max_age=20,
                httponly=True,
                samesite="lax",
            )
        return answer

    def check_form(self, token: str) -> None:
        """Raise FormExpired unless the form carries this session's token (CSRF)."""
        if self.session is None:
            raise SignInNeeded
        if not hmac.compare_digest(self.session.csrf_token, token):
            raise FormExpired

    @property
    def partial(self) -> bool:
        """Whether htmx asks for a part of a page only."""
        return self.request.headers.get("hx-request") == "true"

    def _context(self) -> dict[str, Any]:
        settings, now = self.site.settings, clock.now()
        actor = self.session.actor if self.session else None
        raw = self.request.cookies.get("outreach_notice", "")
        notice = raw.encode().decode("unicode_escape", "replace") if raw.isascii() else ""
        return {
            "_": partial(translate, self.locale),
            "titled": partial(in_language, locale=self.locale),
            "lang": self.locale,
            "languages": LOCALES,
            "actor": actor,
            "csrf": self.session.csrf_token if self.session else "",
            "can": partial(_can, actor),
            "permission": Permission,
            "role": Role,
            "firm": settings.firm_name if self.locale == "zh-CN" else settings.firm_name_en,
            "demonstration": settings.demonstration,
            "sandbox": settings.sandbox_state is not None,
            "path": self.request.url.path,
            "here": self.request.url.path + (f"?{self.request.url.query}" if self.request.url.query else ""),
            "notice": notice,
            "now": now,
            "instant": lambda at: instant_text(self.locale, at, settings.zone, now),
            "day": partial(date_text, self.locale),
            "number": partial(number_text, self.locale),
            "time_left": partial(time_left, self.locale),
            "partial": self.partial,
            # Within another page of ours (the sandbox's): without the header that stands there already.
            "embedded": self.request.headers.get("sec-fetch-dest") == "iframe",
        }


def _can(actor: Actor | None, permission: Permission) -> bool:
    return actor is not None and actor.may(permission)


def time_left(locale: str, due: Any) -> dict[str, str]:
    """How long until ``due``, in words, with a tone for its colour: calm, soon, urgent or late."""
    seconds = (due - clock.now()).total_seconds()
    minutes = abs(int(seconds // 60))
    if minutes < 60:
        words = translate(locale, "%(n)s min", n=max(minutes, 1))
    elif minutes < 48 * 60:
        words = translate(locale, "%(n)s h", n=minutes // 60)
    else:
        words = translate(locale, "%(n)s days", n=minutes // (24 * 60))
    if seconds < 0:
        return {"words": translate(locale, "%(time)s late", time=words), "tone": "late"}
    tone = "urgent" if seconds < 900 else "soon" if seconds < 4 * 3600 else "calm"
    return {"words": translate(locale, "%(time)s left", time=words), "tone": tone}


Desks = Callable[[Request], Awaitable[Desk]]


class Page(APIRoute):
    """A route at a desk: it enters in the thread of the endpoint itself, before the endpoint.

    A dependency of its own would have a thread of its own, and each hand-over costs a busy machine half a millisecond.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **more: Any) -> None:
        super().__init__(path, _entered(endpoint), **more)


def _entered(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    if iscoroutinefunction(endpoint):

        @wraps(endpoint)
        async def later(**given: Any) -> Any:
            for desk in _desks(given):
                await run_in_threadpool(desk.enter)
            return await endpoint(**given)

        return later

    @wraps(endpoint)
    def at_once(**given: Any) -> Any:
        for desk in _desks(given):
            desk.enter()
        return endpoint(**given)

    return at_once


def _desks(given: dict[str, Any]) -> list[Desk]:
    return [one for one in given.values() if isinstance(one, Desk)]


def desk_of(site: Site) -> Desks:
    """The dependency that makes a Desk for each request."""

    async def make(request: Request) -> Desk:
        chosen = request.cookies.get(LANGUAGE_COOKIE, "")
        locale = (
            chosen
            if chosen in LOCALES
            else choose(request.headers.get("accept-language", ""), site.settings.locale)
        )
        if COOKIE not in request.cookies and not _open_path(request.url.path):
            raise SignInNeeded
        return Desk(site, request, locale)

    return make


def _open_path(path: str) -> bool:
    return path in {"/sign-in", "/language"} or path.startswith("/static/")


def safe_path(path: str) -> str:
    """``path`` when it leads to this site, else the start page: no redirect leads away."""
    parts = urlsplit(path)
    if parts.scheme or parts.netloc or not path.startswith("/") or path.startswith("//") or "\\" in path:
        return "/"
    return path


STATUS = {
    "not_found": 404,
    "forbidden": 403,
    "conflict": 409,
    "bad_input": 400,
    "rule_broken": 422,
    "unavailable": 503,
    "form_expired": 403,
}


def error_page(desk: Desk, error: OutreachError) -> Response:
    """An error of ours as a page: what happened, and what to do."""
    status = STATUS.get(error.code, 500)
    if isinstance(error, Forbidden) and desk.session is None:
        status = 401
    said, mend = told(desk.locale, error)
    happened = [one for one in error.details.get("messages", ()) if isinstance(one, dict) and "what" in one]
    return desk.page(
        "error.html",
        status=status,
        said=said,
        mend=mend,
        status_code=status,
        happened=[
            in_words(Happened.from_json(one), desk.locale, desk.site.settings.zone)
            for one in happened[:_MOST_TOLD]
        ],
        more=max(len(happened) - _MOST_TOLD, 0),
    )


def mail_page(html: str) -> Response:
    """A mail's own page, for a sandboxed frame: it may style itself, and do nothing else."""
    return Response(
        html,
        media_type="text/html; charset=utf-8",
        headers={
            "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:;"
            " frame-ancestors 'self'"
        },
    )
