"""Approving, returning and rejecting what was read (P1, P2, P5)."""

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import ProgrammingError

from outreach.core import clock
from outreach.core.access import Role
from outreach.core.errors import BadInput, Conflict, Forbidden, RuleBroken
from outreach.ledger.append import seal_bytes
from outreach.ledger.tables import ledger_entry
from outreach.ledger.work import Opener
from outreach.messages.findings import Finding
from outreach.messages.payload import Payload, digest, to_bytes
from outreach.messages.tables import message
from outreach.people.staff import NewStaff, actor_for, add_staff
from outreach.review.decide import approve, reject, return_, undo
from outreach.review.gate import bound_digests
from outreach.review.tables import decision, decision_digest
from tests.support.builders import change_client
from tests.support.desk import Desk
from tests.support.review_rows import as_read, edit, hold, states


def test_p1_an_approval_binds_exactly_the_digest_that_was_read(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, author=desk.firm.b01.advisor)
    with open_work(desk.firm.b01.manager) as work:
        read = as_read(work, held.ids)
        done = approve(work, held.ids, read)
        assert done.count == 1
        row = work.conn.execute(select(message).where(message.c.id == held.first)).one()
        assert (row.state, row.decision_id) == ("approved", done.decisions[0])
        assert row.due_at == done.undo_until > done.at
        binding = bound_digests(work.conn, held.ids)[held.first]
        assert (binding.revision, binding.digest) == read[held.first]
        entry = work.conn.execute(select(ledger_entry).where(ledger_entry.c.kind == "decision")).one()
        assert entry.message_id == held.first
        assert str(desk.firm.b01.manager.staff_id) in bytes(entry.envelope).decode()


def test_p1_an_edit_voids_the_decision(open_work: Opener, desk: Desk) -> None:
    """P1: what was read is not what stands there now, so the approval changes nothing."""
    advisor = desk.firm.b01.advisor
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, author=advisor)
        read = as_read(work, held.ids)
        edit(work, held.first, "您好，换了一句话。", advisor)
    with open_work(desk.firm.b01.manager) as work, pytest.raises(Conflict) as lost:
        approve(work, held.ids, read)
    [told] = lost.value.details["messages"]
    assert (told["who"], told["what"], told["revision"]) == (advisor.name, "edit", 2)
    with open_work() as work:
        assert states(work, held.ids) == ["held"]
        assert work.conn.execute(select(decision)).first() is None


def test_a_payload_changed_by_raw_sql_is_seen_by_the_gate(open_work: Opener, desk: Desk) -> None:
    """P1: whatever is written into the message's own row, the gate knows the digest that was approved."""
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, author=desk.firm.b01.advisor)
    with open_work(desk.firm.b01.manager) as work:
        read = as_read(work, held.ids)
        approve(work, held.ids, read)
    forged = to_bytes(Payload(channel="sms", to="+8610019999999", text="换掉的内容"))
    with open_work() as work:
        sealed = seal_bytes(work, forged)
        work.conn.execute(
            text("UPDATE message SET payload_id = :sealed, digest = :digest WHERE id = :id"),
            {"sealed": sealed.id, "digest": digest(forged), "id": held.first},
        )
        assert bound_digests(work.conn, held.ids)[held.first].digest == read[held.first][1] != digest(forged)


def test_the_digests_of_a_decision_cannot_be_rewritten(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, author=desk.firm.b01.advisor)
    with open_work(desk.firm.b01.manager) as work:
        approve(work, held.ids, as_read(work, held.ids))
    with pytest.raises(ProgrammingError, match="permission denied"), open_work() as work:
        work.conn.execute(update(decision_digest).values(digest=b"\0" * 32))


@pytest.mark.parametrize("who", ["author", "last_editor", "second_account", "template_editor"])
def test_p2_nobody_approves_their_own_words(open_work: Opener, desk: Desk, who: str) -> None:
    """P2, art. 63: not the author, not the last editor, not by a second account, not one's own template."""
    manager, advisor = desk.firm.b01.manager, desk.firm.b01.advisor
    decider = manager
    with open_work() as work:
        if who == "second_account":
            twin = NewStaff("B01-M2", "马经理二号", [(Role.MANAGER, desk.firm.b01.id)], person_key="B01-A1")
            decider = actor_for(work.conn, add_staff(work, twin), clock.now().date())
        author = manager if who == "author" else advisor
        template = desk.template(work, editor=manager) if who == "template_editor" else None
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, author=author, template=template)
        if who == "last_editor":
            edit(work, held.first, "您好，由经理改过的话。", manager)
    with open_work(decider) as work, pytest.raises(RuleBroken) as refused:
        approve(work, held.ids, as_read(work, held.ids))
    assert (refused.value.rule, refused.value.article) == ("four_eyes", "63")
    assert refused.value.mend
    with open_work(desk.firm.b01.deputy) as work:
        assert approve(work, held.ids, as_read(work, held.ids)).count == 1


def test_a_blocked_message_is_never_approved(open_work: Opener, desk: Desk) -> None:
    finding = Finding("names_other_client", "art. 14", "block", "text", 0, 2, "删除")
    with open_work() as work:
        held = hold(
            work,
            desk.firm,
            desk.firm.b01,
            policy=desk.each,
            author=desk.firm.b01.advisor,
            findings=(finding,),
        )
    with open_work(desk.firm.b01.manager) as work, pytest.raises(RuleBroken) as refused:
        approve(work, held.ids, as_read(work, held.ids))
    assert (refused.value.rule, refused.value.article) == ("names_other_client", "art. 14")


def test_what_may_no_longer_go_out_is_suppressed_instead(open_work: Opener, desk: Desk) -> None:
    """P5: the rules are asked again at approval; the others of the same decision are approved."""
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, count=3, author=desk.firm.b01.advisor)
        gone = work.conn.execute(select(message.c.client_id).where(message.c.id == held.first)).scalar_one()
        change_client(work, gone, do_not_contact=True)
    with open_work(desk.firm.b01.manager) as work:
        done = approve(work, held.ids, as_read(work, held.ids))
    assert (done.count, done.suppressed) == (2, 1)
    assert done.set_aside[0].code == "do_not_contact"
    with open_work() as work:
        assert states(work, held.ids) == ["suppressed", "approved", "approved"]
        bound = work.conn.execute(select(decision_digest.c.message_id)).scalars().all()
        assert sorted(bound) == list(held.ids[1:])


def test_a_return_needs_a_reason_and_tells_it(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, count=2, author=desk.firm.b01.advisor)
    with open_work(desk.firm.b01.manager) as work:
        read = as_read(work, held.ids)
        with pytest.raises(BadInput):
            return_(work, held.ids, read, [], "  ")
        with pytest.raises(BadInput):
            return_(work, held.ids, read, ["no-such-reason"], "")
        return_(work, held.ids[:1], read, [desk.reason], "请补充称呼。")
        reject(work, held.ids[1:], read, [desk.reason], "")
        assert states(work, held.ids) == ["returned", "rejected"]
        notes = work.conn.execute(select(decision.c.note).order_by(decision.c.at)).scalars().all()
        assert notes == ["请补充称呼。", ""]


def test_an_approval_can_be_undone_until_it_is_claimed(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, count=2, author=desk.firm.b01.advisor)
    with open_work(desk.firm.b01.manager) as work:
        done = approve(work, held.ids, as_read(work, held.ids))
        work.conn.execute(update(message).where(message.c.id == held.first).values(state="claimed"))
        undone = undo(work, done.decisions[0])
        assert undone.count == 1
        assert [(late.message_id, late.state) for late in undone.too_late] == [(held.first, "claimed")]
        assert states(work, held.ids) == ["claimed", "held"]
        assert bound_digests(work.conn, held.ids) == {}
        with pytest.raises(Conflict):
            undo(work, done.decisions[0])


def test_an_alert_has_no_undo_window(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        held = hold(
            work, desk.firm, desk.firm.b01, policy=desk.alert, urgent=True, author=desk.firm.b01.advisor
        )
    with open_work(desk.firm.b01.manager) as work:
        done = approve(work, held.ids, as_read(work, held.ids))
        assert done.undo_until == done.at
        with pytest.raises(Conflict):
            undo(work, done.decisions[0])


def test_an_advisor_and_a_stranger_to_the_policy_may_not_decide(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, author=desk.firm.b01.advisor)
        read = as_read(work, held.ids)
    for actor in (desk.firm.b01.advisors[1], desk.firm.compliance, desk.firm.operator, desk.firm.head_office):
        with open_work(actor) as work, pytest.raises(Forbidden):
            approve(work, held.ids, read)


def test_a_branch_may_hold_back_what_the_firm_sends_to_its_clients(open_work: Opener, desk: Desk) -> None:
    """DESIGN §1: approved once by head office; a branch returns what concerns its own."""
    with open_work() as work:
        held = hold(work, desk.firm, None, policy=desk.firmwide, count=2, mode="batch")
        read = as_read(work, held.ids)
        own = work.conn.execute(
            select(message.c.id).where(message.c.id.in_(held.ids), message.c.branch_id == desk.firm.b01.id)
        ).scalar_one()
    with open_work(desk.firm.b01.manager) as work:
        with pytest.raises(Forbidden):
            approve(work, [own], read)
        return_(work, [own], read, [desk.reason], "")
    with open_work(desk.firm.head_office) as work:
        others = [item for item in held.ids if item != own]
        assert approve(work, others, read).count == 1
