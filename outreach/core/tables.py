"""Rows of files that were dropped into a watched folder.

The DDL is in core/migrations; a test holds the two together.
"""

from sqlalchemy import BigInteger, Column, DateTime, LargeBinary, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from outreach.core.database import metadata

dropped_file = Table(
    "dropped_file",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("folder", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("counts", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("detail", Text, nullable=False, server_default=text("''::text")),
    Column("at", DateTime(timezone=True), nullable=False),
)
