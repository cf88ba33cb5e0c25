"""A cron expression in words, Chinese and English, for the shapes that jobs usually have."""

import re

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_ZH_DAYS = ("周日", "周一", "周二", "周三", "周四", "周五", "周六")
_EN_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_EN_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def cron_in_words(expression: str, locale: str) -> str:
    """When a five-field expression fires: every day, on some days of the week, of the month or of the year, at some
    times of the day; any other shape as it is written."""
    fields = expression.lower().split()
    if len(fields) != 5:
        return expression
    minute, hour, of_month, month, of_week = fields
    times = _times(minute, hour)
    chinese = locale.startswith("zh")
    on = _on(of_month, month, of_week, chinese) if times else ""
    if not on:
        return expression
    return f"{on} {'、'.join(times)}" if chinese else f"{on} at {_listed(times)}"


def _on(of_month: str, month: str, of_week: str, chinese: bool) -> str:
    if of_month == "*" and month == "*":
        return _on_weekdays(of_week, chinese)
    if of_week != "*" or of_month == "*":
        return ""
    months = [] if month == "*" else _numbers(month, 1, 12, _MONTHS, 1)
    days = [32] if of_month == "l" else _numbers(of_month, 1, 31)
    if not days or (month != "*" and not months):
        return ""
    if chinese:
        said = "、".join("最后一日" if day == 32 else f"{day}日" for day in days)
        return f"每年{'、'.join(f'{one}月' for one in months)}{said}" if months else f"每月{said}"
    said = _listed([_ordinal(day) for day in days])
    whose = _listed([_EN_MONTHS[one - 1] for one in months]) if months else "every month"
    return f"on the {said} of {whose}"


def _on_weekdays(of_week: str, chinese: bool) -> str:
    if of_week == "*":
        return "每天" if chinese else "every day"
    span = re.fullmatch(r"(\w+)-(\w+)", of_week)
    days = _numbers(",".join(span.groups()) if span else of_week, 0, 7, _DAYS, 0)
    if not days:
        return ""
    days = [day % 7 for day in days]
    if span:
        first, last = days
        return f"{_ZH_DAYS[first]}至{_ZH_DAYS[last]}" if chinese else f"{_EN_DAYS[first]} to {_EN_DAYS[last]}"
    if chinese:
        return "每" + "、".join(_ZH_DAYS[day] for day in days)
    return f"every {_listed([_EN_DAYS[day] for day in days])}"


def _times(minute: str, hour: str) -> list[str]:
    minutes, hours = _numbers(minute, 0, 59), _numbers(hour, 0, 23)
    return [f"{one:02d}:{minutes[0]:02d}" for one in hours] if len(minutes) == 1 else []


def _numbers(field: str, least: int, most: int, names: tuple[str, ...] = (), first: int = 0) -> list[int]:
    """The numbers of a list such as ``1,15`` or ``mon,fri``; none when it is anything else."""
    found: list[int] = []
    for part in field.split(","):
        number = int(part) if part.isascii() and part.isdigit() else -1
        if part in names:
            number = names.index(part) + first
        if not least <= number <= most:
            return []
        found.append(number)
    return found


def _listed(parts: list[str]) -> str:
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]


def _ordinal(day: int) -> str:
    if day == 32:
        return "last day"
    ending = "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"
