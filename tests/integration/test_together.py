"""Questions that are asked together are answered as if one after the other, in one transaction."""

from uuid import UUID

import psycopg
import pytest
from sqlalchemy import bindparam, event, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from outreach.core.access import in_reach
from outreach.core.database import Database
from outreach.core.ids import new_id
from outreach.core.together import asked, together
from outreach.ledger.work import Opener
from outreach.people.tables import branch

_NEW = insert(branch)
_NAMED = select(branch.c.name, branch.c.time_zone).where(branch.c.id == bindparam("id"))
_HOW_MANY = text("SELECT count(*) AS n FROM branch")
_RENAME = text("UPDATE branch SET name = :name WHERE id = :id")


def new_branch() -> dict[str, object]:
    return {"id": new_id(), "code": "X1", "name": "一号", "name_en": "One"}


def test_each_is_answered_in_its_order_and_sees_what_was_done_before(open_work: Opener) -> None:
    made = new_branch()
    with open_work() as work, together(work.conn) as ask:
        before = ask(_HOW_MANY)
        nothing = ask(_NEW, made)
        after = ask(_HOW_MANY)
        named = ask(_NAMED, id=made["id"])
    assert (before.rows[0].n, after.rows[0].n) == (0, 1)
    assert nothing.rows == []
    assert nothing.one_or_none() is None
    assert named.one_or_none().name == "一号"


def test_a_new_row_has_the_defaults_of_the_columns_that_are_not_given(open_work: Opener) -> None:
    made = new_branch()
    with open_work() as work:
        with together(work.conn) as ask:
            ask(_NEW, made)
            ask(_NEW, made | {"id": new_id(), "code": "X2", "name": "二号", "time_zone": "Europe/Berlin"})
        zones = {row.time_zone for row in work.conn.execute(select(branch.c.time_zone))}
    assert zones == {"Asia/Shanghai", "Europe/Berlin"}


def test_it_is_the_transactions_own(open_work: Opener) -> None:
    made = new_branch()

    def give_up() -> None:
        with open_work() as work:
            asked(work.conn, (_NEW, made))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        give_up()
    with open_work() as work:
        assert asked(work.conn, (_HOW_MANY, {})).rows[0].n == 0
        work.conn.execute(_NEW, made)
        assert asked(work.conn, (_HOW_MANY, {})).rows[0].n == 1


def test_the_first_that_fails_is_raised_and_nothing_of_it_stays(open_work: Opener) -> None:
    made = new_branch()

    def twice() -> None:
        with open_work() as work, together(work.conn) as ask:
            ask(_NEW, made)
            ask(_NEW, made)
            ask(_RENAME, name="二号", id=made["id"])

    with pytest.raises(IntegrityError, match="branch"):
        twice()
    with open_work() as work:
        assert asked(work.conn, (_HOW_MANY, {})).rows[0].n == 0


def test_without_a_transaction_each_stands_for_itself(open_work: Opener) -> None:
    made = new_branch()

    def give_up() -> None:
        with open_work(looking=True) as work:
            work.conn.execute(_NEW, made)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        give_up()
    with open_work(looking=True) as work:
        assert asked(work.conn, (_NAMED, {"id": made["id"]})).one_or_none().time_zone == "Asia/Shanghai"


def test_who_listens_to_statements_hears_of_these_too(open_work: Opener, database: Database) -> None:
    heard: list[tuple[str, UUID]] = []

    def hear(conn: object, cursor: object, statement: str, parameters: dict[str, UUID], *_: object) -> None:
        heard.append((" ".join(statement.split())[:18], parameters.get("id", UUID(int=0))))

    event.listen(database.engine, "before_cursor_execute", hear)
    event.listen(database.engine, "after_cursor_execute", hear)
    one = new_id()
    try:
        with open_work() as work, together(work.conn) as ask:
            ask(_NAMED, id=one)
    finally:
        event.remove(database.engine, "before_cursor_execute", hear)
        event.remove(database.engine, "after_cursor_execute", hear)
    assert heard == [("SELECT branch.name", one)] * 2


def test_a_connection_that_the_server_has_closed_is_not_used_again(
    open_work: Opener, database: Database
) -> None:
    with open_work() as work:
        pid = work.conn.execute(text("SELECT pg_backend_pid()")).scalar_one()
    with psycopg.connect(database.owner_conninfo, autocommit=True) as owner:
        owner.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    with open_work() as work:
        assert work.conn.execute(text("SELECT pg_backend_pid()")).scalar_one() != pid


def test_a_server_that_goes_away_is_told_as_by_any_other_question(
    open_work: Opener, database: Database
) -> None:
    def cut_off() -> None:
        with open_work() as work:
            pid = work.conn.execute(text("SELECT pg_backend_pid()")).scalar_one()
            with psycopg.connect(database.owner_conninfo, autocommit=True) as owner:
                owner.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
            asked(work.conn, (_HOW_MANY, {}))

    with pytest.raises(OperationalError):
        cut_off()
    with open_work() as work:
        assert asked(work.conn, (_HOW_MANY, {})).rows[0].n == 0


def test_p7_a_scope_that_was_forgotten_is_an_error_and_not_the_whole_firm(open_work: Opener) -> None:
    reached = text("SELECT CAST(:scope AS uuid[]) IS NULL AS everywhere")
    named = select(branch.c.name).where(in_reach(branch.c.id))
    with open_work() as work:
        assert asked(work.conn, (reached, {"scope": None})).rows[0].everywhere
    for forgotten in (reached, named):
        with pytest.raises(DBAPIError, match="scope"), open_work() as work:
            asked(work.conn, (forgotten, {}))
