"""Occurrences: one row for each firing of a job, whoever inserts it first."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from outreach.core import clock
from outreach.core.engine import defer
from outreach.core.ids import new_id
from outreach.ledger.work import Work
from outreach.scheduling.plan import Plan
from outreach.scheduling.tables import occurrence


def add_occurrence(
    work: Work,
    plan: Plan,
    key: str,
    *,
    send_date: date | None,
    send_at: datetime,
    expires_at: datetime,
    feed_item_id: UUID | None = None,
    expired: bool = False,
    note: str = "",
) -> UUID | None:
    """Insert the occurrence ``key`` of a job and defer its composing; None when it is there already.

    ``expired``: it is kept only to show that it was missed.
    """
    month = (send_date or send_at.date()).replace(day=1)
    work.conn.execute(text("SELECT ensure_month(:month)"), {"month": month})
    identifier: UUID | None = work.conn.execute(
        insert(occurrence)
        .values(
            id=new_id(),
            job_name=plan.job_name,
            occurrence_key=key,
            job_version_id=plan.job_version_id,
            template_version_id=plan.template_version_id,
            policy_version_id=plan.policy_version_id,
            scheduled_month=month,
            send_date=send_date,
            send_at=send_at,
            expires_at=expires_at,
            feed_item_id=feed_item_id,
            state="expired" if expired else "due",
            top_up=plan.top_up,
            note=note,
            created_at=clock.now(),
        )
        .on_conflict_do_nothing(index_elements=["job_name", "occurrence_key"])
        .returning(occurrence.c.id)
    ).scalar_one_or_none()
    if identifier is not None and not expired:
        compose_soon(work, identifier)
    return identifier


REQUEST = "advisor"  # the job_name of what a person asked for


def add_request(
    work: Work,
    occurrence_id: UUID,
    *,
    requested_by: UUID,
    template_version_id: UUID | None,
    policy_version_id: UUID,
    send_at: datetime,
    expires_at: datetime,
) -> UUID:
    """Insert the occurrence of an advisor's request; its messages are written in the same transaction."""
    on = send_at.astimezone(work.settings.zone).date()
    work.conn.execute(text("SELECT ensure_month(:month)"), {"month": on.replace(day=1)})
    now = clock.now()
    work.conn.execute(
        insert(occurrence).values(
            id=occurrence_id,
            job_name=REQUEST,
            occurrence_key=str(occurrence_id),
            template_version_id=template_version_id,
            policy_version_id=policy_version_id,
            scheduled_month=on.replace(day=1),
            send_date=on,
            send_at=send_at,
            expires_at=expires_at,
            requested_by=requested_by,
            state="composed",
            composed_at=now,
            created_at=now,
        )
    )
    return occurrence_id


def compose_soon(work: Work, occurrence_id: UUID) -> None:
    """Defer the composing of an occurrence, unless that waits already."""
    defer(work.conn, "compose_occurrence", lock=f"compose:{occurrence_id}", occurrence_id=str(occurrence_id))


def occurrence_id_of(work: Work, job_name: str, key: str) -> UUID | None:
    """The id of an occurrence, if it is there."""
    return work.conn.execute(
        select(occurrence.c.id).where(occurrence.c.job_name == job_name, occurrence.c.occurrence_key == key)
    ).scalar_one_or_none()
