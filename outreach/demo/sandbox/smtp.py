"""A mail server that keeps what it accepts. Its control port is a second one, speaking HTTP."""

import asyncio
import base64
import logging
import re
import socket
from pathlib import Path
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

from outreach.demo.sandbox.control import add_control, say_errors
from outreach.demo.sandbox.faults import Faults
from outreach.demo.sandbox.serve import LOOPBACK, listen
from outreach.demo.sandbox.store import MESSAGE, Record, Store, stamp
from outreach.demo.sandbox.texting import message_id_in

MODES = ("refuse-connection", "greylist", "reject", "drop-before-data", "drop-after-data", "slow")
HOST_NAME = "sandbox.example"

_MESSAGE_ID = re.compile(rb"^message-id:\s*<?([^>\s]+)>?", re.IGNORECASE | re.MULTILINE)


class MailServer:
    """SMTP on one port, control on another."""

    name = "smtp"

    def __init__(self, state: Path, *, fsync: bool = True) -> None:
        self.store = Store(state / "smtp.jsonl", fsync=fsync)
        self.faults = Faults(MODES)
        self.port = 0
        self._sessions: set[asyncio.Transport] = set()
        self._listener: asyncio.Server | None = None
        self._held: socket.socket | None = None
        self._runner: web.AppRunner | None = None
        # A line per command and per reply costs more than the mail itself.
        logging.getLogger("mail.log").setLevel(logging.ERROR)

    async def start(self, port: int, control_port: int) -> tuple[int, int]:
        """Listen for mail and for control."""
        self.port = port
        await self._open()
        app = web.Application(middlewares=[say_errors])
        add_control(app, "", self.store, self.faults, present=present, changed=self._faults_changed)
        self._runner, control = await listen(app, control_port)
        return self.port, control

    async def close(self) -> None:
        """Stop; open connections are dropped."""
        self._shut()
        if self._held is not None:
            self._held.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            lambda: _Connection(self), LOOPBACK, self.port, backlog=2048, reuse_address=True
        )
        self.port = self._listener.sockets[0].getsockname()[1]

    def _shut(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for transport in list(self._sessions):
            transport.abort()

    async def _faults_changed(self) -> None:
        refusing = any(rule.mode == "refuse-connection" for rule in self.faults.rules)
        if refusing and self._listener is not None:
            self._shut()
            # A bound socket that does not listen keeps the port ours, and connecting to it is refused.
            self._held = socket.socket()
            self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._held.bind((LOOPBACK, self.port))
        elif not refusing and self._listener is None:
            if self._held is not None:
                self._held.close()
                self._held = None
            await self._open()

    # aiosmtpd calls these by name.

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Refuse a recipient, temporarily or for good, when a fault says so."""
        rule = self.faults.take(("greylist", "reject"), address)
        if rule is not None and rule.mode == "greylist":
            return rule.text or f"{rule.code or 451} 4.7.1 Greylisted, try again later"
        if rule is not None:
            return rule.text or f"{rule.code or 550} 5.1.1 No such mailbox"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Store the mail, then answer."""
        rule = self.faults.take(("drop-before-data", "drop-after-data", "slow"), envelope.rcpt_tos[0])
        if rule is not None and rule.mode == "drop-before-data":
            await _drop(server)
        number = await self.store.append(record_of(envelope))
        if rule is not None and rule.mode == "drop-after-data":
            await _drop(server)
        if rule is not None:
            await asyncio.sleep(rule.seconds)
        return f"250 2.0.0 OK queued as {number}"


class _Connection(SMTP):
    """One client's connection, known to the server so that it can drop it."""

    def __init__(self, server: MailServer) -> None:
        super().__init__(
            server,
            hostname=HOST_NAME,
            ident="Outreach sandbox",
            enable_SMTPUTF8=True,
            loop=asyncio.get_running_loop(),
        )
        self._known = server._sessions

    def connection_made(self, transport: Any) -> None:
        self._known.add(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._known.discard(self.transport)
        super().connection_lost(error)


async def _drop(server: SMTP) -> None:
    """Break the connection; waits to be cancelled by its loss, so that nothing is answered."""
    assert isinstance(server.transport, asyncio.Transport)
    server.transport.abort()
    await asyncio.Event().wait()


def record_of(envelope: Envelope) -> Record:
    """What is stored of a mail: its envelope and its bytes as they came."""
    raw = bytes(envelope.original_content or b"")
    found = _MESSAGE_ID.search(raw.partition(b"\r\n\r\n")[0])
    message_id = found.group(1).decode("utf-8", "replace") if found else ""
    return {
        "kind": MESSAGE,
        "time": stamp(),
        "addresses": list(envelope.rcpt_tos),
        "key": message_id_in(message_id) or message_id,
        "from": envelope.mail_from,
        "message_id": message_id,
        "raw": base64.b64encode(raw).decode(),
    }


def present(record: Record) -> Record:
    """A stored mail as GET /messages shows it."""
    return {
        "n": record["n"],
        "kind": record["kind"],
        "time": record["time"],
        "from": record["from"],
        "to": record["addresses"],
        "message_id": record["message_id"],
        "reference": record["key"],
        "raw": record["raw"],
    }
