"""The firm's SMS platform over HTTP: signed requests, a look-up by our own reference."""

import hashlib
import hmac
import json
import secrets
from typing import Any
from uuid import UUID

import aiohttp

from outreach.core import clock
from outreach.core.settings import Gateway
from outreach.delivery.channels.base import Accepted, ChannelError, Fate, Outgoing

_CALLBACK_TOLERANCE_SECONDS = 300


class GatewayChannel:
    """Sends SMS through one account at the gateway."""

    provider = "gateway"

    def __init__(self, settings: Gateway, concurrency: int = 64, seconds: float = 20.0) -> None:
        self.settings = settings
        self.account = f"gateway:{settings.account}"
        self.per_second = settings.per_second
        self.concurrency = concurrency
        self.seconds = seconds
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the one session of the running loop."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self.seconds))

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the channel was not opened")
        return self._session

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand one SMS over. Raises ChannelError."""
        settings = self.settings
        timestamp, nonce = int(clock.now().timestamp()), secrets.token_hex(8)
        to, text, reference = outgoing.payload.to, outgoing.payload.text, str(outgoing.message_id)
        text_digest = hashlib.sha256(text.encode()).hexdigest()
        body = json.dumps(
            {
                "account": settings.account,
                "timestamp": timestamp,
                "nonce": nonce,
                "to": to,
                "text": text,
                "reference": reference,
                "sign": _sign(
                    settings.secret, settings.account, timestamp, nonce, to, reference, text_digest
                ),
            },
            ensure_ascii=False,
        ).encode()
        try:
            async with self._opened().post(
                f"{settings.url}/sms", data=body, headers={"Content-Type": "application/json"}
            ) as response:
                status, answer = response.status, await response.read()
        except aiohttp.ClientConnectorError as error:
            raise ChannelError("connect", f"The SMS gateway can't be reached: {error}") from error
        except TimeoutError as error:
            raise ChannelError("timeout", "The SMS gateway did not answer in time.", unknown=True) from error
        except (aiohttp.ClientError, OSError) as error:
            raise ChannelError(
                type(error).__name__, f"The SMS gateway's answer was lost: {error}", unknown=True
            ) from error
        return Accepted(_reference(status, answer), hashlib.sha256(body).digest())

    async def look_up(self, message_id: UUID) -> tuple[Fate, str] | None:
        """What became of our reference. Raises nothing: what can't be asked now is asked again later."""
        settings = self.settings
        timestamp, nonce, reference = int(clock.now().timestamp()), secrets.token_hex(8), str(message_id)
        query = {
            "account": settings.account,
            "timestamp": str(timestamp),
            "nonce": nonce,
            "reference": reference,
            "sign": _sign(settings.secret, settings.account, timestamp, nonce, reference),
        }
        try:
            async with self._opened().get(f"{settings.url}/sms", params=query) as response:
                if response.status != 200:
                    return None
                answer = await response.json(content_type=None)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return None
        if not isinstance(answer, dict) or answer.get("code") != 0:
            return None
        if answer.get("found") is False:
            return Fate.ABSENT, ""
        if answer.get("found") is not True:
            return None
        fates = {"delivered": Fate.DELIVERED, "undelivered": Fate.UNDELIVERED, "failed": Fate.UNDELIVERED}
        return fates.get(str(answer.get("status")), Fate.ACCEPTED), str(answer.get("msg_id", ""))


def _sign(secret: str, *parts: str | int) -> str:
    lines = "\n".join(str(part) for part in parts)
    return hmac.new(secret.encode(), lines.encode(), hashlib.sha256).hexdigest()


def _reference(status: int, answer: bytes) -> str:
    """The gateway's own reference out of its answer. Raises ChannelError: 1xx is for good, 2xx for now."""
    try:
        fields: Any = json.loads(answer)
        code = int(fields["code"])
    except (ValueError, KeyError, TypeError) as error:
        if status == 429 or status == 503:
            raise ChannelError(str(status), "The SMS gateway asks for a pause.", retry_after=1.0) from error
        if 400 <= status < 500:
            raise ChannelError(
                str(status), f"The SMS gateway refused the call ({status}).", permanent=True
            ) from error
        raise ChannelError(
            str(status), f"The SMS gateway's answer can't be read ({status}).", unknown=True
        ) from error
    if code == 0:
        reference = fields.get("msg_id")
        if not reference:
            raise ChannelError("no_reference", "The SMS gateway gave no reference.", unknown=True)
        return str(reference)
    text = f"The SMS gateway says {code}: {fields.get('message', '')}"
    if 100 <= code < 200:
        raise ChannelError(str(code), text, permanent=True)
    raise ChannelError(str(code), text, retry_after=1.0 if status == 429 else None)


def callback_holds(settings: Gateway, timestamp: str, body: bytes, signature: str) -> bool:
    """Whether the gateway signed this callback, not more than five minutes ago (or ahead)."""
    if not timestamp.isascii() or not timestamp.isdigit():
        return False
    if abs(clock.now().timestamp() - int(timestamp)) > _CALLBACK_TOLERANCE_SECONDS:
        return False
    expected = hmac.new(settings.secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, signature)
