"""P2, art. 63: every way in which one natural person could be two pairs of eyes, by a table and by chance."""

import random
from dataclasses import replace

import pytest
from sqlalchemy import select

from outreach.core.access import Actor, Permission, Role
from outreach.core.errors import Conflict, Forbidden, OutreachError, RuleBroken
from outreach.ledger.tables import ledger_entry
from outreach.ledger.work import Opener, Work
from outreach.people.absence import end_absence
from outreach.people.tables import staff
from outreach.review.decide import return_
from outreach.review.tables import decision
from tests.support.desk import Desk
from tests.support.review_rows import Held, as_read, edit, hold, states
from tests.support.steps import THEN_COMPLIANCE, approve_as_read, as_now, away, policy_of, somebody

# who did what to the message -> by whom the deputy's right would be, and the rule that forbids it
WRITERS = ("author", "queuer", "editor", "template_editor", "second_account")


@pytest.mark.parametrize("wrote", WRITERS)
def test_p2_a_deputy_does_not_decide_on_the_words_of_whom_they_stand_in_for(
    open_work: Opener, desk: Desk, wrote: str
) -> None:
    """An advisor who only stands in for the manager, on what the manager wrote or last edited by whatever account."""
    team = desk.firm.b01
    manager, deputy = team.manager, team.advisors[1]
    with open_work() as work:
        held = _written(work, desk, manager, wrote)
        away(work, manager, deputy)
        acting = as_now(work, deputy)
    with open_work(acting) as work, pytest.raises(RuleBroken, match=manager.name) as refused:
        approve_as_read(work, held.ids)
    assert (refused.value.rule, refused.value.article) == ("four_eyes_deputy", "63")
    with open_work(team.deputy) as work:
        assert approve_as_read(work, held.ids).count == 1


@pytest.mark.parametrize("wrote", WRITERS)
def test_p2_a_deputy_does_not_decide_on_their_own_words(open_work: Opener, desk: Desk, wrote: str) -> None:
    team = desk.firm.b01
    manager, deputy = team.manager, team.advisors[1]
    with open_work() as work:
        held = _written(work, desk, deputy, wrote)
        away(work, manager, deputy)
        acting = as_now(work, deputy)
    with open_work(acting) as work, pytest.raises(RuleBroken):
        approve_as_read(work, held.ids)


def test_a_deputy_decides_for_the_absent_and_the_record_says_so(open_work: Opener, desk: Desk) -> None:
    team = desk.firm.b01
    with open_work() as work:
        held = hold(work, desk.firm, team, policy=desk.each, count=2, author=team.advisor)
    with open_work(team.advisors[1]) as work, pytest.raises(Forbidden):
        approve_as_read(work, held.ids)
    with open_work() as work:
        absence_id = away(work, team.manager, team.advisors[1])
        acting = as_now(work, team.advisors[1])
    with open_work(acting) as work:
        assert approve_as_read(work, held.ids[:1]).verb == "approve"
        return_(work, held.ids[1:], as_read(work, held.ids), [desk.reason], "")
        made = work.conn.execute(select(decision.c.actor_id, decision.c.acting_for)).all()
        assert {tuple(row) for row in made} == {(team.advisors[1].staff_id, team.manager.staff_id)}
        leaves = work.conn.execute(
            select(ledger_entry.c.envelope).where(ledger_entry.c.kind == "decision")
        ).scalars()
        assert all(f'"on_behalf_of":"{team.manager.staff_id}"' in bytes(one).decode() for one in leaves)
    with open_work(team.manager) as work:
        end_absence(work, absence_id)
    with open_work() as work:
        assert as_now(work, team.advisors[1]).stands_in == ()


def test_an_absence_that_ended_meanwhile_ends_the_right_in_the_statement_that_decides(
    open_work: Opener, desk: Desk
) -> None:
    """The page was opened while it lasted."""
    team = desk.firm.b01
    with open_work() as work:
        held = hold(work, desk.firm, team, policy=desk.each, author=team.advisor)
        absence_id = away(work, team.manager, team.advisors[1])
        acting = as_now(work, team.advisors[1])
    with open_work(team.manager) as work:
        end_absence(work, absence_id)
    with open_work(acting) as work, pytest.raises(Conflict):
        approve_as_read(work, held.ids)


def test_who_has_the_right_themselves_decides_in_their_own_name(open_work: Opener, desk: Desk) -> None:
    """Also on what the absent wrote: it is not by their deputyship."""
    team = desk.firm.b01
    with open_work() as work:
        held = hold(work, desk.firm, team, policy=desk.each, author=team.manager)
        away(work, team.manager, team.deputy)
        acting = as_now(work, team.deputy)
    with open_work(acting) as work:
        assert approve_as_read(work, held.ids).count == 1
        assert work.conn.execute(select(decision.c.acting_for)).scalar_one() is None


def test_who_stands_in_for_two_decides_for_the_one_whose_words_it_is_not(
    open_work: Opener, desk: Desk
) -> None:
    team = desk.firm.b01
    with open_work() as work:
        held = hold(work, desk.firm, team, policy=desk.each, author=team.manager)
        away(work, team.manager, team.advisors[1])
        away(work, team.deputy, team.advisors[1])
        acting = as_now(work, team.advisors[1])
    with open_work(acting) as work:
        approve_as_read(work, held.ids)
        assert work.conn.execute(select(decision.c.acting_for)).scalar_one() == team.deputy.staff_id


@pytest.mark.parametrize(
    "second",
    ["same_account", "second_account", "deputy_of_the_first", "same_deputy_twice", "deputys_second_account"],
)
def test_p2_two_steps_are_two_persons(open_work: Opener, desk: Desk, second: str) -> None:
    """Neither by a second account, nor by standing in for, or being stood in for by, who took the step before."""
    team, firm = desk.firm.b01, desk.firm
    with open_work() as work:
        policy = policy_of(work, desk, ("manager", "deputy"), ("manager", "compliance"))
        held = hold(work, desk.firm, team, policy=policy, author=team.advisor)
        first, then = team.manager, team.manager
        if second == "second_account":
            then = somebody(work, "C09", Role.COMPLIANCE, None, person_key=team.manager.person_key)
        elif second == "deputy_of_the_first":
            first = team.manager
            then = team.advisors[1]
        elif second == "same_deputy_twice":
            away(work, team.deputy, team.advisors[1])
            away(work, firm.compliance, firm.head_office)
            away(work, team.manager, team.advisors[1])
            first = then = as_now(work, team.advisors[1])
        elif second == "deputys_second_account":
            twin = somebody(work, "H09", Role.HEAD_OFFICE, None, person_key=team.advisors[1].person_key)
            away(work, team.deputy, team.advisors[1])
            away(work, firm.compliance, twin)
            first, then = as_now(work, team.advisors[1]), as_now(work, twin)
    with open_work(first) as work:
        assert approve_as_read(work, held.ids).verb == "endorse"
    if second == "deputy_of_the_first":
        with open_work() as work:
            away(work, team.manager, team.advisors[1])
            then = as_now(work, then)
    with open_work(then) as work, pytest.raises(RuleBroken) as refused:
        approve_as_read(work, held.ids)
    assert refused.value.rule in ("four_eyes_step", "four_eyes_deputy")
    with open_work(firm.compliance) as work:
        assert approve_as_read(work, held.ids).verb == "approve"


def test_p2_the_absent_does_not_take_the_next_step_after_their_deputy(open_work: Opener, desk: Desk) -> None:
    team = desk.firm.b01
    with open_work() as work:
        policy = policy_of(work, desk, ("manager",), ("manager", "deputy"))
        held = hold(work, desk.firm, team, policy=policy, author=team.advisor)
        away(work, team.manager, team.advisors[1])
        acting = as_now(work, team.advisors[1])
    with open_work(acting) as work:
        approve_as_read(work, held.ids)
    with open_work(team.manager) as work, pytest.raises(RuleBroken):
        approve_as_read(work, held.ids)
    with open_work(team.deputy) as work:
        assert approve_as_read(work, held.ids).verb == "approve"


@pytest.mark.parametrize("seed", range(24))
def test_p2_by_chance_no_person_is_in_it_twice(open_work: Opener, desk: Desk, seed: int) -> None:
    """Random people write, edit, go away and decide; whatever was approved has as many persons as it has parts."""
    chance = random.Random(seed)
    team = desk.firm.b01
    with open_work() as work:
        steps = chance.choice([THEN_COMPLIANCE, (("manager", "deputy"), ("manager", "deputy", "compliance"))])
        policy = policy_of(work, desk, *steps)
        people = [team.manager, team.deputy, *team.advisors, desk.firm.compliance, desk.firm.head_office]
        keys = [one.person_key for one in people]
        people += [
            somebody(work, f"X{n}", role, branch, chance.choice(keys))
            for n, (role, branch) in enumerate(
                [(Role.MANAGER, team.id), (Role.COMPLIANCE, None), (Role.DEPUTY, team.id)]
            )
        ]
        author = chance.choice(people)
        held = hold(work, desk.firm, team, policy=policy, author=author)
        editor = chance.choice(people)
        if chance.random() < 0.5:
            edit(work, held.first, "您好，改过的话。", editor)
        else:
            editor = author
        for one in chance.sample(people, 3):
            try:
                with work.conn.begin_nested():
                    away(work, one, chance.choice(people))
            except OutreachError:
                continue
    order = [chance.choice(people) for _ in range(25)]
    for one in order:
        with open_work() as work:
            actor = as_now(work, one)
        try:
            with open_work(actor) as work:
                approve_as_read(work, held.ids)
        except OutreachError:
            continue
    with open_work() as work:
        made = work.conn.execute(select(decision).order_by(decision.c.at)).all()
        keys_of = {
            row.id: row.person_key for row in work.conn.execute(select(staff.c.id, staff.c.person_key))
        }
        parts = [{keys_of[author.staff_id]}, {keys_of[editor.staff_id]}]
        for row in made:
            parts.append({keys_of[one] for one in (row.actor_id, row.acting_for) if one})
        writers, deciders = parts[0] | parts[1], parts[2:]
        assert all(not writers & one for one in deciders)
        assert all(not one & other for n, one in enumerate(deciders) for other in deciders[:n])
        assert [row.step for row in made] == list(range(1, len(made) + 1))
        assert (states(work, held.ids) == ["approved"]) == (len(made) == 2)


def test_a_chain_of_deputies_passes_on_once_and_never_in_a_ring(open_work: Opener, desk: Desk) -> None:
    team = desk.firm.b01
    first, second, third = team.advisors
    with open_work() as work:
        away(work, team.manager, first)
        away(work, first, second)
        away(work, second, third)
        away(work, third, team.manager)

        def stands_in(actor: Actor) -> set[object]:
            return {one.acting_for for one in as_now(work, actor).stands_in}

        assert stands_in(first) == {team.manager.staff_id}
        assert stands_in(second) == {team.manager.staff_id}
        assert stands_in(third) == set()
        assert stands_in(team.manager) == set()
        held = hold(work, desk.firm, team, policy=desk.each, author=first)
    with open_work() as work:
        acting = as_now(work, second)
        assert acting.stands_in[0].through == first.staff_id
    # The words of whoever passed it on are as little for them as those of whom they stand in for.
    with open_work(acting) as work, pytest.raises(RuleBroken):
        approve_as_read(work, held.ids)


def test_only_decisions_pass_to_a_deputy_and_only_in_that_branch(open_work: Opener, desk: Desk) -> None:
    team = desk.firm.b01
    with open_work() as work:
        away(work, team.manager, team.advisor)
        acting = as_now(work, team.advisor)
    assert acting.scope(Permission.DECIDE) == {team.id}
    assert not acting.may(Permission.IMPORT)
    assert not acting.may(Permission.WATCH_DELIVERY)
    assert acting.roles() == {Role.ADVISOR}
    assert replace(acting, stands_in=()) == acting.in_own_right()


def _written(work: Work, desk: Desk, who: Actor, how: str) -> Held:
    team = desk.firm.b01
    author: Actor | None = team.advisor
    template = None
    if how in ("author", "queuer"):
        author = who
    elif how == "second_account":
        author = somebody(work, "Z09", Role.ADVISOR, team.id, person_key=who.person_key)
    elif how == "template_editor":
        template = desk.template(work, editor=who)
    held = hold(work, desk.firm, team, policy=desk.each, author=author, template=template)
    if how == "editor":
        edit(work, held.first, "您好，改过的话。", who)
    return held
