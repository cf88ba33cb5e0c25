"""Attachments: taken in once, sealed like every text, named in the payload by their digest (P1), read for sending.

A payload names each as ``SHA-256 media/type file name``: all three are in the digest that a decision binds.
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from uuid import UUID

from sqlalchemy import insert, or_, select

from outreach.core import clock
from outreach.core.access import Permission, require, visible
from outreach.core.database import AnyRow
from outreach.core.errors import BadInput, Forbidden, NotFound
from outreach.core.ids import new_id
from outreach.ledger.append import Entry, record, seal_bytes, unseal_checked
from outreach.ledger.work import Work
from outreach.messages.files import ENDINGS, LARGEST_TOGETHER, MOST, check_file
from outreach.messages.tables import attachment


@dataclass(frozen=True)
class Attachment:
    """A file that lies ready. ``branch_id`` None: for the whole firm."""

    id: UUID
    sha256: bytes
    media_type: str
    file_name: str
    size: int
    branch_id: UUID | None
    uploaded_by: UUID
    at: datetime

    @property
    def line(self) -> str:
        """As a payload names it."""
        return f"{self.sha256.hex()} {self.media_type} {self.file_name}"


@dataclass(frozen=True)
class Named:
    """What a payload says of an attachment. ``sha256`` is hex."""

    sha256: str
    media_type: str
    file_name: str


@dataclass(frozen=True)
class Contents:
    """An attachment with its bytes, which have the digest that the payload names."""

    sha256: str
    media_type: str
    file_name: str
    data: bytes = field(repr=False)

    @cached_property
    def base64_lines(self) -> str:
        """As a mail carries it (RFC 2045, 6.8); made once, since a thousand mails of a batch carry the same file."""
        return base64.encodebytes(self.data).decode("ascii").replace("\n", "\r\n")


def ending(media_type: str) -> str:
    """The ending of a file of this type."""
    return ENDINGS.get(media_type, "")


def named(line: str) -> Named:
    """Read what ``Attachment.line`` wrote. Raises ValueError for anything else."""
    sha256, media_type, file_name = line.split(" ", 2)
    if len(bytes.fromhex(sha256)) != 32 or "/" not in media_type or not file_name:
        raise ValueError("not an attachment of a payload")
    return Named(sha256, media_type, file_name)


def take_attachment(work: Work, name: str, data: bytes) -> Attachment:
    """Check a file, seal it, and have it ready for the actor's branch (the firm, for whoever writes for the firm).

    The same bytes under the same name are stored once. Raises BadInput for what may not be attached, Forbidden for who
    may not write to clients.
    """
    require(work.actor, Permission.COMPOSE)
    if work.actor.staff_id is None:
        raise Forbidden("An attachment has an author.", mend="Sign in as a member of staff.")
    checked = check_file(name, data)
    digest = hashlib.sha256(data).digest()
    scope = work.actor.scope(Permission.COMPOSE)
    branch_id = None if scope is None else min(scope)
    same = work.conn.execute(
        select(attachment)
        .where(attachment.c.sha256 == digest, attachment.c.branch_id.is_not_distinct_from(branch_id))
        .order_by(attachment.c.at)
    ).all()
    for row in same:
        if row.file_name == checked.name:
            return _attachment(row)
    sealed_id = same[0].sealed_id if same else seal_bytes(work, data).id
    identifier = new_id()
    work.conn.execute(
        insert(attachment).values(
            id=identifier,
            sha256=digest,
            media_type=checked.media_type,
            file_name=checked.name,
            size=len(data),
            sealed_id=sealed_id,
            branch_id=branch_id,
            uploaded_by=work.actor.staff_id,
            at=clock.now(),
        )
    )
    record(
        work,
        Entry("attachment", {"action": "added", "digest": digest, "bytes": len(data)}, branch_id=branch_id),
    )
    return attachments_by_id(work, [identifier])[0]


def attachments_by_id(
    work: Work, ids: Sequence[UUID], permission: Permission = Permission.COMPOSE
) -> list[Attachment]:
    """The attachments in the order of ``ids``. Raises NotFound for one beyond the actor's branches."""
    if not ids:
        return []
    require(work.actor, permission)
    rows = work.conn.execute(
        select(attachment).where(
            attachment.c.id.in_(set(ids)),
            or_(attachment.c.branch_id.is_(None), visible(work.actor, permission, attachment.c.branch_id)),
        )
    )
    found = {row.id: _attachment(row) for row in rows}
    try:
        return [found[one] for one in dict.fromkeys(ids)]
    except KeyError:
        raise NotFound("There is no such attachment of yours.", mend="Attach the file again.") from None


def attachments_among(work: Work, ids: Sequence[UUID]) -> list[Attachment]:
    """Like ``attachments_by_id``, but without what the actor may not attach, or what is not there."""
    found: list[Attachment] = []
    for one in dict.fromkeys(ids):
        try:
            found += attachments_by_id(work, [one])
        except NotFound:
            continue
    return found


def attachment_file(work: Work, attachment_id: UUID) -> Contents:
    """A file that lies ready, for whoever may attach it. Raises NotFound beyond the actor's branches."""
    [one] = attachments_by_id(work, [attachment_id])
    found = read_contents(work, [one.line]).get(one.line)
    if found is None:
        raise NotFound("This file is no longer kept.", mend="Attach it again.")
    return found


def lines_of(work: Work, digests: Iterable[str]) -> list[str]:
    """A payload's line for each of these files that is kept; ``digests`` are hex."""
    wanted = {bytes.fromhex(one) for one in digests}
    rows = work.conn.execute(
        select(attachment).where(attachment.c.sha256.in_(wanted)).order_by(attachment.c.at)
    )
    return list({bytes(row.sha256): _attachment(row).line for row in rows}.values())


def chosen_attachments(work: Work, ids: Sequence[UUID]) -> tuple[str, ...]:
    """What a payload says of these. Raises NotFound as ``attachments_by_id``, BadInput for too many."""
    if len(set(ids)) > MOST:
        raise BadInput(f"A message has up to {MOST} attachments.", mend="Take some out.")
    found = attachments_by_id(work, ids)
    if sum(one.size for one in found) > LARGEST_TOGETHER:
        raise BadInput(
            "The attachments are larger than 20 MB together.",
            mend="Most mailboxes refuse that: take some out.",
        )
    return tuple(one.line for one in found)


def read_contents(work: Work, lines: Iterable[str]) -> dict[str, Contents]:
    """payload line -> the bytes it names, each read once. One that was disposed of, or is not what the line's digest
    says, is missing."""
    wanted = {line: named(line) for line in set(lines)}
    if not wanted:
        return {}
    digests = {bytes.fromhex(one.sha256) for one in wanted.values()}
    sealed: dict[str, UUID] = {}
    for row in work.conn.execute(
        select(attachment.c.sha256, attachment.c.sealed_id)
        .where(attachment.c.sha256.in_(digests))
        .order_by(attachment.c.at.desc())
    ):
        sealed[bytes(row.sha256).hex()] = row.sealed_id
    opened = unseal_checked(work, set(sealed.values()))
    found: dict[str, Contents] = {}
    good: dict[str, bytes] = {}
    for sha256, sealed_id in sealed.items():
        data = opened.get(sealed_id)
        if isinstance(data, bytes) and hashlib.sha256(data).hexdigest() == sha256:
            good[sha256] = data
    for line, one in wanted.items():
        if one.sha256 in good:
            found[line] = Contents(one.sha256, one.media_type, one.file_name, good[one.sha256])
    return found


def _attachment(row: AnyRow) -> Attachment:
    return Attachment(
        row.id,
        bytes(row.sha256),
        row.media_type,
        row.file_name,
        row.size,
        row.branch_id,
        row.uploaded_by,
        row.at,
    )
