"""Comments, and questions to compliance: nothing is approved that compliance was asked about or objects to."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from outreach.archive.dossier.wording import KINDS, VERBS
from outreach.content.in_force import lexicons_in_force
from outreach.core import clock
from outreach.core.errors import BadInput, Conflict, Forbidden, NotFound, RuleBroken
from outreach.core.events import QuestionAnswered, QuestionAsked, listening
from outreach.ledger.tables import ledger_entry
from outreach.ledger.work import Opener, Work
from outreach.review.decide import approve, approve_batch, grant_standing, release_standing, sample_of
from outreach.review.detail import message_detail
from outreach.review.remarks import (
    LONGEST,
    answer_question,
    ask_compliance,
    comment,
    open_questions,
    remarks_on,
    withdraw_question,
)
from outreach.web.told import told
from tests.support.desk import Desk
from tests.support.review_rows import Held, as_read, edit, hold, states


def held_each(open_work: Opener, desk: Desk, count: int = 1) -> Held:
    with open_work() as work:
        return hold(
            work, desk.firm, desk.firm.b01, policy=desk.each, count=count, author=desk.firm.b01.advisor
        )


def refused(work: Work, held: Held, rule: str) -> RuleBroken:
    with pytest.raises(RuleBroken) as found:
        approve(work, held.ids[:1], as_read(work, held.ids))
    assert found.value.rule == rule
    assert set(states(work, held.ids)) == {"held"}
    return found.value


def test_what_is_said_is_read_oldest_first_by_whoever_may_read_it(open_work: Opener, desk: Desk) -> None:
    team = desk.firm.b01
    held = held_each(open_work, desk, count=2)
    with open_work(team.advisor) as work:
        first = comment(work, held.submission_id, " 客户昨天来过电话。 ")
    with open_work(team.manager) as work:
        second = comment(work, held.submission_id, "称呼请再核对。", held.first)
        other = comment(work, held.submission_id, "这条没问题。", held.ids[1])
        here = remarks_on(work, held.submission_id, held.first)
        assert [(one.id, one.who, one.text, one.mine) for one in here] == [
            (first, team.advisor.name, "客户昨天来过电话。", False),
            (second, team.manager.name, "称呼请再核对。", True),
        ]
        assert [one.id for one in remarks_on(work, held.submission_id)] == [first, second, other]
        assert message_detail(work, held.first).thread == tuple(here)
    with open_work(desk.firm.b02.manager) as work, pytest.raises(NotFound):
        remarks_on(work, held.submission_id)


def test_texts_are_sealed_and_each_remark_is_a_leaf(open_work: Opener, desk: Desk) -> None:
    held = held_each(open_work, desk)
    with open_work(desk.firm.b01.manager) as work:
        said = comment(work, held.submission_id, "只有我们知道的话", held.first)
        row = work.conn.execute(select(ledger_entry).where(ledger_entry.c.kind == "remark")).one()
        envelope = json.loads(bytes(row.envelope))
        assert (envelope["remark_id"], envelope["verb"], row.message_id) == (str(said), "comment", held.first)
        assert "commitment" in envelope
        for table in ("remark", "ledger_entry", "sealed_record"):
            clear = work.conn.execute(text(f"SELECT t::text FROM {table} t")).scalars()
            assert not any("只有我们" in line for line in clear)
    assert "remark" in KINDS
    assert {"comment", "question", "answer", "withdraw"} <= set(VERBS)


@pytest.mark.parametrize("said", ["", "  \n", "x" * (LONGEST + 1)])
def test_a_remark_says_something_and_ends(open_work: Opener, desk: Desk, said: str) -> None:
    held = held_each(open_work, desk)
    with open_work(desk.firm.b01.manager) as work, pytest.raises(BadInput):
        comment(work, held.submission_id, said)


def test_while_a_question_is_open_nothing_it_is_about_is_approved(open_work: Opener, desk: Desk) -> None:
    team, asked = desk.firm.b01, []
    held = held_each(open_work, desk, count=2)
    with open_work(team.manager) as work, listening(QuestionAsked, lambda _, event: asked.append(event)):
        question = ask_compliance(work, held.submission_id, "“稳健”可以用吗？", held.first)
    assert asked == [QuestionAsked(question)]
    with open_work(team.deputy) as work:
        error = refused(work, held, "question_open")
        assert team.manager.name in str(error)
        assert told("zh-CN", error)[0].startswith(f"{team.manager.name}已于 ")
        refusal = message_detail(work, held.first, "zh-CN").refusal
        assert refusal is not None
        assert refusal.reason == told("zh-CN", error)[0]
        approve(work, held.ids[1:], as_read(work, held.ids))  # nobody asked about the other one
        assert states(work, held.ids) == ["held", "approved"]


def test_a_question_about_the_whole_submission_keeps_each_message(open_work: Opener, desk: Desk) -> None:
    held = held_each(open_work, desk, count=2)
    with open_work(desk.firm.b01.manager) as work:
        ask_compliance(work, held.submission_id, "这批可以发吗？")
        refused(work, held, "question_open")


def test_compliance_finds_the_question_and_answers(open_work: Opener, desk: Desk) -> None:
    team, answered = desk.firm.b01, []
    held = held_each(open_work, desk)
    with open_work(team.manager) as work:
        question = ask_compliance(work, held.submission_id, "“稳健”可以用吗？", held.first)
    with open_work(desk.firm.compliance) as work:
        (found,) = open_questions(work)
        assert (found.id, found.who, found.text) == (question, team.manager.name, "“稳健”可以用吗？")
        assert (found.title, found.branch, found.message_id) == ("中秋祝福", "海淀营业部", held.first)
        with listening(QuestionAnswered, lambda _, event: answered.append(event)):
            answer = answer_question(work, question, "可以。", objects=False)
        assert open_questions(work) == []
        with pytest.raises(Conflict):
            answer_question(work, question, "再说一次。", objects=True)
    assert answered == [QuestionAnswered(answer)]
    with open_work(team.manager) as work:
        asked, said = remarks_on(work, held.submission_id, held.first)
        assert (asked.open, said.kind, said.answers, said.objects) == (False, "answer", question, False)
        approve(work, held.ids, as_read(work, held.ids))


def test_an_objection_stands_until_the_words_are_changed(open_work: Opener, desk: Desk) -> None:
    """Compliance does not decide; but what it objects to is not approved in these words."""
    team = desk.firm.b01
    held = held_each(open_work, desk)
    with open_work(team.manager) as work:
        question = ask_compliance(work, held.submission_id, "可以吗？", held.first)
    with open_work(desk.firm.compliance) as work:
        answer_question(work, question, "“稳健”暗示收益。", objects=True)
    with open_work(team.manager) as work:
        error = refused(work, held, "objection")
        assert desk.firm.compliance.name in told("zh-CN", error)[0]
        refusal = message_detail(work, held.first, "en").refusal
        assert refusal is not None
        assert refusal.reason.startswith(f"Compliance ({desk.firm.compliance.name}) objected")
    with open_work(team.advisor) as work:
        edit(work, held.first, "您好，祝您节日快乐！", team.advisor)
    with open_work(team.manager) as work:
        assert message_detail(work, held.first).refusal is None
        approve(work, held.ids, as_read(work, held.ids))


def test_compliance_may_take_its_objection_back_when_asked_again(open_work: Opener, desk: Desk) -> None:
    team = desk.firm.b01
    held = held_each(open_work, desk)
    for objects in (True, False):
        with open_work(team.manager) as work:
            question = ask_compliance(work, held.submission_id, "可以吗？", held.first)
        with open_work(desk.firm.compliance) as work:
            answer_question(work, question, "见说明。", objects=objects)
    with open_work(team.manager) as work:
        assert message_detail(work, held.first).refusal is None
        approve(work, held.ids, as_read(work, held.ids))


def test_only_who_asked_takes_a_question_back(open_work: Opener, desk: Desk) -> None:
    team = desk.firm.b01
    held = held_each(open_work, desk)
    with open_work(team.manager) as work:
        question = ask_compliance(work, held.submission_id, "可以吗？")
    with open_work(team.deputy) as work, pytest.raises(Forbidden):
        withdraw_question(work, question)
    with open_work(desk.firm.b02.manager) as work, pytest.raises(NotFound):
        withdraw_question(work, question)
    with open_work(team.manager) as work:
        withdraw_question(work, question)
        assert not remarks_on(work, held.submission_id)[0].open
        with pytest.raises(Conflict):
            withdraw_question(work, question)
        approve(work, held.ids, as_read(work, held.ids))


def test_who_may_ask_and_who_may_answer(open_work: Opener, desk: Desk) -> None:
    team = desk.firm.b01
    held = held_each(open_work, desk)
    with open_work(team.advisor) as work, pytest.raises(Forbidden):
        ask_compliance(work, held.submission_id, "可以吗？")
    with open_work(team.manager) as work:
        question = ask_compliance(work, held.submission_id, "可以吗？")
        with pytest.raises(Forbidden):
            answer_question(work, question, "可以。", objects=False)
        with pytest.raises(Forbidden):
            open_questions(work)


def test_what_is_decided_is_not_asked_about(open_work: Opener, desk: Desk) -> None:
    held = held_each(open_work, desk, count=2)
    with open_work(desk.firm.b01.manager) as work:
        approve(work, held.ids[:1], as_read(work, held.ids))
        with pytest.raises(Conflict):
            ask_compliance(work, held.submission_id, "可以吗？", held.first)


def test_a_batch_leaves_out_the_one_that_was_asked_about(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.batch, mode="batch", count=8)
    with open_work(desk.firm.b01.manager) as work:
        ask_compliance(work, held.submission_id, "可以吗？", held.first)
        sampled = sample_of(work, held.submission_id)
        assert sampled.count == 7
        approve_batch(work, held.submission_id, sampled.manifest_digest, sampled.message_ids)
        assert states(work, held.ids) == ["held", *["approved"] * 7]


def test_a_standing_approval_releases_nothing_that_compliance_was_asked_about(
    open_work: Opener, desk: Desk
) -> None:
    team = desk.firm.b01
    with open_work() as work:
        held = hold(
            work,
            desk.firm,
            team,
            policy=desk.standing,
            mode="standing",
            template=desk.birthday,
            lexicon=lexicons_in_force(work.conn)[1],
            count=2,
        )
    with open_work(team.manager) as work:
        question = ask_compliance(work, held.submission_id, "可以吗？")
        until = clock.now() + timedelta(days=30)
        with pytest.raises(RuleBroken, match="asked compliance"):
            grant_standing(work, held.submission_id, until)
        withdraw_question(work, question)
        about_one = ask_compliance(work, held.submission_id, "这一条呢？", held.first)
        assert grant_standing(work, held.submission_id, until).released == 1
        assert states(work, held.ids) == ["held", "approved"]
        withdraw_question(work, about_one)
        assert release_standing(work, held.submission_id).count == 1
