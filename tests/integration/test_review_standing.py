"""Standing approvals: exactly those versions, unedited and unflagged, for a period, until revoked (P1)."""

import json
from datetime import timedelta
from uuid import UUID

import pytest
from freezegun import freeze_time
from sqlalchemy import select, update

from outreach.content.in_force import lexicons_in_force
from outreach.core import clock
from outreach.core.errors import BadInput, Conflict, RuleBroken
from outreach.ledger.tables import ledger_entry
from outreach.ledger.work import Opener
from outreach.messages.findings import Finding
from outreach.messages.tables import message
from outreach.review.decide import grant_standing, release_standing, revoke_standing
from outreach.review.gate import bound_digests
from outreach.review.inbox import list_waiting
from outreach.review.manifest import Bound, manifest_digest
from outreach.review.standing import standing_in_force
from outreach.review.standing_list import standing_lines
from outreach.review.tables import decision, standing_approval
from tests.support.desk import Desk
from tests.support.review_rows import Held, as_read, edit, hold, states

NOW = "2026-09-21 03:00:00"


def _hold(open_work: Opener, desk: Desk, **overrides: object) -> Held:
    with open_work() as work:
        fields = {
            "policy": desk.standing,
            "template": desk.birthday,
            "mode": "standing",
            "count": 3,
            "lexicon": lexicons_in_force(work.conn)[1],
            **overrides,
        }
        return hold(work, desk.firm, desk.firm.b01, **fields)  # type: ignore[arg-type]


def test_a_grant_releases_what_waits_and_what_comes(open_work: Opener, desk: Desk) -> None:
    first = _hold(open_work, desk)
    with open_work(desk.firm.b01.manager) as work:
        granted = grant_standing(work, first.submission_id, clock.now() + timedelta(days=30))
        assert granted.released == 3
        assert [item.id for item in standing_in_force(work)] == [granted.standing_approval_id]
    second = _hold(open_work, desk)
    with open_work() as work:
        released = release_standing(work, second.submission_id)
        assert (released.verb, released.count) == ("release", 3)
        made = work.conn.execute(select(decision).where(decision.c.id == released.decisions[0])).one()
        assert (made.verb, made.actor_id) == ("release", None)
        assert made.standing_approval_id == granted.standing_approval_id
        assert set(bound_digests(work.conn, second.ids)) == set(second.ids)
        kinds = work.conn.execute(
            select(ledger_entry.c.kind).where(ledger_entry.c.kind.in_(["release", "standing_approval"]))
        )
        assert sorted(kinds.scalars()) == ["release", "release", "standing_approval"]


@pytest.mark.parametrize("what", ["flagged", "edited", "other_template", "other_policy", "other_lexicon"])
def test_what_is_not_exactly_covered_waits_for_a_person(open_work: Opener, desk: Desk, what: str) -> None:
    granted_on = _hold(open_work, desk)
    with open_work(desk.firm.b01.manager) as work:
        grant_standing(work, granted_on.submission_id, clock.now() + timedelta(days=30))
    overrides: dict[str, object] = {"count": 1}
    with open_work() as work:
        if what == "flagged":
            overrides["findings"] = (Finding("tone", "art. 18", "flag", "text", 0, 1, ""),)
        elif what == "other_template":
            overrides["template"] = desk.template(work, editor=desk.firm.head_office)
        elif what == "other_policy":
            overrides["policy"] = desk.other_standing
        elif what == "other_lexicon":
            overrides["lexicon"] = b"\x07" * 32
    held = _hold(open_work, desk, **overrides)
    with open_work() as work:
        if what == "edited":
            edit(work, held.first, "您好，改过的话。", desk.firm.b01.advisor)
        assert release_standing(work, held.submission_id).count == 0
        assert states(work, held.ids) == ["held"]


def test_a_revocation_takes_back_what_is_not_sent(open_work: Opener, desk: Desk) -> None:
    held = _hold(open_work, desk)
    with open_work(desk.firm.b01.manager) as work:
        granted = grant_standing(work, held.submission_id, clock.now() + timedelta(days=30))
    with open_work(desk.firm.b01.deputy) as work:
        assert revoke_standing(work, granted.standing_approval_id) == 3
        assert set(states(work, held.ids)) == {"held"}
        assert bound_digests(work.conn, held.ids) == {}
        with pytest.raises(Conflict):
            revoke_standing(work, granted.standing_approval_id)
    again = _hold(open_work, desk)
    with open_work() as work:
        assert release_standing(work, again.submission_id).count == 0


def test_a_revocation_is_recorded_with_what_it_took_back(open_work: Opener, desk: Desk) -> None:
    held = _hold(open_work, desk)
    with open_work(desk.firm.b01.manager) as work:
        granted = grant_standing(work, held.submission_id, clock.now() + timedelta(days=30))
        on_its_way = message.update().where(message.c.id == held.first)
        work.conn.execute(on_its_way.values(state="claimed"))
    with open_work(desk.firm.b01.manager) as work:
        assert revoke_standing(work, granted.standing_approval_id) == 2
        assert states(work, held.ids) == ["claimed", "held", "held"]
        query = select(ledger_entry.c.envelope).where(ledger_entry.c.kind == "standing_approval")
        entries = [json.loads(bytes(one)) for one in work.conn.execute(query).scalars()]
        entry = next(one for one in entries if one["action"] == "revoke")
        read = as_read(work, held.ids[1:])
        lines = manifest_digest(Bound(key, *value) for key, value in read.items())
        assert (entry["count"], entry["manifest_digest"]) == (2, lines.hex())
        assert entry["actor"] == str(desk.firm.b01.manager.staff_id)
        reasons = set(work.conn.execute(select(message.c.reason).where(message.c.state == "held")).scalars())
        assert reasons == {"standing_revoked"}
        assert [item.waiting for item in list_waiting(work).items] == [2]


def test_what_is_due_after_its_end_is_not_released_and_ends_with_nothing_to_take_back(
    open_work: Opener, desk: Desk
) -> None:
    """An approval that ended lets nothing leave that is due later: it never released it."""
    with freeze_time(NOW) as time:
        soon = _hold(open_work, desk, count=1)
        at_the_end = _hold(open_work, desk, count=1, send_at=clock.now() + timedelta(days=2))
        late = _hold(open_work, desk, count=1, send_at=clock.now() + timedelta(days=5))
        with open_work(desk.firm.b01.manager) as work:
            until = clock.now() + timedelta(days=2)
            assert grant_standing(work, soon.submission_id, until).released == 1
            assert states(work, at_the_end.ids + late.ids) == ["held", "held"]
        time.tick(timedelta(days=2))
        after = _hold(open_work, desk, count=1)
        with open_work() as work:
            assert release_standing(work, after.submission_id).count == 0
            assert standing_in_force(work) == []
            # Held up by quiet hours or a provider, it still goes: it was approved for its day.
            assert set(bound_digests(work.conn, soon.ids)) == set(soon.ids)
        with open_work(desk.firm.b01.manager) as work:
            again = grant_standing(work, late.submission_id, clock.now() + timedelta(days=30))
            assert again.released == 3


def test_they_are_listed_with_who_until_when_and_how_many(open_work: Opener, desk: Desk) -> None:
    team = desk.firm.b01
    with freeze_time(NOW) as time:
        short, long = _hold(open_work, desk), _hold(open_work, desk, policy=desk.other_standing, count=2)
        with open_work(team.manager) as work:
            ends = grant_standing(work, short.submission_id, clock.now() + timedelta(days=1))
        with open_work(team.deputy) as work:
            goes_on = grant_standing(work, long.submission_id, clock.now() + timedelta(days=30))
        revoked = _hold(open_work, desk, template=_another(open_work, desk), count=1)
        with open_work(team.manager) as work:
            gone = grant_standing(work, revoked.submission_id, clock.now() + timedelta(days=9))
            lines = standing_lines(work)
            assert [(one.id, one.released, one.waiting) for one in lines] == [
                (ends.standing_approval_id, 3, 3),
                (gone.standing_approval_id, 1, 1),
                (goes_on.standing_approval_id, 2, 2),
            ]
            assert all(one.state == "in_force" and one.may_revoke for one in lines)
            assert (lines[2].granted_by_name, lines[2].template, lines[2].policy) == (
                team.deputy.name,
                "birthday",
                "other-standing",
            )
            revoke_standing(work, gone.standing_approval_id)
        time.tick(timedelta(days=1))
        with open_work(team.manager) as work:
            lines = standing_lines(work)
            assert [(one.id, one.state, one.waiting) for one in lines] == [
                (goes_on.standing_approval_id, "in_force", 2),
                (ends.standing_approval_id, "ended", 3),
                (gone.standing_approval_id, "revoked", 0),
            ]
            assert lines[2].revoked_by_name == team.manager.name
        with open_work(team.advisor) as work:
            assert not any(one.may_revoke for one in standing_lines(work))
        with open_work(desk.firm.b02.manager) as work:
            assert standing_lines(work) == []
        time.tick(timedelta(days=91))
        with open_work(team.manager) as work:
            assert [one.state for one in standing_lines(work)] == ["ended"]


def _another(open_work: Opener, desk: Desk) -> UUID:
    with open_work() as work:
        return desk.template(work, editor=desk.firm.head_office)


def test_the_gate_knows_a_revoked_release(open_work: Opener, desk: Desk) -> None:
    """A claim that runs while the approval is revoked finds no decision in force."""
    held = _hold(open_work, desk)
    with open_work(desk.firm.b01.manager) as work:
        granted = grant_standing(work, held.submission_id, clock.now() + timedelta(days=30))
    with open_work() as work:
        work.conn.execute(
            update(standing_approval)
            .where(standing_approval.c.id == granted.standing_approval_id)
            .values(revoked_at=clock.now())
        )
        assert bound_digests(work.conn, held.ids) == {}


def test_it_ends_in_time_and_lasts_no_longer_than_the_policy_says(open_work: Opener, desk: Desk) -> None:
    held = _hold(open_work, desk)
    with open_work(desk.firm.b01.manager) as work:
        for until in (clock.now() - timedelta(seconds=1), clock.now() + timedelta(days=4000)):
            with pytest.raises(BadInput):
                grant_standing(work, held.submission_id, until)


def test_nobody_grants_for_their_own_template_or_another_mode(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        own = desk.template(work, editor=desk.firm.b01.manager)
    held = _hold(open_work, desk, template=own)
    other = _hold(open_work, desk, mode="batch", policy=desk.batch)
    until = clock.now() + timedelta(days=1)
    with open_work(desk.firm.b01.manager) as work:
        with pytest.raises(RuleBroken) as refused:
            grant_standing(work, held.submission_id, until)
        assert refused.value.rule == "four_eyes"
        with pytest.raises(RuleBroken) as refused:
            grant_standing(work, other.submission_id, until)
        assert refused.value.rule == "policy_mode"
