"""Jobs that come, go and change between two ticks: nothing to be sent is lost, nothing of their absence is missed."""

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from freezegun import freeze_time
from sqlalchemy import text

from outreach.ledger.work import Opener
from tests.support.builders import Firm
from tests.support.ticks import (
    CRON,
    START,
    Publish,
    occurrences,
    publisher,
    source_of,
    starting_firm,
    switch,
    tick_at,
)


@pytest.fixture
def people(open_work: Opener) -> Firm:
    return starting_firm(open_work)


@pytest.fixture
def change(open_work: Opener, people: Firm, tmp_path: Path) -> Publish:
    return publisher(open_work, people, tmp_path / "content")


def test_a_new_job_has_missed_nothing_but_is_in_time_for_today(open_work: Opener, people: Firm) -> None:
    tick_at(open_work, "2026-09-25 06:00:00")
    assert occurrences(open_work, "mid-autumn") == [("2026-09-25", "due", "")]
    keys = [key for key, state, _ in occurrences(open_work, "birthday-solar") if state == "due"]
    assert keys[0] == "2026-09-25"
    with open_work() as work:
        assert (
            work.conn.execute(text("SELECT count(*) FROM occurrence WHERE state = 'expired'")).scalar_one()
            == 0
        )


def test_a_new_job_comes_too_late_for_today(open_work: Opener, people: Firm) -> None:
    tick_at(open_work, "2026-09-25 12:00:00", "2026-09-25 12:00:15")
    assert occurrences(open_work, "mid-autumn") == []
    assert occurrences(open_work, "birthday-solar")[0][0] == "2026-09-26"


def test_a_longer_lead_loses_nothing_that_is_still_to_be_sent(
    open_work: Opener, people: Firm, change: Publish
) -> None:
    tick_at(open_work, "2026-09-17 00:00:00")
    before = occurrences(open_work, "birthday-solar")
    with freeze_time("2026-09-17 03:00:00"):
        change(
            {
                "mid-autumn": source_of("mid-autumn").replace("lead = 5", "lead = 20"),
                "birthday-solar": source_of("birthday-solar").replace("lead = 1", "lead = 4"),
            }
        )
    tick_at(open_work, "2026-09-17 03:00:15")
    assert occurrences(open_work, "mid-autumn") == [("2026-09-25", "due", "")]
    tick_at(open_work, *(f"2026-09-{day} 03:00:15" for day in range(18, 26)))
    rows = occurrences(open_work, "birthday-solar")
    days = [datetime.fromisoformat(key).date() for key, _, _ in rows]
    assert len(rows) > len(before)
    assert all(later - earlier == timedelta(days=1) for earlier, later in pairwise(days))
    assert not any(state == "expired" for _, state, _ in rows)


def test_a_new_cron_expression_does_not_fire_for_hours_gone_by(
    open_work: Opener, people: Firm, change: Publish
) -> None:
    rule = '{ rule = "catch_up", within = "6h" }'
    change({"morning": CRON.format(cron="30 8 * * *", misfire=rule)})
    tick_at(open_work, START, "2026-09-01 00:31:00", "2026-09-01 02:59:50")
    with freeze_time("2026-09-01 03:00:00"):
        change({"morning": CRON.format(cron="30 9 * * *", misfire=rule)})
    tick_at(open_work, "2026-09-01 03:00:15", "2026-09-02 02:00:00")
    assert [key for key, _, _ in occurrences(open_work, "morning")] == [
        "2026-09-01T08:30",
        "2026-09-02T09:30",
    ]


def test_a_job_switched_off_fires_nothing_and_misses_nothing(open_work: Opener, people: Firm) -> None:
    tick_at(open_work, START)
    switch(open_work, "mid-autumn", False)
    switch(open_work, "birthday-solar", False)
    before = occurrences(open_work, "birthday-solar")
    tick_at(open_work, "2026-09-10 00:00:00", "2026-09-24 00:00:00")
    assert occurrences(open_work, "mid-autumn") == []
    assert occurrences(open_work, "birthday-solar") == before
    assert len(occurrences(open_work, "birthday-lunar")) > len(before)
    # On again: what is still to be sent is taken up, what is past is not.
    switch(open_work, "mid-autumn", True)
    switch(open_work, "birthday-solar", True)
    tick_at(open_work, "2026-09-24 12:00:00")
    assert occurrences(open_work, "mid-autumn") == [("2026-09-25", "due", "")]
    # 25 September and the holidays after it, which are composed together.
    later = occurrences(open_work, "birthday-solar")[len(before) :]
    assert [key for key, _, _ in later] == ["2026-09-25", "2026-09-26", "2026-09-27", "2026-09-28"]
    assert {state for _, state, _ in later} == {"due"}


def test_a_job_out_of_force_misses_nothing_should_it_come_back(
    open_work: Opener, people: Firm, change: Publish
) -> None:
    tick_at(open_work, START)
    with freeze_time("2026-09-02"):
        change({"mid-autumn": None})
    tick_at(open_work, "2026-09-02 00:00:15", "2026-10-08 00:00:00")
    with freeze_time("2026-10-08 00:01:00"):
        change({"mid-autumn": source_of("mid-autumn")})
    tick_at(open_work, "2026-10-08 00:01:15")
    assert occurrences(open_work, "mid-autumn") == []


def test_a_job_beyond_the_calendar_stops_no_other(open_work: Opener, people: Firm, change: Publish) -> None:
    change({"morning": CRON.format(cron="30 8 * * *", misfire='{ rule = "skip" }')})
    result = tick_at(open_work, "2050-12-20 00:30:00")
    assert "birthday-solar" in result.failed
    assert occurrences(open_work, "morning") == [("2050-12-20T08:30", "due", "")]
