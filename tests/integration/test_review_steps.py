"""Several approvers in order: each endorses exactly what was read, in their turn, each another person (P1, P2)."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import insert, select, text, update

from outreach.core import clock
from outreach.core.access import Role
from outreach.core.errors import Conflict, Forbidden, NotFound, RuleBroken
from outreach.core.ids import new_id
from outreach.ledger.tables import ledger_entry
from outreach.ledger.work import Opener, Work
from outreach.messages.tables import message
from outreach.review.batch import approve_batch, sample_of
from outreach.review.decide import approve, reject, return_, undo
from outreach.review.escalation import escalate_due
from outreach.review.gate import bound_digests
from outreach.review.inbox import counts, list_messages, list_waiting
from outreach.review.manifest import Bound, manifest_digest
from outreach.review.remarks import ask_compliance
from outreach.review.tables import decision, decision_digest, submission
from outreach.review.turns import waits_for
from tests.support.desk import Desk
from tests.support.review_rows import Expected, Held, as_read, edit, hold, states
from tests.support.steps import BRANCH, THEN_COMPLIANCE, approve_as_read, policy_of, somebody


@pytest.fixture
def held(open_work: Opener, desk: Desk) -> Held:
    """Two messages that the branch and then compliance have to approve."""
    with open_work() as work:
        policy = policy_of(work, desk, *THEN_COMPLIANCE)
        return hold(work, desk.firm, desk.firm.b01, policy=policy, count=2, author=desk.firm.b01.advisor)


def endorsed(work: Work, held: Held) -> list[int]:
    rows = work.conn.execute(
        select(message.c.endorsed).where(message.c.id.in_(held.ids)).order_by(message.c.id)
    )
    return list(rows.scalars())


def test_the_first_approver_endorses_and_the_last_approves(open_work: Opener, desk: Desk, held: Held) -> None:
    with open_work(desk.firm.b01.manager) as work:
        first = approve_as_read(work, held.ids)
        assert (first.verb, first.count) == ("endorse", 2)
        assert states(work, held.ids) == ["held", "held"]
        assert endorsed(work, held) == [1, 1]
        assert bound_digests(work.conn, held.ids) == {}
    with open_work(desk.firm.compliance) as work:
        last = approve_as_read(work, held.ids)
        assert (last.verb, last.count) == ("approve", 2)
        assert states(work, held.ids) == ["approved", "approved"]
        assert set(bound_digests(work.conn, held.ids)) == set(held.ids)
        steps = work.conn.execute(select(decision.c.verb, decision.c.step).order_by(decision.c.step))
        assert [tuple(row) for row in steps] == [("endorse", 1), ("approve", 2)]
        leaves = work.conn.execute(
            select(ledger_entry.c.envelope)
            .where(ledger_entry.c.kind == "decision")
            .order_by(ledger_entry.c.at)
        ).scalars()
        assert ['"step":1' in bytes(one).decode() for one in leaves] == [True, False]


def test_who_is_not_in_turn_is_told_whose_turn_it_is(open_work: Opener, desk: Desk, held: Held) -> None:
    with open_work(desk.firm.compliance) as work, pytest.raises(Forbidden, match="营业部总经理") as early:
        approve_as_read(work, held.ids)
    assert early.value.details["rule"] == "turn_later"
    with open_work(desk.firm.b01.manager) as work:
        approve_as_read(work, held.ids)
    with open_work(desk.firm.b01.deputy) as work, pytest.raises(Conflict) as late:
        approve_as_read(work, held.ids)
    told = late.value.details["messages"]
    assert {(line["who"], line["what"]) for line in told} == {(desk.firm.b01.manager.name, "endorse")}
    assert len(told) == 2
    with open_work(desk.firm.head_office) as work, pytest.raises(Forbidden):
        approve_as_read(work, held.ids)


def test_any_of_the_approvers_may_return_or_reject(open_work: Opener, desk: Desk, held: Held) -> None:
    with open_work(desk.firm.compliance) as work:
        reject(work, held.ids[:1], as_read(work, held.ids), [desk.reason], "")
    with open_work(desk.firm.b01.manager) as work:
        approve_as_read(work, held.ids[1:])
        return_(work, held.ids[1:], as_read(work, held.ids), [desk.reason], "")
        assert states(work, held.ids) == ["rejected", "returned"]


def test_what_was_returned_is_endorsed_anew(open_work: Opener, desk: Desk, held: Held) -> None:
    """Even when it comes back with the same bytes, and whatever its row says."""
    with open_work(desk.firm.b01.manager) as work:
        approve_as_read(work, held.ids)
        return_(work, held.ids, as_read(work, held.ids), [desk.reason], "")
        assert endorsed(work, held) == [0, 0]
        work.conn.execute(update(message).values(state="held", endorsed=1))
    with open_work(desk.firm.compliance) as work, pytest.raises(Forbidden):
        approve_as_read(work, held.ids)


def test_p1_an_edit_voids_the_endorsement(open_work: Opener, desk: Desk, held: Held) -> None:
    with open_work(desk.firm.b01.manager) as work:
        approve_as_read(work, held.ids)
        edit(work, held.first, "您好，改过的话。", desk.firm.b01.advisor)
    with open_work(desk.firm.compliance) as work, pytest.raises(Forbidden):
        approve_as_read(work, held.ids[:1])
    with open_work(desk.firm.compliance) as work:
        assert approve_as_read(work, held.ids[1:]).verb == "approve"
    with open_work(desk.firm.b01.deputy) as work:
        assert approve_as_read(work, held.ids[:1]).verb == "endorse"


def test_p1_raw_sql_in_place_of_an_endorsement_gains_nothing(
    open_work: Opener, desk: Desk, held: Held
) -> None:
    """``message.endorsed`` is only a shadow: neither the approval nor the last look believes it."""
    with open_work() as work:
        work.conn.execute(update(message).values(endorsed=1))
    with open_work(desk.firm.compliance) as work, pytest.raises(Forbidden):
        approve_as_read(work, held.ids)
    with open_work(desk.firm.b01.manager) as work:
        assert approve_as_read(work, held.ids).verb == "endorse"


@pytest.mark.parametrize(
    "how", ["no_endorsement", "endorsed_after", "first_step", "same_person", "other_policy"]
)
def test_p1_decisions_out_of_order_are_not_believed_at_sending(
    open_work: Opener, desk: Desk, held: Held, how: str
) -> None:
    manager, compliance = desk.firm.b01.manager, desk.firm.compliance
    twin = manager
    with open_work() as work:
        if how == "same_person":
            twin = somebody(work, "C09", Role.COMPLIANCE, None, person_key=manager.person_key)
    with open_work() as work:
        read = as_read(work, held.ids[:1])
        last = _forged(work, held, read, "approve", 1 if how == "first_step" else 2, compliance.staff_id)
        if how == "endorsed_after":
            _forged(work, held, read, "endorse", 1, manager.staff_id)
        elif how in ("first_step", "other_policy"):
            work.conn.execute(update(decision).values(at=clock.now()))
            _forged(work, held, read, "endorse", 1, manager.staff_id, before=last)
        elif how == "same_person":
            work.conn.execute(update(decision).values(actor_id=twin.staff_id))
            _forged(work, held, read, "endorse", 1, manager.staff_id, before=last)
        if how == "other_policy":
            work.conn.execute(update(submission).values(policy_version_id=desk.each))
        work.conn.execute(
            update(message)
            .where(message.c.id == held.first)
            .values(state="approved", decision_id=last, endorsed=1)
        )
        assert bound_digests(work.conn, held.ids) == {}


def test_what_is_forged_in_order_would_be_believed(open_work: Opener, desk: Desk, held: Held) -> None:
    """So that the test before is one of order, not of something else."""
    with open_work() as work:
        read = as_read(work, held.ids[:1])
        last = _forged(work, held, read, "approve", 2, desk.firm.compliance.staff_id)
        _forged(work, held, read, "endorse", 1, desk.firm.b01.manager.staff_id, before=last)
        work.conn.execute(update(message).where(message.c.id == held.first).values(decision_id=last))
        assert set(bound_digests(work.conn, held.ids)) == {held.first}


def _forged(
    work: Work,
    held: Held,
    read: Expected,
    verb: str,
    step: int,
    actor_id: UUID | None,
    before: UUID | None = None,
) -> UUID:
    """A decision written by hand."""
    policy = work.conn.execute(
        select(submission.c.policy_version_id).where(submission.c.id == held.submission_id)
    ).scalar_one()
    at = clock.now()
    if before is not None:
        at = work.conn.execute(select(decision.c.at).where(decision.c.id == before)).scalar_one()
    identifier = new_id()
    [(message_id, (revision, digest))] = read.items()
    work.conn.execute(
        insert(decision).values(
            id=identifier,
            submission_id=held.submission_id,
            verb=verb,
            actor_id=actor_id,
            at=at,
            undo_until=at,
            manifest_digest=manifest_digest([Bound(message_id, revision, digest)]),
            count=1,
            policy_version_id=policy,
            step=step,
        )
    )
    work.conn.execute(
        insert(decision_digest).values(
            decision_id=identifier, message_id=message_id, revision=revision, digest=digest
        )
    )
    return identifier


def test_an_endorsement_can_be_undone_and_voids_what_came_after(
    open_work: Opener, desk: Desk, held: Held
) -> None:
    with open_work(desk.firm.b01.manager) as work:
        first = approve_as_read(work, held.ids)
    with open_work(desk.firm.compliance) as work:
        last = approve_as_read(work, held.ids)
        work.conn.execute(update(message).where(message.c.id == held.first).values(state="claimed"))
    with open_work(desk.firm.b01.manager) as work:
        undone = undo(work, first.decisions[0])
        assert undone.count == 1
        assert [late.message_id for late in undone.too_late] == [held.first]
        assert states(work, held.ids) == ["claimed", "held"]
        assert bound_digests(work.conn, held.ids) == {}
        # Put back by hand, the later approval still binds nothing, even after a new endorsement.
        assert approve_as_read(work, held.ids[1:]).verb == "endorse"
        work.conn.execute(
            update(message)
            .where(message.c.id == held.ids[1])
            .values(state="approved", decision_id=last.decisions[0])
        )
        assert bound_digests(work.conn, held.ids) == {}


def test_the_last_approval_undone_waits_for_the_last_approver_again(
    open_work: Opener, desk: Desk, held: Held
) -> None:
    with open_work(desk.firm.b01.manager) as work:
        approve_as_read(work, held.ids)
    with open_work(desk.firm.compliance) as work:
        last = approve_as_read(work, held.ids)
    with open_work(desk.firm.b01.manager) as work, pytest.raises(Forbidden):
        undo(work, last.decisions[0])
    with open_work(desk.firm.compliance) as work:
        assert undo(work, last.decisions[0]).count == 2
        assert approve_as_read(work, held.ids).verb == "approve"


def test_a_batch_is_endorsed_by_its_manifest_and_sample(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        policy = policy_of(work, desk, *THEN_COMPLIANCE, mode="batch")
        held = hold(work, desk.firm, desk.firm.b01, policy=policy, count=9, mode="batch")
    with open_work(desk.firm.b01.manager) as work:
        sample = sample_of(work, held.submission_id)
        with pytest.raises(RuleBroken):
            approve_batch(work, held.submission_id, sample.manifest_digest, [])
        first = approve_batch(work, held.submission_id, sample.manifest_digest, sample.message_ids)
        assert (first.verb, first.count) == ("endorse", 9)
    with open_work(desk.firm.b01.deputy) as work, pytest.raises(Conflict):
        approve_batch(work, held.submission_id, sample.manifest_digest, sample.message_ids)
    with open_work(desk.firm.compliance) as work:
        again = sample_of(work, held.submission_id)
        assert again.count == 9
        last = approve_batch(work, held.submission_id, again.manifest_digest, again.message_ids)
        assert (last.verb, last.count) == ("approve", 9)
        assert len(bound_digests(work.conn, held.ids)) == 9


def test_a_batch_takes_only_what_is_in_turn(open_work: Opener, desk: Desk) -> None:
    """What came later waits for the first approver; the second is not shown it in the sample."""
    with open_work() as work:
        policy = policy_of(work, desk, *THEN_COMPLIANCE, mode="batch")
        held = hold(work, desk.firm, desk.firm.b01, policy=policy, count=6, mode="batch")
    with open_work(desk.firm.b01.manager) as work:
        approve_as_read(work, held.ids[:4])
        assert sample_of(work, held.submission_id).count == 2
    with open_work(desk.firm.compliance) as work:
        sample = sample_of(work, held.submission_id)
        assert sample.count == 4
        done = approve_batch(work, held.submission_id, sample.manifest_digest, sample.message_ids)
        assert (done.verb, done.count) == ("approve", 4)


def test_compliance_decides_only_where_a_step_names_it(open_work: Opener, desk: Desk, held: Held) -> None:
    compliance = desk.firm.compliance
    with open_work() as work:
        other = hold(work, desk.firm, desk.firm.b01, policy=desk.each, author=desk.firm.b01.advisor)
        firm = hold(work, desk.firm, None, policy=desk.firmwide, count=2, mode="batch")
    for waiting in (other, firm):
        with open_work(compliance) as work, pytest.raises(Forbidden):
            approve_as_read(work, waiting.ids)
        with open_work(compliance) as work, pytest.raises(Forbidden):
            return_(work, waiting.ids, as_read(work, waiting.ids), [desk.reason], "")
    with open_work(desk.firm.b01.manager) as work:
        approve_as_read(work, held.ids[:1])
    with open_work(compliance) as work:
        assert _mine(work) == {held.first}
    with open_work(desk.firm.b01.manager) as work:
        assert _mine(work) == {held.ids[1], other.first}
    with open_work(desk.firm.head_office) as work:
        assert _mine(work) == set(firm.ids)
    with open_work(desk.firm.b01.advisor) as work:
        assert _mine(work) == set()


def test_the_inbox_of_compliance_has_what_waits_for_them(open_work: Opener, desk: Desk, held: Held) -> None:
    """Not what the branch has to decide first; what escalated to them, and what they were asked about, though."""
    with open_work() as work:
        other = hold(work, desk.firm, desk.firm.b01, policy=desk.each, author=desk.firm.b01.advisor)
        late = hold(
            work,
            desk.firm,
            desk.firm.b02,
            policy=policy_of(work, desk, BRANCH, escalation=(("5m", ("compliance",)),)),
            due_by=clock.now() - timedelta(minutes=1),
        )
    with open_work(desk.firm.compliance) as work:
        assert (_listed(work), counts(work).waiting) == (set(), 0)
    with open_work(desk.firm.b01.manager) as work:
        approve_as_read(work, held.ids)
        ask_compliance(work, other.submission_id, "可以这样写吗？")
        assert _listed(work) == {held.submission_id, other.submission_id}
    with open_work() as work:
        escalate_due(work)
        work.conn.execute(update(submission).where(submission.c.escalation > 0).values(escalation=2))
    with open_work(desk.firm.compliance) as work:
        assert _listed(work) == {held.submission_id, other.submission_id, late.submission_id}
        assert len(list_messages(work, held.submission_id).items) == 2
        [view] = work.conn.execute(select(ledger_entry.c.envelope).where(ledger_entry.c.kind == "view"))
        assert str(held.submission_id) in bytes(view.envelope).decode()
        assert counts(work).waiting == 4
        approve_as_read(work, held.ids)
        approve_as_read(work, late.ids)
        assert _listed(work) == {other.submission_id}


def _listed(work: Work) -> set[UUID]:
    return {one.submission.id for one in list_waiting(work).items}


def _mine(work: Work) -> set[UUID]:
    rows = work.conn.execute(
        select(message.c.id)
        .join(submission, submission.c.id == message.c.submission_id)
        .where(message.c.state == "held", waits_for(work))
    )
    return set(rows.scalars())


def test_p7_a_later_approver_of_another_branch_sees_nothing(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        policy = policy_of(work, desk, BRANCH, ("manager",))
        held = hold(work, desk.firm, desk.firm.b01, policy=policy, author=desk.firm.b01.advisor)
    with open_work(desk.firm.b01.deputy) as work:
        approve_as_read(work, held.ids)
    with open_work(desk.firm.b02.manager) as work, pytest.raises(NotFound):
        approve(work, held.ids, {held.first: (1, b"\0" * 32)})


def test_the_digests_of_an_endorsement_cannot_be_deleted(open_work: Opener, desk: Desk, held: Held) -> None:
    with open_work(desk.firm.b01.manager) as work:
        approve_as_read(work, held.ids)
    with open_work() as work:
        rights = work.conn.execute(
            text(
                "SELECT has_table_privilege('decision_digest', 'DELETE'),"
                " has_table_privilege('decision_digest', 'UPDATE')"
            )
        ).one()
    assert tuple(rights) == (False, False)
