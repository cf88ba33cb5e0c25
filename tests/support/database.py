"""A real PostgreSQL for the tests: one embedded cluster for the session, one database for each test."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from outreach.core import embedded
from outreach.core.database import migrate

TEMPLATE = "outreach_template"
_MEMORY = Path("/dev/shm")
_ENOUGH = 3 << 30  # bytes: a worker's cluster takes a few hundred megabytes


_UNSAFE_AND_FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_wal_size": "256MB",
}


def _in_memory() -> Path | None:
    roomy = os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _ENOUGH
    return _MEMORY if roomy else None


@contextmanager
def cluster() -> Iterator[Path]:
    """A migrated cluster in a folder of its own, removed at the end; in memory where there is plenty, for each test
    makes a database of more than a thousand files."""
    root = Path(tempfile.mkdtemp(prefix="outreach-test-", dir=_in_memory()))
    root.chmod(0o755)
    data = root / "postgres"
    embedded.start(data)
    try:
        with psycopg.connect(embedded.conninfo(data, "postgres"), autocommit=True) as conn:
            for name, value in _UNSAFE_AND_FAST.items():
                conn.execute(
                    sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(value))
                )
            conn.execute("SELECT pg_reload_conf()")
        embedded.ensure_database(data, TEMPLATE)
        migrate(embedded.conninfo(data, TEMPLATE))
        yield data
    finally:
        embedded.stop(data)
        shutil.rmtree(root, ignore_errors=True)
        shutil.rmtree(embedded.socket_dir(data), ignore_errors=True)


@contextmanager
def fresh_database(data: Path) -> Iterator[str]:
    """The owner's connection string of a new database, a copy of the migrated template."""
    name = f"test_{os.getpid()}_{uuid.uuid4().hex[:10]}"
    with psycopg.connect(embedded.conninfo(data, "postgres"), autocommit=True) as conn:
        conn.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                sql.Identifier(name), sql.Identifier(TEMPLATE)
            )
        )
    try:
        yield embedded.conninfo(data, name)
    finally:
        with psycopg.connect(embedded.conninfo(data, "postgres"), autocommit=True) as conn:
            conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
