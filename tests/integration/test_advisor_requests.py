"""The advisor's composer: what each client would get, what is put up, and what is stopped with rule, article, mend."""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from freezegun import freeze_time
from sqlalchemy import select, text

from outreach.composing.drafts import LARGEST, LONGEST, offered_templates, own_variables
from outreach.composing.requests import PreviewItem, Queued, RequestDraft, preview_request, queue_request
from outreach.content.loader import load_folder
from outreach.content.publish import publish
from outreach.content.starter import starter_root
from outreach.core.access import SYSTEM, Actor
from outreach.core.errors import BadInput, Forbidden, NotFound
from outreach.core.events import SubmissionHeld, subscribe
from outreach.core.ids import new_id
from outreach.ledger.append import unseal_bytes
from outreach.ledger.work import Opener, Work
from outreach.messages.payload import digest, from_bytes
from outreach.messages.recheck import facts_for
from outreach.messages.rules import all_broken
from outreach.messages.tables import left_out, message, message_revision
from outreach.people.consent import opt_out
from outreach.people.tables import client, staff
from outreach.scheduling.tables import occurrence
from tests.support.builders import Firm, change_staff, firm, make_client, publish_starter
from tests.support.review_rows import placed

NOW = "2026-11-23 03:00:00"  # a Monday, eleven in the morning in Shanghai
SAID = "{称呼}，您好！季度服务报告已为您准备好，方便时请回电。"


@pytest.fixture
def people(open_work: Opener) -> Firm:
    with freeze_time(NOW):
        staff = firm(open_work)
        publish_starter(open_work, staff)
    return staff


@pytest.fixture
def me(people: Firm) -> Actor:
    return people.b01.advisor


def _counts(work: Work) -> dict[str, int]:
    tables = ("occurrence", "submission", "message", "left_out", "sealed_record", "ledger_entry")
    return {name: work.conn.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in tables}


def _rows(work: Work, queued: Queued) -> dict[UUID, Any]:
    found = work.conn.execute(select(message).where(message.c.occurrence_id == queued.occurrence_id))
    return {row.client_id: row for row in found}


def _kinds(work: Work) -> list[str]:
    return list(work.conn.execute(text("SELECT kind FROM ledger_entry")).scalars())


def _only(items: list[PreviewItem]) -> PreviewItem:
    (item,) = items
    return item


# ── what goes ─────────────────────────────────────────────────────────────────────────────────────────────


@freeze_time(NOW)
def test_a_preview_shows_each_client_their_text_and_stores_nothing(
    open_work: Opener, people: Firm, me: Actor
) -> None:
    with open_work() as work:
        zh = make_client(work, people.b01, name="欧阳修文", gender="male", mobile="+8610010000077")
        en = make_client(
            work,
            people.b01,
            name="Mary Carter",
            language="en",
            channel_preference="email",
            email="mary@example.net",
        )
    with open_work(me) as work:
        before = _counts(work)
        first, second = preview_request(work, RequestDraft((en, zh, zh), text=SAID))
        assert _counts(work) == before
    assert (first.client_id, first.channel, first.language) == (zh, "sms", "zh-CN")
    assert first.text == ("【示例证券】欧阳先生，您好！季度服务报告已为您准备好，方便时请回电。拒收请回复R")
    assert first.to == "+86100****0077"
    assert (second.client_id, second.channel, second.to) == (en, "email", "m***@example.net")
    assert second.subject
    assert "Ms Carter" in second.text
    assert "licence TB01-A1" in second.text
    assert "To stop receiving these mails" in second.text
    assert first.stopped is second.stopped is None


@freeze_time(NOW)
def test_what_is_queued_is_held_as_previewed_and_told(open_work: Opener, people: Firm, me: Actor) -> None:
    held: list[UUID] = []
    subscribe(SubmissionHeld, lambda _, event: held.append(event.submission_id))
    with open_work() as work:
        ids = tuple(make_client(work, people.b01, name=name, gender="male") for name in ("甲大", "乙大"))
    draft = RequestDraft(ids, text=SAID, category="channel")
    with open_work(me) as work:
        shown = {item.client_id: item.text for item in preview_request(work, draft)}
        queued = queue_request(work, draft)
    assert (len(queued.message_ids), queued.left_out) == (2, 0)
    assert held == list(queued.submission_ids)
    with open_work() as work:
        rows = _rows(work, queued)
        bodies = {key: unseal_bytes(work, row.payload_id) for key, row in rows.items()}
        (asked,) = work.conn.execute(select(occurrence)).all()
        (put_up,) = work.conn.execute(text("SELECT * FROM submission")).all()
        revisions = work.conn.execute(select(message_revision)).all()
        kinds = _kinds(work)
        clear = work.conn.execute(
            text(
                "SELECT (SELECT count(*) FROM message m WHERE m::text LIKE '%季度服务报告%')"
                " + (SELECT count(*) FROM submission s WHERE s::text LIKE '%季度服务报告%')"
                " + (SELECT count(*) FROM ledger_entry e"
                "     WHERE convert_from(e.envelope, 'UTF8') LIKE '%季度服务报告%')"
            )
        ).scalar_one()
    assert {key: from_bytes(body).text for key, body in bodies.items()} == shown
    for key, row in rows.items():
        assert (row.state, row.revision, row.author_id, row.category) == ("held", 1, me.staff_id, "channel")
        assert bytes(row.digest) == digest(bodies[key])
    assert (asked.job_name, asked.requested_by, asked.state) == ("advisor", me.staff_id, "composed")
    assert (put_up.mode, put_up.branch_id, put_up.author_id) == ("each", people.b01.id, me.staff_id)
    assert {row.editor_id for row in revisions} == {me.staff_id}
    assert kinds.count("submission") == 1
    assert clear == 0


@freeze_time(NOW)
def test_a_template_gives_the_words_and_an_address_one_greeting(
    open_work: Opener, people: Firm, me: Actor
) -> None:
    with open_work() as work:
        chosen = make_client(work, people.b01, name="欧阳修文", gender="male")
    with open_work(me) as work:
        names = [one.name for one in offered_templates(work)]
        queued = queue_request(work, RequestDraft((chosen,), template="birthday"))
        again = queue_request(work, RequestDraft((chosen,), template="birthday"))
    assert "birthday" in names
    assert "research-push" not in names
    with open_work() as work:
        row = _rows(work, queued)[chosen]
        body = from_bytes(unseal_bytes(work, row.payload_id))
        (lost,) = work.conn.execute(select(left_out)).all()
    assert row.template_version_id is not None
    assert "欧阳先生" in body.text
    assert (again.message_ids, again.submission_ids, again.left_out) == ((), (), 1)
    assert lost.rule == "greeting_taken"


@freeze_time(NOW)
def test_a_templates_own_gaps_are_filled_by_its_author_or_told(
    open_work: Opener, people: Firm, me: Actor
) -> None:
    content, _ = load_folder(starter_root())
    source = content.templates["birthday"]
    files = {
        "template.toml": source.files["template.toml"].replace(
            "[variables]", '[variables]\nnote = { source = "text" }'
        ),
        **{
            name: body + "{{ note }}"
            for name, body in source.files.items()
            if name.endswith(".j2") and "subject" not in name
        },
    }
    content.templates["birthday"] = replace(source, files={**source.files, **files})
    assert people.head_office.staff_id is not None
    assert people.compliance.staff_id is not None
    with open_work() as work:
        publish(work, content, people.head_office.staff_id, people.compliance.staff_id)
        chosen = make_client(work, people.b01)
    draft = RequestDraft((chosen,), template="birthday", channel="sms")
    with open_work(me) as work:
        (template,) = [one for one in offered_templates(work) if one.name == "birthday"]
        assert own_variables(template) == ["note"]
        filled = _only(preview_request(work, replace(draft, values={"note": "请查收贺卡。"})))
        bad = _only(preview_request(work, replace(draft, values={"note": "这款保.本。"})))
        for gap in ({}, {"note": "  "}, {"note": "长" * (LONGEST + 1)}):
            with pytest.raises(BadInput, match="note"):
                preview_request(work, replace(draft, values=gap))
    assert "请查收贺卡。" in filled.text
    assert bad.rule == "lexicon"


@freeze_time(NOW)
def test_a_later_day_and_an_hour_outside_the_window(open_work: Opener, people: Firm, me: Actor) -> None:
    night = datetime(2026, 12, 1, 15, 0, tzinfo=UTC)  # 23:00 in Shanghai
    with open_work() as work:
        chosen = make_client(work, people.b01)
    with open_work(me) as work:
        queued = queue_request(work, RequestDraft((chosen,), text=SAID, send_at=night))
        just_now = datetime(2026, 11, 23, 2, 55, tzinfo=UTC)  # the form took five minutes
        past = queue_request(work, RequestDraft((chosen,), text=SAID, send_at=just_now))
    with open_work() as work:
        row = _rows(work, queued)[chosen]
        now = _rows(work, past)[chosen]
        first = text("SELECT due_by, scheduled_month FROM submission WHERE id = :id")
        due, month = work.conn.execute(first, {"id": row.submission_id}).one()
    assert row.send_at == datetime(2026, 12, 2, 1, 0, tzinfo=UTC)
    assert row.scheduled_month == month == date(2026, 12, 1)
    assert row.expires_at == night + timedelta(days=3)
    assert now.send_at == datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
    assert due == datetime(2026, 11, 23, 7, 0, tzinfo=UTC)  # the policy's four hours


@freeze_time(NOW)
def test_what_stands_there_already_is_not_said_twice(open_work: Opener, people: Firm, me: Actor) -> None:
    said = "【示例证券】您好，本周讲座改期。股市有风险，投资需谨慎。拒收请回复R"
    with open_work() as work:
        chosen = make_client(work, people.b01)
    with open_work(me) as work:
        item = _only(preview_request(work, RequestDraft((chosen,), text=said, category="consulting")))
    assert item.text == said
    assert item.stopped is None


@freeze_time(NOW)
def test_a_mail_keeps_its_subject_on_one_line(open_work: Opener, people: Firm, me: Actor) -> None:
    with open_work() as work:
        chosen = make_client(work, people.b01)
    draft = RequestDraft((chosen,), text=SAID, subject="报告\r\nBcc: all@example.net", channel="email")
    with open_work(me) as work:
        queued = queue_request(work, draft)
    with open_work() as work:
        body = from_bytes(unseal_bytes(work, _rows(work, queued)[chosen].payload_id))
    assert body.subject == "报告 Bcc: all@example.net"


@freeze_time(NOW)
def test_advice_says_its_source_and_who_gives_it(open_work: Opener, people: Firm, me: Actor) -> None:
    said = "{称呼}，您好！消费板块估值回落。来源：示例证券研究所，2026年11月20日。"
    with open_work() as work:
        chosen = make_client(work, people.b01, name="王小明", gender="male")
    with open_work(me) as work:
        draft = RequestDraft((chosen,), text=said, category="consulting", advice=True, channel="sms")
        item = _only(preview_request(work, draft))
    assert item.stopped is None
    assert "（执业编号TB01-A1），投诉电话" in item.text
    assert "股市有风险" in item.text
    assert "投资决策由您自主作出" in item.text


@freeze_time(NOW)
def test_the_clients_own_mobile_may_stand_another_ones_not(
    open_work: Opener, people: Firm, me: Actor
) -> None:
    with open_work() as work:
        chosen = make_client(work, people.b01, name="王小明", mobile="+8613912345678")
        other = make_client(work, people.b01, name="李大明", mobile="+8613712345678")
    draft = RequestDraft((chosen, other), text="{称呼}，您预留的手机号是139 1234 5678，请核对。")
    with open_work(me) as work:
        rules = {item.client_id: item.rule for item in preview_request(work, draft)}
    assert rules == {chosen: "", other: "personal_data"}


@freeze_time(NOW)
def test_a_closed_account_gets_a_win_back_and_nothing_else(
    open_work: Opener, people: Firm, me: Actor
) -> None:
    with open_work() as work:
        gone = make_client(work, people.b01, name="王小明", status="closed", email="w@example.net")
    with open_work(me) as work:
        call = _only(preview_request(work, RequestDraft((gone,), template="win-back", channel="call")))
        mail = queue_request(work, RequestDraft((gone,), template="win-back"))
        other = _only(preview_request(work, RequestDraft((gone,), template="dormant")))
        assert {
            one.code
            for one in all_broken(facts_for(work.conn, placed(work, mail.message_ids))[mail.message_ids[0]])
        } == set()
    assert (call.channel, call.stopped) == ("call", None)
    assert "您曾是我们的客户" in call.text
    assert other.rule == "closed"


@freeze_time(NOW)
def test_every_template_offered_can_be_put_up_on_each_of_its_channels(
    open_work: Opener, people: Firm, me: Actor
) -> None:
    link = "https://www.example.com/lesson"
    with open_work() as work:
        ids = (
            make_client(work, people.b01, name="王小明", email="w@example.net", address="示例路 8 号"),
            make_client(work, people.b01, name="Mary Carter", language="en", email="m@example.net", address="8 Road"),
        )  # fmt: skip
    with open_work(me) as work:
        work = replace(work, settings=replace(work.settings, link_hosts=("example.com",)))
        offered = offered_templates(work)
        for template in offered:
            values = {name: link if name.endswith("link") else "11月20日" for name in own_variables(template)}
            for channel in template.meta.channels:
                draft = RequestDraft(ids, template=template.name, values=values, channel=channel)
                for item in preview_request(work, draft):
                    assert (item.rule, item.channel) == ("", channel), (template.name, item)
    named = {template.name for template in offered}
    assert {"margin-ratio", "margin-call", "large-flow", "dormant", "win-back", "seminar", "survey"} <= named
    assert not named & {"risk-assessment-due", "research-weekly", "welcome-call", "market-event"}


@freeze_time(NOW)
def test_a_call_or_a_letter_is_asked_for(open_work: Opener, people: Firm, me: Actor) -> None:
    values = {"text.what": "转出", "text.when": "11月20日"}
    with open_work() as work:
        chosen = make_client(work, people.b01, name="王小明")
    with open_work(me) as work:
        asked = RequestDraft((chosen,), template="large-flow", values=values, channel="call")
        assert _only(preview_request(work, replace(asked, channel=""))).channel == "sms"
        queued = queue_request(work, asked)
        (row,) = _rows(work, queued).values()
        assert (row.channel, row.state) == ("call", "held")
        for channel in ("call", "letter"):
            with pytest.raises(BadInput, match="not made for"):
                preview_request(work, RequestDraft((chosen,), text=SAID, channel=channel))


# ── what is stopped ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Trap:
    """A draft that is stopped, the rule that stops it, and whose file or licence makes it so."""

    rule: str
    text: str = SAID
    client: dict[str, Any] = field(default_factory=dict)
    staff: dict[str, Any] = field(default_factory=dict)
    draft: dict[str, Any] = field(default_factory=dict)
    span: str = ""  # the stretch of the text that is pointed at


TRAPS = {
    "a guarantee in disguise": Trap("lexicon", "{称呼}，这款产品保.本，请放心。", span="保.本"),
    "another client's name": Trap(
        "names_other_client", "{称呼}，您的朋友司马 相如也来了。", span="司马 相如"
    ),
    "an identity number": Trap("personal_data", "{称呼}，您的证件号是11010119900307109X。"),
    "a slot that nobody fills": Trap("unfilled", "{{ name }}，您好！", span="{{ name }}"),
    "no licence": Trap("securities_licence", staff={"securities_licence": ""}),
    "an expired licence": Trap("securities_licence", staff={"securities_expires": date(2026, 11, 22)}),
    "no licence for advice": Trap(
        "advisory_licence", staff={"advisory_licence": ""}, draft={"category": "consulting", "advice": True}
    ),
    "advice without its source": Trap("source_missing", draft={"category": "consulting", "advice": True}),
    "advice to a dormant account": Trap(
        "dormant", client={"status": "dormant"}, draft={"category": "consulting", "advice": True}
    ),
    "R4 to C2": Trap("suitability", client={"risk_class": 2}, draft={"category": "product", "risk_level": 4}),
    "no assessment": Trap("not_assessed", client={"assessed_on": None}, draft={"category": "product"}),
    "a deceased client": Trap("deceased", client={"deceased": True}),
    "a closed account": Trap("closed", client={"status": "closed"}),
    "left alone": Trap("do_not_contact", client={"do_not_contact": True}),
    "no address": Trap("no_contact_point", client={"mobile": None, "email": None}),
    "too long for an SMS": Trap("too_long", "长" * 1000, draft={"channel": "sms"}),
}

WITH_ARTICLE = ("lexicon", "names_other_client", "securities_licence", "advisory_licence", "suitability")


@freeze_time(NOW)
def test_what_may_not_go_is_stopped_with_rule_article_and_mend(
    open_work: Opener, people: Firm, me: Actor
) -> None:
    with open_work() as work:
        make_client(work, people.b01, name="司马相如")
        licences = work.conn.execute(select(staff).where(staff.c.id == me.staff_id)).one()._mapping
    for name, trap in TRAPS.items():
        with open_work() as work:
            chosen = make_client(work, people.b01, name="王小明", gender="male", **trap.client)
            if trap.staff:
                change_staff(work, me, **trap.staff)
        _assert_stopped(open_work, me, chosen, trap, name)
        if trap.staff:
            with open_work() as work:
                change_staff(work, me, **{column: licences[column] for column in trap.staff})
    with open_work() as work:
        assert work.conn.execute(select(message)).all() == []


def _assert_stopped(open_work: Opener, me: Actor, chosen: UUID, trap: Trap, name: str) -> None:
    draft = RequestDraft((chosen,), text=trap.text, **trap.draft)
    with open_work(me) as work:
        spoken = {tongue: _only(preview_request(work, draft, tongue)) for tongue in ("zh-CN", "en")}
        queued = queue_request(work, draft)
        (row,) = work.conn.execute(
            select(left_out).where(left_out.c.occurrence_id == queued.occurrence_id)
        ).all()
    for item in spoken.values():
        assert (item.rule, item.to) == (trap.rule, ""), name
        assert item.stopped is not None, name
        assert item.stopped.reason, name
        assert item.stopped.mend, name
    assert spoken["zh-CN"].stopped != spoken["en"].stopped, name
    assert (queued.message_ids, queued.submission_ids, queued.left_out) == ((), (), 1), name
    assert (row.client_id, row.rule) == (chosen, trap.rule), name
    assert row.reason, name
    assert row.mend, name
    assert row.article or trap.rule not in WITH_ARTICLE, name
    if trap.span:
        shown = spoken["zh-CN"]
        (finding,) = [one for one in shown.findings if one.severity == "block"]
        assert shown.text[finding.start : finding.end] == trap.span, name
        assert finding.advice, name


@freeze_time(NOW)
def test_whoever_cannot_be_written_to_does_not_stop_the_others(
    open_work: Opener, people: Firm, me: Actor
) -> None:
    with open_work() as work:
        good = make_client(work, people.b01)
        gone = make_client(work, people.b01, deceased=True)
        asked = make_client(work, people.b01)
        opt_out(work, [asked], channel="*", category="*", source="reply", evidence="")
    with open_work(me) as work:
        queued = queue_request(work, RequestDraft((good, gone, asked), text=SAID))
    with open_work() as work:
        assert list(_rows(work, queued)) == [good]
        rules = {row.client_id: row.rule for row in work.conn.execute(select(left_out))}
        assert "left_out" in _kinds(work)
    assert queued.left_out == 2
    assert rules == {gone: "deceased", asked: "opted_out"}


@freeze_time(NOW)
def test_the_clients_own_name_and_a_colleagues_may_stand_in_the_text(
    open_work: Opener, people: Firm, me: Actor
) -> None:
    with open_work() as work:
        chosen = make_client(work, people.b01, name="司马相如")
        make_client(work, people.b01, name="司马相如")  # a namesake
        make_client(work, people.b01, name=people.b01.manager.name)
        make_client(work, people.b01, name="Ann")
    said = f"司马相如，您好！{people.b01.manager.name}将主持本周讲座 Annual meeting。"
    with open_work(me) as work:
        item = _only(preview_request(work, RequestDraft((chosen,), text=said)))
    assert item.stopped is None


# ── bad input, walls ──────────────────────────────────────────────────────────────────────────────────────

BAD: dict[str, dict[str, Any]] = {
    "nobody": {"client_ids": ()},
    "too many": {"client_ids": tuple(new_id() for _ in range(LARGEST + 1))},
    "nothing to say": {"text": "  "},
    "both": {"template": "birthday"},
    "endless": {"text": "长" * (LONGEST + 1)},
    "an endless subject": {"subject": "长" * 201},
    "no such channel": {"channel": "fax"},
    "no such category": {"category": "gossip"},
    "no such risk": {"risk_level": 6},
    "a time without a zone": {"send_at": datetime(2026, 12, 1, 9, 0, tzinfo=UTC).replace(tzinfo=None)},
    "next year": {"send_at": datetime(2027, 12, 1, 9, 0, tzinfo=UTC)},
    "a report without a report": {"text": "", "template": "research-push"},
}


@freeze_time(NOW)
def test_a_draft_that_cannot_be_used_is_refused_and_says_what_to_do(
    open_work: Opener, people: Firm, me: Actor
) -> None:
    with open_work() as work:
        chosen = make_client(work, people.b01)
    for name, changed in BAD.items():
        draft = replace(RequestDraft((chosen,), text=SAID), **changed)
        for service in (preview_request, queue_request):
            with open_work(me) as work, pytest.raises(BadInput) as told:
                service(work, draft)
            assert told.value.mend, name
    with open_work() as work:
        assert _counts(work)["occurrence"] == _counts(work)["message"] == 0


@freeze_time(NOW)
def test_an_unknown_template_is_not_found(open_work: Opener, people: Firm, me: Actor) -> None:
    with open_work() as work:
        chosen = make_client(work, people.b01)
    with open_work(me) as work, pytest.raises(NotFound):
        preview_request(work, RequestDraft((chosen,), template="no-such"))


@freeze_time(NOW)
def test_only_ones_own_clients_are_written_to(open_work: Opener, people: Firm, me: Actor) -> None:
    with open_work() as work:
        mine = make_client(work, people.b01)
        others = [
            make_client(work, people.b01, advisor_id=people.b01.advisors[1].staff_id),
            make_client(work, people.b02),
            new_id(),
        ]
    for other in others:
        for service in (preview_request, queue_request):
            with open_work(me) as work, pytest.raises(NotFound):
                service(work, RequestDraft((mine, other), text=SAID))
    with open_work() as work:
        assert _counts(work)["occurrence"] == 0


@freeze_time(NOW)
def test_a_manager_writes_to_the_branch_and_head_office_to_both(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        here, there = make_client(work, people.b01), make_client(work, people.b02)
    with open_work(people.b01.manager) as work:
        assert len(queue_request(work, RequestDraft((here,), text=SAID)).message_ids) == 1
    with open_work(people.b01.manager) as work, pytest.raises(NotFound):
        queue_request(work, RequestDraft((here, there), text=SAID))
    with open_work(people.head_office) as work:
        queued = queue_request(work, RequestDraft((here, there), text=SAID))
    assert len(queued.submission_ids) == 1  # the firm decides once; a branch may hold its share


@freeze_time(NOW)
def test_who_may_not_compose_is_told_so(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        chosen = make_client(work, people.b01)
    draft = RequestDraft((chosen,), text=SAID)
    for actor in (people.compliance, people.operator):
        for service in (preview_request, queue_request):
            with open_work(actor) as work, pytest.raises(Forbidden):
                service(work, draft)
    with open_work(SYSTEM) as work, pytest.raises(Forbidden):
        queue_request(work, draft)


@freeze_time(NOW)
def test_a_client_moved_away_is_no_longer_ones_own(open_work: Opener, people: Firm, me: Actor) -> None:
    with open_work() as work:
        chosen = make_client(work, people.b01)
        work.conn.execute(
            client.update()
            .where(client.c.id == chosen)
            .values(branch_id=people.b02.id, advisor_id=people.b02.advisor.staff_id)
        )
    with open_work(me) as work, pytest.raises(NotFound):
        preview_request(work, RequestDraft((chosen,), text=SAID))
