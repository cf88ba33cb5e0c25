"""Jobs by a client's date: assessments two years on, calls a month on, anniversaries, and dated facts."""

import tomllib
from datetime import date
from typing import Any

import pytest
from sqlalchemy import insert, text

from outreach.composing.audience import LEAST, Audience, read_chunk
from outreach.composing.rehearsal import rehearse
from outreach.content.formats import JobFile, TemplateFile
from outreach.content.loader import ContentSet, Source, load_folder
from outreach.content.publish import publish
from outreach.content.starter import starter_root
from outreach.core import clock
from outreach.core.ids import new_id
from outreach.ledger.work import Opener
from outreach.people.tables import client_date
from tests.support.builders import Firm, firm, make_client

TEMPLATE = """title = { zh = "到期提醒", en = "Due" }
category = "channel"
channels = ["sms"]
languages = ["zh-CN"]
fallback_language = "zh-CN"

[variables]
"client.salutation" = { source = "client" }
"due.date" = { source = "due" }
"due.days" = { source = "due" }
"due.years" = { source = "due" }
"due.subject" = { source = "due" }
"""
WORDS = "{{ client.salutation }}：{{ due.date }} {{ due.days }} {{ due.years }} {{ due.subject }}"


def _job(trigger: dict[str, Any]) -> Source:
    meta = JobFile.model_validate(
        {
            "title": {"zh": "试", "en": "Trial"},
            "template": "trial",
            "policy": "birthday-standing",
            "channels": ["sms"],
            "expiry": "14h",
            "misfire": {"rule": "skip"},
            "trigger": {"kind": "client_date", **trigger},
        }
    )
    lines = [
        'title = { zh = "试", en = "Trial" }',
        'template = "trial"',
        'policy = "birthday-standing"',
        'channels = ["sms"]',
        'expiry = "14h"',
        'misfire = { rule = "skip" }',
        "[trigger]",
        'kind = "client_date"',
        *(
            f"{key} = {str(value).lower() if isinstance(value, bool) else repr(value)}"
            for key, value in trigger.items()
        ),
    ]
    return Source("job", "trial", {"trial.toml": "\n".join(lines)}, meta)


def _publish(open_work: Opener, people: Firm, trigger: dict[str, Any]) -> None:
    content: ContentSet = load_folder(starter_root())[0]
    files = {"template.toml": TEMPLATE, "sms.zh-CN.j2": WORDS}
    meta = TemplateFile.model_validate(tomllib.loads(TEMPLATE))
    content.templates["trial"] = Source("template", "trial", files, meta)
    content.jobs["trial"] = _job(trigger)
    assert people.head_office.staff_id is not None
    assert people.compliance.staff_id is not None
    with open_work() as work:
        publish(work, content, people.head_office.staff_id, people.compliance.staff_id)


@pytest.fixture
def people(open_work: Opener) -> Firm:
    return firm(open_work)


def _said(open_work: Opener, people: Firm, on: date) -> dict[str, str]:
    with open_work(people.b01.manager) as work:
        found = rehearse(work, "trial", on, size=20)
    return {one.client_no: one.variants[0].text.partition("：")[2] for one in found.clients}


def test_an_assessment_is_due_two_years_on(open_work: Opener, people: Firm) -> None:
    _publish(open_work, people, {"field": "assessed_on", "years": 2, "offset_days": -30})
    with open_work() as work:
        for number, day in (("A", date(2024, 2, 28)), ("B", date(2024, 2, 29)), ("C", date(2024, 3, 1))):
            make_client(work, people.b01, client_no=number, assessed_on=day)
    year = clock.now().year
    assert year >= 2026
    # 28 February 2026 is due for those of the 28th and of the 29th of February 2024.
    with open_work() as work:
        rows = read_chunk(
            work.conn,
            Audience(dated_field="assessed_on", dated_on=[date(2024, 2, 28), date(2024, 2, 29)]),
            occurrence_id=new_id(),
            month=date(2026, 1, 1),
            after=LEAST,
            size=10,
        )
        assert sorted(row.client_no for row in rows) == ["A", "B"]
        make_client(work, people.b01, client_no="D", assessed_on=date(2025, 3, 31))
    assert _said(open_work, people, date(2027, 3, 1)) == {"D": "2027年3月31日 30 2"}


def test_a_call_falls_a_week_before_opening_plus_a_month(open_work: Opener, people: Firm) -> None:
    _publish(open_work, people, {"field": "opened_on", "months": 1, "offset_days": -7})
    with open_work() as work:
        for number, day in (("A", 28), ("B", 31), ("C", 27)):
            make_client(work, people.b01, client_no=number, opened_on=date(2027, 1, day))
    assert _said(open_work, people, date(2027, 2, 21)) == {"A": "2027年2月28日 7 0", "B": "2027年2月28日 7 0"}
    assert set(_said(open_work, people, date(2027, 2, 20))) == {"C"}


def test_an_anniversary_comes_every_year_but_the_first(open_work: Opener, people: Firm) -> None:
    _publish(open_work, people, {"field": "opened_on", "yearly": True})
    with open_work() as work:
        make_client(work, people.b01, client_no="A", opened_on=date(2020, 3, 1))
        make_client(work, people.b01, client_no="B", opened_on=date(2027, 3, 1))
    assert _said(open_work, people, date(2027, 3, 1)) == {"A": "2027年3月1日 0 7"}


def test_dated_facts_of_one_day_are_one_message(open_work: Opener, people: Firm) -> None:
    _publish(open_work, people, {"field": "fact", "fact": "product-maturity", "offset_days": -7})
    with open_work() as work:
        one = make_client(work, people.b01, client_no="A")
        make_client(work, people.b01, client_no="B")
        now = clock.now()
        for kind, subject in (
            ("product-maturity", "稳健一号"),
            ("product-maturity", "稳健二号"),
            ("other", "x"),
        ):
            work.conn.execute(
                insert(client_date).values(
                    client_id=one, kind=kind, on_date=date(2027, 5, 8), subject=subject, at=now
                )
            )
    assert _said(open_work, people, date(2027, 5, 1)) == {"A": "2027年5月8日 7 0 稳健一号、稳健二号"}
    assert _said(open_work, people, date(2027, 5, 2)) == {}


@pytest.mark.parametrize(
    ("column", "index"), [("assessed_on", "client_assessed_on"), ("id_expiry", "client_id_expiry")]
)
def test_a_days_clients_are_found_by_an_index(
    open_work: Opener, people: Firm, column: str, index: str
) -> None:
    with open_work() as work:
        for _ in range(40):
            make_client(work, people.b01)
        work.conn.execute(text("SET LOCAL enable_seqscan = off"))
        plan = work.conn.execute(
            text(f"EXPLAIN SELECT id FROM client WHERE {column} = ANY(CAST(:days AS date[]))"),
            {"days": [date(2027, 1, 1)]},
        ).scalars()
        assert index in " ".join(plan)
