"""New messages in bulk: payloads sealed, messages and their first revisions written by COPY."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from outreach.core import clock
from outreach.core.database import driver
from outreach.ledger.append import seal_many
from outreach.ledger.seal import KeyRing
from outreach.ledger.work import Work
from outreach.messages.findings import Finding, blocks, flags
from outreach.messages.payload import Payload, digest, to_bytes


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message as it is composed: held for review, revision 1.

    ``advisor_id`` is the person in whose name it goes out (None: the branch); ``author_id`` who wrote it.
    """

    id: UUID
    scheduled_month: date
    occurrence_id: UUID
    submission_id: UUID
    branch_id: UUID
    client_id: UUID
    advisor_id: UUID | None
    author_id: UUID | None
    channel: str
    contact_point_id: UUID | None  # none for a letter: the postal address is part of the client's file
    address_hash: bytes
    category: str
    language: str
    template_version_id: UUID | None
    lexicon_digest: bytes
    risk_level: int | None
    product_codes: list[str]
    advice: bool
    findings: tuple[Finding, ...]
    urgent: bool
    send_at: datetime
    send_window: str
    time_zone: str
    expires_at: datetime
    payload: Payload
    reason: str | None = None
    fallback_of: UUID | None = None  # goes only if that one did not reach the client


_MESSAGE: tuple[tuple[str, str], ...] = (
    ("id", "uuid"),
    ("scheduled_month", "date"),
    ("occurrence_id", "uuid"),
    ("submission_id", "uuid"),
    ("branch_id", "uuid"),
    ("client_id", "uuid"),
    ("advisor_id", "uuid"),
    ("author_id", "uuid"),
    ("last_editor_id", "uuid"),
    ("channel", "text"),
    ("contact_point_id", "uuid"),
    ("address_hash", "bytea"),
    ("category", "text"),
    ("language", "text"),
    ("template_version_id", "uuid"),
    ("lexicon_digest", "bytea"),
    ("risk_level", "int2"),
    ("product_codes", "text[]"),
    ("advice", "bool"),
    ("revision", "int4"),
    ("digest", "bytea"),
    ("payload_id", "uuid"),
    ("state", "text"),
    ("state_at", "timestamptz"),
    ("reason", "text"),
    ("findings", "jsonb"),
    ("flagged", "bool"),
    ("blocked", "bool"),
    ("urgent", "bool"),
    ("send_at", "timestamptz"),
    ("send_window", "text"),
    ("time_zone", "text"),
    ("expires_at", "timestamptz"),
    ("created_at", "timestamptz"),
    ("fallback_of", "uuid"),
    ("text_hash", "bytea"),
)
_REVISION: tuple[tuple[str, str], ...] = (
    ("message_id", "uuid"),
    ("scheduled_month", "date"),
    ("revision", "int4"),
    ("digest", "bytea"),
    ("payload_id", "uuid"),
    ("editor_id", "uuid"),
    ("at", "timestamptz"),
)
_SEALED_AT_ONCE = 1000


def write_messages(work: Work, messages: Sequence[NewMessage]) -> list[bytes]:
    """Seal the payloads and write the messages, held, with their first revisions; returns their digests.

    Raises what PostgreSQL raises (UniqueViolation) when one of them exists already.
    """
    if not messages:
        return []
    now = clock.now()
    digests: list[bytes] = []
    sealed_ids: list[UUID] = []
    for start in range(0, len(messages), _SEALED_AT_ONCE):
        bodies = [to_bytes(item.payload) for item in messages[start : start + _SEALED_AT_ONCE]]
        digests += [digest(body) for body in bodies]
        sealed_ids += [ref.id for ref in seal_many(work, bodies)]
    together = list(zip(messages, digests, sealed_ids, strict=True))
    rows = [(*_message_row(*item, now), text_hash(work.keys, item[0].payload)) for item in together]
    _copy(work, "message", _MESSAGE, rows)
    _copy(work, "message_revision", _REVISION, [_revision_row(*item, now) for item in together])
    return digests


def text_hash(keys: KeyRing, payload: Payload) -> bytes:
    """Keyed hash of what a payload says, to whomever and under whatever name of theirs it is addressed: equal for
    messages that read exactly the same."""
    said = "\0".join(
        (payload.channel, payload.sender, payload.subject, payload.text, payload.html, *payload.attachments)
    )
    return keys.keyed_hash(said)


def _message_row(item: NewMessage, digest_: bytes, sealed_id: UUID, now: datetime) -> tuple[Any, ...]:
    return (
        item.id,
        item.scheduled_month,
        item.occurrence_id,
        item.submission_id,
        item.branch_id,
        item.client_id,
        item.advisor_id,
        item.author_id,
        item.author_id,
        item.channel,
        item.contact_point_id,
        item.address_hash,
        item.category,
        item.language,
        item.template_version_id,
        item.lexicon_digest,
        item.risk_level,
        item.product_codes,
        item.advice,
        1,
        digest_,
        sealed_id,
        "held",
        now,
        item.reason,
        [one.to_json() for one in item.findings],
        flags(item.findings),
        blocks(item.findings),
        item.urgent,
        item.send_at,
        item.send_window,
        item.time_zone,
        item.expires_at,
        now,
        item.fallback_of,
    )


def _revision_row(item: NewMessage, digest_: bytes, sealed_id: UUID, now: datetime) -> tuple[Any, ...]:
    return (item.id, item.scheduled_month, 1, digest_, sealed_id, item.author_id, now)


def _copy(
    work: Work, table: str, columns: Sequence[tuple[str, str]], rows: Sequence[tuple[Any, ...]]
) -> None:
    names = ", ".join(name for name, _ in columns)
    with (
        driver(work.conn).cursor() as cursor,
        cursor.copy(f"COPY {table} ({names}) FROM STDIN (FORMAT BINARY)".encode()) as copy,
    ):
        copy.set_types([kind for _, kind in columns])
        for row in rows:
            copy.write_row(row)
