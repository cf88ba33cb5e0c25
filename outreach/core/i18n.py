"""Two languages, equal: texts are written in English in the code and translated by gettext catalogues."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import cache, lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from babel import dates, numbers
from babel.messages.pofile import read_po

LOCALES = ("zh-CN", "en")
_CATALOGUES = {"zh-CN": ("outreach.web.translations", "zh_CN.po")}


@cache
def catalogue(locale: str) -> Mapping[str, str]:
    """msgid -> text of a language; English is the msgid itself."""
    place = _CATALOGUES.get(locale)
    if place is None:
        return {}
    with (resources.files(place[0]) / place[1]).open("rb") as stream:
        return {
            str(message.id): str(message.string)
            for message in read_po(stream)
            if message.id and message.string and not isinstance(message.id, tuple)
        }


def translate(locale: str, msgid: str, **params: object) -> str:
    """``msgid`` in ``locale``, with ``%(name)s`` filled in from ``params``."""
    text = catalogue(locale).get(msgid, msgid)
    return text % params if params else text


def bilingual(zh: str, en: str) -> str:
    """A line of text that is kept in both languages, one below the other; ``in_language`` tells it."""
    chinese, english = (" ".join(one.split()) for one in (zh, en))
    return chinese if chinese == english else f"{chinese}\n{english}"


def in_language(kept: str, locale: str) -> str:
    """What ``bilingual`` kept, in the reader's language; a text that is there in one language only as it is."""
    chinese, _, english = kept.partition("\n")
    return english if english and not locale.startswith("zh") else chinese


def choose(accepted: str, default: str) -> str:
    """The first of the languages in an Accept-Language header that there is, else ``default``."""
    for wanted in _preferred(accepted):
        if wanted.startswith("zh"):
            return "zh-CN"
        if wanted.startswith("en"):
            return "en"
    return default if default in LOCALES else "zh-CN"


def _preferred(header: str) -> Iterable[str]:
    weighted: list[tuple[float, int, str]] = []
    for position, part in enumerate(header.split(",")[:20]):
        name, _, quality = part.strip().partition(";q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            weight = 0.0
        if name:
            weighted.append((-weight, position, name.lower()))
    return [name for _, _, name in sorted(weighted)]


def babel_locale(locale: str) -> str:
    """Babel's name of a language."""
    return "zh_Hans_CN" if locale.startswith("zh") else "en_GB"


def instant_text(locale: str, instant: datetime, zone: ZoneInfo, now: datetime | None = None) -> str:
    """Day and time in ``zone``; the year only when it is another one."""
    local = instant.astimezone(zone)
    year = now is None or now.astimezone(zone).year != local.year
    if locale.startswith("zh"):
        pattern = "y年M月d日 HH:mm" if year else "M月d日 HH:mm"
    else:
        pattern = "d MMM y, HH:mm" if year else "d MMM, HH:mm"
    return dates.format_datetime(local, pattern, locale=babel_locale(locale))


def date_text(locale: str, day: date) -> str:
    """A civil date."""
    return dates.format_date(day, "long", locale=babel_locale(locale))


def month_text(locale: str, day: date) -> str:
    """The month of a date, by its name."""
    return dates.format_date(day, "LLLL", locale=babel_locale(locale))


@lru_cache(maxsize=4096)
def number_text(locale: str, value: int) -> str:
    """A whole number with its separators."""
    return numbers.format_decimal(value, locale=babel_locale(locale))
