"""One return of a batch's sample stops it; it goes on by returning the rest, by a larger sample, or one by one."""

import json

import pytest
from sqlalchemy import select

from outreach.core.errors import Conflict, Forbidden, RuleBroken
from outreach.ledger.tables import ledger_entry
from outreach.ledger.work import Opener, Work
from outreach.review.decide import approve, approve_batch, reject, return_, sample_of
from outreach.review.detail import message_detail
from outreach.review.inbox import list_waiting
from outreach.review.rest import rest_of, return_rest
from outreach.review.stopping import resume_batch
from outreach.review.tables import submission
from outreach.web.told import told
from tests.support.desk import Desk
from tests.support.review_rows import Held, as_read, hold, states


def held_batch(open_work: Opener, desk: Desk, count: int = 40) -> Held:
    with open_work() as work:
        return hold(work, desk.firm, desk.firm.b01, policy=desk.batch, mode="batch", count=count)


def stopped(work: Work) -> bool:
    return work.conn.execute(select(submission.c.stopped_at)).scalar_one() is not None


@pytest.mark.parametrize("act", [return_, reject])
def test_giving_back_one_of_the_sample_stops_the_batch(open_work: Opener, desk: Desk, act) -> None:  # type: ignore[no-untyped-def]
    team = desk.firm.b01
    held = held_batch(open_work, desk)
    with open_work(team.manager) as work:
        sampled = sample_of(work, held.submission_id)
        one = sampled.message_ids[:1]
        act(work, one, as_read(work, held.ids), [desk.reason], "")
        assert stopped(work)
        again = sample_of(work, held.submission_id)
        with pytest.raises(RuleBroken) as refused:
            approve_batch(work, held.submission_id, again.manifest_digest, again.message_ids)
        assert refused.value.rule == "batch_stopped"
        assert told("zh-CN", refused.value)[0].startswith(f"{team.manager.name}于 ")
        assert list_waiting(work).items[0].stopped_by == team.manager.name
        assert message_detail(work, again.message_ids[0]).stopped_by == team.manager.name
        entry = work.conn.execute(
            select(ledger_entry.c.envelope).where(ledger_entry.c.kind == "batch")
        ).scalar_one()
        assert json.loads(bytes(entry))["action"] == "stop"


def test_giving_back_another_does_not(open_work: Opener, desk: Desk) -> None:
    held = held_batch(open_work, desk)
    with open_work(desk.firm.b01.manager) as work:
        sampled = sample_of(work, held.submission_id)
        other = [item for item in held.ids if item not in sampled.message_ids][:1]
        return_(work, other, as_read(work, held.ids), [desk.reason], "")
        assert not stopped(work)
        present = sample_of(work, held.submission_id)
        assert present.message_ids == sampled.message_ids
        assert (
            approve_batch(work, held.submission_id, present.manifest_digest, present.message_ids).count == 39
        )


def test_a_message_read_by_itself_stops_nothing(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each, count=3)
    with open_work(desk.firm.b01.manager) as work:
        return_(work, held.ids[:1], as_read(work, held.ids), [desk.reason], "")
        assert not stopped(work)


def stop(work: Work, desk: Desk, held: Held) -> None:
    return_(
        work,
        sample_of(work, held.submission_id).message_ids[:1],
        as_read(work, held.ids),
        [desk.reason],
        "",
    )


def test_it_goes_on_with_another_sample_of_twice_the_size(open_work: Opener, desk: Desk) -> None:
    held = held_batch(open_work, desk)
    with open_work(desk.firm.b01.manager) as work:
        before = sample_of(work, held.submission_id)
        stop(work, desk, held)
        fresh = resume_batch(work, held.submission_id)
        assert fresh == sample_of(work, held.submission_id)
        assert (len(before.message_ids), len(fresh.message_ids), fresh.round) == (5, 10, 2)
        assert set(fresh.message_ids[:5]) != set(before.message_ids)
        with pytest.raises(RuleBroken) as unread:
            approve_batch(work, held.submission_id, fresh.manifest_digest, fresh.message_ids[:5])
        assert unread.value.rule == "policy_sample"
        approve_batch(work, held.submission_id, fresh.manifest_digest, fresh.message_ids)
        kinds = work.conn.execute(
            select(ledger_entry.c.envelope).where(ledger_entry.c.kind == "batch").order_by(ledger_entry.c.id)
        ).scalars()
        actions = [json.loads(bytes(one)) for one in kinds]
        assert [one["action"] for one in actions] == ["stop", "resume"]
        assert actions[1]["sampled"] == 10
        with pytest.raises(Conflict):
            resume_batch(work, held.submission_id)


def test_stopped_twice_the_sample_is_four_times_as_large(open_work: Opener, desk: Desk) -> None:
    held = held_batch(open_work, desk)
    with open_work(desk.firm.b01.manager) as work:
        for size in (10, 20, 37):  # no more than there are
            stop(work, desk, held)
            assert len(resume_batch(work, held.submission_id).message_ids) == size


def test_it_goes_on_only_by_who_may_approve_it(open_work: Opener, desk: Desk) -> None:
    firm = desk.firm
    with open_work() as work:
        held = hold(work, firm, None, policy=desk.firmwide, mode="batch", count=4)
    with open_work(firm.b01.manager) as work:
        mine = [item for item in held.ids if item in _seen(work, held)][:1]
        return_(work, mine, as_read(work, held.ids), [desk.reason], "")
        assert stopped(work)
        with pytest.raises(Forbidden):
            resume_batch(work, held.submission_id)
    with open_work(firm.b01.advisor) as work, pytest.raises(Forbidden):
        resume_batch(work, held.submission_id)
    with open_work(firm.head_office) as work:
        assert resume_batch(work, held.submission_id).count == 3


def _seen(work: Work, held: Held) -> set[object]:
    return set(sample_of(work, held.submission_id).message_ids)


def test_the_rest_is_returned_by_one_decision(open_work: Opener, desk: Desk) -> None:
    held = held_batch(open_work, desk)
    with open_work(desk.firm.b01.manager) as work:
        early = rest_of(work, held.submission_id)
        stop(work, desk, held)
        with pytest.raises(Conflict) as changed:
            return_rest(work, held.submission_id, early.manifest_digest, [desk.reason])
        assert changed.value.details["count"] == 39
        rest = rest_of(work, held.submission_id)
        done = return_rest(work, held.submission_id, rest.manifest_digest, [desk.reason], "称呼不对")
        assert (done.count, len(done.decisions)) == (rest.count, 1)
        assert set(states(work, held.ids)) == {"returned"}


def test_or_each_is_decided_by_itself(open_work: Opener, desk: Desk) -> None:
    held = held_batch(open_work, desk, count=3)
    with open_work(desk.firm.b01.manager) as work:
        stop(work, desk, held)
        left = [item for item in held.ids if item in _seen(work, held)]
        approve(work, left, as_read(work, held.ids))
        assert sorted(states(work, held.ids)) == ["approved", "approved", "returned"]
