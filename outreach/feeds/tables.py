"""Rows of research reports and market events.

The DDL is in core/migrations; a test holds the two together.
"""

from sqlalchemy import Boolean, Column, DateTime, LargeBinary, SmallInteger, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from outreach.core.database import metadata

feed_item = Table(
    "feed_item",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("item_key", Text, nullable=False),
    Column("issued_at", DateTime(timezone=True), nullable=False),
    Column("code", Text, nullable=False, server_default=text("''::text")),
    Column("item_type", Text, nullable=False, server_default=text("''::text")),
    Column("risk_level", SmallInteger),
    Column("urgent", Boolean, nullable=False, server_default=text("false")),
    Column("expires_at", DateTime(timezone=True)),
    Column("data", JSONB, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("supersedes_id", Uuid),
    Column("superseded_by", Uuid),
    Column("received_at", DateTime(timezone=True), nullable=False),
)
