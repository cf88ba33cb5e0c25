"""The approval inbox: approvers in order, absences, escalation, claims, remarks, what each reader last saw."""

from importlib import resources
from typing import cast

import psycopg
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add tables and columns; the rows that are there keep what they say."""
    driver = cast(psycopg.Connection, op.get_bind().connection.driver_connection)
    inbox = (resources.files("outreach.core.migrations") / "0003_inbox.sql").read_text(encoding="utf-8")
    driver.execute(inbox.encode())
