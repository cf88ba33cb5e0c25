"""The rules of contact: whether this message may go to this client now. Pure functions over a frozen Facts (P5).

The same rules are asked when a message is composed, when it is approved and when it is sent; only where the
facts come from differs.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from outreach.occasions.birthdays import assessment_valid_until, years_between
from outreach.occasions.windows import next_open, parse_window

EVERY = "*"
NEEDS_ASSESSMENT = frozenset({"consulting", "product"})
WIN_BACK = "win-back"  # the occasion of what may go to whoever left
ADULT_ENOUGH = 14  # years; below it a guardian's consent is needed (PIPL art. 31)


@dataclass(frozen=True, slots=True)
class Consent:
    """A recorded wish: for one channel or every (``*``), one category or every."""

    channel: str
    category: str
    opted_out: bool


@dataclass(frozen=True, slots=True)
class Licences:
    """The qualifications of the person in whose name a message goes out (art. 19, 41)."""

    name: str = ""
    securities: str = ""
    securities_expires: date | None = None
    advisory: str = ""
    advisory_expires: date | None = None


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so many messages to one client in a day and in a month (None: no limit)."""

    per_day: int | None = None
    per_month: int | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules look at. ``on`` is the civil date in the client's zone on which the message goes out.

    ``signer`` is the person in whose name it goes out, None when it is the branch's. ``sent_today`` and
    ``sent_this_month`` count the client's other messages.
    """

    on: date
    # the client
    kind: str = "person"
    status: str = "normal"
    deceased: bool = False
    test: bool = False
    birth_date: date | None = None
    do_not_contact: bool = False
    risk_class: int | None = None
    risk_minimum: bool = False
    assessed_on: date | None = None
    consents: tuple[Consent, ...] = ()
    # the message
    channel: str = ""
    has_address: bool = True
    category: str = "relationship"
    occasion: str = ""
    risk_level: int | None = None
    advice: bool = False
    urgent: bool = False
    signer: Licences | None = None
    sent_today: int = 0
    sent_this_month: int = 0
    cap: Cap = field(default_factory=Cap)
    superseded: bool = False  # a correction took the place of what it was made from
    # its time
    expires_at: datetime | None = None
    send_window: str = ""
    time_zone: str = "Asia/Shanghai"


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that forbids it: a code of ``messages.reasons`` and what its words need."""

    code: str
    params: dict[str, Any] = field(default_factory=dict)


Rule = Callable[[Facts], Broken | None]


def superseded(facts: Facts) -> Broken | None:
    """What was made from a report or an event that was corrected meanwhile does not go out any more."""
    return Broken("superseded") if facts.superseded else None


def real_client(facts: Facts) -> Broken | None:
    """A test row of the client system is nobody."""
    return Broken("test_client") if facts.test else None


def deceased(facts: Facts) -> Broken | None:
    """Nothing goes to the dead; condolence is written by hand to the family."""
    return Broken("deceased") if facts.deceased else None


def closed(facts: Facts) -> Broken | None:
    """A closed account gets win-back only (art. 79(15))."""
    return Broken("closed") if facts.status == "closed" and facts.occasion != WIN_BACK else None


def minor(facts: Facts) -> Broken | None:
    """Under fourteen a guardian's consent is needed (PIPL art. 31)."""
    if facts.kind != "person" or facts.birth_date is None:
        return None
    age = years_between(facts.birth_date, facts.on)
    return Broken("minor", {"age": max(age, 0)}) if age < ADULT_ENOUGH else None


def do_not_contact(facts: Facts) -> Broken | None:
    """The client asked to be left alone altogether."""
    return Broken("do_not_contact") if facts.do_not_contact else None


def company_birthday(facts: Facts) -> Broken | None:
    """A company has no birthday, whatever its row says."""
    return Broken("company_birthday") if facts.kind == "company" and facts.occasion == "birthday" else None


def opted_out(facts: Facts) -> Broken | None:
    """An opt-out of this channel or of all, for this category or for all (PIPL art. 15)."""
    for consent in facts.consents:
        if (
            consent.opted_out
            and consent.channel in (EVERY, facts.channel)
            and consent.category in (EVERY, facts.category)
        ):
            return Broken("opted_out", {"channel": consent.channel, "category": consent.category})
    return None


def reachable(facts: Facts) -> Broken | None:
    """There is an address on the channel, and it is in force."""
    return None if facts.has_address else Broken("no_contact_point", {"channels": [facts.channel]})


def dormant(facts: Facts) -> Broken | None:
    """Who lets an account lie is not pushed a product or advice; greetings and notes about the account may go."""
    pushed = facts.risk_level is not None or facts.advice or facts.category in NEEDS_ASSESSMENT
    return Broken("dormant") if facts.status == "dormant" and pushed else None


def suitability(facts: Facts) -> Broken | None:
    """Rn needs at least Cn; the lowest C1 gets R1 only; an assessment counts two years (art. 79(2)).

    An active push above the client's class is forbidden, so it blocks (Measures on suitability, art. 22).
    """
    if facts.risk_level is None and not facts.advice and facts.category not in NEEDS_ASSESSMENT:
        return None
    if facts.risk_class is None or facts.assessed_on is None:
        return Broken("not_assessed")
    valid_until = assessment_valid_until(facts.assessed_on)
    if facts.on > valid_until:
        return Broken("assessment_expired", {"valid_until": valid_until.isoformat()})
    if facts.risk_level is None:
        return None
    ceiling = 1 if facts.risk_minimum else facts.risk_class
    if facts.risk_level > ceiling:
        return Broken("suitability", {"risk_level": facts.risk_level, "risk_class": facts.risk_class})
    return None


def qualified(facts: Facts) -> Broken | None:
    """Art. 19 and 41: without 从业资格 nothing in that person's name; without 投资咨询资格 no advice."""
    signer = facts.signer
    if signer is None:
        return Broken("no_advisor") if facts.advice else None
    if not signer.securities:
        return Broken("securities_licence", {"name": signer.name})
    if signer.securities_expires is not None and signer.securities_expires < facts.on:
        return Broken(
            "securities_licence", {"name": signer.name, "expired": signer.securities_expires.isoformat()}
        )
    if not facts.advice:
        return None
    if not signer.advisory:
        return Broken("advisory_licence", {"name": signer.name})
    if signer.advisory_expires is not None and signer.advisory_expires < facts.on:
        return Broken(
            "advisory_licence", {"name": signer.name, "expired": signer.advisory_expires.isoformat()}
        )
    return None


def capped(facts: Facts) -> Broken | None:
    """Not more than the job allows for one client; urgent notices are never counted out."""
    if facts.urgent:
        return None
    if facts.cap.per_day is not None and facts.sent_today >= facts.cap.per_day:
        return Broken("frequency_cap", {"limit": facts.cap.per_day, "period": "day"})
    if facts.cap.per_month is not None and facts.sent_this_month >= facts.cap.per_month:
        return Broken("frequency_cap", {"limit": facts.cap.per_month, "period": "month"})
    return None


# About the client whatever the channel, about one channel, about what is said and by whom: in this order the
# first broken rule is the reason that is given.
CLIENT_RULES: tuple[Rule, ...] = (real_client, deceased, closed, minor, do_not_contact, company_birthday)
CHANNEL_RULES: tuple[Rule, ...] = (opted_out, reachable)
CONTENT_RULES: tuple[Rule, ...] = (dormant, suitability, qualified, capped)
ALL_RULES: tuple[Rule, ...] = (superseded,) + CLIENT_RULES + CHANNEL_RULES + CONTENT_RULES


def first_broken(facts: Facts, rules: tuple[Rule, ...] = ALL_RULES) -> Broken | None:
    """The first of ``rules`` that forbids it, or None."""
    for rule in rules:
        broken = rule(facts)
        if broken is not None:
            return broken
    return None


def all_broken(facts: Facts) -> list[Broken]:
    """Every rule that forbids it, in order: what an author is shown."""
    return [broken for rule in ALL_RULES if (broken := rule(facts)) is not None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be done with a message now.

    ``kind`` is ``ok``, ``wait`` (until ``until``), ``suppress``, ``hold`` (a person must look again) or
    ``expired``; ``code`` and ``params`` say why in the words of ``messages.reasons``.
    """

    kind: str
    code: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    until: datetime | None = None


OK = Verdict("ok")
# What a person can mend without the client: the message goes back to the inbox instead of ending.
_HOLDING = frozenset({"securities_licence", "advisory_licence", "no_advisor"})


def judge(facts: Facts, now: datetime) -> Verdict:
    """What the rules say of sending at the instant ``now``: expiry, then the rules, then the quiet hours."""
    if facts.expires_at is not None and now >= facts.expires_at:
        return Verdict("expired", "expired", {"expired_at": facts.expires_at.isoformat()})
    broken = first_broken(facts)
    if broken is not None:
        return Verdict("hold" if broken.code in _HOLDING else "suppress", broken.code, broken.params)
    if facts.send_window and not facts.urgent:
        until = next_open(now, parse_window(facts.send_window), ZoneInfo(facts.time_zone))
        if until > now:
            return Verdict("wait", "quiet_hours", {"window": facts.send_window}, until)
    return OK
