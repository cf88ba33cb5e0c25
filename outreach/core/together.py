"""Questions that do not wait for each other's answers, asked in one round trip (PostgreSQL's pipeline mode).

A page asks a dozen short questions. Asked one by one, most of its time goes by in waking this process and the server in
turn.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from psycopg import Cursor
from psycopg.rows import namedtuple_row
from sqlalchemy import Connection, TextClause, UpdateBase
from sqlalchemy.dialects.postgresql.psycopg import dialect
from sqlalchemy.sql.selectable import SelectBase

from outreach.core.database import driver

Statement = SelectBase | TextClause | UpdateBase  # built once: what it says is kept for ever

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

    def __call__(self, statement: Statement, **params: Any) -> Answer:
        """Ask ``statement``, a constant of its module, with its parameters; psycopg's types go in and come out."""
        words, values = _written(statement)
        cursor = driver(self._conn).cursor(row_factory=namedtuple_row)
        given = {**values, **params}
        for listener in self._conn.dispatch.before_cursor_execute:
            listener(self._conn, cursor, words, given, None, False)
        cursor.execute(words.encode(), given)
        self.asked.append((cursor, words, given))
        return Answer(cursor)


@contextmanager
def together(conn: Connection) -> Iterator[Ask]:
    """Send what is asked within the block at once; the answers are there when it ends.

    They are given in the order of the questions, within the transaction of ``conn``. Raises what the first question
    that failed raises.
    """
    ask = Ask(conn)
    with driver(conn).pipeline():
        yield ask
    for cursor, words, given in ask.asked:
        for listener in conn.dispatch.after_cursor_execute:
            listener(conn, cursor, words, given, None, False)


@cache
def _written(statement: Statement) -> tuple[str, dict[str, Any]]:
    compiled = statement.compile(dialect=_DIALECT)
    return str(compiled), dict(compiled.params)
