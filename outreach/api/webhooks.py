"""What providers report: Twilio's status callbacks and inbound messages, the gateway's receipts and replies.

Nothing is believed without its signature. A callback may come twice, late, or before our own write: what is kept is
kept once, and settles when it can. An answer other than 2xx makes the provider repeat it.
"""

import json
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import parse_qsl
from uuid import UUID

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from starlette.concurrency import run_in_threadpool

from outreach.core.access import SYSTEM
from outreach.core.errors import BadInput, Forbidden, OutreachError
from outreach.core.settings import Settings
from outreach.delivery.channels.gateway import callback_holds
from outreach.delivery.channels.twilio import signature_holds
from outreach.delivery.receipts import ReceiptIn, take_receipt
from outreach.delivery.replies import ReplyIn, take_reply
from outreach.ledger.work import Opener, Work

LARGEST = 64 * 1024
_LONGEST_TEXT = 4000
_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'

log = structlog.get_logger(__name__)


class Site(Protocol):
    """What the callbacks need of the composition root."""

    settings: Settings
    open_work: Opener


def webhook_router(site: Site) -> APIRouter:
    """The providers' addresses. Each answers 403 to a wrong signature, 400 to what is malformed, 413 to more than
    64 KiB, and 503 while the database is away, so that the provider comes again."""
    routes = APIRouter(prefix="/hooks")

    async def keep(act: Callable[[Work], object], answer: Response) -> Response:
        def run() -> None:
            with site.open_work(SYSTEM) as work:
                act(work)

        try:
            await run_in_threadpool(run)
        except OutreachError as error:
            log.warning("callback not kept", error=error.code)
            return PlainTextResponse(str(error), status_code=503 if error.code == "unavailable" else 400)
        return answer

    @routes.post("/twilio/status/{message_id}")
    async def twilio_status(request: Request, message_id: str) -> Response:
        try:
            form = await _twilio_form(site.settings, request, f"/hooks/twilio/status/{message_id}")
            receipt = ReceiptIn(
                provider="twilio",
                provider_ref=_wanted(form, "MessageSid", 64),
                provider_status=_wanted(form, "MessageStatus", 64),
                message_id=_uuid(message_id),
                error_code=form.get("ErrorCode", "")[:32] or None,
            )
        except OutreachError as error:
            return _refused("twilio status", error)
        return await keep(lambda work: take_receipt(work, receipt), Response(status_code=204))

    @routes.post("/twilio/inbound")
    async def twilio_inbound(request: Request) -> Response:
        try:
            form = await _twilio_form(site.settings, request, "/hooks/twilio/inbound")
            reply = ReplyIn(
                provider="twilio",
                provider_ref=_wanted(form, "MessageSid", 64),
                channel="sms",
                sender=_wanted(form, "From", 64),
                body=form.get("Body", "")[:_LONGEST_TEXT],
                hint=form.get("OptOutType", "")[:16],
            )
        except OutreachError as error:
            return _refused("twilio inbound", error)
        answer = Response(_TWIML, media_type="text/xml")
        return await keep(lambda work: take_reply(work, reply), answer)

    @routes.post("/gateway")
    async def gateway(request: Request) -> Response:
        try:
            body = await _gateway_body(site.settings, request)
            act = _gateway_act(body)
        except OutreachError as error:
            return _refused("gateway", error)
        return await keep(act, Response(status_code=204))

    return routes


# ── Twilio ────────────────────────────────────────────────────────────────────────────────────────────────


async def _twilio_form(settings: Settings, request: Request, path: str) -> dict[str, str]:
    """The form of a callback that Twilio signed for our public address.

    Raises Forbidden for a wrong signature, BadInput for what is no form.
    """
    if settings.twilio is None:
        raise Forbidden("No account at Twilio is configured.")
    raw = await _body(request)
    try:
        pairs = parse_qsl(
            raw.decode("utf-8"),
            keep_blank_values=True,
            strict_parsing=bool(raw),
            max_num_fields=200,
            errors="strict",
        )
    except ValueError as error:
        raise BadInput(
            "The body is not a form in UTF-8.", mend="Send application/x-www-form-urlencoded."
        ) from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise BadInput("A field occurs twice.", mend="Send each field once.")
    query = f"?{request.url.query}" if request.url.query else ""
    address = f"{settings.public_url}{path}{query}"
    signature = request.headers.get("X-Twilio-Signature", "")
    if not signature_holds(settings.twilio.auth_token, address, form, signature):
        raise Forbidden("The signature does not hold.", mend="Check the auth token and OUTREACH_PUBLIC_URL.")
    if form.get("AccountSid", settings.twilio.account_sid) != settings.twilio.account_sid:
        raise Forbidden("This is another account's callback.")
    return form


# ── gateway ───────────────────────────────────────────────────────────────────────────────────────────────


async def _gateway_body(settings: Settings, request: Request) -> dict[str, Any]:
    if settings.gateway is None:
        raise Forbidden("No SMS gateway is configured.")
    raw = await _body(request)
    held = callback_holds(
        settings.gateway,
        request.headers.get("X-Gateway-Timestamp", ""),
        raw,
        request.headers.get("X-Gateway-Signature", ""),
    )
    if not held:
        raise Forbidden("The signature does not hold.", mend="Check the secret and the clock.")
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadInput(
            "The body is not JSON.", mend="Send what docs/reference/gateway.md describes."
        ) from error
    if not isinstance(body, dict):
        raise BadInput(
            "The body is not a JSON object.", mend="Send what docs/reference/gateway.md describes."
        )
    return body


def _gateway_act(body: dict[str, Any]) -> Callable[[Work], object]:
    words = {key: value for key, value in body.items() if isinstance(value, str)}
    if body.get("type") == "receipt":
        receipt = ReceiptIn(
            provider="gateway",
            provider_ref=_wanted(words, "msg_id", 64),
            provider_status=_wanted(words, "status", 64),
            message_id=_uuid(_wanted(words, "reference", 64)),
            error_code=words.get("error", "")[:32] or None,
        )
        return lambda work: take_receipt(work, receipt)
    if body.get("type") == "reply":
        reply = ReplyIn(
            provider="gateway",
            provider_ref=_wanted(words, "id", 64),
            channel="sms",
            sender=_wanted(words, "from", 64),
            body=words.get("text", "")[:_LONGEST_TEXT],
        )
        return lambda work: take_reply(work, reply)
    raise BadInput("The type is neither receipt nor reply.", mend="Send one of both.")


# ── both ──────────────────────────────────────────────────────────────────────────────────────────────────


class _TooLarge(BadInput):
    code = "too_large"


async def _body(request: Request) -> bytes:
    """The body, read no further than the limit. Raises _TooLarge."""
    read = bytearray()
    async for piece in request.stream():
        read += piece
        if len(read) > LARGEST:
            raise _TooLarge(f"The body is larger than {LARGEST} bytes.", mend="Callbacks are small.")
    return bytes(read)


def _wanted(words: dict[str, str], name: str, longest: int) -> str:
    value = words.get(name, "")
    if not value or len(value) > longest or not value.isprintable():
        raise BadInput(f"{name} is missing or unusable.", mend=f"Send {name} with 1 to {longest} characters.")
    return value


def _uuid(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise BadInput("The message id is none.", mend="Send back the reference as it was given.") from None


def _refused(what: str, error: OutreachError) -> Response:
    log.warning("callback refused", callback=what, error=error.code)
    status = {"forbidden": 403, "too_large": 413}.get(error.code, 400)
    return PlainTextResponse(str(error), status_code=status)
