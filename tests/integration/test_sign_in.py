"""Signing in: the right password, the limit on attempts, and the same words for everybody who may not."""

from datetime import timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy import select, text, update

from outreach.auth import sessions
from outreach.auth.passwords import set_password
from outreach.auth.signin import PER_NAME, PER_SOURCE, WINDOW, SignInRefused, sign_in_as
from outreach.auth.tables import account
from outreach.core import clock
from outreach.core.access import SYSTEM, Actor
from outreach.core.errors import BadInput
from outreach.ledger.work import Opener
from outreach.people.tables import staff
from tests.support.builders import Firm, firm

WORD = "care and patience"


@pytest.fixture
def people(open_work: Opener) -> Firm:
    made = firm(open_work)
    give(open_work, made.b01.manager, "Manager")
    return made


def give(open_work: Opener, actor: Actor, username: str, password: str = WORD) -> None:
    assert actor.staff_id is not None
    with open_work(SYSTEM) as work:
        set_password(work, actor.staff_id, username, password)


def refused(open_work: Opener, username: str, password: str, source: str = "") -> str:
    with pytest.raises(SignInRefused) as error:
        sign_in_as(open_work, username, password, source)
    return str(error.value)


def test_the_right_password_says_who_it_is(open_work: Opener, people: Firm) -> None:
    actor = sign_in_as(open_work, " MANAGER ", WORD)
    assert actor.staff_id == people.b01.manager.staff_id
    assert actor.grants == people.b01.manager.grants


def test_the_hash_is_argon2id_and_the_password_is_nowhere(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        stored = work.conn.execute(select(account.c.password_hash)).scalar_one()
        found = work.conn.execute(
            text("SELECT count(*) FROM ledger_entry WHERE convert_from(envelope, 'UTF8') LIKE '%patience%'")
        ).scalar_one()
    assert stored.startswith("$argon2id$")
    assert found == 0


def test_nobody_wrong_and_left_hear_the_same_words(open_work: Opener, people: Firm) -> None:
    give(open_work, people.b01.deputy, "deputy")
    give(open_work, people.b01.advisor, "advisor")
    with open_work() as work:
        work.conn.execute(update(staff).where(staff.c.id == people.b01.deputy.staff_id).values(status="left"))
        work.conn.execute(
            update(account).where(account.c.staff_id == people.b01.advisor.staff_id).values(disabled=True)
        )
    said = {
        refused(open_work, "nobody", WORD),
        refused(open_work, "manager", "wrong"),
        refused(open_work, "deputy", WORD),
        refused(open_work, "advisor", WORD),
    }
    assert len(said) == 1


@freeze_time("2026-11-23 01:00:00")
def test_five_failures_close_the_door_for_a_quarter_of_an_hour(open_work: Opener, people: Firm) -> None:
    for _ in range(PER_NAME):
        assert "wrong" in refused(open_work, "manager", "wrong")
    assert "Too many attempts" in refused(open_work, "manager", WORD)
    # Trying on does not push the end further away.
    assert "15 minutes" in refused(open_work, "manager", WORD)
    with freeze_time(clock.now() + WINDOW + timedelta(seconds=1)):
        assert sign_in_as(open_work, "manager", WORD).staff_id == people.b01.manager.staff_id


@freeze_time("2026-11-23 01:00:00")
def test_a_success_begins_the_count_anew(open_work: Opener, people: Firm) -> None:
    with freeze_time("2026-11-23 01:00:00", tick=True):
        for _ in range(2):
            for _ in range(PER_NAME - 1):
                refused(open_work, "manager", "wrong")
            sign_in_as(open_work, "manager", WORD)


@freeze_time("2026-11-23 01:00:00")
def test_one_source_can_not_try_many_names(open_work: Opener, people: Firm) -> None:
    for number in range(PER_SOURCE):
        refused(open_work, f"name{number}", "guess", "203.0.113.7")
    assert "Too many attempts" in refused(open_work, "manager", WORD, "203.0.113.7")
    assert sign_in_as(open_work, "manager", WORD, "203.0.113.8")


def test_every_attempt_is_in_the_record(open_work: Opener, people: Firm) -> None:
    sign_in_as(open_work, "manager", WORD)
    refused(open_work, "manager", "wrong")
    with open_work() as work:
        kinds = work.conn.execute(
            text(
                "SELECT convert_from(envelope, 'UTF8')::json->>'outcome' FROM ledger_entry"
                " WHERE kind = 'signin' ORDER BY at"
            )
        ).scalars()
        assert list(kinds) == ["password-set", "accepted", "refused"]


@pytest.mark.parametrize(("username", "password"), [("", WORD), ("x", "short"), ("x", "y" * 201)])
def test_unusable_names_and_passwords_are_refused(
    open_work: Opener, people: Firm, username: str, password: str
) -> None:
    with pytest.raises(BadInput):
        give(open_work, people.b02.manager, username, password)


def test_a_taken_name_is_refused(open_work: Opener, people: Firm) -> None:
    with pytest.raises(BadInput, match="somebody else"):
        give(open_work, people.b02.manager, "MANAGER")


def test_a_new_password_ends_every_session(open_work: Opener, people: Firm) -> None:
    manager = people.b01.manager.staff_id
    assert manager is not None
    with open_work() as work:
        cookie = sessions.begin(work, manager)
    assert sessions.resume(open_work, cookie) is not None
    give(open_work, people.b01.manager, "manager", "another one")
    assert sessions.resume(open_work, cookie) is None
    refused(open_work, "manager", WORD)


def test_a_session_ends_by_itself_and_by_signing_out(open_work: Opener, people: Firm) -> None:
    manager = people.b01.manager.staff_id
    assert manager is not None
    with freeze_time("2026-11-23 01:00:00") as now:
        with open_work() as work:
            cookie, other = sessions.begin(work, manager), sessions.begin(work, manager)
        now.tick(sessions.IDLE - timedelta(minutes=1))
        assert sessions.resume(open_work, cookie) is not None
        now.tick(sessions.IDLE - timedelta(minutes=1))
        assert sessions.resume(open_work, cookie) is not None
        assert sessions.resume(open_work, other) is None
        with open_work() as work:
            sessions.end(work, cookie)
        assert sessions.resume(open_work, cookie) is None
    assert sessions.resume(open_work, "forged") is None
