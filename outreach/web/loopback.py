"""A reader of the sandbox's servers, over their control addresses; for the page with the phone and the mailbox."""

import base64
import http.client
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

from outreach.core.errors import BadInput, Unavailable

_RECENT = 200
_SECONDS = 5.0
_ANSWER_AT_MOST = 32 << 20


@dataclass(frozen=True)
class Bubble:
    """One text on a phone, or typed on it."""

    direction: Literal["received", "typed"]
    body: str
    at: datetime
    status: str


@dataclass(frozen=True)
class Phone:
    """A phone that was written to, or written on, with the beginning of the last text."""

    number: str
    at: datetime | None
    excerpt: str


@dataclass(frozen=True)
class Mail:
    """One mail in the mailbox, numbered as it came."""

    n: int
    to: str
    sender: str
    subject: str
    text: str
    html: str
    at: datetime


@dataclass(frozen=True)
class Loopback:
    """The control addresses of the three servers."""

    smtp: str
    twilio: str
    gateway: str

    def conversation(self, number: str) -> list[Bubble]:
        """What the phone with that number shows, oldest first: the last texts."""
        bubbles = [
            Bubble(
                direction="typed" if entry["kind"] == "inbound" else "received",
                body=entry["body"],
                at=_instant(entry["time"]),
                status=entry["status"],
            )
            for server in (self.twilio, self.gateway)
            for entry in _messages(f"{server}/control", address=number, limit=1000)
        ]
        return sorted(bubbles, key=lambda bubble: bubble.at)

    def recent_phones(self, limit: int = 30) -> list[Phone]:
        """The phones of the last texts, the latest on top."""
        entries = [
            entry for server in (self.twilio, self.gateway) for entry in _newest(f"{server}/control", server)
        ]
        phones: dict[str, Phone] = {}
        for entry in sorted(entries, key=lambda one: -one["time"]):
            number = str(entry["from"] if entry["kind"] == "inbound" else entry["to"])
            phones.setdefault(number, Phone(number, _instant(entry["time"]), str(entry["body"])[:40]))
        return list(phones.values())[:limit]

    def type_on_phone(self, number: str, body: str) -> None:
        """The client answers: by the provider that last wrote to the phone, else by the number's country."""
        written = [
            (entry["time"], server)
            for server in (self.twilio, self.gateway)
            for entry in _messages(f"{server}/control", address=number, limit=1000)
            if entry["kind"] != "inbound"
        ]
        by_country = self.gateway if number.startswith("+86") else self.twilio
        server = max(written)[1] if written else by_country
        _call("POST", f"{server}/control/inbound", {"from": number, "body": body, "to": ""})

    def recent_mails(self) -> list[Mail]:
        """The last mails, the latest on top."""
        return [_mail(entry) for entry in reversed(_newest(self.smtp, self.smtp)[-50:])]

    def mail(self, n: int) -> Mail | None:
        """One mail by its number."""
        found = _messages(self.smtp, after=max(n - 1, 0), limit=1)
        return _mail(found[0]) if found and found[0]["n"] == n else None


def loopback(state: Path) -> Loopback:
    """The servers that the sandbox's ``control`` file names. Raises Unavailable when they are not running."""
    try:
        lines = (state / "control").read_text(encoding="utf-8").split()
    except OSError:
        lines = []
    if len(lines) != 3:
        raise Unavailable("The sandbox is not running.", mend="Start it with: make run")
    return Loopback(*(line.rstrip("/") for line in lines))


def _messages(base: str, after: int = 0, limit: int = _RECENT, address: str = "") -> list[dict[str, Any]]:
    query = {"after": after, "limit": limit} | ({"address": address} if address else {})
    found: list[dict[str, Any]] = _call("GET", f"{base}/messages?{urlencode(query)}")["messages"]
    return found


def _newest(base: str, server: str) -> list[dict[str, Any]]:
    """The last entries of a server, oldest first."""
    stored = int(_call("GET", f"{server}/health")["stored"])
    return _messages(base, after=max(0, stored - _RECENT))


def _call(method: str, url: str, value: dict[str, Any] | None = None) -> dict[str, Any]:
    place = urlsplit(url)
    if place.hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise Unavailable("The sandbox is not on this machine.", mend="Start it with: make run")
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=_SECONDS)
    target = place.path + (f"?{place.query}" if place.query else "")
    body = None if value is None else json.dumps(value).encode()
    try:
        connection.request(method, target, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        raw = response.read(_ANSWER_AT_MOST)
        answer: dict[str, Any] = json.loads(raw)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unavailable("The sandbox does not answer.", mend="Start it again with: make run") from error
    finally:
        connection.close()
    if response.status >= 400:
        raise BadInput(str(answer.get("error", "The sandbox refused it.")), mend=str(answer.get("mend", "")))
    return answer


def _mail(entry: dict[str, Any]) -> Mail:
    message = message_from_bytes(base64.b64decode(entry["raw"]), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return Mail(
        n=int(entry["n"]),
        to=", ".join(entry["to"]),
        sender=str(message["From"] or entry["from"]),
        subject=str(message["Subject"] or ""),
        text=_part(message, "plain"),
        html=_part(message, "html"),
        at=_instant(entry["time"]),
    )


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()) if part is not None else ""


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
