"""The demonstration on any date, at any hour: all five kinds wait, and the six traps stand."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from freezegun import freeze_time
from sqlalchemy import text

from outreach.app import wire
from outreach.core.database import Database
from outreach.core.settings import Settings
from outreach.demo.stage import set_stage
from outreach.ledger.seal import KeyRing
from outreach.ledger.work import opener

WAITING = text(
    "SELECT DISTINCT o.job_name FROM message m JOIN occurrence o ON o.id = m.occurrence_id WHERE m.state = 'held'"
)


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2028, 2, 29, 1, 0, tzinfo=UTC),  # a leap day, in the morning
        datetime(2026, 10, 2, 14, 30, tzinfo=UTC),  # late in the evening of a holiday
        datetime(2027, 2, 6, 20, 0, tzinfo=UTC),  # four in the morning after Spring Festival
        datetime(2026, 12, 31, 15, 59, tzinfo=UTC),  # a minute before the new year in Shanghai
    ],
)
def test_all_five_kinds_wait(database: Database, keys: KeyRing, settings: Settings, moment: datetime) -> None:
    told = replace(settings, demonstration=True, send_window="00:00-24:00")
    said: list[str] = []
    with freeze_time(moment):
        wire()
        open_work = opener(database, keys, told)
        set_stage(open_work, told, said.append)
        with open_work() as work:
            jobs = set(work.conn.execute(WAITING).scalars())
        set_stage(open_work, told, said.append)
    assert {"advisor", "research-push", "market-event"} <= jobs
    assert jobs & {"birthday-solar", "birthday-lunar"}
    assert jobs & {"new-year", "spring-festival", "mid-autumn"}
    traps = json.loads((told.home / "demonstration" / "traps.json").read_text("utf-8"))
    assert {one["rule"] for one in traps} == {
        "lexicon",
        "suitability",
        "deceased",
        "securities_licence",
        "four_eyes",
        "names_other_client",
    }
    assert all(one["article"] and one["mend_zh"] and one["mend_en"] for one in traps)
    assert len([line for line in said if line.startswith("institution")]) == 1
