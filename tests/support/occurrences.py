"""Occurrences as the scheduler makes them, for tests of composing."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, text

from outreach.content.in_force import job_in_force, policy_in_force, template_in_force
from outreach.core import clock
from outreach.core.ids import new_id
from outreach.feeds.tables import feed_item
from outreach.ledger.work import Work
from outreach.scheduling.tables import occurrence


def make_occurrence(
    work: Work,
    job_name: str,
    *,
    send_date: date | None = None,
    send_at: datetime | None = None,
    expires_at: datetime | None = None,
    feed_item_id: UUID | None = None,
    key: str = "",
) -> UUID:
    """A due occurrence of a job in force. By default it goes out today (in UTC) from midnight on and lasts two days."""
    job = job_in_force(work.conn, job_name)
    day = send_date or clock.now().date()
    starts = send_at or datetime(day.year, day.month, day.day, tzinfo=UTC)
    identifier = new_id()
    work.conn.execute(
        insert(occurrence).values(
            id=identifier,
            job_name=job_name,
            occurrence_key=key or str(feed_item_id or day),
            job_version_id=job.id,
            template_version_id=template_in_force(work.conn, job.meta.template).id,
            policy_version_id=policy_in_force(work.conn, job.meta.policy).id,
            scheduled_month=day.replace(day=1),
            send_date=day,
            send_at=starts,
            expires_at=expires_at or starts + timedelta(days=2),
            feed_item_id=feed_item_id,
            top_up=job.meta.top_up,
            created_at=clock.now(),
        )
    )
    return identifier


def make_item(
    work: Work, kind: str = "research", *, code: str = "600000.SH", risk_level: int | None = 3, **data: Any
) -> UUID:
    """An accepted item of a feed."""
    identifier = new_id()
    now = clock.now()
    values = {
        "title": "银行业周报",
        "publisher": "示例证券研究院",
        "authors": "李晓明",
        "published_at": now.isoformat(),
        "rating": "推荐",
        "product_risk": f"R{risk_level}" if risk_level else "",
        "abstract": "息差企稳。",
        "risk_text": "经济下行超预期。",
        "url": "https://research.example.com/1",
        "headline": "央行宣布下调存款准备金率",
        "announced_at": now.isoformat(),
        "deadline": None,
        "source_url": "https://news.example.com/1",
        "firm_view": "",
        **data,
    }
    work.conn.execute(
        insert(feed_item).values(
            id=identifier,
            kind=kind,
            item_key=identifier.hex,
            issued_at=now,
            code=code,
            risk_level=risk_level,
            data=values,
            sha256=b"\0" * 32,
            received_at=now,
        )
    )
    return identifier


def rules_left_out(work: Work, occurrence_id: UUID) -> dict[str, str]:
    """client name -> the rule by which it was left out."""
    rows = work.conn.execute(
        text(
            "SELECT c.name, l.rule FROM left_out l JOIN client c ON c.id = l.client_id WHERE l.occurrence_id = :id"
        ),
        {"id": occurrence_id},
    )
    return {row.name: row.rule for row in rows}
