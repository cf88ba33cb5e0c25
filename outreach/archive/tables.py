"""Rows of exports.

The DDL is in core/migrations; a test holds the two together.
"""

from sqlalchemy import BigInteger, Column, DateTime, LargeBinary, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from outreach.core.database import metadata

export_run = Table(
    "export_run",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("by_staff_id", Uuid),
    Column("query", JSONB, nullable=False),
    Column("path", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("tree_size", BigInteger),
    Column("records", BigInteger),
    Column("manifest_sha256", LargeBinary),
    Column("error", Text),
)
