"""A batch is approved once, after its sample was read, on the manifest of all its digests."""

import pytest
from sqlalchemy import func, select

from outreach.core.errors import BadInput, Conflict, RuleBroken
from outreach.ledger.work import Opener
from outreach.messages.findings import Finding
from outreach.review import batch
from outreach.review.decide import approve, approve_batch, return_, sample_of
from outreach.review.manifest import Bound, manifest_digest
from outreach.review.tables import decision, decision_digest, submission
from tests.support.desk import Desk
from tests.support.review_rows import as_read, hold, states


def test_one_decision_binds_the_manifest_of_all_digests(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.batch, mode="batch", count=40)
    with open_work(desk.firm.b01.manager) as work:
        sampled = sample_of(work, held.submission_id)
        assert sampled == sample_of(work, held.submission_id)
        assert 0 < len(sampled.message_ids) < sampled.count == 40
        done = approve_batch(work, held.submission_id, sampled.manifest_digest, sampled.message_ids)
        assert done.count == 40
        made = work.conn.execute(select(decision)).one()
        read = as_read(work, held.ids)
        lines = manifest_digest(Bound(key, *value) for key, value in read.items())
        assert bytes(made.manifest_digest) == lines == sampled.manifest_digest
        bound = work.conn.execute(select(func.count()).select_from(decision_digest)).scalar_one()
        assert bound == made.count == 40
        assert set(states(work, held.ids)) == {"approved"}
        assert work.conn.execute(select(submission.c.state)).scalar_one() == "closed"


def test_the_whole_sample_must_have_been_read(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.batch, mode="batch", count=20)
    with open_work(desk.firm.b01.manager) as work:
        sampled = sample_of(work, held.submission_id)
        with pytest.raises(RuleBroken) as refused:
            approve_batch(work, held.submission_id, sampled.manifest_digest, sampled.message_ids[1:])
        assert refused.value.rule == "policy_sample"
        assert refused.value.details["messages"] == [str(sampled.message_ids[0])]


def test_a_batch_that_changed_is_read_again(open_work: Opener, desk: Desk) -> None:
    """P1: a message added or decided after the sample was drawn voids what was seen."""
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.batch, mode="batch", count=20)
    with open_work(desk.firm.b01.manager) as work:
        before = sample_of(work, held.submission_id)
    with open_work(desk.firm.b01.deputy) as work:
        approve(work, [held.first], as_read(work, [held.first]))
    with open_work(desk.firm.b01.manager) as work:
        with pytest.raises(Conflict) as changed:
            approve_batch(work, held.submission_id, before.manifest_digest, before.message_ids)
        assert changed.value.details["count"] == 19
        again = sample_of(work, held.submission_id)
        done = approve_batch(work, held.submission_id, again.manifest_digest, again.message_ids)
        assert done.count == 19
        assert states(work, held.ids)[0] == "approved"


def test_flagged_messages_are_not_approved_with_the_others(open_work: Opener, desk: Desk) -> None:
    flag = Finding("exaggeration", "art. 17", "flag", "text", 0, 2, "")
    with open_work() as work:
        plain = hold(work, desk.firm, desk.firm.b01, policy=desk.batch, mode="batch", count=4)
        marked = hold(
            work, desk.firm, desk.firm.b01, policy=desk.batch, mode="batch", count=2, findings=(flag,)
        )
    with open_work(desk.firm.b01.manager) as work:
        assert sample_of(work, plain.submission_id).count == 4
        empty = sample_of(work, marked.submission_id)
        assert empty.count == 0
        with pytest.raises(Conflict):
            approve_batch(work, marked.submission_id, empty.manifest_digest, ())


def test_a_large_batch_wants_its_number_typed(open_work: Opener, desk: Desk) -> None:
    count = batch.CONFIRM_ABOVE + 1
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.batch, mode="batch", count=count)
    with open_work(desk.firm.b01.manager) as work:
        sampled = sample_of(work, held.submission_id)
        seen = (held.submission_id, sampled.manifest_digest, sampled.message_ids)
        assert sampled.needs_count
        for typed in (None, count - 1):
            with pytest.raises(BadInput, match=str(count)):
                approve_batch(work, *seen, typed)
        assert approve_batch(work, *seen, count).count == count


def test_what_is_read_one_by_one_is_not_a_batch(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, mode="each", count=2)
    with open_work(desk.firm.b01.manager) as work:
        sampled = sample_of(work, held.submission_id)
        with pytest.raises(RuleBroken) as refused:
            approve_batch(work, held.submission_id, sampled.manifest_digest, sampled.message_ids)
        assert refused.value.rule == "policy_each"


def test_nobody_approves_a_batch_of_their_own_template(open_work: Opener, desk: Desk) -> None:
    """P2: for a job's message the last editor of its template version."""
    manager = desk.firm.b01.manager
    with open_work() as work:
        template = desk.template(work, editor=manager)
        held = hold(
            work, desk.firm, desk.firm.b01, policy=desk.batch, mode="batch", count=3, template=template
        )
    with open_work(manager) as work:
        sampled = sample_of(work, held.submission_id)
        with pytest.raises(RuleBroken) as refused:
            approve_batch(work, held.submission_id, sampled.manifest_digest, sampled.message_ids)
        assert refused.value.rule == "four_eyes"


def test_a_returned_message_leaves_the_batch_open_and_stopped(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.batch, mode="batch", count=3)
    with open_work(desk.firm.b01.manager) as work:
        return_(work, held.ids[:1], as_read(work, held.ids), [desk.reason], "")
        approve(work, held.ids[1:], as_read(work, held.ids))
        assert states(work, held.ids) == ["returned", "approved", "approved"]
        made = work.conn.execute(select(submission)).one()
        assert made.state == "open"
        assert made.stopped_by == desk.firm.b01.manager.staff_id
