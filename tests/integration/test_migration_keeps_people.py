"""A database of the version before, with people's lives in it, is brought to this version: every row is as it was,
and the work goes on."""

from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import select

from outreach.composing.requests import RequestDraft, queue_request
from outreach.content.in_force import template_in_force
from outreach.core.database import Database, migrate
from outreach.core.settings import Settings
from outreach.ledger.integrator import integrate
from outreach.ledger.seal import KeyRing
from outreach.ledger.work import Opener, opener
from outreach.messages.tables import message
from outreach.people.consent import opt_out
from outreach.review.decide import approve
from outreach.review.inbox import list_waiting
from tests.support.builders import Firm, firm, make_client, publish_starter

BEFORE = ("0001", "0002", "0003")
Rows = dict[str, list[str]]

_TABLES = """
    SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
       AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
       AND c.relname NOT LIKE 'procrastinate%' AND c.relname <> 'alembic_version'
     GROUP BY c.relname ORDER BY c.relname
"""


@pytest.fixture(params=BEFORE)
def old(conninfo: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database of each version before, on the same server."""
    parts = urlsplit(conninfo)
    name = f"before_{parts.path.lstrip('/')}"
    there = urlunsplit(parts._replace(path=f"/{name}"))
    if not there.startswith(f"{parts.scheme}://"):  # a URI without a host: urlunsplit drops its slashes
        there = there.replace(f"{parts.scheme}:/", f"{parts.scheme}:///", 1)
    with psycopg.connect(conninfo, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    migrate(there, request.param)
    yield there
    with psycopg.connect(conninfo, autocommit=True) as conn:
        conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _columns(conn: psycopg.Connection[tuple[object, ...]]) -> dict[str, list[str]]:
    return {str(row[0]): [str(one) for one in row[1]] for row in conn.execute(_TABLES).fetchall()}


def _copy(source: str, target: str) -> dict[str, list[str]]:
    """Bring the rows of every table that the version before has from one database to the other."""
    with psycopg.connect(source) as here, psycopg.connect(target) as there:
        tables = _columns(there)
        there.execute("SET session_replication_role = replica")
        for table, columns in tables.items():
            names = sql.SQL(", ").join(map(sql.Identifier, columns))
            out = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(names, sql.Identifier(table))
            into = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
            with here.cursor().copy(out) as reading, there.cursor().copy(into) as writing:
                for data in reading:
                    writing.write(data)
    return tables


def _rows(conninfo: str, tables: dict[str, list[str]]) -> Rows:
    with psycopg.connect(conninfo) as conn:
        return {
            table: sorted(
                str(row[0])
                for row in conn.execute(
                    sql.SQL("SELECT ROW({})::text FROM {}").format(
                        sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(table)
                    )
                )
            )
            for table, columns in tables.items()
        }


def _live(open_work: Opener) -> tuple[Firm, UUID]:
    """A firm in the middle of its day: clients, an opt-out, one message approved and one waiting."""
    people = firm(open_work)
    publish_starter(open_work, people)
    with open_work() as work:
        first, second = make_client(work, people.b01, holdings=("600000.SH",)), make_client(work, people.b01)
        opt_out(work, [make_client(work, people.b02)], source="page")
    with open_work(people.b01.advisor) as work:
        approved = queue_request(work, RequestDraft((first,), text="{称呼}，您好！资料已备妥。"))
        waiting = queue_request(work, RequestDraft((second,), text="{称呼}，您好！请您有空回电。"))
    with open_work(people.b01.manager) as work:
        row = work.conn.execute(select(message).where(message.c.id == approved.message_ids[0])).one()
        approve(work, [row.id], {row.id: (row.revision, bytes(row.digest))})
    integrate(open_work)
    return people, waiting.message_ids[0]


def test_every_row_is_kept_and_the_work_goes_on(
    open_work: Opener, conninfo: str, old: str, keys: KeyRing, settings: Settings
) -> None:
    people, waiting = _live(open_work)
    tables = _copy(conninfo, old)
    before = _rows(old, tables)
    for table in (
        "client",
        "contact_point",
        "consent",
        "message",
        "decision",
        "ledger_leaf",
        "content_version",
    ):
        assert before[table], table

    migrate(old)

    assert _rows(old, tables) == before
    database = Database(old, pool_size=2)
    try:
        at_work = opener(database, keys, settings)
        with at_work(people.b01.manager) as work:
            [item] = [one for one in list_waiting(work).items if one.waiting]
            row = work.conn.execute(select(message).where(message.c.id == waiting)).one()
            assert item.submission.id == row.submission_id
            approve(work, [row.id], {row.id: (row.revision, bytes(row.digest))})
            assert template_in_force(work.conn, "mid-autumn").version == 1
        with at_work() as work:
            fresh = make_client(work, people.b01)
        with at_work(people.b01.advisor) as work:
            assert queue_request(work, RequestDraft((fresh,), text="{称呼}，您好！感谢来电。")).message_ids
        integrate(at_work)
    finally:
        database.close()
