"""Looking at schedules: ticks at given instants, what they made, and the starter set with other jobs."""

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

from freezegun import freeze_time
from sqlalchemy import select, text, update

from outreach.content.loader import load_folder
from outreach.content.publish import publish
from outreach.content.starter import starter_root
from outreach.ledger.work import Opener
from outreach.scheduling.tables import occurrence, schedule
from outreach.scheduling.tick import TickResult, tick
from tests.support.builders import FEW_JOBS, Firm, firm, publish_starter

START = "2026-09-01 00:00:00"
# 中秋 2026 is 25 September; five working days before it is Sunday the 20th, which is worked.
COMPOSED, SENT = "2026-09-20 00:00:00", "2026-09-25 01:00:00"
CRON = """
title = {{ zh = "早安", en = "Good morning" }}
template = "birthday"
policy = "birthday-standing"
channels = ["sms"]
expiry = "8h"
misfire = {misfire}

[trigger]
kind = "cron"
cron = "{cron}"
"""

Row = tuple[str, str, str]
Publish = Callable[[dict[str, str | None]], None]


def starting_firm(open_work: Opener) -> Firm:
    """A firm with the starter set, as of START."""
    with freeze_time(START):
        with open_work() as work:
            # As the scheduler does beforehand; making a month's tables keeps every other transaction waiting.
            for month in range(5, 13):
                work.conn.execute(text("SELECT ensure_month(:month)"), {"month": date(2026, month, 1)})
        staff = firm(open_work)
        publish_starter(open_work, staff, jobs=FEW_JOBS)
    return staff


def publisher(open_work: Opener, people: Firm, root: Path) -> Publish:
    """Publishes the starter set, copied to ``root``, with some job files replaced, added or (None) taken away."""
    for folder in ("templates", "jobs", "approvals"):
        shutil.copytree(starter_root() / folder, root / folder)
    for path in (root / "jobs").glob("*.toml"):
        if path.stem not in FEW_JOBS:
            path.unlink()

    def change(files: dict[str, str | None]) -> None:
        for name, source in files.items():
            path = root / "jobs" / f"{name}.toml"
            if source is None:
                path.unlink()
            else:
                path.write_text(source, encoding="utf-8")
        content, faults = load_folder(root)
        assert faults == []
        assert people.head_office.staff_id is not None
        assert people.compliance.staff_id is not None
        with open_work() as work:
            publish(work, content, people.head_office.staff_id, people.compliance.staff_id)

    return change


def source_of(job: str) -> str:
    return (starter_root() / "jobs" / f"{job}.toml").read_text(encoding="utf-8")


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def tick_at(open_work: Opener, *moments: str) -> TickResult:
    """Tick once at each instant; the last one's result."""
    result = TickResult()
    for moment in moments:
        with freeze_time(moment):
            result = tick(open_work)
    return result


def occurrences(open_work: Opener, job: str) -> list[Row]:
    """(key, state, note) of a job's occurrences, in the order of their keys."""
    with open_work() as work:
        rows = work.conn.execute(
            select(occurrence.c.occurrence_key, occurrence.c.state, occurrence.c.note)
            .where(occurrence.c.job_name == job)
            .order_by(occurrence.c.occurrence_key)
        )
        return [(row.occurrence_key, row.state, row.note) for row in rows]


def deferred(open_work: Opener) -> list[str]:
    """The occurrences whose composing waits in the queue."""
    with open_work() as work:
        rows = work.conn.execute(
            text(
                "SELECT args->>'occurrence_id' FROM procrastinate_jobs WHERE task_name = 'compose_occurrence'"
            )
        )
        return list(rows.scalars())


def switch(open_work: Opener, job: str, on: bool) -> None:
    with open_work() as work:
        work.conn.execute(update(schedule).where(schedule.c.job_name == job).values(enabled=on))
