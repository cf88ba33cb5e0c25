"""A stricter policy takes over, message by message: legal words, tiers, own words, recipients of the same text."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from freezegun import freeze_time
from sqlalchemy import event, select, text

from outreach.app import wire
from outreach.care.answers import answer_with_phrase, offers
from outreach.composing.compose import compose_occurrence
from outreach.composing.load import load_plan
from outreach.composing.pending import personalise, resubmit, skip
from outreach.composing.requests import PreviewItem, RequestDraft, preview_request, queue_request
from outreach.content.difference import changes
from outreach.content.loader import load_folder
from outreach.content.publish import publish
from outreach.content.starter import lay_out
from outreach.core.access import Actor
from outreach.core.database import Database
from outreach.core.errors import NotFound
from outreach.core.i18n import in_language
from outreach.delivery.replies import ReplyIn, take_reply
from outreach.ledger.work import Opener, Work
from outreach.messages.tables import message
from outreach.people.tables import contact_point
from outreach.review.decide import approve_batch, return_, sample_of
from tests.support.builders import Firm, firm, make_client, publish_starter
from tests.support.occurrences import make_item, make_occurrence
from tests.support.policies import publish_policy, starter_policy
from tests.support.review_rows import as_read, content
from tests.support.waiting import until_blocked

NOW = "2026-09-21 03:00:00"
MID_AUTUMN = date(2026, 9, 25)
SAID = "{称呼}，您好！季度服务报告已为您准备好，方便时请回电。"
EXAGGERATED = "{称呼}，您好！这只股票翻倍在望，详情请回电。"
LONG = "{称呼}，您好！" + "我们为您整理了本季度的市场回顾与服务安排。" * 15


@pytest.fixture
def people(open_work: Opener) -> Firm:
    wire()
    with freeze_time(NOW):
        staff = firm(open_work)
        publish_starter(open_work, staff)
    return staff


@pytest.fixture
def me(people: Firm) -> Actor:
    return people.b01.advisor


def _clients(open_work: Opener, people: Firm, count: int, **said: Any) -> tuple[UUID, ...]:
    with open_work() as work:
        return tuple(make_client(work, people.b01, gender="male", **said) for _ in range(count))


def _queue(
    open_work: Opener, actor: Actor, clients: Sequence[UUID], said: str = SAID, **draft: Any
) -> tuple[UUID, ...]:
    with open_work(actor) as work:
        return queue_request(work, RequestDraft(tuple(clients), text=said, **draft)).message_ids


def _waits(work: Work, occurrence_id: UUID | None = None) -> dict[str, tuple[str, int]]:
    """policy -> (Chinese title of its submission, messages held in it)."""
    rows = work.conn.execute(
        text(
            """
            SELECT p.name, s.title, s.mode, s.state, count(m.id) AS held
              FROM submission s
              JOIN content_version p ON p.id = s.policy_version_id
              LEFT JOIN message m ON m.submission_id = s.id AND m.state = 'held'
             WHERE CAST(:id AS uuid) IS NULL OR s.occurrence_id = :id
             GROUP BY s.id, p.name ORDER BY s.created_at
            """
        ),
        {"id": occurrence_id},
    ).all()
    assert all((row.state == "open") == (row.held > 0) for row in rows)
    assert len({row.name for row in rows}) == len(rows)
    return {row.name: (in_language(row.title, "zh-CN"), row.held) for row in rows}


def _policies(work: Work, ids: Sequence[UUID]) -> list[str]:
    """The policy of each message."""
    rows = work.conn.execute(
        text(
            "SELECT m.id, p.name FROM message m JOIN submission s ON s.id = m.submission_id"
            " JOIN content_version p ON p.id = s.policy_version_id WHERE m.id = ANY(:ids)"
        ),
        {"ids": list(ids)},
    )
    found = {row.id: row.name for row in rows}
    return [found[one] for one in ids]


def _lower(open_work: Opener, people: Firm, name: str, old: str, new: str) -> None:
    source = starter_policy(name)
    assert old in source
    with open_work() as work:
        publish_policy(work, people, name, source.replace(old, new))


@pytest.fixture
def over_25(open_work: Opener, people: Firm) -> None:
    """The same text to more than 25 within 30 days takes two approvers."""
    with freeze_time(NOW):
        _lower(open_work, people, "same-text-to-many", "recipients_over = 200", "recipients_over = 25")


# ── a request ─────────────────────────────────────────────────────────────────────────────────────────────


@freeze_time(NOW)
def test_of_one_request_each_policy_gets_its_own_submission_that_says_why(
    open_work: Opener, people: Firm, me: Actor
) -> None:
    plain = _clients(open_work, people, 2)
    high = _clients(open_work, people, 1, tier="diamond")
    _queue(open_work, me, [*plain, *high])
    with open_work() as work:
        assert _waits(work) == {"advisor-each": ("自拟文字", 2), "vip-each": ("自拟文字 · 高端客户", 1)}
        entries = work.conn.execute(
            text(
                "SELECT convert_from(envelope, 'UTF8')::jsonb AS said FROM ledger_entry WHERE kind = 'submission'"
            )
        ).scalars()
        assert {(one["policy"], one["count"], one["mode"]) for one in entries} == {
            ("advisor-each", 2, "each"),
            ("vip-each", 1, "each"),
        }


@pytest.mark.parametrize(
    ("said", "tier", "expected"),
    [
        (SAID, "ordinary", "advisor-each"),
        (SAID, "platinum", "vip-each"),
        (LONG, "ordinary", "long-text-each"),
        (LONG, "platinum", "long-text-each"),
        (EXAGGERATED, "ordinary", "legal-words"),
        (EXAGGERATED + LONG, "diamond", "legal-words"),
    ],
)
@freeze_time(NOW)
def test_findings_own_words_and_tiers_choose_the_policy_and_the_preview_says_so(
    open_work: Opener, people: Firm, me: Actor, said: str, tier: str, expected: str
) -> None:
    clients = _clients(open_work, people, 1, tier=tier, channel_preference="email")
    with open_work(me) as work:
        [item] = preview_request(work, RequestDraft(clients, text=said))
    ids = _queue(open_work, me, clients, said)
    with open_work() as work:
        assert _policies(work, ids) == [expected]
        pinned = work.conn.execute(text("SELECT policy_version_id FROM submission")).scalar_one()
    assert item.policy_version_id == pinned
    assert item.policy


@freeze_time(NOW)
def test_of_a_template_only_what_was_filled_in_is_the_authors_own(
    open_work: Opener, people: Firm, me: Actor
) -> None:
    clients = _clients(open_work, people, 1, channel_preference="email")
    values = {"text.topic": "年度策略", "text.when": "12月5日14:00", "text.where": "本部"}
    for topic, expected in (("年度策略", "advisor-each"), ("年度策略与资产配置" * 35, "long-text-each")):
        with open_work(me) as work:
            draft = RequestDraft(clients, template="seminar", values=values | {"text.topic": topic})
            ids = queue_request(work, draft).message_ids
            assert _policies(work, ids) == [expected]


@freeze_time(NOW)
def test_head_offices_legal_words_go_to_compliance_for_the_whole_firm(
    open_work: Opener, people: Firm
) -> None:
    with open_work() as work:
        clients = [make_client(work, team, gender="male") for team in (people.b01, people.b02)]
    ids = _queue(open_work, people.head_office, clients, EXAGGERATED)
    with open_work() as work:
        assert _policies(work, ids) == ["legal-words-firm"] * 2
        assert work.conn.execute(text("SELECT branch_id FROM submission")).scalars().all() == [None]


# ── the same text again ───────────────────────────────────────────────────────────────────────────────────


def _of(open_work: Opener, ids: Sequence[UUID]) -> set[str]:
    with open_work() as work:
        return set(_policies(work, ids))


@freeze_time(NOW)
def test_one_text_split_over_small_requests_is_counted_as_one(
    open_work: Opener, people: Firm, me: Actor, over_25: None
) -> None:
    other = people.b01.advisors[1]
    first = _clients(open_work, people, 20)
    second = _clients(open_work, people, 10, advisor_id=other.staff_id)
    assert _of(open_work, _queue(open_work, me, first)) == {"advisor-each"}
    # By another advisor, with other blanks and signs, in traditional characters.
    disguised = "{salutation} ，您好!　季度服務報告已為您準備好，方便時請回電…"
    with open_work(other) as work:
        shown = {item.policy for item in preview_request(work, RequestDraft(second, text=disguised), "en")}
    assert shown == {"The same text to more than 200"}
    assert _of(open_work, _queue(open_work, other, second, disguised)) == {"same-text-to-many"}
    with open_work() as work:
        assert {name: held for name, (_, held) in _waits(work).items()} == {
            "advisor-each": 20,
            "same-text-to-many": 10,
        }


@freeze_time(NOW)
def test_names_written_by_hand_make_no_other_text(
    open_work: Opener, people: Firm, me: Actor, over_25: None
) -> None:
    _queue(open_work, me, _clients(open_work, people, 25))
    [last] = _clients(open_work, people, 1, name="欧阳修文")
    by_hand = SAID.replace("{称呼}", "欧阳先生")
    assert _of(open_work, _queue(open_work, me, [last], by_hand)) == {"same-text-to-many"}


@freeze_time(NOW)
def test_who_had_the_text_before_is_one_recipient(
    open_work: Opener, people: Firm, me: Actor, over_25: None
) -> None:
    clients = _clients(open_work, people, 20)
    _queue(open_work, me, clients)
    assert _of(open_work, _queue(open_work, me, clients)) == {"advisor-each"}


@freeze_time(NOW)
def test_what_is_never_sent_reached_nobody(open_work: Opener, people: Firm, me: Actor, over_25: None) -> None:
    for one in _queue(open_work, me, _clients(open_work, people, 20)):
        with open_work(me) as work:
            skip(work, one)
    assert _of(open_work, _queue(open_work, me, _clients(open_work, people, 10))) == {"advisor-each"}


@pytest.mark.parametrize(
    ("later", "expected"),
    [("2026-10-20 03:00:00", "same-text-to-many"), ("2026-10-22 03:00:00", "advisor-each")],
)
def test_recipients_count_for_thirty_days(
    open_work: Opener, people: Firm, me: Actor, over_25: None, later: str, expected: str
) -> None:
    with freeze_time(NOW):
        _queue(open_work, me, _clients(open_work, people, 20))
        more = _clients(open_work, people, 10)
    with freeze_time(later):
        assert _of(open_work, _queue(open_work, me, more)) == {expected}


@freeze_time(NOW)
def test_of_two_halves_put_up_at_once_the_second_knows_of_the_first(
    open_work: Opener, people: Firm, me: Actor, over_25: None
) -> None:
    halves = [_clients(open_work, people, 15) for _ in range(2)]
    with ThreadPoolExecutor() as pool, open_work(me) as work:
        first = queue_request(work, RequestDraft(halves[0], text=SAID))
        second = pool.submit(_queue, open_work, me, halves[1])
        until_blocked(open_work)
    assert _of(open_work, first.message_ids) == {"advisor-each"}
    assert _of(open_work, second.result(30)) == {"same-text-to-many"}


@freeze_time(NOW)
def test_earlier_recipients_are_found_by_index(
    open_work: Opener, people: Firm, me: Actor, over_25: None, database: Database
) -> None:
    asked: list[tuple[str, Any]] = []

    def keep(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if "AS recipients" in statement:
            asked.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", keep)
    _queue(open_work, me, _clients(open_work, people, 1))
    [(statement, parameters)] = asked
    with open_work() as work:
        work.conn.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join(work.conn.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars())
    assert "submission_text" in plan
    assert "Seq Scan" not in plan


# ── a job ─────────────────────────────────────────────────────────────────────────────────────────────────


def _push(open_work: Opener, **item: Any) -> UUID:
    with open_work() as work:
        return make_occurrence(
            work, "research-push", send_date=MID_AUTUMN, feed_item_id=make_item(work, **item)
        )


@freeze_time(NOW)
def test_a_report_with_legal_words_goes_to_compliance_though_its_batch_would_not(
    open_work: Opener, people: Firm
) -> None:
    _clients(open_work, people, 3, holdings=("600000.SH",))
    plain, told = _push(open_work), _push(open_work, title="业绩翻倍可期")
    for one in (plain, told):
        assert compose_occurrence(open_work, one).count == 3
    with open_work() as work:
        assert set(_waits(work, plain)) == {"research-batch"}
        assert _waits(work, told) == {"legal-words": ("研究报告推送：业绩翻倍可期 · 涉及合规用语", 3)}


@freeze_time(NOW)
def test_a_festivals_greeting_to_the_highest_tiers_stays_in_its_batch(
    open_work: Opener, people: Firm
) -> None:
    _clients(open_work, people, 2)
    _clients(open_work, people, 2, tier="diamond")
    with open_work() as work:
        occurrence_id = make_occurrence(work, "mid-autumn", send_date=MID_AUTUMN)
        assert load_plan(work, occurrence_id).routes.counted == frozenset()
    compose_occurrence(open_work, occurrence_id)
    with open_work() as work:
        assert {name: held for name, (_, held) in _waits(work).items()} == {"festival-batch": 4}


@freeze_time(NOW)
def test_a_large_send_of_one_branch_takes_two_approvers_in_that_branch_only(
    open_work: Opener, people: Firm, database: Database
) -> None:
    _lower(open_work, people, "large-sends", "recipients_over = 500", "recipients_over = 3")
    _clients(open_work, people, 4, holdings=("600000.SH",))
    with open_work() as work:
        make_client(work, people.b02, holdings=("600000.SH",))
    occurrence_id = _push(open_work)
    asked: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    assert compose_occurrence(open_work, occurrence_id, chunk=2).count == 5
    with open_work() as work:
        assert {name: held for name, (_, held) in _waits(work).items()} == {
            "large-sends": 4,
            "research-batch": 1,
        }
    assert sum("c.branch_id, count(*) AS n" in one for one in asked) == 1, "the audience is counted once"


@freeze_time(NOW)
def test_the_audience_is_counted_only_where_a_policy_asks_for_it(
    open_work: Opener, people: Firm, database: Database
) -> None:
    _clients(open_work, people, 2)
    with open_work() as work:
        occurrence_id = make_occurrence(work, "mid-autumn", send_date=MID_AUTUMN)
    asked: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    compose_occurrence(open_work, occurrence_id)
    assert not [one for one in asked if "c.branch_id, count(*) AS n" in one or "same text" in one]


# ── words changed while it waits ──────────────────────────────────────────────────────────────────────────


def _greetings(open_work: Opener, people: Firm, tiers: Sequence[str]) -> tuple[UUID, list[UUID]]:
    """A batch of greetings; the occurrence, and the messages in the order of ``tiers``."""
    clients = [_clients(open_work, people, 1, tier=tier)[0] for tier in tiers]
    with open_work() as work:
        occurrence_id = make_occurrence(work, "mid-autumn", send_date=MID_AUTUMN)
    compose_occurrence(open_work, occurrence_id)
    with open_work() as work:
        found = select(message.c.client_id, message.c.id).where(message.c.occurrence_id == occurrence_id)
        by_client = {row.client_id: row.id for row in work.conn.execute(found)}
    return occurrence_id, [by_client[one] for one in clients]


GREETING = "王先生，您好！中秋快乐，愿您与家人团圆安康。"


@pytest.mark.parametrize(
    ("tier", "said", "expected"),
    [
        ("ordinary", GREETING, "festival-batch"),
        ("diamond", GREETING, "vip-each"),
        ("ordinary", GREETING + "祝您所持股票翻倍。", "legal-words"),
        ("ordinary", GREETING + "我们为您准备了一份季度回顾，" * 25, "long-text-each"),
    ],
)
@freeze_time(NOW)
def test_a_greeting_made_personal_moves_where_its_words_belong_and_its_batch_goes_on(
    open_work: Opener, people: Firm, me: Actor, tier: str, said: str, expected: str
) -> None:
    occurrence_id, ids = _greetings(open_work, people, [tier, "ordinary", "ordinary"])
    with open_work() as work:
        batch = work.conn.execute(text("SELECT id FROM submission")).scalar_one()
        before = sample_of(work, batch)
    with open_work(me) as work:
        personalise(work, ids[0], 1, said)
    stayed = expected == "festival-batch"
    with open_work() as work:
        assert _policies(work, ids) == [expected, "festival-batch", "festival-batch"]
        waits = _waits(work, occurrence_id)
        entry = work.conn.execute(
            text(
                "SELECT convert_from(envelope, 'UTF8')::jsonb FROM ledger_entry WHERE kind = 'message.revised'"
            )
        ).scalar_one()
        moved = work.conn.execute(select(message).where(message.c.id == ids[0])).one()
        recorded = work.conn.execute(
            text("SELECT convert_from(envelope, 'UTF8')::jsonb FROM ledger_entry WHERE kind = 'submission'")
        ).scalars()
        counts = {(one["policy"], one["count"]) for one in recorded}
    assert entry["submission_id"] == str(moved.submission_id)
    assert moved.flagged
    if stayed:
        assert counts == {("festival-batch", 3)}
        return
    assert waits[expected][0].startswith(waits["festival-batch"][0] + " · ")
    assert counts == {("festival-batch", 3), ("festival-batch", 2), (expected, 1)}
    with open_work(people.b01.manager) as work:
        sampled = sample_of(work, batch)
        assert (before.count, sampled.count) == (3, 2)
        assert approve_batch(work, batch, sampled.manifest_digest, sampled.message_ids).count == 2
    with open_work() as work:
        assert {name: held for name, (_, held) in _waits(work).items()} == {"festival-batch": 0, expected: 1}


@freeze_time(NOW)
def test_small_additions_add_up(open_work: Opener, people: Firm, me: Actor) -> None:
    _, [one] = _greetings(open_work, people, ["ordinary"])
    said = GREETING
    for revision, expected in ((1, "festival-batch"), (2, "long-text-each")):
        said += "我们为您准备了一份季度回顾，" * 15
        with open_work(me) as work:
            personalise(work, one, revision, said)
            assert _policies(work, [one]) == [expected]


@freeze_time(NOW)
def test_what_first_words_asked_for_milder_ones_do_not_take_back(
    open_work: Opener, people: Firm, me: Actor
) -> None:
    clients = _clients(open_work, people, 1)
    [one] = _queue(open_work, me, clients, EXAGGERATED)
    with open_work(people.b01.manager) as work:
        return_(work, [one], as_read(work, (one,)), ["tone"], "请勿夸大")
    with open_work(me) as work:
        resubmit(work, one, 1, "", "王先生，您好！报告已备好，请您方便时回电。")
        assert _policies(work, [one]) == ["legal-words"]
        assert list(_waits(work)) == ["legal-words"]


@freeze_time(NOW)
def test_the_last_one_that_moves_closes_what_it_leaves(open_work: Opener, people: Firm, me: Actor) -> None:
    [one] = _queue(open_work, me, _clients(open_work, people, 1))
    with open_work(me) as work:
        personalise(work, one, 1, "王先生，您好！这只股票翻倍在望。")
        states = dict(
            work.conn.execute(
                text(
                    "SELECT p.name, s.state FROM submission s JOIN content_version p ON p.id = s.policy_version_id"
                )
            ).all()
        )
    assert states == {"advisor-each": "closed", "legal-words": "open"}


@freeze_time(NOW)
def test_nobody_of_another_branch_moves_a_message(open_work: Opener, people: Firm) -> None:
    _, [one] = _greetings(open_work, people, ["diamond"])
    with open_work(people.b02.advisor) as work, pytest.raises(NotFound):
        personalise(work, one, 1, GREETING)
    assert _of(open_work, [one]) == {"festival-batch"}


# ── the phrase book ───────────────────────────────────────────────────────────────────────────────────────

_LEXICON = """
title = { zh = "测试", en = "Test" }
language = "zh-CN"

[[rules]]
id = "hours"
article = "art. 17"
severity = "flag"
why = { zh = "请核对。", en = "Look again." }
phrases = ["营业时间"]
"""


@freeze_time(NOW)
def test_a_phrase_with_a_finding_is_decided_like_any_text_of_an_advisor(
    open_work: Opener, people: Firm
) -> None:
    with open_work() as work:
        files = {"approvals/lexicons/hours.toml": _LEXICON}
        content(work, "lexicon", "hours", files, people.head_office, people.compliance)
        client = make_client(work, people.b01)
        number = work.conn.execute(
            select(contact_point.c.address).where(
                contact_point.c.client_id == client, contact_point.c.channel == "sms"
            )
        ).scalar_one()
        reply = take_reply(work, ReplyIn("gateway", "R1", "sms", number, "请问几点开门"))
        task = work.conn.execute(text("SELECT id FROM task WHERE reply_id = :id"), {"id": reply}).scalar_one()
    with open_work(people.b01.advisor) as work:
        shown: dict[str, PreviewItem] = {one.phrase.name: one.item for one in offers(work, task, "en")}
        assert shown["phrase-hours"].policy == "Advisors' own text: each one"
        assert shown["phrase-password"].policy == "Phrase book: standing approval"
        done = answer_with_phrase(work, task, "phrase-hours")
        assert not done.released
        assert _policies(work, [done.message_id]) == ["advisor-each"]


# ── pinned ────────────────────────────────────────────────────────────────────────────────────────────────


@freeze_time(NOW)
def test_a_new_version_of_a_policy_leaves_what_waits_alone_and_content_diff_shows_it(
    open_work: Opener, people: Firm, me: Actor, tmp_path: Any
) -> None:
    lay_out(tmp_path / "content")
    vip = tmp_path / "content" / "approvals" / "policies" / "vip-each.toml"
    vip.write_text(vip.read_text("utf-8").replace('"diamond", "platinum"', '"diamond"'), "utf-8")
    high = _clients(open_work, people, 1, tier="platinum")
    before = _queue(open_work, me, high)
    changed, faults = load_folder(tmp_path / "content")
    assert faults == []
    with open_work(people.head_office) as work:
        [change] = changes(work.conn, changed)
        assert (change.kind, change.name, change.what) == ("policy", "vip-each", "changed")
        assert people.head_office.staff_id is not None
        assert people.compliance.staff_id is not None
        publish(work, changed, people.head_office.staff_id, people.compliance.staff_id)
    with open_work() as work:
        assert _policies(work, before) == ["vip-each"]
        pinned = "SELECT p.version FROM submission s JOIN content_version p ON p.id = s.policy_version_id"
        assert work.conn.execute(text(pinned)).scalars().all() == [1]
    assert _of(open_work, _queue(open_work, me, high)) == {"advisor-each"}
