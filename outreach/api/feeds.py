"""The feeds by REST: ``POST /api/v1/research`` and ``POST /api/v1/market-events`` (docs/reference/feeds.md).

One JSON object, an array of them, or JSON Lines. Each item is taken or refused by itself, and the same item again
changes nothing, so a program that is unsure whether it was heard just sends again.
"""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Protocol

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from outreach.auth.tokens import WINDOW, TokenRefused, holder_of
from outreach.core.access import Actor
from outreach.core.errors import BadInput, OutreachError
from outreach.core.settings import Settings
from outreach.feeds.take_in import Taken, take_in_each
from outreach.ledger.work import Opener

LARGEST = 8 << 20
MOST_ITEMS = 5000
_JSON = frozenset({"application/json"})
_LINES = frozenset(
    {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-lines"}
)
_BREAKS = re.compile(r"[\r\n]+")
_STATUS = {
    "unauthorized": 401,
    "forbidden": 403,
    "too_large": 413,
    "media_type": 415,
    "too_many": 429,
    "unavailable": 503,
}

log = structlog.get_logger(__name__)


class Site(Protocol):
    """What the feeds need of the composition root."""

    settings: Settings
    open_work: Opener


class _TooLarge(BadInput):
    code = "too_large"


class _MediaType(BadInput):
    code = "media_type"


def feed_router(site: Site) -> APIRouter:
    """The feeds' addresses. Errors are JSON: ``error``, ``message``, ``mend``."""
    routes = APIRouter(prefix="/api/v1")

    async def take(request: Request, permission: str, kind: str) -> Response:
        try:
            actor = await run_in_threadpool(
                holder_of, site.open_work, _token(request), permission, _source(request)
            )
            lines = await _lines(request)
            results = await run_in_threadpool(_take_in, site, actor, kind, lines, _locale(request))
        except ClientDisconnect:
            return Response(status_code=400)
        except OutreachError as error:
            log.warning("feed refused", feed=permission, error=error.code)
            return _refused(error)
        return _answer(permission, results)

    @routes.post("/research")
    async def research(request: Request) -> Response:
        return await take(request, "research", "research")

    @routes.post("/market-events")
    async def market_events(request: Request) -> Response:
        return await take(request, "market-events", "market-event")

    return routes


def _take_in(site: Site, actor: Actor, kind: str, lines: bytes, locale: str) -> list[Taken]:
    return list(take_in_each(site.open_work, actor, kind, io.BytesIO(lines), locale))


# ── what is asked ─────────────────────────────────────────────────────────────────────────────────────────


def _token(request: Request) -> str:
    """The token of ``Authorization: Bearer`` (RFC 6750). Raises TokenRefused when there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise TokenRefused
    return token.strip()


def _source(request: Request) -> str:
    return request.client.host if request.client else ""


def _locale(request: Request) -> str:
    """The language of refusals: the first that the caller accepts, else the firm's."""
    first = request.headers.get("accept-language", "").split(",")[0].strip().lower()
    return "zh-CN" if first.startswith("zh") else "en" if first.startswith("en") else ""


async def _lines(request: Request) -> bytes:
    """The body as JSON Lines. Raises BadInput for what is no JSON, too large, or of another media type."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _JSON | _LINES:
        raise _MediaType(
            "The body's media type is not one that is taken.",
            mend="Send application/json, or application/x-ndjson for JSON Lines.",
        )
    if request.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise _MediaType("Compressed bodies are not taken.", mend="Send it as it is.")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST:
            raise _TooLarge(f"The body is larger than {LARGEST} bytes.", mend="Send it in several parts.")
    if not body.strip():
        raise BadInput("The body is empty.", mend="Send an item.")
    lines = bytes(body) if media_type in _LINES else await run_in_threadpool(_json_lines, bytes(body))
    if lines.count(b"\n") > MOST_ITEMS:
        raise _TooLarge(f"These are more than {MOST_ITEMS} items.", mend="Send them in several parts.")
    return lines


def _json_lines(body: bytes) -> bytes:
    """An object, or each element of an array, as a line of its own, in the caller's own characters: so that every
    check of a file's line holds for it too."""
    try:
        text = body.decode("utf-8-sig")
        json.loads(text)
    except UnicodeDecodeError as error:
        raise BadInput("The body is not UTF-8.", mend="Encode it as UTF-8.") from error
    except json.JSONDecodeError as error:
        raise BadInput(
            f"The body is no JSON: line {error.lineno}, column {error.colno}.",
            mend="Correct it; nothing was taken.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise BadInput(
            "The body is no JSON that can be used.", mend="Correct it; nothing was taken."
        ) from error
    bare = text.strip()
    pieces = list(_elements(bare)) if bare.startswith("[") else [bare]
    if not pieces:
        raise BadInput("The array is empty.", mend="Send an item.")
    # A line break can only stand between the parts of an element: within a string it is no JSON.
    return "".join(_BREAKS.sub(" ", piece) + "\n" for piece in pieces).encode()


def _elements(array: str) -> Iterator[str]:
    """The elements of an array that is known to be JSON, as they were written."""
    decoder = json.JSONDecoder()
    at = 1
    while True:
        while array[at] in " \t\r\n,":
            at += 1
        if array[at] == "]":
            return
        _, end = decoder.raw_decode(array, at)
        yield array[at:end]
        at = end


# ── what is answered ──────────────────────────────────────────────────────────────────────────────────────


def _answer(feed: str, results: list[Taken]) -> Response:
    """201: something new; 200: all known; 207: some were refused; 422: all were."""
    outcomes = [one.outcome for one in results]
    refused = outcomes.count("refused")
    if refused:
        status = 422 if refused == len(results) else 207
    else:
        status = 200 if all(outcome == "known" for outcome in outcomes) else 201
    body = {
        "feed": feed,
        "accepted": outcomes.count("new") + outcomes.count("correction"),
        "corrections": outcomes.count("correction"),
        "known": outcomes.count("known"),
        "refused": refused,
        "items": [_item(one) for one in results],
    }
    return JSONResponse(body, status_code=status)


def _item(one: Taken) -> dict[str, Any]:
    said: dict[str, Any] = {"line": one.line, "id": one.item_id, "result": one.outcome}
    if one.refusal is not None:
        why = asdict(one.refusal)
        said |= {name: why[name] for name in ("code", "field", "reason", "mend")}
    return said


def _refused(error: OutreachError) -> Response:
    status = _STATUS.get(error.code, 400)
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="outreach"'
    if status in (429, 503):
        headers["Retry-After"] = str(round(WINDOW.total_seconds()) if status == 429 else 5)
    body = {"error": error.code, "message": error.message, "mend": error.mend}
    return JSONResponse(body, status_code=status, headers=headers)
