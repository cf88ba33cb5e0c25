"""A submission says in which month's partitions its messages lie."""

from importlib import resources
from typing import cast

import psycopg
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column and fill it from the occurrences; every other row keeps what it says."""
    driver = cast(psycopg.Connection, op.get_bind().connection.driver_connection)
    month = (resources.files("outreach.core.migrations") / "0004_month.sql").read_text(encoding="utf-8")
    driver.execute(month.encode())
