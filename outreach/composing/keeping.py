"""Drafts that an advisor keeps: sealed like every text, the author's own, and no record until they are put up."""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, insert, select, update

from outreach.composing.drafts import LARGEST, LONGEST, RequestDraft
from outreach.composing.tables import compose_draft
from outreach.core import clock
from outreach.core.access import Permission, require
from outreach.core.database import AnyRow
from outreach.core.errors import BadInput, Forbidden, NotFound
from outreach.core.ids import new_id
from outreach.ledger.append import seal_bytes, unseal_bytes
from outreach.ledger.tables import sealed_record
from outreach.ledger.work import Work
from outreach.people.picking import lines_by_id

MOST = 50  # open drafts of one person


@dataclass(frozen=True)
class Kept:
    """A kept draft in a list."""

    id: UUID
    title: str
    client_count: int
    template: str
    created_at: datetime
    updated_at: datetime


def keep_draft(work: Work, draft: RequestDraft, *, draft_id: UUID | None = None, title: str = "") -> UUID:
    """Keep a draft, as a new one or instead of what ``draft_id`` was; returns its id.

    A draft need not be complete. Raises NotFound for a draft that is not the actor's or was put up already,
    BadInput for one that is too large, or when the actor keeps 50 already.
    """
    staff_id = _author(work)
    if len(draft.text) > LONGEST or len(draft.client_ids) > LARGEST:
        raise BadInput(
            f"A draft has up to {LARGEST} clients and {LONGEST} characters.", mend="Shorten it, or split it."
        )
    body = seal_bytes(work, _to_bytes(draft)).id
    now = clock.now()
    values = {
        "title": title.strip()[:120],
        "sealed_id": body,
        "client_count": len(set(draft.client_ids)),
        "template": draft.template,
        "updated_at": now,
    }
    if draft_id is None:
        if len(kept_drafts(work)) >= MOST:
            raise BadInput(f"You keep {MOST} drafts already.", mend="Put up or discard one first.")
        draft_id = new_id()
        work.conn.execute(
            insert(compose_draft).values(id=draft_id, staff_id=staff_id, created_at=now, **values)
        )
        return draft_id
    before = _own(work, draft_id)
    work.conn.execute(update(compose_draft).where(compose_draft.c.id == draft_id).values(**values))
    # What stood there before was never put up: it is no record, and nobody's to read.
    work.conn.execute(delete(sealed_record).where(sealed_record.c.id == before.sealed_id))
    return draft_id


def kept_drafts(work: Work) -> list[Kept]:
    """The actor's open drafts, the one worked on last first."""
    rows = work.conn.execute(
        select(
            compose_draft.c.id,
            compose_draft.c.title,
            compose_draft.c.client_count,
            compose_draft.c.template,
            compose_draft.c.created_at,
            compose_draft.c.updated_at,
        )
        .where(compose_draft.c.staff_id == _author(work), compose_draft.c.closed_at.is_(None))
        .order_by(compose_draft.c.updated_at.desc(), compose_draft.c.id.desc())
    )
    return [Kept(**row._mapping) for row in rows]


def open_draft(work: Work, draft_id: UUID) -> tuple[RequestDraft, str]:
    """A kept draft and its title. Clients who are no longer the actor's are not in it any more.

    Raises NotFound for a draft that is not the actor's or was put up already.
    """
    row = _own(work, draft_id)
    draft = _from_bytes(unseal_bytes(work, row.sealed_id))
    mine = {one.id for one in lines_by_id(work, draft.client_ids)}
    return replace(draft, client_ids=tuple(one for one in draft.client_ids if one in mine)), row.title


def discard_draft(work: Work, draft_id: UUID) -> None:
    """Put a draft away. Raises NotFound for one that is not the actor's or was put up already."""
    _own(work, draft_id)
    work.conn.execute(
        update(compose_draft).where(compose_draft.c.id == draft_id).values(closed_at=clock.now())
    )


def close_draft(work: Work, draft_id: UUID, occurrence_id: UUID) -> None:
    """Note that a draft was put up. Raises NotFound for one that is not the actor's or was put up already."""
    _own(work, draft_id)
    work.conn.execute(
        update(compose_draft)
        .where(compose_draft.c.id == draft_id)
        .values(closed_at=clock.now(), occurrence_id=occurrence_id)
    )


def _author(work: Work) -> UUID:
    require(work.actor, Permission.COMPOSE)
    if work.actor.staff_id is None:
        raise Forbidden("A draft has an author.", mend="Sign in as a member of staff.")
    return work.actor.staff_id


def _own(work: Work, draft_id: UUID) -> AnyRow:
    row = work.conn.execute(
        select(compose_draft)
        .where(
            compose_draft.c.id == draft_id,
            compose_draft.c.staff_id == _author(work),
            compose_draft.c.closed_at.is_(None),
        )
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFound(
            "There is no such draft of yours.", mend="It may have been put up already; see your messages."
        )
    return row


def _to_bytes(draft: RequestDraft) -> bytes:
    fields = {
        **vars(draft),
        "client_ids": [str(one) for one in draft.client_ids],
        "attachments": [str(one) for one in draft.attachments],
        "values": dict(draft.values),
        "send_at": draft.send_at.isoformat() if draft.send_at else None,
    }
    return json.dumps(fields, ensure_ascii=False, sort_keys=True).encode()


def _from_bytes(data: bytes) -> RequestDraft:
    fields = json.loads(data)
    fields["client_ids"] = tuple(UUID(one) for one in fields["client_ids"])
    fields["attachments"] = tuple(UUID(one) for one in fields["attachments"])
    fields["send_at"] = datetime.fromisoformat(fields["send_at"]) if fields["send_at"] else None
    return RequestDraft(**fields)
