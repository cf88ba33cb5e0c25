"""The control and reading routes that all three servers have, under a prefix."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from outreach.core.errors import BadInput, OutreachError
from outreach.demo.sandbox.faults import Fault, Faults
from outreach.demo.sandbox.store import Record, Store

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PAGE = 200
LARGEST_PAGE = 5000


def add_control(
    app: web.Application,
    prefix: str,
    store: Store,
    faults: Faults,
    *,
    present: Callable[[Record], Record],
    changed: Callable[[], Awaitable[None]] | None = None,
    extra_counts: Callable[[], Record] | None = None,
) -> None:
    """Add messages, counts and faults under ``prefix``, and ``/health``.

    ``present`` makes a stored entry readable, ``changed`` is called after the faults changed.
    """

    async def messages(request: web.Request) -> web.Response:
        after, limit = number(request, "after", 0), min(number(request, "limit", PAGE), LARGEST_PAGE)
        entries = store.page(after, limit, request.query.get("address"))
        following = entries[-1]["n"] if entries else after
        return web.json_response(
            {"messages": [present(e) for e in entries], "next": following, "stored": store.total}
        )

    async def counts(request: web.Request) -> web.Response:
        found = store.counts(brief=request.query.get("brief") == "1")
        return web.json_response(found | (extra_counts() if extra_counts else {}))

    async def list_faults(_request: web.Request) -> web.Response:
        return web.json_response({"faults": [rule.to_json() for rule in faults.rules]})

    async def add_fault(request: web.Request) -> web.Response:
        wish = await body(request)
        rule: Fault | None = None
        if wish.get("mode") == "clear":
            faults.clear()
        else:
            rule = faults.add(wish)
        if changed is not None:
            await changed()
        return web.json_response(rule.to_json() if rule else {"faults": []})

    async def clear_faults(_request: web.Request) -> web.Response:
        faults.clear()
        if changed is not None:
            await changed()
        return web.json_response({"faults": []})

    async def health(_request: web.Request) -> web.Response:
        return web.json_response({"ok": True, "stored": store.total})

    app.router.add_get(f"{prefix}/messages", messages)
    app.router.add_get(f"{prefix}/counts", counts)
    app.router.add_get(f"{prefix}/faults", list_faults)
    app.router.add_post(f"{prefix}/faults", add_fault)
    app.router.add_delete(f"{prefix}/faults", clear_faults)
    app.router.add_get("/health", health)


@web.middleware
async def say_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Our errors as JSON: 400 with what is wrong and what to do."""
    try:
        return await handler(request)
    except OutreachError as error:
        return web.json_response({"error": error.message, "mend": error.mend}, status=400)


def number(request: web.Request, name: str, default: int) -> int:
    """A whole number of the query. Raises BadInput."""
    text = request.query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit():
        raise BadInput(f"{name} is {text!r}.", mend="Give a whole number, 0 or more.")
    return int(text)


async def body(request: web.Request) -> dict[str, Any]:
    """The JSON object in the request. Raises BadInput."""
    try:
        value = await request.json()
    except ValueError as error:
        raise BadInput(f"The body is no JSON: {error}.", mend="Send a JSON object.") from error
    if not isinstance(value, dict):
        raise BadInput("The body is no JSON object.", mend="Send a JSON object.")
    return value
