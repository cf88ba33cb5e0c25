"""The closures file: a year that it names is no longer provisional; whatever no notice can say is told by line."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from outreach.content.closures import closures_of
from outreach.content.loader import load_folder
from outreach.content.starter import lay_out
from outreach.occasions.trading import (
    NONE_NAMED,
    Closures,
    YearClosures,
    is_provisional,
    is_trading_day,
    is_working_day,
    minus_working_days,
    next_trading_day,
    previous_trading_day,
)
from outreach.occasions.triggers import TradingDay, firings
from tests.support.closures import CLOSURES, SOURCE
from tests.support.ticks import instant

FILE = "jobs/closures.toml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lay_out(tmp_path / "content")
    return tmp_path / "content"


def written(folder: Path, text: str) -> list[str]:
    """The faults of the folder with this closures file."""
    (folder / FILE).write_text(text, encoding="utf-8")
    return [str(fault) for fault in load_folder(folder)[1]]


@pytest.fixture
def closures(folder: Path) -> Closures:
    assert written(folder, CLOSURES) == []
    source = load_folder(folder)[0].closures
    assert source is not None
    return closures_of(source.meta)


def test_the_starter_set_names_no_year_and_is_whole_without(folder: Path) -> None:
    content, faults = load_folder(folder)
    assert faults == []
    assert content.closures is None


def test_a_named_year_is_not_provisional(closures: Closures) -> None:
    assert is_provisional(2027)
    assert not is_provisional(2027, closures)
    assert is_provisional(2028, closures)
    named = closures.of(2027)
    assert named is not None
    assert named.source == SOURCE


def test_its_days_are_the_whole_truth(closures: Closures) -> None:
    bridged, open_again = date(2027, 2, 10), date(2027, 2, 11)
    assert not is_trading_day(bridged, closures)
    assert not is_trading_day(open_again)  # computed: closed rather too long
    assert is_trading_day(open_again, closures)
    assert next_trading_day(date(2027, 2, 4), closures) == open_again
    assert previous_trading_day(open_again, closures) == date(2027, 2, 4)


def test_a_make_up_day_is_worked_and_not_traded(closures: Closures) -> None:
    worked = date(2027, 2, 14)
    assert is_working_day(worked, closures)
    assert not is_trading_day(worked, closures)
    assert minus_working_days(date(2027, 2, 15), 1, closures) == worked
    assert minus_working_days(date(2027, 2, 15), 1) == date(2027, 2, 4)


def test_a_day_on_which_only_the_exchanges_are_closed_is_worked(closures: Closures) -> None:
    day = date(2027, 12, 31)
    assert is_working_day(day, closures)
    assert not is_trading_day(day, closures)


def test_other_years_stay_as_they_were(closures: Closures) -> None:
    for year in (2026, 2028):
        for shift in range(365):
            day = date(year, 1, 1) + timedelta(days=shift)
            assert is_trading_day(day, closures) == is_trading_day(day)
            assert is_working_day(day, closures) == is_working_day(day)


def test_a_year_that_is_known_can_be_named_too() -> None:
    """The exchange closes for a day that no notice had: 9 February 2024, and whatever comes."""
    named = Closures((YearClosures(2026, "x", closed=frozenset({date(2026, 3, 3)})),))
    assert is_trading_day(date(2026, 3, 3))
    assert not is_trading_day(date(2026, 3, 3), named)


def test_a_job_by_trading_days_follows(closures: Closures) -> None:
    span = instant("2027-02-01 00:00:01"), instant("2027-02-16 12:00:00")
    before = {one.key for one in firings(TradingDay(closures=NONE_NAMED), *span)}
    after = {one.key for one in firings(TradingDay(closures=closures), *span)}
    assert after - before == {"2027-02-11", "2027-02-12"}
    assert before <= after


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("from = 2027-02-05", "from = 2027-02-30", 13, "Not TOML"),
        ("from = 2027-02-05", 'from = "soon"', 13, "can't be 'soon'"),
        ("from = 2027-02-05", "from = 2026-02-05", 13, "2026-02-05 is not in 2027"),
        ("to = 2027-02-10", "to = 2028-02-10", 14, "2028-02-10 is not in 2027"),
        ("to = 2027-02-10", "to = 2027-02-04", 14, "ends before it begins"),
        ("to = 2027-02-10", "to = 2027-03-10", 14, "lasts 34 days"),
        ("from = 2027-04-03", "from = 2027-02-09", 19, "lasts 56 days"),
        (
            'festival = "dragon-boat"\nfrom = 2027-06-09',
            'festival = "dragon-boat"\nfrom = 2027-06-01',
            None,
            "",
        ),
        (
            "from = 2027-06-09\nto = 2027-06-09",
            "from = 2027-05-05\nto = 2027-05-06",
            28,
            "overlaps with labour-day",
        ),
        (
            "from = 2027-06-09\nto = 2027-06-09",
            "from = 2027-06-08\nto = 2027-06-08",
            2,
            "(Wednesday, dragon-boat)",
        ),
        ("to = 2027-02-10", "to = 2027-02-07", 2, "2027-02-08 (Monday, spring-festival)"),
        ("2027-02-14", "2027-02-15", 4, "is a Monday"),
        ("2027-02-14", "2027-02-06", 4, "lies in a closure"),
        ("2027-02-14", "2026-02-14", 4, "2026-02-14 is not in 2027"),
        ("2027-02-14", "2027-05-08", 4, "stands here twice"),
        ("year = 2027", "year = 2060", 2, "can't be 2060"),
        ("year = 2027", "year = 2028", 8, "2027-01-01 is not in 2028"),
        (f'source = "{SOURCE}"\n', "", 1, "`years.0.source` is missing"),
        ('festival = "qingming"', 'festival = "christmas"', 17, "can't be 'christmas'"),
        ('festival = "qingming"', 'festival = "qingming"\nuntil = 2027-04-05', 18, "Unknown key"),
        ("make_up", "makeup", 4, "Did you mean `make_up`?"),
        ("from = 2027-04-03", "form = 2027-04-03", 18, "Did you mean `from`?"),
    ],
)
def test_what_no_notice_can_say_is_told_by_line(
    folder: Path, old: str, new: str, line: int | None, words: str
) -> None:
    assert old in CLOSURES
    faults = written(folder, CLOSURES.replace(old, new, 1))
    if line is None:
        assert faults == []
    else:
        assert any(fault.startswith(f"{FILE}:{line}: ") and words in fault for fault in faults), faults


def test_a_year_twice_is_told_at_the_second(folder: Path) -> None:
    faults = written(folder, CLOSURES + CLOSURES)
    second = len(CLOSURES.splitlines()) + 2
    assert any(fault.startswith(f"{FILE}:{second}: The year 2027 stands here twice") for fault in faults)


def test_an_empty_file_names_nothing(folder: Path) -> None:
    assert any("`years` is missing" in fault for fault in written(folder, ""))
