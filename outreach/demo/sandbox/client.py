"""Reads and controls the servers, from tests, the kill campaign and the demonstration's phone and mailbox."""

import base64
import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

from outreach.core.errors import BadInput, NotFound, Unavailable


@dataclass(frozen=True)
class Bubble:
    """One text on a client's phone, or typed on it."""

    direction: Literal["received", "typed"]
    body: str
    at: datetime
    channel: str  # twilio | gateway
    status: str


@dataclass(frozen=True)
class Mail:
    """One mail in a client's mailbox."""

    subject: str
    sender: str
    text: str
    html: str
    at: datetime
    message_id: str
    raw: bytes


class ServerClient:
    """One server, over HTTP. Every call raises Unavailable when it does not answer, BadInput when it refuses."""

    def __init__(self, base_url: str, prefix: str = "/control", seconds: float = 10.0) -> None:
        self.base_url = base_url.rstrip("/")
        self.prefix = prefix
        self.seconds = seconds

    def health(self) -> dict[str, Any]:
        """``{"ok": true, "stored": n}``."""
        return self._call("GET", "/health")

    def counts(self, brief: bool = False) -> dict[str, Any]:
        """``total``, ``inbound``, ``distinct``, ``duplicates`` {reference: times}; unless ``brief`` also
        ``recipients`` {address: n} and ``references`` {reference: times}."""
        return self._call("GET", f"{self.prefix}/counts" + ("?brief=1" if brief else ""))

    def messages(self, after: int = 0, limit: int = 200, address: str | None = None) -> list[dict[str, Any]]:
        """Entries numbered above ``after`` (field ``n``), newest last, at most ``limit``."""
        query: dict[str, Any] = {"after": after, "limit": limit}
        if address is not None:
            query["address"] = address
        found: list[dict[str, Any]] = self._call("GET", f"{self.prefix}/messages?{urlencode(query)}")[
            "messages"
        ]
        return found

    def every_message(self, address: str | None = None) -> Iterator[dict[str, Any]]:
        """All entries, page by page."""
        after = 0
        while page := self.messages(after, 1000, address):
            yield from page
            after = page[-1]["n"]

    def fault(self, mode: str, **options: Any) -> dict[str, Any]:
        """Have a fault: ``times``, ``pattern``, ``each``, ``seconds``, ``status``, ``code``, ``text``."""
        return self._call("POST", f"{self.prefix}/faults", {"mode": mode} | options)

    def clear_faults(self) -> None:
        """Work properly again."""
        self._call("DELETE", f"{self.prefix}/faults")

    def faults(self) -> list[dict[str, Any]]:
        """The faults in force, with how often each was used."""
        found: list[dict[str, Any]] = self._call("GET", f"{self.prefix}/faults")["faults"]
        return found

    def inbound(self, sender: str, body: str, to: str = "") -> dict[str, Any]:
        """A client types ``body``; gives the stored entry (its callback follows by itself). Phones only."""
        return self._call("POST", f"{self.prefix}/inbound", {"from": sender, "body": body, "to": to})

    def configure(self, **options: Any) -> dict[str, Any]:
        """Set ``inbound_url`` (Twilio) or ``callback_url`` (gateway), ``callback_delay``; kept over restarts."""
        return self._call("POST", f"{self.prefix}/config", options)

    def callbacks(self) -> list[dict[str, Any]]:
        """The last 200 posts to the firm: ``url`` and ``answer`` (a status, or the name of an error)."""
        found: list[dict[str, Any]] = self._call("GET", f"{self.prefix}/callbacks")["callbacks"]
        return found

    def _call(self, method: str, path: str, value: dict[str, Any] | None = None) -> dict[str, Any]:
        place = urlsplit(self.base_url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=self.seconds)
        body = None if value is None else json.dumps(value).encode()
        try:
            connection.request(method, place.path + path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            raw = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(
                f"The sandbox at {self.base_url} does not answer: {error}.", mend="Start it again."
            ) from error
        finally:
            connection.close()
        if response.status == 404:
            raise NotFound(f"The sandbox at {self.base_url} has no {path}.")
        answer: dict[str, Any] = json.loads(raw)
        if response.status >= 400:
            raise BadInput(
                answer.get("error", f"The sandbox answered {response.status}."), mend=answer.get("mend")
            )
        return answer


@dataclass(frozen=True)
class Sandbox:
    """The three servers together: a client's phone and mailbox."""

    smtp: ServerClient
    twilio: ServerClient
    gateway: ServerClient

    @classmethod
    def at(cls, smtp_control: str, twilio: str, gateway: str) -> "Sandbox":
        """By addresses: SMTP's control port, Twilio's and the gateway's own."""
        return cls(ServerClient(smtp_control, ""), ServerClient(twilio), ServerClient(gateway))

    def conversation(self, number: str) -> list[Bubble]:
        """What the phone with that number shows, oldest first."""
        bubbles = [
            Bubble(
                direction="typed" if entry["kind"] == "inbound" else "received",
                body=entry["body"],
                at=_instant(entry["time"]),
                channel=channel,
                status=entry["status"],
            )
            for channel, server in (("twilio", self.twilio), ("gateway", self.gateway))
            for entry in server.every_message(number)
        ]
        return sorted(bubbles, key=lambda bubble: bubble.at)

    def type_on_phone(self, number: str, body: str) -> dict[str, Any]:
        """The client answers: by the provider that last wrote to the phone, else by the number's country."""
        bubbles = [bubble for bubble in self.conversation(number) if bubble.direction == "received"]
        channel = bubbles[-1].channel if bubbles else "gateway" if number.startswith("+86") else "twilio"
        return (self.gateway if channel == "gateway" else self.twilio).inbound(number, body)

    def mailbox(self, address: str) -> list[Mail]:
        """The mails to that address, oldest first."""
        return [_mail(entry) for entry in self.smtp.every_message(address)]


def _mail(entry: dict[str, Any]) -> Mail:
    raw = base64.b64decode(entry["raw"])
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return Mail(
        subject=str(message["Subject"] or ""),
        sender=str(message["From"] or entry["from"]),
        text=_part(message, "plain"),
        html=_part(message, "html"),
        at=_instant(entry["time"]),
        message_id=entry["message_id"],
        raw=raw,
    )


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()) if part is not None else ""


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
