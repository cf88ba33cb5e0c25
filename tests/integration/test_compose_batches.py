"""Composing an occurrence: who gets what, who is left out and why."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from freezegun import freeze_time
from sqlalchemy import func, select, text

from outreach.composing.compose import compose_occurrence
from outreach.content.loader import load_folder
from outreach.content.publish import publish
from outreach.content.starter import starter_root
from outreach.core.events import SubmissionHeld, subscribe
from outreach.ledger.append import unseal_bytes
from outreach.ledger.work import Opener, Work
from outreach.messages.leftout import list_left_out
from outreach.messages.payload import Payload, digest, from_bytes
from outreach.messages.tables import greeting_slot, left_out, message, message_revision
from outreach.people.consent import opt_out
from tests.support.builders import Firm, change_staff, firm, make_client, publish_starter
from tests.support.occurrences import make_item, make_occurrence, rules_left_out

DAY = date(2026, 9, 25)  # Mid-Autumn, and a lunar 八月十五
BEFORE = "2026-09-21 02:00:00"


@pytest.fixture
def people(open_work: Opener) -> Firm:
    staff = firm(open_work)
    publish_starter(open_work, staff)
    return staff


def _messages(work: Work, occurrence_id: UUID) -> list[Any]:
    """One for each client: what goes only if another did not arrive is left aside."""
    firsts = (message.c.occurrence_id == occurrence_id) & message.c.fallback_of.is_(None)
    return list(work.conn.execute(select(message).where(firsts).order_by(message.c.id)))


def _payloads(work: Work, occurrence_id: UUID) -> dict[UUID, Payload]:
    return {
        row.client_id: from_bytes(unseal_bytes(work, row.payload_id))
        for row in _messages(work, occurrence_id)
    }


@freeze_time(BEFORE)
def test_a_festival_reaches_each_client_in_their_language_on_their_channel(
    open_work: Opener, people: Firm
) -> None:
    with open_work() as work:
        zh = make_client(work, people.b01, name="欧阳修文", gender="male")
        en = make_client(work, people.b01, name="Mary Carter", language="en", channel_preference="email")
        rare = make_client(work, people.b02, name="𬭸小明", gender=None, mobile=None)
        occurrence_id = make_occurrence(work, "mid-autumn", send_date=DAY)
    assert compose_occurrence(open_work, occurrence_id).count == 3
    with open_work() as work:
        found = _payloads(work, occurrence_id)
        rows = {row.client_id: row for row in _messages(work, occurrence_id)}
        submissions = work.conn.execute(
            text("SELECT branch_id, mode, state FROM submission WHERE occurrence_id = :id"),
            {"id": occurrence_id},
        ).all()
        state = work.conn.execute(
            text("SELECT state FROM occurrence WHERE id = :id"), {"id": occurrence_id}
        ).scalar_one()
    assert found[zh].channel == "sms"
    assert found[zh].text.startswith("【示例证券】欧阳先生，您好！")
    assert "拒收请回复R" in found[zh].text
    assert found[en].channel == "email"
    assert found[en].subject == "Happy Mid-Autumn Festival, Ms Carter"
    assert found[en].sender == "Example Securities"
    assert found[en].html.startswith("<!doctype html>")
    assert found[rare].channel == "email"
    assert "𬭸小明，您好" in found[rare].text
    assert {row.state for row in rows.values()} == {"held"}
    assert {row.branch_id for row in submissions} == {people.b01.id, people.b02.id}
    assert {row.mode for row in submissions} == {"batch"}
    assert state == "composed"
    # 09:00 in Shanghai on the day itself.
    assert rows[zh].send_at == datetime(2026, 9, 25, 1, 0, tzinfo=UTC)
    assert rows[zh].revision == 1


@freeze_time(BEFORE)
def test_p8_everybody_who_is_left_out_is_a_row_with_reason_and_mend(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        make_client(work, people.b01, name="good")
        make_client(work, people.b01, name="deceased", deceased=True)
        make_client(work, people.b01, name="closed", status="closed")
        make_client(work, people.b01, name="test_client", test=True)
        make_client(work, people.b01, name="minor", birth_date=date(2015, 1, 1))
        make_client(work, people.b01, name="do_not_contact", do_not_contact=True)
        make_client(work, people.b01, name="no_contact_point", mobile=None, email=None)
        opt_out(work, [make_client(work, people.b01, name="opted_out")], source="page")
        opt_out(work, [make_client(work, people.b01, name="by mail")], channel="sms", source="sms")
        make_client(work, people.b01, name="frozen", status="frozen")
        occurrence_id = make_occurrence(work, "mid-autumn", send_date=DAY)
    composed = compose_occurrence(open_work, occurrence_id)
    assert (composed.count, composed.left_out) == (3, 7)
    with open_work() as work:
        rules = rules_left_out(work, occurrence_id)
        lines = list_left_out(work, occurrence_id=occurrence_id, limit=3)
    assert all(name == rule for name, rule in rules.items())
    assert len(rules) == 7
    assert all(line.reason and line.mend for line in lines)
    with open_work(people.b02.manager) as work:
        assert list_left_out(work, occurrence_id=occurrence_id) == []


@freeze_time(BEFORE)
def test_composing_twice_changes_nothing_and_top_up_adds_only_the_new(
    open_work: Opener, people: Firm
) -> None:
    held: list[UUID] = []

    def listen(work: Work, event: SubmissionHeld) -> None:
        held.append(event.submission_id)

    subscribe(SubmissionHeld, listen)
    with open_work() as work:
        for _ in range(5):
            make_client(work, people.b01)
        make_client(work, people.b01, deceased=True)
        occurrence_id = make_occurrence(work, "mid-autumn", send_date=DAY)
    first = compose_occurrence(open_work, occurrence_id, chunk=2)
    again = compose_occurrence(open_work, occurrence_id, chunk=2)
    assert (first.count, first.left_out) == (5, 1)
    assert (again.count, again.left_out) == (0, 0)
    assert len(held) == 1
    with open_work() as work:
        late = make_client(work, people.b01)
    assert compose_occurrence(open_work, occurrence_id).count == 1
    with open_work() as work:
        rows = _messages(work, occurrence_id)
    assert len(rows) == 6
    assert late in {row.client_id for row in rows}
    assert len({row.submission_id for row in rows}) == 1
    assert len(held) == 2


@freeze_time(BEFORE)
def test_one_greeting_an_address_across_jobs_branches_and_chunks(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        for team in (people.b01, people.b01, people.b02):
            make_client(work, team, mobile="+8610010000001", email=None, birth_date=date(1980, 9, 25))
        occurrence_id = make_occurrence(work, "mid-autumn", send_date=DAY)
        birthday = make_occurrence(work, "birthday-solar", send_date=DAY)
        again = make_occurrence(work, "mid-autumn", send_date=DAY, key="again")
    assert compose_occurrence(open_work, occurrence_id, chunk=1).count == 1
    assert compose_occurrence(open_work, again).count == 0
    # Another occasion on the same day is another greeting.
    assert compose_occurrence(open_work, birthday).count == 1
    with open_work() as work:
        assert set(rules_left_out(work, occurrence_id).values()) == {"greeting_taken"}
        assert work.conn.execute(select(func.count()).select_from(greeting_slot)).scalar_one() == 2


@freeze_time(BEFORE)
def test_birthdays_by_either_calendar_once_each(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        solar = make_client(work, people.b01, birth_date=date(1970, 9, 25))
        lunar = make_client(
            work, people.b01, birth_date=date(1970, 9, 25), lunar_month=8, lunar_day=15, lunar_leap=False
        )
        make_client(work, people.b01, birth_date=date(1970, 9, 24))
        make_client(work, people.b01, kind="company", birth_date=date(1970, 9, 25))
        by_solar = make_occurrence(work, "birthday-solar", send_date=DAY)
        by_lunar = make_occurrence(work, "birthday-lunar", send_date=DAY)
    compose_occurrence(open_work, by_solar)
    compose_occurrence(open_work, by_lunar)
    with open_work() as work:
        assert [row.client_id for row in _messages(work, by_solar)] == [solar]
        assert [row.client_id for row in _messages(work, by_lunar)] == [lunar]


@freeze_time("2026-11-23 03:00:00")
def test_a_report_goes_to_holders_whom_it_suits_in_a_qualified_name(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        held = {"holdings": ("600000.SH",)}
        good = make_client(work, people.b01, name="good", **held)
        make_client(work, people.b01, name="other holding", holdings=("000001.SZ",))
        make_client(work, people.b01, name="suitability", risk_class=2, **held)
        make_client(work, people.b01, name="assessment_expired", assessed_on=date(2024, 11, 22), **held)
        make_client(work, people.b01, name="not_assessed", assessed_on=None, **held)
        make_client(work, people.b01, name="no_advisor", advisor_id=None, **held)
        make_client(
            work, people.b01, name="advisory_licence", advisor_id=people.b01.advisors[1].staff_id, **held
        )
        make_client(
            work, people.b01, name="securities_licence", advisor_id=people.b01.advisors[2].staff_id, **held
        )
        change_staff(work, people.b01.advisors[1], advisory_expires=date(2026, 11, 22))
        change_staff(work, people.b01.advisors[2], securities_licence="")
        item = make_item(work, risk_level=3)
        occurrence_id = make_occurrence(
            work, "research-push", send_date=date(2026, 11, 23), feed_item_id=item
        )
    composed = compose_occurrence(open_work, occurrence_id)
    assert (composed.count, composed.left_out) == (1, 6)
    with open_work() as work:
        (row,) = _messages(work, occurrence_id)
        rules = rules_left_out(work, occurrence_id)
        payload = _payloads(work, occurrence_id)[good]
    assert all(name == rule for name, rule in rules.items())
    assert row.advisor_id == people.b01.advisor.staff_id
    assert (row.risk_level, row.advice, row.product_codes) == (3, True, ["600000.SH"])
    assert payload.channel == "email"
    assert "银行业周报" in payload.subject
    assert "股市有风险，投资需谨慎。投资决策由您自主作出，风险自行承担。" in payload.text
    assert "TB01-A1" in payload.text


@freeze_time("2026-11-23 15:00:00")  # 23:00 in Shanghai
def test_an_alert_is_urgent_and_takes_no_heed_of_the_hour(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        make_client(work, people.b01, tier="vip")
        make_client(work, people.b01)
        item = make_item(work, "market-event", code="", risk_level=None)
        occurrence_id = make_occurrence(work, "market-event", feed_item_id=item)
    assert compose_occurrence(open_work, occurrence_id).count == 1
    with open_work() as work:
        (row,) = _messages(work, occurrence_id)
    assert row.urgent
    assert row.send_at == datetime(2026, 11, 23, 15, 0, tzinfo=UTC)


@freeze_time(BEFORE)
def test_a_halt_is_told_to_whoever_holds_the_security(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        holder = make_client(work, people.b01, tier="ordinary", holdings=("600000.SH",))
        make_client(work, people.b01, tier="diamond")
        item = make_item(work, "market-event", code="600000.SH", risk_level=None)
        work.conn.execute(text("UPDATE feed_item SET item_type = 'halt'"))
        occurrence_id = make_occurrence(work, "halt", feed_item_id=item)
    compose_occurrence(open_work, occurrence_id)
    with open_work() as work:
        assert [row.client_id for row in _messages(work, occurrence_id)] == [holder]


@freeze_time(BEFORE)
def test_an_alert_goes_by_sms_else_by_mail_else_somebody_calls(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        tiers = {"tier": "vip"}
        sms = make_client(work, people.b01, email="a@example.net", **tiers)
        mail = make_client(work, people.b01, email="b@example.net", **tiers)
        call = make_client(work, people.b01, email=None, language="en", **tiers)
        nobody = make_client(work, people.b01, email=None, mobile=None, **tiers)
        opt_out(work, [mail, call], channel="sms", source="sms")
        item = make_item(work, "market-event", code="", risk_level=None)
        occurrence_id = make_occurrence(work, "market-event", feed_item_id=item)
    compose_occurrence(open_work, occurrence_id)
    with open_work() as work:
        rows = {row.client_id: row for row in _messages(work, occurrence_id)}
        script = from_bytes(unseal_bytes(work, rows[call].payload_id)).text
        left = {row.client_id: row.rule for row in work.conn.execute(select(left_out))}
    assert {key: row.channel for key, row in rows.items()} == {sms: "sms", mail: "email", call: "call"}
    assert script.startswith("Good day, am I speaking with")
    assert left == {nobody: "no_contact_point"}


@freeze_time(BEFORE)
def test_each_client_gets_it_in_the_hours_of_their_own_zone(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        ids = {
            zone: make_client(work, people.b01, time_zone=zone)
            for zone in ("Asia/Shanghai", "America/New_York", "Pacific/Auckland", "Nowhere/Land")
        }
        occurrence_id = make_occurrence(work, "mid-autumn", send_date=DAY)
    compose_occurrence(open_work, occurrence_id)
    with open_work() as work:
        rows = {row.client_id: row for row in _messages(work, occurrence_id)}
    assert rows[ids["America/New_York"]].send_at == datetime(2026, 9, 25, 13, 0, tzinfo=UTC)
    assert rows[ids["Pacific/Auckland"]].send_at == datetime(2026, 9, 24, 21, 0, tzinfo=UTC)
    assert rows[ids["Nowhere/Land"]].time_zone == "Asia/Shanghai"


@freeze_time(BEFORE)
def test_a_frequency_cap_counts_what_waits(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        make_client(work, people.b01, holdings=("600000.SH",))
        tomorrow = datetime(2026, 9, 25, 1, 0, tzinfo=UTC)
        ids = [
            make_occurrence(
                work, "research-push", send_date=DAY, send_at=tomorrow, feed_item_id=make_item(work)
            )
            for _ in range(3)
        ]
        occurrence_id = make_occurrence(work, "mid-autumn", send_date=DAY)
    for filler in ids:
        assert compose_occurrence(open_work, filler).count == 1
    assert compose_occurrence(open_work, occurrence_id).count == 0
    with open_work() as work:
        assert set(rules_left_out(work, occurrence_id).values()) == {"frequency_cap"}


@freeze_time(BEFORE)
def test_text_from_a_feed_that_breaks_the_lexicon_leaves_everybody_out(
    open_work: Opener, people: Firm
) -> None:
    with open_work() as work:
        make_client(work, people.b01, tier="vip")
        item = make_item(work, "market-event", code="", risk_level=None, headline="本产品保.本保息")
        occurrence_id = make_occurrence(work, "market-event", feed_item_id=item)
    composed = compose_occurrence(open_work, occurrence_id)
    assert (composed.count, composed.left_out) == (0, 1)
    with open_work() as work:
        (row,) = work.conn.execute(select(left_out)).all()
    assert row.rule == "lexicon"
    assert row.reason
    assert row.mend


@freeze_time(BEFORE)
def test_a_template_that_fails_for_one_client_does_not_stop_the_others(
    open_work: Opener, people: Firm
) -> None:
    content, _ = load_folder(starter_root())
    source = content.templates["mid-autumn"]
    failing = "{{ firm.signature }}{% if client.name == 'fails' %}{{ client.nothing }}{% endif %}您好！"
    content.templates["mid-autumn"] = replace(source, files={**source.files, "sms.zh-CN.j2": failing})
    with open_work() as work:
        publish(work, content, people.head_office.staff_id, people.compliance.staff_id)
        make_client(work, people.b01, name="fails")
        make_client(work, people.b01, name="good")
        occurrence_id = make_occurrence(work, "mid-autumn", send_date=DAY)
    composed = compose_occurrence(open_work, occurrence_id)
    assert (composed.count, composed.left_out) == (1, 1)
    with open_work() as work:
        assert rules_left_out(work, occurrence_id) == {"fails": "render_failed"}


@freeze_time(BEFORE)
def test_a_slot_that_a_feed_left_unfilled_is_found(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        make_client(work, people.b01, holdings=("600000.SH",))
        item = make_item(work, title="{{ name }}")
        occurrence_id = make_occurrence(work, "research-push", send_date=DAY, feed_item_id=item)
    assert compose_occurrence(open_work, occurrence_id).count == 0
    with open_work() as work:
        assert set(rules_left_out(work, occurrence_id).values()) == {"unfilled"}


@freeze_time(BEFORE)
def test_an_expired_occurrence_composes_nothing(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        make_client(work, people.b01)
        occurrence_id = make_occurrence(
            work, "mid-autumn", send_date=date(2026, 9, 1), expires_at=datetime(2026, 9, 2, tzinfo=UTC)
        )
    assert compose_occurrence(open_work, occurrence_id).state == "expired"


@freeze_time(BEFORE)
def test_digest_and_revision_bind_the_sealed_bytes_and_no_table_has_a_clear_copy(
    open_work: Opener, people: Firm
) -> None:
    with open_work() as work:
        make_client(work, people.b01, name="欧阳修文", gender="male", mobile="+8610010000077")
        occurrence_id = make_occurrence(work, "mid-autumn", send_date=DAY)
    compose_occurrence(open_work, occurrence_id)
    with open_work() as work:
        (row,) = _messages(work, occurrence_id)
        body = unseal_bytes(work, row.payload_id)
        (revision,) = work.conn.execute(select(message_revision)).all()
        clear = work.conn.execute(
            text(
                "SELECT (SELECT count(*) FROM message m"
                " WHERE m::text LIKE '%欧阳先生%' OR m::text LIKE '%10010000077%')"
                " + (SELECT count(*) FROM ledger_entry e WHERE convert_from(e.envelope, 'UTF8') LIKE '%10010000077%')"
                " + (SELECT count(*) FROM procrastinate_jobs j WHERE j.args::text LIKE '%欧阳%')"
            )
        ).scalar_one()
        entry = work.conn.execute(
            text("SELECT convert_from(envelope, 'UTF8') FROM ledger_entry WHERE kind = 'submission'")
        ).scalar_one()
    assert digest(body) == bytes(row.digest) == bytes(revision.digest)
    assert clear == 0
    assert '"count":1' in entry
    assert '"manifest_digest"' in entry


@freeze_time(BEFORE)
def test_a_later_send_window_moves_past_expiry_and_is_told(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        make_client(work, people.b01, time_zone="Pacific/Honolulu")
        occurrence_id = make_occurrence(
            work,
            "mid-autumn",
            send_date=DAY,
            expires_at=datetime(2026, 9, 25, 1, 0, tzinfo=UTC) + timedelta(hours=14),
        )
    compose_occurrence(open_work, occurrence_id)
    with open_work() as work:
        assert set(rules_left_out(work, occurrence_id).values()) == {"expired"}
