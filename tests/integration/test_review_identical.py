"""Messages that read exactly the same are decided together; what was opened one by one, too. All are counted."""

from uuid import UUID

import pytest
from sqlalchemy import func, select

from outreach.core.errors import BadInput, Conflict, RuleBroken
from outreach.ledger.work import Opener, Work
from outreach.messages.findings import Finding
from outreach.messages.tables import message
from outreach.review.decide import approve
from outreach.review.detail import message_detail
from outreach.review.identical import (
    approve_identical,
    approve_seen_unflagged,
    groups_of,
    identical_to,
    return_identical,
    unflagged_of,
)
from outreach.review.remarks import ask_compliance
from outreach.review.seen import mark_seen
from outreach.review.submissions import submission_for
from outreach.review.tables import decision
from tests.support.builders import make_client
from tests.support.desk import Desk
from tests.support.review_rows import Held, as_read, edit, hold

FLAG = Finding("exaggeration", "art. 17", "flag", "text", 0, 2, "")
NAMES = ("张三", "李四", "王五", "张三", "张三")


def held_each(open_work: Opener, desk: Desk, names: tuple[str, ...] = NAMES) -> Held:
    """Messages in the order of ``names``: those to the same name read the same."""
    with open_work() as work:
        clients = tuple(make_client(work, desk.firm.b01, name=name) for name in names)
        made = hold(work, desk.firm, desk.firm.b01, policy=desk.each, client_ids=clients)
        to = {row.client_id: row.id for row in work.conn.execute(select(message.c.client_id, message.c.id))}
        return Held(made.submission_id, tuple(to[one] for one in clients))


def states(work: Work, ids: tuple[UUID, ...]) -> list[str]:
    """The states of these messages, in this order."""
    found = {row.id: row.state for row in work.conn.execute(select(message.c.id, message.c.state))}
    return [found[one] for one in ids]


def test_those_that_read_exactly_so_are_counted_and_named(open_work: Opener, desk: Desk) -> None:
    held = held_each(open_work, desk)
    with open_work(desk.firm.b01.manager) as work:
        same = identical_to(work, message_detail(work, held.ids[0]))
        assert same is not None
        assert (same.count, set(same.message_ids)) == (3, {held.ids[0], held.ids[3], held.ids[4]})
        assert same.excerpt == "您好，张三，祝您节日快乐！"
        assert identical_to(work, message_detail(work, held.ids[3])).manifest_digest == same.manifest_digest  # type: ignore[union-attr]
        assert identical_to(work, message_detail(work, held.ids[1])) is None  # alone
        (group,) = groups_of(work, held.submission_id)
        assert (group.count, group.manifest_digest, group.excerpt) == (3, same.manifest_digest, same.excerpt)


def test_one_that_was_read_stands_for_all_that_are_exactly_so(open_work: Opener, desk: Desk) -> None:
    held = held_each(open_work, desk)
    with open_work(desk.firm.b01.manager) as work:
        same = identical_to(work, message_detail(work, held.ids[0]))
        assert same is not None
        with pytest.raises(RuleBroken) as unread:
            approve_identical(work, held.ids[0], same.manifest_digest, 3)
        assert unread.value.rule == "not_read"
        mark_seen(work, [message_detail(work, held.ids[3])])
        done = approve_identical(work, held.ids[0], same.manifest_digest, 3)
        assert (done.count, len(done.decisions)) == (3, 1)
        assert states(work, held.ids) == ["approved", "held", "held", "approved", "approved"]
        made = work.conn.execute(select(decision)).one()
        assert (bytes(made.manifest_digest), made.count) == (same.manifest_digest, 3)


def test_another_number_or_another_group_decides_nothing(open_work: Opener, desk: Desk) -> None:
    team = desk.firm.b01
    held = held_each(open_work, desk)
    with open_work(team.manager) as work:
        mark_seen(work, [message_detail(work, held.ids[0])])
        same = identical_to(work, message_detail(work, held.ids[0]))
        assert same is not None
        with pytest.raises(BadInput, match="3"):
            approve_identical(work, held.ids[0], same.manifest_digest, 41)
        assert set(states(work, held.ids)) == {"held"}
    with open_work(team.advisor) as work:
        edit(work, held.ids[4], "您好，张三，中秋快乐！", team.advisor)
    with open_work(team.manager) as work:
        with pytest.raises(Conflict) as changed:
            approve_identical(work, held.ids[0], same.manifest_digest, 3)
        assert changed.value.details["count"] == 2
        assert set(states(work, held.ids)) == {"held"}


def test_what_can_not_be_approved_is_not_among_them(open_work: Opener, desk: Desk) -> None:
    """Other findings, one's own words, what compliance was asked about, and what is decided already."""
    team = desk.firm.b01
    held = held_each(open_work, desk, ("张三",) * 6)
    with open_work() as work:
        rows = message.update().where(message.c.id == held.ids[1])
        work.conn.execute(rows.values(findings=[FLAG.to_json()], flagged=True))
        rows = message.update().where(message.c.id == held.ids[2])
        work.conn.execute(rows.values(author_id=team.manager.staff_id))
    with open_work(team.manager) as work:
        ask_compliance(work, held.submission_id, "可以吗？", held.ids[3])
        approve(work, held.ids[4:5], as_read(work, held.ids))
        same = identical_to(work, message_detail(work, held.ids[0]))
        assert same is not None
        assert set(same.message_ids) == {held.ids[0], held.ids[5]}
        assert identical_to(work, message_detail(work, held.ids[4])) is None


def test_all_of_them_are_returned_for_the_same_reasons(open_work: Opener, desk: Desk) -> None:
    held = held_each(open_work, desk)
    with open_work(desk.firm.b01.manager) as work:
        same = identical_to(work, message_detail(work, held.ids[0]))
        assert same is not None
        done = return_identical(work, held.ids[0], same.manifest_digest, 3, [desk.reason], "请改称呼")
        assert (done.verb, done.count) == ("return", 3)
        assert states(work, held.ids) == ["returned", "held", "held", "returned", "returned"]
        assert work.conn.execute(select(func.count()).select_from(decision)).scalar_one() == 1


def test_what_was_opened_is_approved_at_once_and_nothing_else(open_work: Opener, desk: Desk) -> None:
    """Mode ``each``: every message read. One that reads exactly like one that was opened is read."""
    team = desk.firm.b01
    held = held_each(open_work, desk)
    with open_work(team.manager) as work:
        assert unflagged_of(work, submission_for(work, held.submission_id)).count == 0
        mark_seen(work, [message_detail(work, held.ids[0])])
        mark_seen(work, [message_detail(work, held.ids[2])])
        bulk = unflagged_of(work, submission_for(work, held.submission_id))
        assert bulk.count == 4
        with pytest.raises(BadInput):
            approve_seen_unflagged(work, held.submission_id, bulk.manifest_digest, 5)
        with pytest.raises(Conflict):
            approve_seen_unflagged(work, held.submission_id, b"other", 4)
        done = approve_seen_unflagged(work, held.submission_id, bulk.manifest_digest, bulk.count)
        assert done.count == 4
        assert states(work, held.ids) == ["approved", "held", "approved", "approved", "approved"]


def test_what_was_opened_in_an_earlier_revision_was_not_read(open_work: Opener, desk: Desk) -> None:
    team = desk.firm.b01
    held = held_each(open_work, desk, ("张三", "李四"))
    with open_work(team.manager) as work:
        mark_seen(work, [message_detail(work, held.ids[0])])
        mark_seen(work, [message_detail(work, held.ids[1])])
    with open_work(team.advisor) as work:
        edit(work, held.ids[0], "您好，张三，中秋快乐！", team.advisor)
        work.conn.execute(message.update().values(flagged=False))
    with open_work(team.manager) as work:
        assert unflagged_of(work, submission_for(work, held.submission_id)).count == 1
    with open_work(team.deputy) as work:
        assert (
            unflagged_of(work, submission_for(work, held.submission_id)).count == 0
        )  # each reads for themselves


def test_flagged_ones_are_decided_one_by_one(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, count=2, findings=(FLAG,))
    with open_work(desk.firm.b01.manager) as work:
        for one in held.ids:
            mark_seen(work, [message_detail(work, one)])
        assert unflagged_of(work, submission_for(work, held.submission_id)).count == 0
