"""The migrations make exactly the tables that the rooms declare, and records can't be rewritten."""

import importlib
import pkgutil
from datetime import UTC, datetime
from uuid import UUID

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

import outreach
from outreach.core.database import Database, metadata, migrate
from outreach.core.ids import new_id


def load_every_table() -> None:
    for found in pkgutil.walk_packages(outreach.__path__, "outreach."):
        if found.name.endswith(".tables"):
            importlib.import_module(found.name)


def test_the_rooms_tables_are_those_of_the_migrations(database: Database) -> None:
    load_every_table()
    with database.begin() as conn:
        partitions = set(
            conn.execute(
                text("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'")
            ).scalars()
        )

        def ours(thing: object, name: str | None, kind: str, *_: object) -> bool:
            # Indexes and foreign keys stand in the migration only; what a query needs has its own tests.
            if kind == "table":
                return name not in partitions and not str(name).startswith(("procrastinate_", "alembic_"))
            return kind == "column"

        context = MigrationContext.configure(conn, opts={"compare_type": True, "include_object": ours})
        differences = [found for found in compare_metadata(context, metadata) if found[0] != "add_fk"]
    assert differences == []


def test_migrating_again_changes_nothing(conninfo: str) -> None:
    migrate(conninfo)
    migrate(conninfo)


@pytest.mark.parametrize(
    "table",
    ["ledger_entry", "ledger_leaf", "ledger_checkpoint", "decision_digest", "message_revision", "left_out"],
)
def test_what_is_a_record_can_not_be_deleted_by_the_application(database: Database, table: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), database.begin() as conn:
        conn.execute(text(f"DELETE FROM {table}"))


def test_months_are_made_ahead_and_take_their_own_rows(database: Database) -> None:
    with database.begin() as conn:
        conn.execute(text("SELECT ensure_month('2044-05-17')"))
        conn.execute(text("SELECT ensure_month('2044-05-01')"))
        names = set(conn.execute(text("SELECT relname FROM pg_class WHERE relname LIKE '%204405'")).scalars())
    assert names == {"message_204405", "message_revision_204405", "attempt_204405", "sealed_record_204405"}


def test_a_uuid7_floor_bounds_the_ids_of_its_instant(database: Database) -> None:
    instant = datetime(2031, 7, 1, tzinfo=UTC)
    with database.begin() as conn:
        floor: UUID = conn.execute(text("SELECT uuid7_floor(:at)"), {"at": instant}).scalar_one()
    assert floor < new_id(instant)
    assert new_id(datetime(2031, 6, 30, 23, 59, 59, 999000, tzinfo=UTC)) < floor
