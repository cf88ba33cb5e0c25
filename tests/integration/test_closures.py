"""Publishing a year's closures changes what is due by trading days, and the calendar says where they come from."""

from pathlib import Path

import pytest
from freezegun import freeze_time
from sqlalchemy import select

from outreach.composing.year import year_ahead
from outreach.content.difference import changes
from outreach.content.in_force import closures_in_force
from outreach.content.loader import load_folder
from outreach.content.tables import content_version
from outreach.ledger.work import Opener
from outreach.scheduling.overview import job_lines
from tests.support.builders import Firm
from tests.support.closures import CLOSURES, SOURCE
from tests.support.pages import SignIn
from tests.support.ticks import Publish, occurrences, publisher, starting_firm, tick_at

BEFORE, MORNING = "2027-02-08 00:00:00", "2027-02-11 02:00:00"
BRIEF = """
title = { zh = "盘前提示", en = "Before the market opens" }
template = "birthday"
policy = "birthday-standing"
channels = ["sms"]
at = 08:30:00
window = "08:00-20:00"
expiry = "8h"
misfire = { rule = "catch_up", within = "6h" }

[trigger]
kind = "trading_day"
"""


@pytest.fixture
def people(open_work: Opener) -> Firm:
    return starting_firm(open_work)


@pytest.fixture
def change(open_work: Opener, people: Firm, tmp_path: Path) -> Publish:
    return publisher(open_work, people, tmp_path / "content")


def test_a_day_that_is_traded_after_all_is_due(open_work: Opener, people: Firm, change: Publish) -> None:
    with freeze_time(BEFORE):
        change({"brief": BRIEF})
    tick_at(open_work, BEFORE, "2027-02-10 12:00:00")
    assert occurrences(open_work, "brief") == []
    with freeze_time("2027-02-10 13:00:00"):
        change({"closures": CLOSURES})
    tick_at(open_work, MORNING, "2027-02-12 02:00:00", "2027-02-14 02:00:00", "2027-02-15 02:00:00")
    assert [key for key, _, _ in occurrences(open_work, "brief")] == [
        "2027-02-11",
        "2027-02-12",
        "2027-02-15",
    ]


def test_without_it_the_computed_holidays_stand(open_work: Opener, people: Firm, change: Publish) -> None:
    with freeze_time(BEFORE):
        change({"brief": BRIEF})
    tick_at(open_work, BEFORE, MORNING, "2027-02-12 02:00:00", "2027-02-15 02:00:00")
    assert [key for key, _, _ in occurrences(open_work, "brief")] == ["2027-02-15"]


def test_a_lead_is_counted_by_the_notice(open_work: Opener, people: Firm, change: Publish) -> None:
    """元宵 is Saturday 20 February 2027; with the 14th worked, five working days before it is Sunday the 14th."""
    lantern = BRIEF[: BRIEF.index("[trigger]")] + "lead = 5\n"
    lantern += '[trigger]\nkind = "festival"\nfestival = "lantern"\n'
    with freeze_time(BEFORE):
        change({"lantern-job": lantern, "closures": CLOSURES})
    tick_at(open_work, BEFORE, "2027-02-14 23:00:00")
    assert occurrences(open_work, "lantern-job") == []
    tick_at(open_work, "2027-02-15 00:30:00")
    assert [key for key, _, _ in occurrences(open_work, "lantern-job")] == ["2027-02-20"]


def test_the_year_is_not_provisional_any_more(
    open_work: Opener, people: Firm, change: Publish, sign_in: SignIn
) -> None:
    with open_work(people.head_office) as work:
        before = year_ahead(work, 2027)
        assert (before.provisional, before.source) == (True, "")
    assert "provisional calendar" in sign_in(people.b01.manager).read("/calendar?year=2027")
    change({"closures": CLOSURES, "brief": BRIEF})
    with open_work(people.head_office) as work:
        found = year_ahead(work, 2027)
        assert (found.provisional, found.source) == (False, SOURCE)
        assert year_ahead(work, 2028).provisional
        weekdays, closed_weekdays = 261, 1 + 4 + 1 + 3 + 1 + 1 + 5 + 1
        assert next(line.firings for line in found.lines if line.job == "brief") == weekdays - closed_weekdays
    said = sign_in(people.b01.manager).read("/calendar?year=2027")
    assert "provisional calendar" not in said
    assert SOURCE in said


def test_the_job_list_marks_what_rests_on_computed_holidays(
    open_work: Opener, people: Firm, change: Publish
) -> None:
    with freeze_time("2027-01-04 00:00:00"):
        with open_work(people.operator) as work:
            assert {one.name for one in job_lines(work) if one.provisional} >= {"spring-festival"}
        change({"closures": CLOSURES})
        with open_work(people.operator) as work:
            assert "spring-festival" not in {one.name for one in job_lines(work) if one.provisional}


def test_it_is_a_version_like_any_other(
    open_work: Opener, people: Firm, change: Publish, tmp_path: Path
) -> None:
    change({"closures": CLOSURES})
    change({"closures": CLOSURES.replace(SOURCE, "Corrected notice")})
    with open_work() as work:
        named = closures_in_force(work.conn).of(2027)
        assert named is not None
        assert named.source == "Corrected notice"
    (tmp_path / "content/jobs/closures.toml").unlink()
    with open_work() as work:
        ending = changes(work.conn, load_folder(tmp_path / "content")[0])
        assert [(one.kind, one.name, one.what) for one in ending] == [("closures", "closures", "ended")]
    with open_work() as work:
        rows = work.conn.execute(
            select(content_version.c.version, content_version.c.files)
            .where(content_version.c.kind == "closures")
            .order_by(content_version.c.version)
        ).all()
    assert [row.version for row in rows] == [1, 2]
    assert rows[0].files == {"jobs/closures.toml": CLOSURES}
    change({})
    with open_work() as work:
        assert closures_in_force(work.conn).of(2027) is None
