"""Send windows: the hours of the client's own day in which a message may reach them.

A window is read on the client's wall clock. Instants go in and come out in UTC. On a day when the clock jumps
ahead over the opening, the window opens with the jump; when it is set back, each pass through the hours of
the window is open.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from outreach.core.errors import BadInput

# The first zone to reach a civil date: UTC+14 all year.
EASTERNMOST = ZoneInfo("Pacific/Kiritimati")
# The last inhabited one: UTC-11 all year.
WESTERNMOST = ZoneInfo("Pacific/Pago_Pago")

_FORM = re.compile(r"(\d{1,2}):(\d{2})\s*[-–—~]\s*(\d{1,2}):(\d{2})")
_DAY_MINUTES = 24 * 60
_MEND = "Write opening and closing within one day, such as 09:00-20:00 or 00:00-24:00."


@dataclass(frozen=True, order=True)
class Window:
    """Minutes of the local day: open from ``opens`` (included) to ``closes`` (excluded, up to 1440).

    Raises BadInput when it is empty, crosses midnight or leaves the day.
    """

    opens: int
    closes: int

    def __post_init__(self) -> None:
        if not 0 <= self.opens < self.closes <= _DAY_MINUTES:
            raise BadInput(f"{self} is not a window of one day.", mend=_MEND)

    def __str__(self) -> str:
        return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in (self.opens, self.closes))

    @property
    def opening(self) -> time:
        """The local time at which the window opens."""
        return time(*divmod(self.opens, 60))


DEFAULT_WINDOW = Window(9 * 60, 20 * 60)


def parse_window(text: str) -> Window:
    """Read a window such as ``09:00-20:00`` or ``00:00-24:00``. Raises BadInput for anything else."""
    found = _FORM.fullmatch(unicodedata.normalize("NFKC", text).strip())
    if found is None:
        raise BadInput(f"{text!r} is not a window.", mend=_MEND)
    from_hour, from_minute, to_hour, to_minute = map(int, found.groups())
    if from_minute > 59 or to_minute > 59:
        raise BadInput(f"{text!r} is not a window.", mend=_MEND)
    return Window(from_hour * 60 + from_minute, to_hour * 60 + to_minute)


def parse_zone(name: str) -> ZoneInfo:
    """The time zone of an IANA name such as ``Asia/Shanghai``. Raises BadInput for an unknown one."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        mend = "Use a name of the IANA time zone database, such as Asia/Shanghai."
        raise BadInput(f"There is no time zone {name!r}.", mend=mend) from error


def at_local(day: date, wall: time, zone: ZoneInfo) -> datetime:
    """The instant (UTC) at which clocks in ``zone`` show ``wall`` on ``day``.

    The first of two such instants when the clock is set back; when it jumps over ``wall``, as long after the
    jump as ``wall`` lies in the skipped time (RFC 5545, 3.3.5).
    """
    return datetime.combine(day, wall.replace(fold=0), zone).astimezone(UTC)


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first instant (UTC) of the civil date ``day`` in ``zone``."""
    return at_local(day, time(), zone)


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The instant (UTC) at which the civil date ``day`` is over in ``zone``: the first one of the next date."""
    return start_of_day(day + timedelta(days=1), zone)


def is_open(instant: datetime, window: Window, zone: ZoneInfo) -> bool:
    """Whether the wall clock in ``zone`` shows a time inside ``window`` at ``instant``.

    Raises BadInput for an instant without a zone.
    """
    local = _aware(instant).astimezone(zone)
    return window.opens <= local.hour * 60 + local.minute < window.closes


def next_open(instant: datetime, window: Window, zone: ZoneInfo) -> datetime:
    """The earliest instant (UTC), not before ``instant``, that lies in ``window`` in ``zone``.

    Raises BadInput for an instant without a zone.
    """
    start = _aware(instant).astimezone(UTC)
    if is_open(start, window, zone):
        return start
    today = start.astimezone(zone).date()
    candidates = set(_clock_changes(start, start + timedelta(days=4), zone))
    for day in (today + timedelta(days=ahead) for ahead in range(-1, 4)):
        for fold in (0, 1):
            opening = datetime.combine(day, window.opening.replace(fold=fold), zone)
            candidates.add(opening.astimezone(UTC))
    return min(one for one in candidates if one >= start and is_open(one, window, zone))


def earliest_start(civil_date: date, window: Window, zones: Iterable[ZoneInfo] = ()) -> datetime:
    """The instant (UTC) at which ``window`` first opens on ``civil_date`` in any of ``zones``.

    Without zones, that of the easternmost zone there is.
    """
    return min(
        next_open(start_of_day(civil_date, zone), window, zone) for zone in list(zones) or [EASTERNMOST]
    )


def client_send_at(send_date: date, at: time, window: Window, zone: ZoneInfo) -> datetime:
    """The instant (UTC) from which a message for ``send_date`` may go to a client in ``zone``.

    ``at`` on the client's own clock, or the next opening of their window.
    """
    return next_open(at_local(send_date, at, zone), window, zone)


def _aware(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise BadInput(f"{instant} has no time zone.", mend="Use aware instants only.")
    return instant


def _clock_changes(start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """The instants after ``start`` up to ``end`` at which the offset of ``zone`` changes, to the second."""
    step = timedelta(hours=12)
    while start < end:
        low, high = start.replace(microsecond=0), start.replace(microsecond=0) + step
        if _offset(low, zone) != _offset(high, zone):
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
                low, high = (middle, high) if _offset(middle, zone) == _offset(low, zone) else (low, middle)
            yield high
        start += step


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta | None:
    return instant.astimezone(zone).utcoffset()
