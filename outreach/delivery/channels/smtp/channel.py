"""Mail over a small pool of kept SMTP connections."""

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable
from uuid import UUID

import aiosmtplib

from outreach.core.errors import BadInput
from outreach.core.settings import Smtp
from outreach.delivery.channels.base import Accepted, ChannelError, Fate, Outgoing
from outreach.delivery.channels.smtp.eml import eml, message_id_header

_CONNECTIONS = 8


class SmtpChannel:
    """Sends mail through one relay."""

    provider = "smtp"
    seconds = 30.0

    def __init__(self, settings: Smtp, connections: int = _CONNECTIONS, seconds: float = 30.0) -> None:
        self.settings = settings
        self.account = f"smtp:{settings.host}:{settings.port}"
        self.per_second = settings.per_second
        self.concurrency = connections
        self.seconds = seconds
        self._idle: asyncio.LifoQueue[aiosmtplib.SMTP | None] = asyncio.LifoQueue()

    async def open(self) -> None:
        """Fill the pool with places; connections are made when first needed."""
        for _ in range(self.concurrency):
            self._idle.put_nowait(None)

    async def close(self) -> None:
        """Say goodbye on every kept connection."""
        while not self._idle.empty():
            client = self._idle.get_nowait()
            if client is not None:
                with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                    await client.quit()

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Send one mail. What the server says before it has the whole text is certain; after, it may be unknown."""
        try:
            data = eml(
                outgoing.payload,
                outgoing.message_id,
                outgoing.attempt_id,
                outgoing.started_at,
                self.settings.sender,
                outgoing.files,
            )
        except BadInput as error:
            raise ChannelError("bad_message", str(error), permanent=True) from error
        client = await self._idle.get()
        handing_over = False
        try:
            client = await self._ready(client)
            await self._command("MAIL", client.mail(self.settings.sender))
            await self._command("RCPT", client.rcpt(outgoing.payload.to))
            handing_over = True
            await self._command("DATA", client.data(data))
        except ChannelError:
            if client is not None and client.is_connected:
                with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                    await client.rset()
            raise
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            if client is not None:
                client.close()
                client = None
            # The text was on its way when the line went dead: whether it was taken can't be known here.
            raise ChannelError(
                type(error).__name__, f"The mail server broke off: {error}", unknown=handing_over
            ) from error
        except BaseException:
            if client is not None:
                client.close()
                client = None
            raise
        finally:
            self._idle.put_nowait(client if client is not None and client.is_connected else None)
        reference = message_id_header(outgoing.message_id, outgoing.attempt_id, self.settings.sender)
        return Accepted(reference, hashlib.sha256(data).digest())

    async def _ready(self, client: aiosmtplib.SMTP | None) -> aiosmtplib.SMTP:
        if client is not None and client.is_connected:
            return client
        settings = self.settings
        fresh = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            use_tls=settings.tls == "tls",
            start_tls=settings.tls == "starttls",
            username=settings.username or None,
            password=settings.password or None,
            timeout=self.seconds / 2,
        )
        try:
            await fresh.connect()
        except aiosmtplib.SMTPAuthenticationError as error:
            raise ChannelError(
                "authentication", f"The mail server refused our sign-in: {error.message}"
            ) from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise ChannelError("connect", f"The mail server can't be reached: {error}") from error
        return fresh

    @staticmethod
    async def _command(name: str, answer: Awaitable[object]) -> None:
        try:
            await answer
        except aiosmtplib.SMTPResponseException as error:
            # RFC 5321 §4.2.1: 4yz is for now, 5yz is for good.
            raise ChannelError(
                str(error.code), f"{name}: {error.code} {error.message}", permanent=500 <= error.code < 600
            ) from error

    async def look_up(self, message_id: UUID) -> tuple[Fate, str] | None:
        """SMTP has no way to ask."""
        del message_id
        return None
