"""The bytes of a mail (RFC 5322), the same for the same payload and attempt.

The standard library's EmailMessage takes 1.9 ms a mail; this writes the few headers that a payload has. What
is added to the payload is listed in ``TRANSPORT_HEADERS`` and depends on the attempt only, so the archive can
write the mail as it was sent.
"""

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from email.header import Header
from email.utils import format_datetime
from functools import lru_cache
from urllib.parse import quote
from uuid import UUID

from outreach.core.errors import BadInput
from outreach.messages.attachments import Contents
from outreach.messages.payload import Payload

TRANSPORT_HEADERS = ("Date", "Message-ID")


def message_id_header(message_id: UUID, attempt_id: UUID, sender: str) -> str:
    """The Message-ID: our message's and attempt's ids at the sender's domain, so that a bounce finds its way."""
    domain = sender.rpartition("@")[2] or "localhost"
    return f"<{message_id.hex}.{attempt_id.hex}@{domain}>"


def eml(
    payload: Payload,
    message_id: UUID,
    attempt_id: UUID,
    started_at: datetime,
    sender: str,
    files: Sequence[Contents] = (),
) -> bytes:
    """The mail as it goes over the wire, with CRLF line ends. ``files``: what the payload names as attached, in order.

    Raises BadInput when a header would carry a line break (header injection, RFC 5322 §2.2), or ``files`` are not what
    the payload names.
    """
    if tuple(f"{one.sha256} {one.media_type} {one.file_name}" for one in files) != payload.attachments:
        raise BadInput("An attachment of this mail is not there.", mend="Attach the file again.")
    headers = [
        ("From", _address(payload.sender, sender)),
        ("To", _address(payload.recipient_name, payload.to)),
        ("Subject", _encoded(payload.subject)),
        ("Date", format_datetime(started_at.replace(microsecond=0))),
        ("Message-ID", message_id_header(message_id, attempt_id, sender)),
        ("MIME-Version", "1.0"),
    ]
    for name, value in headers:
        if "\r" in value.replace("\r\n ", "") or "\n" in value.replace("\r\n ", ""):
            raise BadInput(
                f"The {name} header of this mail has a line break.", mend="Take the line break out."
            )
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    body = _part("text/plain", payload.text)
    boundary = "=_" + hashlib.sha256(attempt_id.bytes).hexdigest()[:32]
    if payload.html:
        body = _multipart("alternative", boundary, [body, _part("text/html", payload.html)])
    if files:
        body = _multipart("mixed", f"{boundary}-m", [body, *(_file(one) for one in files)])
    return f"{head}{body}".encode("ascii")


def _multipart(kind: str, boundary: str, parts: Sequence[str]) -> str:
    opening = f"--{boundary}\r\n"
    inside = "".join(
        f"{opening}{part}" if part.endswith("\r\n") else f"{opening}{part}\r\n" for part in parts
    )
    return f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n{inside}--{boundary}--\r\n'


def _file(one: Contents) -> str:
    # RFC 2231 for a name beyond ASCII, which every mail program of the last twenty years reads.
    name = one.file_name
    plain = name.isascii() and '"' not in name and "\\" not in name
    said = f'filename="{name}"' if plain else f"filename*=UTF-8''{quote(name, safe='')}"
    return (
        f"Content-Type: {one.media_type}\r\nContent-Transfer-Encoding: base64\r\n"
        f"Content-Disposition: attachment;\r\n {said}\r\n\r\n{one.base64_lines}"
    )


def _part(kind: str, text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n").encode()
    encoded = base64.encodebytes(lines).decode("ascii").replace("\n", "\r\n")
    return f"Content-Type: {kind}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{encoded}"


@lru_cache(maxsize=1024)
def _encoded(text: str) -> str:
    if text.isascii() and len(text) < 70:
        return text
    return Header(text, "utf-8", header_name="Subject").encode(linesep="\r\n")


def _address(name: str, address: str) -> str:
    if any(character in address for character in "\r\n<>, "):
        raise BadInput(f"{address!r} is no mail address.", mend="Correct the client's mail address.")
    if not name or name == address:
        return f"<{address}>"
    if name.isascii() and '"' not in name and "\\" not in name:
        return f'"{name}" <{address}>'
    return f"{_encoded(name)} <{address}>"
