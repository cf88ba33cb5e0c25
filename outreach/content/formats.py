"""The formats of an institution's files (DESIGN.md §6): strict, so that a slip is told and never ignored."""

import re
from datetime import date, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from outreach.core.errors import BadInput
from outreach.occasions.festivals import FESTIVALS, FIRST_YEAR, LAST_YEAR
from outreach.occasions.triggers import check_cron
from outreach.occasions.windows import parse_window

CATEGORIES = ("channel", "information", "consulting", "product", "relationship")
CHANNELS = ("sms", "email", "letter", "call")
LANGUAGES = ("zh-CN", "en")
_SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_DURATION = re.compile(r"(\d+)(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_duration(value: object) -> timedelta:
    """``60s``, ``15m``, ``4h`` or ``2d``. Raises ValueError otherwise."""
    if isinstance(value, timedelta):
        return value
    found = _DURATION.fullmatch(str(value).strip()) if isinstance(value, str) else None
    if not found:
        raise ValueError("write a duration such as 60s, 15m, 4h or 2d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def is_slug(value: str) -> bool:
    """Whether ``value`` may name a piece of content: lower-case letters, digits and single hyphens."""
    return _SLUG.fullmatch(value) is not None


def _slug(value: str) -> str:
    if not is_slug(value):
        raise ValueError("use lower-case letters, digits and single hyphens")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("use an IANA time zone such as Asia/Shanghai") from None
    return value


def _window(value: str) -> str:
    try:
        parse_window(value)
    except BadInput as error:
        raise ValueError(f"{error} {error.mend}") from error
    return value


def _cron(value: str) -> str:
    try:
        return check_cron(value)
    except BadInput as error:
        raise ValueError(f"{error} {error.mend}") from error


def _festival(value: str) -> str:
    if value not in FESTIVALS:
        raise ValueError("use one of: " + ", ".join(sorted(FESTIVALS)))
    return value


Slug = Annotated[str, AfterValidator(_slug)]
Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Zone = Annotated[str, AfterValidator(_zone)]
WindowText = Annotated[str, AfterValidator(_window)]
Category = Literal["channel", "information", "consulting", "product", "relationship"]
Channel = Literal[
    "sms", "email", "letter", "call"
]  # of a call the template is the script that a person speaks from
Language = Literal["zh-CN", "en"]
RiskName = Literal["R1", "R2", "R3", "R4", "R5"]


class Strict(BaseModel):
    """No unknown key, and nothing changes after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# ── templates/<id>/template.toml ──────────────────────────────────────────────────────────────────────────


class Title(Strict):
    """A title in both languages."""

    zh: Annotated[str, Field(min_length=1)]
    en: Annotated[str, Field(min_length=1)]


class Variable(Strict):
    """A declared variable: where it comes from, and what it is. ``label`` is what an author who fills it in reads."""

    source: Literal[
        "client", "advisor", "branch", "firm", "occasion", "due", "report", "event", "digest", "text"
    ]
    type: Literal["text", "date", "instant", "number"] = "text"
    optional: bool = False
    label: Title | None = None


class TemplateFile(Strict):
    """A message template. ``risk_level`` is of what it offers, ``advice`` needs a qualified author (art. 41);
    ``phrase``: an approved answer of the phrase book, with which an advisor replies as it stands."""

    title: Title
    category: Category
    occasion: Slug | None = None
    greeting: bool = False
    phrase: bool = False
    channels: Annotated[tuple[Channel, ...], Field(min_length=1)]
    languages: Annotated[tuple[Language, ...], Field(min_length=1)] = ("zh-CN", "en")
    fallback_language: Language | None = None
    risk_level: RiskName | None = None
    advice: bool = False
    disclosures: tuple[Slug, ...] = ()
    variables: dict[str, Variable] = {}
    allowed_links: tuple[str, ...] = ()


# ── jobs/<id>.toml ────────────────────────────────────────────────────────────────────────────────────────


class CronTrigger(Strict):
    """Fires by a five-field cron expression in the job's zone."""

    kind: Literal["cron"]
    cron: Annotated[str, AfterValidator(_cron)]


class FestivalTrigger(Strict):
    """Fires on a festival, or so many days before (negative) or after it."""

    kind: Literal["festival"]
    festival: Annotated[str, AfterValidator(_festival)]
    offset_days: int = 0


class ClientDateTrigger(Strict):
    """Fires every day, for the clients whose date it is: the date in ``field``, moved by ``years``, ``months``
    and ``offset_days`` (an assessment is due two years after it was made: art. 79(2)); every year again when
    ``yearly`` (anniversaries). ``field = "fact"``: a dated fact of the kind ``fact``."""

    kind: Literal["client_date"]
    field: Literal[
        "birthday",
        "birth_date",
        "lunar_birthday",
        "opened_on",
        "assessed_on",
        "id_expiry",
        "margin_expiry",
        "fact",
    ]
    fact: Slug | None = None
    years: Annotated[int, Field(ge=0, le=100)] = 0
    months: Annotated[int, Field(ge=0, le=600)] = 0
    offset_days: Annotated[int, Field(ge=-400, le=400)] = 0
    yearly: bool = False

    @model_validator(mode="after")
    def _has_fact(self) -> "ClientDateTrigger":
        if (self.field == "fact") != (self.fact is not None):
            raise ValueError(
                '`fact` names the kind of a dated fact: give it with field = "fact", and only then'
            )
        if self.yearly and (self.years or self.months):
            raise ValueError("a yearly date has no years and months of its own")
        return self


class TradingDayTrigger(Strict):
    """Fires on every trading day."""

    kind: Literal["trading_day"]


class FeedTrigger(Strict):
    """Fires for each item of a feed; ``types`` narrows to some of its item types, ``except_types`` leaves some to
    other jobs."""

    kind: Literal["feed"]
    feed: Literal["research", "market-event"]
    types: tuple[str, ...] = ()
    except_types: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_way(self) -> "FeedTrigger":
        if self.types and self.except_types:
            raise ValueError("give `types` or `except_types`, not both")
        return self

    def takes(self, item_type: str) -> bool:
        """Whether an item of this type fires the job."""
        if self.types:
            return item_type in self.types
        return item_type not in self.except_types


TriggerFile = Annotated[
    CronTrigger | FestivalTrigger | ClientDateTrigger | TradingDayTrigger | FeedTrigger,
    Field(discriminator="kind"),
]


class AudienceFile(Strict):
    """Whom a job is for; what is left out does not narrow."""

    tiers: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()
    risk_classes: tuple[Annotated[int, Field(ge=1, le=5)], ...] = ()
    tags: tuple[str, ...] = ()
    languages: tuple[Language, ...] = ()
    kind: Literal["person", "company"] | None = None
    # Holders of the feed item's code; subscribers of its feed and type. With both, either is enough. An item without
    # a code reaches its subscribers where they are asked for, else nobody, or everybody in the audience where
    # ``without_code`` says so. Of a digest: holders of a code of its items, subscribers of its feed.
    holders: bool = False
    subscribers: bool = False
    without_code: Literal["nobody", "everybody"] = "nobody"
    holders_of: tuple[str, ...] = ()

    @property
    def by_code_only(self) -> bool:
        """Whether an item without a code is for nobody."""
        return self.holders and not self.subscribers and not self.holders_of and self.without_code == "nobody"

    @model_validator(mode="after")
    def _has_holders(self) -> "AudienceFile":
        if self.without_code == "everybody" and (not self.holders or self.subscribers or self.holders_of):
            raise ValueError("`without_code` goes with `holders = true`, without subscribers and holders_of")
        return self


class FrequencyCap(Strict):
    """At most so many messages to one client."""

    per_day: Annotated[int, Field(ge=1)] | None = None
    per_month: Annotated[int, Field(ge=1)] | None = None


class Misfire(Strict):
    """What becomes of a firing that was missed: caught up within a time, or skipped."""

    rule: Literal["catch_up", "skip"]
    within: Duration | None = None

    @model_validator(mode="after")
    def _has_time(self) -> "Misfire":
        if (self.rule == "catch_up") != (self.within is not None):
            raise ValueError("catch_up needs `within`, skip has none")
        return self


class DigestFile(Strict):
    """A round-up of what a feed brought in the last ``days`` before the send time: the template's ``digest``."""

    feed: Literal["research"]
    days: Annotated[int, Field(ge=1, le=31)] = 7


class JobFile(Strict):
    """When, to whom, which template, which policy. ``fall_through`` are channels tried after ``channels``, in their
    order: an alert goes by SMS, else by mail, else somebody calls. Of an urgent job the texts of all of them are
    approved together, and one that fails is followed by the next; ``fall_through_after`` is for how long a channel may
    leave open whether it carried a message before the next one is taken."""

    title: Title
    template: Slug
    policy: Slug
    trigger: TriggerFile
    zone: Zone = "Asia/Shanghai"
    at: time = time(9, 0)
    lead: Annotated[int, Field(ge=0, le=30)] = 0
    audience: AudienceFile = AudienceFile()
    channels: Annotated[tuple[Channel, ...], Field(min_length=1)]
    fall_through: tuple[Channel, ...] = ()
    fall_through_after: Duration = timedelta(minutes=10)
    window: WindowText = "09:00-20:00"
    expiry: Duration
    misfire: Misfire
    frequency_cap: FrequencyCap = FrequencyCap()
    top_up: bool = False
    urgent: bool = False
    in_name_of: Literal["advisor", "branch"] = "branch"
    digest: DigestFile | None = None

    @property
    def reach(self) -> tuple[Channel, ...]:
        """Every channel in the order in which it is tried."""
        return tuple(dict.fromkeys((*self.channels, *self.fall_through)))

    @property
    def falls_through(self) -> bool:
        """Whether a channel that fails is followed by the next one: of urgent jobs only, for a greeting that comes
        by another way the day after is none."""
        return self.urgent and bool(self.fall_through)

    @model_validator(mode="after")
    def _has_a_rhythm(self) -> "JobFile":
        if self.digest is not None and self.trigger.kind not in ("cron", "trading_day"):
            raise ValueError("a digest needs a cron or trading_day trigger")
        return self


# ── jobs/closures.toml ────────────────────────────────────────────────────────────────────────────────────


class ClosureSpan(Strict):
    """One closure, both days included. ``exchanges_only``: offices work (除夕 2024), nothing is traded."""

    festival: Literal[
        "new-year",
        "spring-festival",
        "qingming",
        "labour-day",
        "dragon-boat",
        "mid-autumn",
        "national-day",
        "other",
    ]
    first: Annotated[date, Field(alias="from")]
    last: Annotated[date, Field(alias="to")]
    exchanges_only: bool = False


class ClosureYear(Strict):
    """The closures of one year as announced, with the notice they come from; ``make_up`` are the weekend days
    worked instead, on which the mainland exchanges do not trade."""

    year: Annotated[int, Field(ge=FIRST_YEAR, le=LAST_YEAR)]
    source: Annotated[str, Field(min_length=1)]
    make_up: tuple[date, ...] = ()
    closures: Annotated[tuple[ClosureSpan, ...], Field(min_length=1)]


class ClosuresFile(Strict):
    """jobs/closures.toml: the years that are no longer provisional."""

    years: Annotated[tuple[ClosureYear, ...], Field(min_length=1)]
