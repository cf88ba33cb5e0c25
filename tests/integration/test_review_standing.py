"""Standing approvals: exactly those versions, unedited and unflagged, for a period, until revoked (P1)."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from outreach.content.in_force import lexicons_in_force
from outreach.core import clock
from outreach.core.errors import BadInput, Conflict, RuleBroken
from outreach.ledger.tables import ledger_entry
from outreach.ledger.work import Opener
from outreach.messages.findings import Finding
from outreach.review.decide import grant_standing, release_standing, revoke_standing
from outreach.review.gate import bound_digests
from outreach.review.standing import standing_in_force
from outreach.review.tables import decision, standing_approval
from tests.support.desk import Desk
from tests.support.review_rows import Held, edit, hold, states


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
