"""Twilio's Messages API through the official SDK's asynchronous client."""

import asyncio
import hashlib
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit
from uuid import UUID

import aiohttp
from twilio.base.exceptions import TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

from outreach.core.settings import TwilioAccount
from outreach.delivery.channels.base import Accepted, ChannelError, Fate, Outgoing

# Errors after which another try can't help: the number, the content or the recipient's own opt-out.
_TOO_MANY = 429


class _Rebased(AsyncTwilioHttpClient):  # type: ignore[misc]
    """The SDK's client, with only the base address rewritten (for a sandbox or a proxy)."""

    def __init__(self, base_url: str) -> None:
        # No max_retries: the SDK would repeat a POST after a 500, and there is no idempotency key.
        super().__init__()
        self._base = urlsplit(base_url)

    async def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        parts = urlsplit(url)
        url = urlunsplit((self._base.scheme, self._base.netloc, parts.path, parts.query, ""))
        return await super().request(method, url, *args, **kwargs)


class TwilioChannel:
    """Sends SMS through one Twilio account."""

    provider = "twilio"

    def __init__(self, account: TwilioAccount, concurrency: int = 64, seconds: float = 20.0) -> None:
        self.settings = account
        self.account = f"twilio:{account.account_sid}"
        self.per_second = account.per_second
        self.concurrency = concurrency
        self.seconds = seconds
        self._client: Any = None
        self._http: _Rebased | None = None

    async def open(self) -> None:
        """Make the one client; its session belongs to the running loop."""
        self._http = _Rebased(self.settings.base_url)
        self._client = Client(self.settings.account_sid, self.settings.auth_token, http_client=self._http)

    async def close(self) -> None:
        """Close the session."""
        if self._http is not None:
            await self._http.close()

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Create one Message resource. Raises ChannelError."""
        form = {
            "To": outgoing.payload.to,
            "From": self.settings.sender,
            "Body": outgoing.payload.text,
            "StatusCallback": outgoing.callback_url,
        }
        try:
            # The SDK's asynchronous client ignores its own time-out, so the call is wrapped.
            async with asyncio.timeout(self.seconds):
                message = await self._client.messages.create_async(
                    to=form["To"],
                    from_=form["From"],
                    body=form["Body"],
                    status_callback=form["StatusCallback"],
                )
        except TwilioRestException as error:
            raise _said(error) from error
        except aiohttp.ClientConnectorError as error:
            raise ChannelError("connect", f"Twilio can't be reached: {error}") from error
        except TimeoutError as error:
            raise ChannelError("timeout", "Twilio did not answer in time.", unknown=True) from error
        except (aiohttp.ClientError, OSError, ValueError, KeyError, TypeError) as error:
            # The answer broke off or can't be read: the message may exist.
            raise ChannelError(
                type(error).__name__, f"Twilio's answer was lost: {error}", unknown=True
            ) from error
        return Accepted(message.sid, hashlib.sha256(urlencode(form).encode()).digest())

    async def look_up(self, message_id: UUID) -> tuple[Fate, str] | None:
        """Twilio can't be asked by our id: the status callback, whose address carries it, settles what is open."""
        del message_id
        return None


def _said(error: TwilioRestException) -> ChannelError:
    code = str(error.code or error.status)
    text = f"Twilio {error.status}: {error.msg}"
    if error.status == _TOO_MANY:
        return ChannelError(code, text, retry_after=1.0)
    if error.status == 401 or error.status == 403:
        # The account's fault, not the message's: it waits until the operator has mended the credentials.
        return ChannelError(code, text, retry_after=60.0)
    if error.status >= 500:
        # A 5xx does not say whether the message was made; there is no idempotency key to find out.
        return ChannelError(code, text, unknown=error.status != 503)
    return ChannelError(code, text, permanent=True)
