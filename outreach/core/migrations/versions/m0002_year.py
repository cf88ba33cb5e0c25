"""What a branch says in a year: drafts of content, subscriptions, corrections, tokens, attachments, material."""

from importlib import resources
from typing import cast

import psycopg
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the tables; the rows that are there are not touched."""
    driver = cast(psycopg.Connection, op.get_bind().connection.driver_connection)
    year = (resources.files("outreach.core.migrations") / "0002_year.sql").read_text(encoding="utf-8")
    driver.execute(year.encode())
