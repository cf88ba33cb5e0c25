"""Out of office: who may enter it for whom, who can be a deputy, and when it ends."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from outreach.core import clock
from outreach.core.access import Role
from outreach.core.errors import BadInput, Conflict, NotFound
from outreach.ledger.append import unseal_bytes
from outreach.ledger.tables import ledger_entry
from outreach.ledger.work import Opener
from outreach.people.absence import (
    absences_of,
    colleagues,
    deputies_for,
    end_absence,
    is_away,
    set_absence,
    standing_in_for,
)
from outreach.people.away import StandsInFor, present
from outreach.people.tables import absence
from tests.support.builders import Firm, change_staff, firm
from tests.support.steps import away, somebody

HOUR = timedelta(hours=1)


@pytest.fixture
def people(open_work: Opener) -> Firm:
    return firm(open_work)


def test_an_absence_lasts_from_its_first_to_its_last_instant(open_work: Opener, people: Firm) -> None:
    team, now = people.b01, clock.now()
    assert team.manager.staff_id
    assert team.deputy.staff_id
    with open_work(team.manager) as work:
        set_absence(work, team.manager.staff_id, now + HOUR, now + 2 * HOUR, team.deputy.staff_id)
        for at, there in ((now, True), (now + HOUR, False), (now + 2 * HOUR, True)):
            assert is_away(work.conn, team.manager.staff_id, at) is not there
            found = standing_in_for(work.conn, team.deputy.staff_id, at)
            assert found == (() if there else (StandsInFor(team.manager.staff_id, None),))


def test_everybody_enters_their_own_a_manager_those_of_the_branch_head_office_all(
    open_work: Opener, people: Firm
) -> None:
    now = clock.now()
    own = people.b01
    allowed = [
        (own.advisor, own.advisor),
        (own.manager, own.advisor),
        (own.manager, own.deputy),
        (people.head_office, own.manager),
        (people.head_office, people.compliance),
        (people.compliance, people.compliance),
        (people.operator, people.operator),
    ]
    refused = [
        (own.advisor, own.manager),
        (own.deputy, own.manager),
        (own.manager, people.b02.advisor),
        (own.manager, people.compliance),
        (people.compliance, own.manager),
        (people.operator, own.advisor),
    ]
    for number, (actor, who) in enumerate(allowed):
        assert who.staff_id
        with open_work(actor) as work:
            start = now + timedelta(days=2 * number)
            set_absence(work, who.staff_id, start, start + HOUR)
            assert who.staff_id in {one.id for one in colleagues(work)}
    for actor, who in refused:
        assert who.staff_id
        with open_work(actor) as work, pytest.raises(NotFound):
            set_absence(work, who.staff_id, now, now + HOUR)
        with open_work(actor) as work:
            assert who.staff_id not in {one.id for one in colleagues(work)}


def test_a_deputy_is_another_person_in_service_who_may_read_there(open_work: Opener, people: Firm) -> None:
    team, now = people.b01, clock.now()
    assert team.manager.staff_id
    with open_work() as work:
        twin = somebody(work, "B01-M2", Role.DEPUTY, team.id, person_key=team.manager.person_key)
        change_staff(work, team.advisors[2], status="left")
    for deputy in (people.b02.manager, people.operator, twin, team.advisors[2], team.manager):
        with open_work(team.manager) as work, pytest.raises(BadInput):
            set_absence(work, team.manager.staff_id, now, now + HOUR, deputy.staff_id)
    with open_work(team.manager) as work:
        offered = {one.id for one in deputies_for(work, [team.manager.staff_id])}
        assert {team.deputy.staff_id, team.advisor.staff_id, people.head_office.staff_id} <= offered
        assert (
            not {people.b02.manager.staff_id, people.operator.staff_id, team.advisors[2].staff_id} & offered
        )
        set_absence(work, team.manager.staff_id, now, now + HOUR, team.advisor.staff_id)


def test_times_fit_and_do_not_overlap(open_work: Opener, people: Firm) -> None:
    manager, now = people.b01.manager, clock.now()
    assert manager.staff_id
    for first, last in (
        (now + HOUR, now),
        (now - 2 * HOUR, now - HOUR),
        (now, now + timedelta(days=400)),
    ):
        with open_work(manager) as work, pytest.raises(BadInput):
            set_absence(work, manager.staff_id, first, last)
    with open_work(manager) as work:
        set_absence(work, manager.staff_id, now, now + 2 * HOUR)
        with pytest.raises(Conflict, match="already"):
            set_absence(work, manager.staff_id, now + HOUR, now + 3 * HOUR)
        set_absence(work, manager.staff_id, now + 2 * HOUR, now + 3 * HOUR)


def test_who_is_away_is_seen_by_their_branch_and_their_deputy(open_work: Opener, people: Firm) -> None:
    team = people.b01
    with open_work() as work:
        away(work, team.manager, people.head_office)
    for actor, sees, ends in (
        (team.manager, True, True),
        (team.advisor, True, False),
        (people.head_office, True, True),
        (people.b02.manager, False, False),
        (people.b02.advisor, False, False),
    ):
        with open_work(actor) as work:
            found = absences_of(work)
            assert len(found) == sees
            assert all((one.mine, one.deputy) == (ends, people.head_office.name) for one in found)


def test_the_end_is_at_once_and_only_by_who_might_have_entered_it(open_work: Opener, people: Firm) -> None:
    team = people.b01
    with open_work() as work:
        absence_id = away(work, team.manager, team.deputy)
    for stranger in (team.deputy, team.advisor, people.b02.manager):
        with open_work(stranger) as work, pytest.raises(NotFound):
            end_absence(work, absence_id)
    with open_work(team.manager) as work:
        end_absence(work, absence_id)
        assert team.deputy.staff_id
        assert standing_in_for(work.conn, team.deputy.staff_id, clock.now()) == ()
        assert absences_of(work) == []
        with pytest.raises(Conflict):
            end_absence(work, absence_id)


def test_the_record_has_both_and_the_note_is_sealed(open_work: Opener, people: Firm) -> None:
    team, now = people.b01, clock.now()
    assert team.manager.staff_id
    with open_work(team.manager) as work:
        absence_id = set_absence(
            work, team.manager.staff_id, now, now + HOUR, team.deputy.staff_id, "  回乡 探亲 "
        )
        [line] = absences_of(work)
        assert line.note == "回乡 探亲"
        end_absence(work, absence_id)
        row = work.conn.execute(select(absence)).one()
        assert unseal_bytes(work, row.note_id).decode() == "回乡 探亲"
        leaves = [
            bytes(one).decode()
            for one in work.conn.execute(
                select(ledger_entry.c.envelope).where(ledger_entry.c.kind == "absence")
            ).scalars()
        ]
    assert [('"action":"away"' in one, '"action":"back"' in one) for one in leaves] == [
        (True, False),
        (False, True),
    ]
    assert all(str(team.deputy.staff_id) in one and "探亲" not in one for one in leaves)


def test_who_is_present_for_whom(open_work: Opener, people: Firm) -> None:
    team = people.b01
    first, second, _ = team.advisors
    with open_work() as work:
        away(work, team.manager, first)
        away(work, team.deputy)

        def there(*whom: object) -> set[object]:
            return present(work.conn, [one.staff_id for one in whom], clock.now())  # type: ignore[attr-defined]

        assert there(team.manager, team.deputy) == {first.staff_id}
        assert there(team.deputy) == set()
        away(work, first, second)
        assert there(team.manager) == {second.staff_id}
        away(work, second, people.head_office)
        assert there(team.manager) == set()
