"""Questions that do not wait for each other's answers, asked in one round trip (PostgreSQL's pipeline mode).

A page asks a dozen short questions. Asked one by one, most of its time goes by in waking this process and the server in
turn.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import psycopg
from psycopg import Cursor
from psycopg.rows import namedtuple_row
from sqlalchemy import Connection, Insert, TextClause, UpdateBase
from sqlalchemy.dialects.postgresql.psycopg import dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.selectable import SelectBase

from outreach.core.database import driver

Statement = SelectBase | TextClause | UpdateBase  # built once: what it says is kept
Question = tuple[Statement, Mapping[str, Any]]  # a statement and its parameters

_DIALECT = dialect()  # type: ignore[no-untyped-call]


class Answer:
    """The rows of one question, once its block has ended; each has its columns by name."""

    def __init__(self, cursor: Cursor[Any]) -> None:
        self._cursor = cursor
        self._rows: list[Any] | None = None

    @property
    def rows(self) -> list[Any]:
        """All of them; none where the statement answers nothing."""
        if self._rows is None:
            self._rows = self._cursor.fetchall() if self._cursor.description else []
        return self._rows

    def one_or_none(self) -> Any:
        """The first row, None when there is none."""
        return self.rows[0] if self.rows else None


class Ask:
    """Takes the questions of one block of ``together``."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self.asked: list[tuple[Cursor[Any], str, dict[str, Any]]] = []

    def __call__(self, statement: Statement, params: Mapping[str, Any] | None = None, **more: Any) -> Answer:
        """Ask ``statement``, which is built once, with its parameters; psycopg's types go in and come out."""
        given = {**(params or {}), **more}
        # An INSERT names the columns that it is given, and leaves the others their defaults.
        words, values = _written(statement, tuple(given) if isinstance(statement, Insert) else None)
        cursor = driver(self._conn).cursor(row_factory=namedtuple_row)
        given = {**values, **given}
        for listener in self._conn.dispatch.before_cursor_execute:
            listener(self._conn, cursor, words, given, None, False)
        cursor.execute(words.encode(), given)
        self.asked.append((cursor, words, given))
        return Answer(cursor)


@contextmanager
def together(conn: Connection) -> Iterator[Ask]:
    """Send what is asked within the block at once; the answers are there when it ends.

    They are given in the order of the questions, within the transaction of ``conn``, of which nothing else may be asked
    until then. Raises what SQLAlchemy would raise when one of them fails.
    """
    ask = Ask(conn)
    try:
        with driver(conn).pipeline():
            yield ask
    except psycopg.Error as error:
        raise _told(conn, ask, error) from error
    for cursor, words, given in ask.asked:
        for listener in conn.dispatch.after_cursor_execute:
            listener(conn, cursor, words, given, None, False)


def asked(conn: Connection, question: Question) -> Answer:
    """The answer to one question, which ``together`` would ask with others."""
    with together(conn) as ask:
        return ask(*question)


def _told(conn: Connection, ask: Ask, error: psycopg.Error) -> BaseException:
    gone = conn.dialect.is_disconnect(error, conn.connection.dbapi_connection, None)  # type: ignore[arg-type]
    if gone:
        conn.invalidate(error)
    return DBAPIError.instance(
        "; ".join(words for _, words, _ in ask.asked),
        {},
        error,
        psycopg.Error,
        hide_parameters=True,  # they may be a client's words
        connection_invalidated=gone,
        dialect=conn.dialect,
    )


@lru_cache(maxsize=512)
def _written(statement: Statement, columns: tuple[str, ...] | None) -> tuple[str, dict[str, Any]]:
    compiled = statement.compile(dialect=_DIALECT, column_keys=columns)
    # A parameter that nobody gives is an error, and never NULL: a scope of NULL is the whole firm.
    fixed = {name: value for name, value in compiled.params.items() if not compiled.binds[name].required}
    return str(compiled), fixed
