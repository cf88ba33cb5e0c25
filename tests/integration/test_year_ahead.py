"""The year ahead: what goes out when, to how many, under which policy; by command and on a page."""

from datetime import date

import pytest
from sqlalchemy import insert

from outreach.composing.year import Year, YearLine, year_ahead
from outreach.core import clock
from outreach.core.access import Actor
from outreach.core.errors import BadInput, Forbidden
from outreach.ledger.work import Opener
from outreach.occasions.trading import LAST_KNOWN_YEAR
from outreach.people.tables import client_date
from tests.support.builders import Firm, firm, make_client, publish_starter
from tests.support.pages import SignIn

YEAR = 2027


@pytest.fixture
def people(open_work: Opener) -> Firm:
    found = firm(open_work)
    publish_starter(open_work, found)
    with open_work() as work:
        plain = {"assessed_on": None, "opened_on": None, "birth_date": None}
        make_client(work, found.b01, **{**plain, "birth_date": date(1980, 3, 1)})
        make_client(work, found.b01, **{**plain, "birth_date": date(1980, 2, 29)})
        make_client(work, found.b01, **{**plain, "lunar_month": 1, "lunar_day": 1, "lunar_leap": False})
        make_client(work, found.b01, **{**plain, "assessed_on": date(2025, 8, 31), "language": "en"})
        make_client(work, found.b01, **{**plain, "opened_on": date(2020, 5, 6)})
        make_client(work, found.b01, **{**plain, "opened_on": date(2027, 1, 31)})
        matures = make_client(work, found.b01, **plain)
        make_client(work, found.b02, **{**plain, "birth_date": date(1990, 3, 1)})
        work.conn.execute(
            insert(client_date).values(
                client_id=matures,
                kind="product-maturity",
                on_date=date(2027, 6, 10),
                subject="一号",
                at=clock.now(),
            )
        )
    return found


def _year(open_work: Opener, actor: Actor, year: int = YEAR) -> tuple[Year, dict[str, YearLine]]:
    with open_work(actor) as work:
        found = year_ahead(work, year)
    return found, {line.job: line for line in found.lines}


def _sums(line: YearLine) -> dict[int, tuple[int, date | None]]:
    return {one.month: (one.count, one.busiest) for one in line.months if one.count}


def test_festivals_fall_on_their_days_for_their_audience(open_work: Opener, people: Firm) -> None:
    found, lines = _year(open_work, people.b01.manager)
    assert lines["spring-festival"].dates == ((date(2027, 2, 6), 7),)
    assert lines["spring-festival-eve"].dates == ((date(2027, 2, 5), 7),)
    assert lines["christmas"].dates == ((date(2027, 12, 25), 1),)
    assert lines["new-year-letter"].dates == ((date(2027, 12, 25), 0),)
    assert [day for day, _, _ in found.on(2)] == [date(2027, 2, 5), date(2027, 2, 6), date(2027, 2, 20)]
    assert lines["spring-festival"].policy_en == "Festivals: batch, after a sample"
    assert lines["spring-festival"].total == 7


def test_clients_dates_are_summed_by_month_with_the_busiest_day(open_work: Opener, people: Firm) -> None:
    _, lines = _year(open_work, people.b01.manager)
    assert _sums(lines["birthday-solar"]) == {2: (1, date(2027, 2, 28)), 3: (1, date(2027, 3, 1))}
    assert _sums(lines["birthday-lunar"]) == {2: (1, date(2027, 2, 6))}
    assert _sums(lines["anniversary"]) == {5: (1, date(2027, 5, 6))}
    assert _sums(lines["welcome"]) == {2: (1, date(2027, 2, 1))}
    assert _sums(lines["welcome-call"]) == {2: (1, date(2027, 2, 21))}
    assert _sums(lines["risk-assessment-30"]) == {8: (1, date(2027, 8, 1))}
    assert _sums(lines["risk-assessment-expired"]) == {9: (1, date(2027, 9, 1))}
    assert _sums(lines["product-maturity"]) == {6: (1, date(2027, 6, 3))}


def test_the_whole_firm_is_counted_for_who_watches_it(open_work: Opener, people: Firm) -> None:
    for actor in (people.head_office, people.operator, people.compliance):
        _, lines = _year(open_work, actor)
        assert _sums(lines["birthday-solar"])[3] == (2, date(2027, 3, 1))
    _, lines = _year(open_work, people.b02.manager)
    assert _sums(lines["birthday-solar"]) == {3: (1, date(2027, 3, 1))}
    with open_work(people.b01.advisor) as work, pytest.raises(Forbidden):
        year_ahead(work, YEAR)


def test_rules_and_feeds_are_lines(open_work: Opener, people: Firm) -> None:
    _, lines = _year(open_work, people.head_office)
    weekly = lines["research-weekly"]
    assert (weekly.kind, weekly.firings, weekly.rule) == ("cron", 53, "0 16 * * fri")
    assert lines["market-event"].kind == "feed"
    assert lines["market-event"].total is None


def test_a_year_whose_holidays_are_not_announced_is_provisional(open_work: Opener, people: Firm) -> None:
    assert _year(open_work, people.head_office, LAST_KNOWN_YEAR + 1)[0].provisional
    assert not _year(open_work, people.head_office, LAST_KNOWN_YEAR)[0].provisional
    for year in (1800, 2050, 9999):
        with open_work(people.head_office) as work, pytest.raises(BadInput, match="calendar knows"):
            year_ahead(work, year)


def test_the_page_draws_it(people: Firm, sign_in: SignIn) -> None:
    said = sign_in(people.b01.manager).read(f"/calendar?year={LAST_KNOWN_YEAR + 1}")
    assert f"What goes out in {LAST_KNOWN_YEAR + 1}" in said
    assert "provisional calendar" in said
    assert "Spring Festival" in said
    assert "at each market event" in said
    assert "53 times (every Friday at 16:00)" in sign_in(people.b01.manager).read("/calendar?year=2027")
    assert "(每周五 16:00)" in sign_in(people.b01.manager, "zh-CN").read("/calendar?year=2027")
    assert sign_in(people.b01.manager).get("/calendar?year=1800").status_code == 400
    assert sign_in(people.b01.manager).get("/calendar?year=soon").status_code == 422
    assert sign_in(people.b01.advisor).get("/calendar").status_code == 403
