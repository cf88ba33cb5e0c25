"""What authors are told of decisions, and who asked of the answer: at once or a moment later, and once."""

from datetime import timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy import update

from outreach.core import clock, events
from outreach.core.settings import Settings
from outreach.ledger.work import Opener
from outreach.messages.tables import message
from outreach.notices.audience import on_question_asked
from outreach.notices.authors import on_claim_taken_over, on_decision_made, on_question_answered
from outreach.notices.outbox import count_unseen, list_notices, mark_seen, unseen
from outreach.notices.sending import SentNotices
from outreach.people.staff import actor_for
from outreach.review.batch import sample_of
from outreach.review.decide import approve, reject, return_, undo
from outreach.review.remarks import answer_question, ask_compliance
from outreach.review.tables import submission
from tests.support.desk import Desk
from tests.support.notices import Postbox, on_a_working_day
from tests.support.review_rows import as_read, hold


@pytest.fixture(autouse=True)
def wired(apart: None) -> None:
    events.subscribe(events.DecisionMade, on_decision_made)
    events.subscribe(events.QuestionAsked, on_question_asked)
    events.subscribe(events.QuestionAnswered, on_question_answered)
    events.subscribe(events.ClaimTakenOver, on_claim_taken_over)


def test_the_author_is_told_of_each_kind_of_decision(open_work: Opener, desk: Desk) -> None:
    advisor = desk.firm.b01.advisor
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, count=3, author=advisor)
    with open_work(desk.firm.b01.manager) as work:
        read = as_read(work, held.ids)
        approve(work, held.ids[:1], read)
        return_(work, held.ids[1:2], read, [desk.reason], "请修改")
        reject(work, held.ids[2:], read, [desk.reason], "不合适")
    with open_work(advisor) as work:
        assert [item.line for item in unseen(work)] == [
            "您提交的 1 条消息被否决：客户关系（语气不当）",
            "您提交的 1 条消息被退回：客户关系（语气不当）",
            "您提交的 1 条消息已批准：客户关系",
        ]
        assert unseen(work, locale="en")[1].line == "1 of your messages was returned: relationship (Tone)"
        assert unseen(work)[0].path == "/mine"
        assert count_unseen(work) == 3
        assert mark_seen(work) == 3
        assert unseen(work) == []
    with open_work(desk.firm.b01.advisors[1]) as work:
        assert count_unseen(work) == 0


def test_forty_one_decisions_one_by_one_are_one_notice(
    open_work: Opener, desk: Desk, settings: Settings
) -> None:
    postbox, start = Postbox(), on_a_working_day(settings, "09:00")
    with freeze_time(start), open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, count=41, author=desk.firm.b01.advisor)
    for number, message_id in enumerate(held.ids):
        with freeze_time(start + timedelta(seconds=10 * number)):
            with open_work(desk.firm.b01.manager) as work:
                approve(work, [message_id], as_read(work, (message_id,)))
            assert postbox.send(open_work) == SentNotices(0, 0)
    with freeze_time(start + timedelta(seconds=400 + 119)):
        assert postbox.send(open_work) == SentNotices(0, 0)
    with freeze_time(start + timedelta(seconds=400 + 120)):
        assert postbox.send(open_work) == SentNotices(1, 0)
    assert [mail.subject for mail in postbox.kept] == ["您提交的 41 条消息已批准：客户关系"]


def test_who_decides_on_and_on_does_not_keep_the_author_waiting(
    open_work: Opener, desk: Desk, settings: Settings
) -> None:
    postbox, start = Postbox(), on_a_working_day(settings, "09:00")
    with freeze_time(start), open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, count=15, author=desk.firm.b01.advisor)
    for number, message_id in enumerate(held.ids):
        with freeze_time(start + timedelta(minutes=number)):
            with open_work(desk.firm.b01.manager) as work:
                approve(work, [message_id], as_read(work, (message_id,)))
            postbox.send(open_work)
    assert [mail.subject for mail in postbox.kept] == ["您提交的 11 条消息已批准：客户关系"]


def test_an_urgent_message_that_comes_back_is_told_at_once_with_its_reasons(
    open_work: Opener, desk: Desk
) -> None:
    postbox = Postbox()
    with open_work() as work:
        held = hold(
            work, desk.firm, desk.firm.b01, policy=desk.alert, author=desk.firm.b01.advisor, urgent=True
        )
    with open_work(desk.firm.b01.manager) as work:
        return_(work, held.ids, as_read(work, held.ids), [desk.reason], "请修改")
    assert postbox.send(open_work) == SentNotices(1, 0)
    assert postbox.kept[0].subject == "您提交的 1 条消息被退回：客户关系（语气不当）"
    assert "请修改" not in postbox.kept[0].text


def test_an_approval_that_was_undone_before_it_was_told_is_told_as_undone_only(
    open_work: Opener, desk: Desk
) -> None:
    postbox, start = Postbox(), clock.now()
    with freeze_time(start):
        with open_work() as work:
            held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, author=desk.firm.b01.advisor)
        with open_work(desk.firm.b01.manager) as work:
            made = approve(work, held.ids, as_read(work, held.ids))
    with freeze_time(start + timedelta(seconds=30)), open_work(desk.firm.b01.manager) as work:
        undo(work, made.decisions[0])
    with freeze_time(start + timedelta(minutes=3)):
        postbox.send(open_work)
    assert [mail.subject for mail in postbox.to("b01-a1@example.com")] == [
        "对您提交的 1 条消息的批准已撤销，重新等待审批：客户关系"
    ]


def test_a_job_s_message_that_comes_back_is_told_to_its_client_s_advisor(
    open_work: Opener, desk: Desk
) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, count=2)
    with open_work(desk.firm.b01.manager) as work:
        return_(work, held.ids[:1], as_read(work, held.ids), [desk.reason], "")
        approve(work, held.ids[1:], as_read(work, held.ids))
    with open_work(desk.firm.b01.advisor) as work:
        assert [item.line for item in unseen(work)] == [
            "您客户的 1 条消息被退回，可修改后重新提交：中秋祝福（语气不当）"
        ]


def test_who_edited_a_template_is_not_told_of_each_branch_s_decision_about_it(
    open_work: Opener, desk: Desk
) -> None:
    editor = desk.firm.head_office
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, count=2, template=desk.birthday)
        work.conn.execute(
            update(submission)
            .where(submission.c.id == held.submission_id)
            .values(author_id=editor.staff_id, title="生日祝福\nBirthday greeting")
        )
        work.conn.execute(
            update(message)
            .where(message.c.id.in_(held.ids))
            .values(author_id=editor.staff_id, last_editor_id=editor.staff_id)
        )
    with open_work(desk.firm.b01.manager) as work:
        read = as_read(work, held.ids)
        approve(work, held.ids[:1], read)
        return_(work, held.ids[1:], read, [desk.reason], "")
    with open_work(editor) as work:
        assert unseen(work) == []
    with open_work(desk.firm.b01.advisor) as work:
        assert [item.line for item in unseen(work, locale="en")] == [
            "1 message to your clients was returned, to be mended: Birthday greeting (Tone)"
        ]


def test_a_batch_that_stops_is_told_at_once_to_whoever_wrote_its_template(
    open_work: Opener, desk: Desk
) -> None:
    postbox = Postbox()
    with open_work() as work:
        held = hold(
            work,
            desk.firm,
            desk.firm.b01,
            policy=desk.batch,
            mode="batch",
            count=8,
            template=desk.birthday,
            lexicon=desk.lexicon_digest(work),
        )
    with open_work(desk.firm.b01.manager) as work:
        sampled = sample_of(work, held.submission_id).message_ids[:1]
        return_(work, sampled, as_read(work, sampled), [desk.reason], "")
    assert postbox.send(open_work) == SentNotices(1, 0)
    [mail] = postbox.kept
    assert mail.to == "h01@example.com"
    assert mail.subject == "抽样有消息被退回，整批已停止：中秋祝福（语气不当）"


def test_compliance_is_told_of_questions_and_who_asked_of_the_answer(open_work: Opener, desk: Desk) -> None:
    postbox = Postbox()
    manager, compliance = desk.firm.b01.manager, desk.firm.compliance
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, author=desk.firm.b01.advisor)
    with open_work(manager) as work:
        question = ask_compliance(work, held.submission_id, "此处是否构成收益承诺？")
    assert postbox.send(open_work) == SentNotices(1, 0)
    asked = postbox.kept.pop()
    assert (asked.to, asked.subject) == (
        "c01@example.com",
        "海淀营业部就一份待审内容向合规提问，请答复：客户关系",
    )
    assert "收益承诺" not in asked.text
    with open_work() as work:
        assert compliance.staff_id is not None
        compliance = actor_for(work.conn, compliance.staff_id, clock.today(work.settings.zone))
    with open_work(compliance) as work:
        answer_question(work, question, "不得出现“稳健收益”。", objects=True)
        assert [item.over for item in list_notices(work).items] == [True]
    assert postbox.send(open_work) == SentNotices(1, 0)
    answered = postbox.kept.pop()
    assert (answered.to, answered.subject) == ("b01-m@example.com", "合规已答复您的提问，有异议：客户关系")
    assert "稳健" not in answered.text
