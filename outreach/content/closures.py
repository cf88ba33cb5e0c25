"""The closures file: which days a year's notice closes offices and exchanges, and what can't be right in it."""

from datetime import date, timedelta

from outreach.content.faults import Fault, line_of
from outreach.content.formats import ClosuresFile, ClosureSpan, ClosureYear
from outreach.occasions.trading import Closures, YearClosures, statutory_holidays

FILE = "jobs/closures.toml"
_LONGEST = 14  # days: more than any closure so far (Spring Festival 2020 had ten)


def closures_of(file: ClosuresFile) -> Closures:
    """The file's years as the calendar counts with them."""
    return Closures(tuple(_year(one) for one in sorted(file.years, key=lambda one: one.year)))


def _year(one: ClosureYear) -> YearClosures:
    return YearClosures(
        year=one.year,
        source=one.source,
        closed=frozenset(day for span in one.closures if not span.exchanges_only for day in _days(span)),
        untraded=frozenset(day for span in one.closures if span.exchanges_only for day in _days(span)),
        worked=frozenset(one.make_up),
    )


def closure_faults(file: ClosuresFile, text: str) -> list[Fault]:
    """Everything that no notice can say: days of another year, spans that are backwards, too long or overlap, a
    year twice, make-up days that are none; and what every notice says: the holidays of the law."""
    faults: list[Fault] = []
    seen: set[int] = set()
    for number, one in enumerate(file.years):
        at = ["years", str(number)]
        if one.year in seen:
            faults.append(_fault(text, [*at, "year"], f"The year {one.year} stands here twice.", "Keep one."))
        seen.add(one.year)
        spans = _span_faults(one, text, at)
        # Of spans that are wrong in themselves it can't be said what they leave open.
        faults += spans or [*_make_up_faults(one, text, at), *_missing(one, text, at)]
    return faults


def _span_faults(one: ClosureYear, text: str, at: list[str]) -> list[Fault]:
    faults: list[Fault] = []
    taken: dict[date, ClosureSpan] = {}
    for number, span in enumerate(one.closures):
        here = [*at, "closures", str(number)]
        said = f"{span.festival} from {span.first} to {span.last}"
        others = [
            (key, day) for key, day in (("from", span.first), ("to", span.last)) if day.year != one.year
        ]
        if others:
            key, day = others[0]
            mend = f"Give the days of {one.year} only; those of {day.year} belong to that year's entry."
            faults.append(_fault(text, [*here, key], f"{day} is not in {one.year}.", mend))
            continue
        if span.last < span.first:
            faults.append(_fault(text, [*here, "to"], f"{said} ends before it begins.", "Swap the days."))
            continue
        length = (span.last - span.first).days + 1
        if length > _LONGEST:
            mend = "Compare the months with the notice."
            faults.append(_fault(text, [*here, "to"], f"{said} lasts {length} days.", mend))
            continue
        both = next((day for day in _days(span) if day in taken), None)
        if both is not None:
            other = taken[both].festival
            mend = "Let each day belong to one closure."
            faults.append(_fault(text, [*here, "from"], f"{said} overlaps with {other} on {both}.", mend))
            continue
        taken.update(dict.fromkeys(_days(span), span))
    return faults


def _make_up_faults(one: ClosureYear, text: str, at: list[str]) -> list[Fault]:
    closed = {day for span in one.closures for day in _days(span)}
    faults: list[Fault] = []
    for day in one.make_up:
        if day.year != one.year:
            said, mend = f"The make-up day {day} is not in {one.year}.", f"Put it under {day.year}."
        elif day.weekday() < 5:
            said, mend = f"The make-up day {day} is a {day:%A}.", "Make-up days are Saturdays and Sundays."
        elif day in closed:
            said, mend = f"The make-up day {day} lies in a closure.", "Compare both with the notice."
        elif one.make_up.count(day) > 1:
            said, mend = f"The make-up day {day} stands here twice.", "Keep one."
        else:
            continue
        faults.append(_fault(text, [*at, "make_up"], said, mend))
    return faults


def _missing(one: ClosureYear, text: str, at: list[str]) -> list[Fault]:
    """A year with only some of its closures would be taken for the whole truth: weekdays that the law makes
    holidays and no closure has."""
    closed = {day for span in one.closures if not span.exchanges_only for day in _days(span)}
    return [
        _fault(
            text,
            [*at, "year"],
            f"{day} ({day:%A}, {name}) is a holiday by law, and no closure of {one.year} has it.",
            "Add the closure, or correct its days: the year stays provisional until all are named.",
        )
        for name, day in statutory_holidays(one.year)
        if day.weekday() < 5 and day not in closed
    ]


def _fault(text: str, path: list[str], message: str, mend: str) -> Fault:
    return Fault(FILE, line_of(text, path), message, mend)


def _days(span: ClosureSpan) -> list[date]:
    return [span.first + timedelta(days=n) for n in range((span.last - span.first).days + 1)]
