"""The site: pages, the providers' callbacks, and the headers that keep a page to itself."""

import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit

import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from outreach.core.errors import OutreachError
from outreach.web import (
    absence,
    archive,
    branch,
    calendar,
    calls,
    clients,
    compose,
    content,
    content_review,
    day,
    files,
    inbox,
    material,
    mine,
    notices,
    operate,
    people,
    rehearse,
    reports,
    sandbox,
    sign_in,
)
from outreach.web.frame import STATUS, SignInNeeded, Site, desk_of, error_page

log = structlog.get_logger(__name__)

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " form-action 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'self'; font-src 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def share_fairly() -> None:
    """Let the threads of a web process take turns every half millisecond instead of every five, and leave what the
    program itself is made of out of every search for garbage.

    After each question to the database a page's thread waits for whoever computes. With the interpreter's own interval
    two pages that are made at once take three times as long as one after the other.
    """
    sys.setswitchinterval(0.0005)
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def create_site(site: Site, others: Sequence[APIRouter] = ()) -> FastAPI:
    """The ASGI application over the composition root; ``others`` are routes beside the pages (callbacks)."""
    app = FastAPI(title="Outreach", docs_url=None, redoc_url=None, openapi_url=None)
    desk = desk_of(site)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    for routes in others:
        app.include_router(routes)
    for room in (
        sign_in,
        inbox,
        compose,
        mine,
        notices,
        files,
        material,
        people,
        calls,
        clients,
        sandbox,
        operate,
        content,
        content_review,
        calendar,
        rehearse,
        archive,
        absence,
        branch,
        reports,
        day,
    ):
        app.include_router(room.router(desk))

    @app.get("/healthz")
    def health() -> PlainTextResponse:
        with site.open_work() as work:
            work.conn.exec_driver_sql("SELECT 1")
        return PlainTextResponse("ok")

    app.add_middleware(Guard, public_url=site.settings.public_url)

    @app.exception_handler(SignInNeeded)
    async def to_sign_in(request: Request, _: Exception) -> Response:
        back = request.url.path if request.method == "GET" else "/"
        if request.headers.get("hx-request") == "true":
            return Response(status_code=401, headers={"HX-Redirect": "/sign-in"})
        return RedirectResponse(f"/sign-in?next={quote(back)}", status_code=303)

    @app.exception_handler(OutreachError)
    async def in_words(request: Request, error: Exception) -> Response:
        if not isinstance(error, OutreachError):
            raise error
        if request.url.path.startswith(("/hooks/", "/api/")):
            body = {"error": error.code, "message": error.message, "mend": error.mend}
            return JSONResponse(body, status_code=STATUS.get(error.code, 500))
        try:
            made = await run_in_threadpool((await desk(request)).enter)
        except (SignInNeeded, OutreachError):
            return PlainTextResponse(str(error), status_code=STATUS.get(error.code, 500))
        return error_page(made, error)

    return app


class Guard:
    """Around every answer: no form of another site is taken, and the page keeps to itself.

    Plain ASGI: it looks at the heads of what comes and goes, and leaves the bodies to flow.
    """

    def __init__(self, app: ASGIApp, public_url: str) -> None:
        self.app = app
        self.public_url = public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        path, method = request.url.path, request.method
        noticed = method == "GET" and "outreach_notice" in request.cookies

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if not path.startswith("/static/"):
                    headers.setdefault("Cache-Control", "no-store")
                if noticed and "text/html" in headers.get("content-type", ""):
                    told = Response()
                    told.delete_cookie("outreach_notice")
                    headers.append("set-cookie", told.headers["set-cookie"])
            await send(message)

        if method == "POST" and not path.startswith(("/hooks/", "/api/")):
            refused = _cross_site(request, self.public_url)
            if refused:
                await PlainTextResponse(refused, status_code=403)(scope, receive, send)
                return
        await self.app(scope, receive, dressed)


def _cross_site(request: Request, public_url: str) -> str:
    """Why a form must not be taken: another site sent it (Fetch Metadata; Origin where the browser has none)."""
    fetched = request.headers.get("sec-fetch-site")
    if fetched is not None:
        return "" if fetched in {"same-origin", "none"} else "This form came from another site."
    origin = request.headers.get("origin")
    if origin and urlsplit(origin).netloc not in {
        request.headers.get("host", ""),
        urlsplit(public_url).netloc,
    }:
        return "This form came from another site."
    return ""
