"""Whether a message may go to a client: every rule, one row a case."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from outreach.messages.rules import (
    Cap,
    Consent,
    Facts,
    Licences,
    all_broken,
    first_broken,
    judge,
)

TODAY = date(2026, 11, 23)
NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)  # 12:00 in Shanghai
VALID = Licences("顾问", "S1", date(2030, 1, 1), "T1", date(2030, 1, 1))
GOOD = Facts(
    on=TODAY,
    birth_date=date(1980, 5, 6),
    risk_class=3,
    assessed_on=date(2026, 1, 1),
    channel="sms",
    signer=VALID,
)
ADVICE = replace(GOOD, category="consulting", advice=True, risk_level=3)


def test_a_client_in_good_standing_gets_a_greeting() -> None:
    assert all_broken(GOOD) == []
    assert all_broken(ADVICE) == []


CASES: list[tuple[str, Facts, dict[str, Any], str | None]] = [
    ("test row", GOOD, {"test": True}, "test_client"),
    ("deceased", GOOD, {"deceased": True}, "deceased"),
    ("closed account", GOOD, {"status": "closed"}, "closed"),
    ("closed account, a win-back", GOOD, {"status": "closed", "occasion": "win-back"}, None),
    ("closed account, a win-back to who is left alone", GOOD,
     {"status": "closed", "occasion": "win-back", "do_not_contact": True}, "do_not_contact"),
    ("dormant account gets greetings", GOOD, {"status": "dormant"}, None),
    ("dormant account, a note on the account", GOOD, {"status": "dormant", "category": "channel"}, None),
    ("dormant account, advice", ADVICE, {"status": "dormant"}, "dormant"),
    ("dormant account, product news", GOOD, {"status": "dormant", "category": "product"}, "dormant"),
    ("frozen account still gets greetings", GOOD, {"status": "frozen"}, None),
    ("thirteen, fourteen tomorrow", GOOD, {"birth_date": date(2012, 11, 24)}, "minor"),
    ("fourteen today", GOOD, {"birth_date": date(2012, 11, 23)}, None),
    ("unknown birth date", GOOD, {"birth_date": None}, None),
    ("a young company", GOOD, {"kind": "company", "birth_date": date(2020, 1, 1)}, None),
    ("do not contact", GOOD, {"do_not_contact": True}, "do_not_contact"),
    ("a company's birthday", GOOD, {"kind": "company", "occasion": "birthday"}, "company_birthday"),
    ("a person's birthday", GOOD, {"occasion": "birthday"}, None),
    ("out of everything", GOOD, {"consents": (Consent("*", "*", True),)}, "opted_out"),
    ("out of SMS", GOOD, {"consents": (Consent("sms", "*", True),)}, "opted_out"),
    ("out of greetings", GOOD, {"consents": (Consent("*", "relationship", True),)}, "opted_out"),
    ("out of mail only", GOOD, {"consents": (Consent("email", "*", True),)}, None),
    ("out of products only", GOOD, {"consents": (Consent("*", "product", True),)}, None),
    ("back in", GOOD, {"consents": (Consent("*", "*", False),)}, None),
    ("out of SMS, urgent", GOOD, {"urgent": True, "consents": (Consent("sms", "*", True),)}, "opted_out"),
    ("no address", GOOD, {"has_address": False}, "no_contact_point"),
    ("R4 to C3", ADVICE, {"risk_level": 4}, "suitability"),
    ("R3 to C3", ADVICE, {"risk_level": 3}, None),
    ("R1 to C1", ADVICE, {"risk_level": 1, "risk_class": 1}, None),
    ("R1 to the lowest C1", ADVICE, {"risk_level": 1, "risk_class": 1, "risk_minimum": True}, None),
    ("R2 to the lowest C1", ADVICE, {"risk_level": 2, "risk_class": 1, "risk_minimum": True}, "suitability"),
    ("R4 information to C2", GOOD, {"risk_level": 4, "risk_class": 2}, "suitability"),
    ("never assessed", ADVICE, {"assessed_on": None}, "not_assessed"),
    ("no class", ADVICE, {"risk_class": None}, "not_assessed"),
    ("never assessed, a greeting", GOOD, {"assessed_on": None, "risk_class": None}, None),
    ("last day of two years", ADVICE, {"assessed_on": date(2024, 11, 23)}, None),
    ("the day after", ADVICE, {"assessed_on": date(2024, 11, 22)}, "assessment_expired"),
    ("an expired assessment and product news", GOOD,
     {"category": "product", "assessed_on": date(2020, 1, 1)}, "assessment_expired"),
    ("no securities licence", GOOD, {"signer": replace(VALID, securities="")}, "securities_licence"),
    ("securities licence expired yesterday", GOOD,
     {"signer": replace(VALID, securities_expires=date(2026, 11, 22))}, "securities_licence"),
    ("securities licence expires today", GOOD,
     {"signer": replace(VALID, securities_expires=TODAY)}, None),
    ("no advisory licence, a greeting", GOOD, {"signer": replace(VALID, advisory="")}, None),
    ("no advisory licence, advice", ADVICE, {"signer": replace(VALID, advisory="")}, "advisory_licence"),
    ("advisory licence expired, advice", ADVICE,
     {"signer": replace(VALID, advisory_expires=date(2026, 11, 22))}, "advisory_licence"),
    ("a greeting of the branch", GOOD, {"signer": None}, None),
    ("advice of nobody", ADVICE, {"signer": None}, "no_advisor"),
    ("one a day, had one", GOOD, {"cap": Cap(1, None), "sent_today": 1}, "frequency_cap"),
    ("two a day, had one", GOOD, {"cap": Cap(2, None), "sent_today": 1}, None),
    ("four a month, had four", GOOD, {"cap": Cap(None, 4), "sent_this_month": 4}, "frequency_cap"),
    ("urgent notices do not count", GOOD, {"urgent": True, "cap": Cap(1, 1), "sent_today": 1}, None),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "change", "code"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_rule(facts: Facts, change: dict[str, Any], code: str | None) -> None:
    broken = first_broken(replace(facts, **change))
    assert (broken.code if broken else None) == code


def test_a_leap_day_assessment_lasts_to_the_28th() -> None:
    leap = replace(ADVICE, assessed_on=date(2024, 2, 29))
    assert first_broken(replace(leap, on=date(2026, 2, 28))) is None
    assert first_broken(replace(leap, on=date(2026, 3, 1))) is not None


def test_the_client_comes_before_the_text() -> None:
    assert [b.code for b in all_broken(replace(ADVICE, deceased=True, risk_level=5))] == [
        "deceased",
        "suitability",
    ]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({}, "ok"),
        ({"expires_at": NOON}, "expired"),
        ({"deceased": True}, "suppress"),
        ({"deceased": True, "expires_at": NOON}, "expired"),
        ({"signer": Licences("顾问")}, "hold"),
        ({"send_window": "09:00-20:00"}, "ok"),
        ({"send_window": "13:00-20:00"}, "wait"),
        ({"send_window": "13:00-20:00", "urgent": True}, "ok"),
        ({"send_window": "09:00-20:00", "time_zone": "Europe/London"}, "wait"),
    ],
)
def test_verdict(change: dict[str, Any], kind: str) -> None:
    assert judge(replace(GOOD, **change), NOON).kind == kind


def test_waiting_ends_when_the_clients_window_opens() -> None:
    facts = replace(GOOD, send_window="09:00-20:00", time_zone="Europe/London")
    assert judge(facts, NOON).until == datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
