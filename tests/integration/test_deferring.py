"""Jobs are enqueued as the last act of a transaction, so that no two transactions wait for each other."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import text

from outreach.core.database import Database, taken_back
from outreach.core.engine import defer
from outreach.ledger.append import Entry, record
from outreach.ledger.work import Opener


def _waiting(database: Database) -> list[tuple[str, str]]:
    with database.begin() as conn:
        rows = conn.execute(
            text("SELECT task_name, queueing_lock FROM procrastinate_jobs WHERE status = 'todo' ORDER BY 2")
        ).all()
    return [(row.task_name, row.queueing_lock) for row in rows]


def test_transactions_that_defer_in_opposite_orders_both_commit(database: Database) -> None:
    both = Barrier(2)

    def go(first: str, second: str) -> None:
        with database.begin() as conn:
            defer(conn, first, lock=first)
            both.wait(10)
            defer(conn, second, lock=second)
            both.wait(10)

    with ThreadPoolExecutor(2) as pool:
        for _ in range(10):
            with database.begin() as conn:
                conn.execute(text("DELETE FROM procrastinate_jobs"))
            runs = [
                pool.submit(go, "dispatch", "integrate"),
                pool.submit(go, "integrate", "dispatch"),
            ]
            for run in runs:
                run.result(timeout=30)
            assert _waiting(database) == [("dispatch", "dispatch"), ("integrate", "integrate")]


def test_an_open_transaction_with_an_entry_keeps_no_other_waiting(open_work: Opener) -> None:
    with open_work() as long:
        record(long, Entry("write_back", {"number": 1}))
        with open_work() as short:
            short.conn.execute(text("SET LOCAL lock_timeout = '2s'"))
            record(short, Entry("write_back", {"number": 2}))
    with open_work() as work:
        assert work.conn.execute(text("SELECT count(*) FROM ledger_pending")).scalar_one() == 2


def test_what_was_taken_back_is_not_enqueued_then_or_later(conninfo: str) -> None:
    database = Database(conninfo, pool_size=1)

    def fail() -> None:
        with database.begin() as conn:
            defer(conn, "dispatch", lock="dispatch")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert _waiting(database) == []
    with database.begin() as conn:
        defer(conn, "integrate", lock="integrate")
    assert _waiting(database) == [("integrate", "integrate")]
    database.close()


def test_what_a_part_that_is_taken_back_deferred_goes_with_it(database: Database) -> None:
    with database.begin() as conn:
        defer(conn, "integrate", lock="integrate")
        with taken_back(conn):
            defer(conn, "dispatch", lock="dispatch")
    assert _waiting(database) == [("integrate", "integrate")]


def test_one_job_of_a_lock_waits_and_another_beside_the_one_that_runs(database: Database) -> None:
    for _ in range(2):
        with database.begin() as conn:
            defer(conn, "dispatch", lock="dispatch")
    assert _waiting(database) == [("dispatch", "dispatch")]
    with database.begin() as conn:
        conn.execute(text("UPDATE procrastinate_jobs SET status = 'doing'"))
    with database.begin() as conn:
        defer(conn, "dispatch", lock="dispatch")
    assert _waiting(database) == [("dispatch", "dispatch")]


def test_a_name_that_no_worker_knows_is_refused_at_once(database: Database) -> None:
    with database.begin() as conn, pytest.raises(KeyError):
        defer(conn, "unheard_of", lock="unheard_of")
