"""Connections, transactions and migrations. PostgreSQL is the only database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from select import POLLIN, poll
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, MetaData, Row, create_engine, event, text
from sqlalchemy.exc import DisconnectionError, OperationalError

from outreach.core import embedded
from outreach.core.engine import deferred, enqueue_deferred, reset_deferred
from outreach.core.errors import Unavailable
from outreach.core.settings import Settings

metadata = MetaData()
AnyRow = Row[*tuple[Any, ...]]

APP_ROLE = "outreach_app"
MINIMUM_VERSION = 150000


def _sqlalchemy_url(conninfo: str) -> str:
    scheme, rest = conninfo.split("://", 1)
    return f"postgresql+psycopg://{rest}" if scheme in {"postgresql", "postgres"} else conninfo


class Database:
    """A pool of connections in the application's role, which owns nothing.

    ``conninfo`` is a libpq URI of the owner; every connection sets the role ``outreach_app`` as it starts.
    """

    def __init__(self, conninfo: str, *, pool_size: int = 8) -> None:
        self.owner_conninfo = conninfo
        joiner = "&" if "?" in conninfo else "?"
        # The backslash-free form of "-c role=outreach_app", percent-encoded for a URI.
        self.conninfo = f"{conninfo}{joiner}options=-c%20role%3D{APP_ROLE}&application_name=outreach"
        self.engine: Engine = create_engine(
            _sqlalchemy_url(self.conninfo),
            pool_size=pool_size,
            max_overflow=pool_size,
            connect_args={"connect_timeout": 10},
        )
        event.listen(self.engine, "checkout", _refuse_closed)
        self._looking = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One transaction: committed at the end with the jobs it deferred, taken back when anything is raised.

        Raises Unavailable when the database can't be reached.
        """
        with _connected(self.engine) as conn, conn.begin():
            reset_deferred(conn)
            yield conn
            enqueue_deferred(conn)

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """A connection without a transaction: each statement is one, and is committed by itself.

        Raises Unavailable when the database can't be reached.
        """
        with _connected(self._looking) as conn:
            yield conn

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()


def _connected(engine: Engine) -> Connection:
    try:
        return engine.connect()
    except OperationalError as error:
        raise Unavailable(f"The database does not answer: {error.orig}".strip()) from error


def _refuse_closed(connection: Any, *_: object) -> None:
    """A connection that the server has closed while it lay in the pool is not used: the pool makes another.

    An idle connection has nothing to read but the news of its end, so no question is asked of the server.
    """
    news = poll()
    if not connection.closed:
        news.register(connection.fileno(), POLLIN)
    if connection.closed or news.poll(0):
        raise DisconnectionError


@contextmanager
def taken_back(conn: Connection) -> Iterator[None]:
    """What is done inside is seen inside, and is as if it had never been afterwards; so are the jobs it deferred."""
    before, savepoint = deferred(conn), conn.begin_nested()
    try:
        yield
    finally:
        savepoint.rollback()
        reset_deferred(conn, before)


def driver(conn: Connection) -> "psycopg.Connection[tuple[object, ...]]":
    """psycopg's connection under ``conn``, for COPY and the queue; the same transaction."""
    connection = conn.connection.driver_connection
    if not isinstance(connection, psycopg.Connection):
        raise TypeError("not a psycopg connection")
    return connection


def open_database(settings: Settings, *, pool_size: int = 8, start: bool = True) -> Database:
    """The database that ``settings`` names, or the embedded one, started when ``start``."""
    if settings.database_url:
        return Database(settings.database_url, pool_size=pool_size)
    data = settings.home / "postgres"
    if start:
        embedded.start(data)
        embedded.ensure_database(data)
    return Database(embedded.conninfo(data), pool_size=pool_size)


def migrate(conninfo: str, revision: str = "head") -> None:
    """Bring the schema to ``revision``, as the owner. Safe to call from several processes at once.

    Raises Unavailable when the server is older than PostgreSQL 15 or not UTF-8.
    """
    engine = create_engine(_sqlalchemy_url(conninfo))
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    try:
        with engine.connect() as conn:
            _check_server(conn)
            conn.execute(text("SELECT pg_advisory_lock(hashtext('outreach.migrate'))"))
            conn.execute(
                text(
                    "DO $$ BEGIN CREATE ROLE outreach_app NOLOGIN; "
                    "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
                )
            )
            conn.execute(text("DO $$ BEGIN EXECUTE format('GRANT outreach_app TO %I', current_user); END $$"))
            conn.commit()
            config.attributes["connection"] = conn
            command.upgrade(config, revision)
            conn.commit()
            conn.execute(text("SELECT pg_advisory_unlock(hashtext('outreach.migrate'))"))
            conn.commit()
    except OperationalError as error:
        raise Unavailable(f"The database does not answer: {error.orig}".strip()) from error
    finally:
        engine.dispose()


def _check_server(conn: Connection) -> None:
    version = int(conn.execute(text("SHOW server_version_num")).scalar_one())
    encoding = conn.execute(text("SHOW server_encoding")).scalar_one()
    if version < MINIMUM_VERSION or encoding != "UTF8":
        raise Unavailable(
            f"The database server is version {version}, encoding {encoding}.",
            mend="Use PostgreSQL 15 or newer with a UTF-8 database.",
        )
