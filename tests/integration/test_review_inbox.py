"""What the inbox shows: alerts first, oldest due first, paged by key; one message with all that matters."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import insert, select, update

from outreach.core import clock
from outreach.core.access import Role
from outreach.core.errors import BadInput
from outreach.core.ids import new_id
from outreach.feeds.tables import feed_item
from outreach.ledger.tables import ledger_entry
from outreach.ledger.work import Opener
from outreach.messages.findings import Finding
from outreach.people.consent import opt_out
from outreach.review.decide import approve, return_, undo
from outreach.review.detail import message_detail
from outreach.review.inbox import Filters, counts, list_messages, list_waiting
from outreach.scheduling.tables import occurrence
from tests.support.builders import make_client
from tests.support.desk import Desk
from tests.support.review_rows import as_read, edit, hold


def test_alerts_first_then_what_is_due_first_page_by_page(open_work: Opener, desk: Desk) -> None:
    now = clock.now()
    with open_work() as work:
        ids = [
            hold(
                work, desk.firm, desk.firm.b01, policy=desk.each, due_by=now + timedelta(hours=hours)
            ).submission_id
            for hours in (5, 1, 3, -1)
        ]
        alert = hold(
            work, desk.firm, desk.firm.b01, policy=desk.alert, urgent=True, due_by=now + timedelta(hours=9)
        ).submission_id
    with open_work(desk.firm.b01.manager) as work:
        seen: list[UUID] = []
        key = None
        while True:
            page = list_waiting(work, after_key=key, limit=2)
            seen += [item.submission.id for item in page.items]
            key = page.next_after
            if key is None:
                break
        assert seen == [alert, ids[3], ids[1], ids[2], ids[0]]
        assert list_waiting(work).items[1].time_left < timedelta(0)
        assert (counts(work).waiting, counts(work).urgent, counts(work).late) == (5, 1, 1)
        with pytest.raises(BadInput):
            list_waiting(work, after_key="not a key")


def test_filters_narrow_the_list(open_work: Opener, desk: Desk) -> None:
    flag = Finding("exaggeration", "art. 17", "flag", "text", 0, 2, "")
    with open_work() as work:
        person = make_client(work, desk.firm.b01, name="欧阳小雨")
        product = hold(
            work,
            desk.firm,
            desk.firm.b01,
            policy=desk.each,
            category="product",
            title="研究报告 100%",
            client_ids=(person,),
        )
        flagged = hold(
            work, desk.firm, desk.firm.b01, policy=desk.batch, mode="batch", findings=(flag,), count=2
        )
        hold(work, desk.firm, desk.firm.b01, policy=desk.batch, mode="batch", count=2)

    with open_work(desk.firm.b01.manager) as work:

        def found(filters: Filters) -> list[UUID]:
            return [item.submission.id for item in list_waiting(work, filters).items]

        assert found(Filters(category="product")) == [product.submission_id]
        assert found(Filters(flagged=True)) == [flagged.submission_id]
        assert found(Filters(text="欧阳")) == [product.submission_id]
        assert found(Filters(text="100%")) == [product.submission_id]
        assert found(Filters(text="100_")) == []
        assert len(found(Filters(mode="batch"))) == 2
        assert found(Filters(urgent=True)) == []


def test_messages_in_a_submission_flagged_first_with_counts(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.batch, mode="batch", count=5)
        edit(work, held.ids[3], "您好，改过的话。", desk.firm.b01.advisor)
    with open_work(desk.firm.b01.manager) as work:
        read = as_read(work, held.ids)
        approve(work, [held.ids[0]], read)
        return_(work, [held.ids[1]], read, [desk.reason], "")
        page = list_messages(work, held.submission_id, limit=2)
        assert [line.id for line in page.items] == [held.ids[3], held.ids[2]]
        assert page.items[0].flagged
        assert page.items[0].excerpt == "您好，改过的话。"
        rest = list_messages(work, held.submission_id, page.next_after, limit=2)
        assert ([line.id for line in rest.items], rest.next_after) == ([held.ids[4]], None)
        [item] = list_waiting(work).items
        assert (item.waiting, item.flagged, item.decided) == (3, 1, 2)


def test_a_closed_submission_comes_back_with_an_undo(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, author=desk.firm.b01.advisor)
    with open_work(desk.firm.b01.manager) as work:
        done = approve(work, held.ids, as_read(work, held.ids))
        assert list_waiting(work).items == ()
        undo(work, done.decisions[0])
        assert len(list_waiting(work).items) == 1


def test_the_detail_shows_what_the_client_will_get_and_what_matters(open_work: Opener, desk: Desk) -> None:
    advisor = desk.firm.b01.advisor
    finding = Finding("tone", "art. 18", "flag", "text", 0, 2, "请用“您好”。")
    with open_work() as work:
        person = make_client(work, desk.firm.b01, name="李明", tier="vip", risk_class=4)
        opt_out(work, [person], channel="email", source="page")
        held = hold(
            work,
            desk.firm,
            desk.firm.b01,
            policy=desk.each,
            author=advisor,
            template=desk.birthday,
            lexicon=desk.lexicon_digest(work),
            findings=(finding,),
            client_ids=(person,),
            text="您好，{name}，生日快乐！",
        )
        edit(work, held.first, "您好，李明，生日快乐！周末一起登山。", advisor)
    with open_work(desk.firm.b01.manager) as work:
        detail = message_detail(work, held.first)
        assert detail.payload is not None
        assert detail.payload.text == "您好，李明，生日快乐！周末一起登山。"
        assert [(part.text, part.origin) for part in detail.parts] == [
            ("您好，", "template"),
            ("李明", "slot"),
            ("，生日快乐！", "template"),
            ("周末一起登山。", "advisor"),
        ]
        assert detail.findings == (finding,)
        assert (detail.client.tier, detail.client.risk_class) == ("vip", 4)
        assert detail.client.opted_out == (("email", "*"),)
        assert (detail.author_name, detail.last_editor_name) == (advisor.name, advisor.name)
        assert [event.what for event in detail.history] == ["written", "edited"]
        assert detail.may_approve
        assert detail.may_return
        done = approve(work, held.ids, {held.first: (detail.revision, detail.digest)})
        after = message_detail(work, held.first)
        assert (after.state, after.undo) == ("approved", done.decisions[0])
        assert after.refusal is not None
        assert after.refusal.rule == "not_held"


@pytest.mark.parametrize(("locale", "word"), [("zh-CN", "不能由您审批"), ("en", "can't approve")])
def test_why_not_is_said_in_words_with_rule_article_and_mend(
    open_work: Opener, desk: Desk, locale: str, word: str
) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, author=desk.firm.b01.manager)
    with open_work(desk.firm.b01.manager) as work:
        refusal = message_detail(work, held.first, locale).refusal
        assert refusal is not None
        assert word in refusal.reason
        assert (refusal.rule, refusal.article) == ("four_eyes", "63")
        assert refusal.mend
    with open_work(desk.firm.b01.advisor) as work:
        refusal = message_detail(work, held.first, locale).refusal
        assert refusal is not None
        assert refusal.rule == "no_permission"


def test_that_compliance_read_a_message_is_recorded(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each)
    with open_work(desk.firm.compliance) as work:
        message_detail(work, held.first)
    with open_work() as work:
        entry = work.conn.execute(select(ledger_entry).where(ledger_entry.c.kind == "view")).one()
        assert entry.message_id == held.first


def test_the_detail_names_what_the_message_was_made_from_and_by_which_versions(
    open_work: Opener, desk: Desk
) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.alert, template=desk.birthday)
        item, at = new_id(), clock.now()
        said = {"headline": "某股停牌", "source_url": "https://example.com/a", "firm_view": "请留意公告。"}
        work.conn.execute(
            insert(feed_item).values(
                id=item,
                kind="market-event",
                item_key="E1",
                issued_at=at,
                code="600000.SH",
                item_type="halt",
                data=said,
                sha256=b"",
                received_at=at,
            )
        )
        work.conn.execute(update(occurrence).values(feed_item_id=item))
    with open_work(desk.firm.b01.manager) as work:
        detail = message_detail(work, held.first)
        (source,) = detail.sources
        assert (source.kind, source.title, source.view) == ("market-event", "某股停牌", "请留意公告。")
        assert (source.url, source.at, source.code) == ("https://example.com/a", at, "600000.SH")
        assert not source.replaced
        assert (detail.template, detail.template_version) == ("birthday", 1)
        assert (detail.policy.name, detail.policy_version) == ("alert", 1)
        assert [(step.number, step.roles, step.by) for step in detail.steps] == [
            (1, (Role.MANAGER, Role.DEPUTY), "")
        ]
        assert (detail.branch, detail.branch_en) == ("海淀营业部", "Haidian Branch")
