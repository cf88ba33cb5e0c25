"""One person works through a submission; the others see so, and nothing is decided past them unless taken over."""

import json
from datetime import timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy import select

from outreach.core import clock
from outreach.core.errors import Conflict, Forbidden, NotFound
from outreach.core.events import ClaimTakenOver, listening
from outreach.ledger.tables import ledger_entry
from outreach.ledger.work import Opener
from outreach.review.claims import LEASE, claim, claim_on, release_claim
from outreach.review.decide import approve, approve_batch, return_, sample_of
from outreach.review.detail import message_detail
from outreach.review.inbox import list_messages, list_waiting
from outreach.review.submissions import submission_for
from outreach.review.tables import submission
from outreach.web.told import told
from tests.support.desk import Desk
from tests.support.review_rows import Held, as_read, hold, states

NOW = "2026-09-21 03:00:00"


def held_batch(open_work: Opener, desk: Desk, count: int = 6) -> Held:
    with open_work() as work:
        return hold(work, desk.firm, desk.firm.b01, policy=desk.batch, mode="batch", count=count)


def test_a_claim_is_seen_renewed_and_given_back(open_work: Opener, desk: Desk) -> None:
    team = desk.firm.b01
    held = held_batch(open_work, desk)
    with freeze_time(NOW) as time, open_work(team.manager) as work:
        made = claim(work, held.submission_id)
        assert (made.by, made.until, made.mine) == (team.manager.name, clock.now() + LEASE, True)
        time.tick(timedelta(minutes=10))
        assert claim(work, held.submission_id).until == made.until + timedelta(minutes=10)
    with freeze_time(NOW), open_work(team.deputy) as work:
        seen = claim_on(work, submission_for(work, held.submission_id))
        assert seen is not None
        assert (seen.by, seen.mine) == (team.manager.name, False)
        assert list_waiting(work).items[0].claim == seen
        assert message_detail(work, held.first).claim == seen
        assert not release_claim(work, held.submission_id)  # not theirs to give
    with freeze_time(NOW), open_work(team.manager) as work:
        assert release_claim(work, held.submission_id)
        assert claim_on(work, submission_for(work, held.submission_id)) is None


def test_another_can_neither_claim_nor_decide_and_is_told_who_and_until_when(
    open_work: Opener, desk: Desk
) -> None:
    team = desk.firm.b01
    held = held_batch(open_work, desk)
    with open_work(team.manager) as work:
        made = claim(work, held.submission_id)
    with open_work(team.deputy) as work:
        sampled = sample_of(work, held.submission_id)
        read = as_read(work, held.ids)
        acts = (
            lambda: claim(work, held.submission_id),
            lambda: approve(work, held.ids[:1], read),
            lambda: return_(work, held.ids[:1], read, [desk.reason], ""),
            lambda: approve_batch(work, held.submission_id, sampled.manifest_digest, sampled.message_ids),
        )
        for act in acts:
            with pytest.raises(Conflict) as refused:
                act()
            assert refused.value.details["kind"] == "claim"
            assert refused.value.details["who"] == team.manager.name
            assert refused.value.details["until"] == made.until.isoformat()
            until = f"{made.until.astimezone(work.settings.zone):%H:%M}"
            assert told("zh-CN", refused.value)[0] == f"{team.manager.name}正在处理，认领至 {until}。"
        assert set(states(work, held.ids)) == {"held"}


def test_taking_over_is_recorded_and_told(open_work: Opener, desk: Desk) -> None:
    team, heard = desk.firm.b01, []
    held = held_batch(open_work, desk)
    with open_work(team.manager) as work:
        claim(work, held.submission_id)
    with open_work(team.deputy) as work, listening(ClaimTakenOver, lambda _, event: heard.append(event)):
        assert claim(work, held.submission_id, take_over=True).mine
        approve(work, held.ids[:1], as_read(work, held.ids))
        row = work.conn.execute(select(ledger_entry.c.envelope).where(ledger_entry.c.kind == "claim")).one()
        envelope = json.loads(bytes(row.envelope))
        assert envelope["action"] == "take_over"
        assert envelope["owner_id"] == str(team.manager.staff_id)
        assert envelope["actor"] == str(team.deputy.staff_id)
    assert heard == [ClaimTakenOver(held.submission_id, team.manager.staff_id, team.deputy.staff_id)]
    with open_work(team.manager) as work, pytest.raises(Conflict):
        approve(work, held.ids[1:], as_read(work, held.ids))


def test_a_claim_ends_by_itself(open_work: Opener, desk: Desk) -> None:
    team = desk.firm.b01
    held = held_batch(open_work, desk)
    with freeze_time(NOW) as time:
        with open_work(team.manager) as work:
            claim(work, held.submission_id)
        time.tick(LEASE)
        with open_work(team.deputy) as work:
            assert claim_on(work, submission_for(work, held.submission_id)) is None
            assert list_waiting(work).items[0].claim is None
            approve(work, held.ids[:1], as_read(work, held.ids))


def test_the_last_decision_ends_the_claim(open_work: Opener, desk: Desk) -> None:
    team = desk.firm.b01
    held = held_batch(open_work, desk, count=2)
    with open_work(team.manager) as work:
        claim(work, held.submission_id)
        return_(work, held.ids[:1], as_read(work, held.ids), [desk.reason], "")
        assert claim_on(work, submission_for(work, held.submission_id)) is not None
        approve(work, held.ids[1:], as_read(work, held.ids))
        made = work.conn.execute(select(submission)).one()
        assert (made.state, made.claimed_by) == ("open", None)  # one is back with its author
        with pytest.raises(NotFound):
            claim(work, made.occurrence_id)


def test_who_may_not_decide_claims_nothing(open_work: Opener, desk: Desk) -> None:
    held = held_batch(open_work, desk)
    with open_work(desk.firm.b01.advisor) as work, pytest.raises(Forbidden):
        claim(work, held.submission_id)
    with open_work(desk.firm.b02.manager) as work, pytest.raises(NotFound):
        claim(work, held.submission_id)


def test_a_branch_is_not_kept_from_its_own_clients_by_head_offices_claim(
    open_work: Opener, desk: Desk
) -> None:
    firm = desk.firm
    with open_work() as work:
        held = hold(work, firm, None, policy=desk.firmwide, mode="batch", count=2)
    with open_work(firm.head_office) as work:
        claim(work, held.submission_id)
    with open_work(firm.b01.manager) as work:
        with pytest.raises(Forbidden):
            claim(work, held.submission_id, take_over=True)
        mine = tuple(line.id for line in list_messages(work, held.submission_id).items)
        return_(work, mine, as_read(work, mine), [desk.reason], "")
