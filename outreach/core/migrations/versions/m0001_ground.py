"""The ground: every room's tables, and Procrastinate's own schema."""

from importlib import resources
from typing import cast

import psycopg
from alembic import op
from procrastinate.schema import SchemaManager

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables, then the queue's, then give the application its rights."""
    driver = cast(psycopg.Connection, op.get_bind().connection.driver_connection)
    ground = (resources.files("outreach.core.migrations") / "0001_ground.sql").read_text(encoding="utf-8")
    # The queue first: the grants at the end of the ground cover its tables too.
    driver.execute(SchemaManager.get_schema())
    driver.execute(ground.encode())
