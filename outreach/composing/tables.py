"""Rows of drafts that an advisor keeps.

The DDL is in core/migrations; a test holds the two together.
"""

from sqlalchemy import Column, DateTime, Integer, Table, Text, Uuid, text

from outreach.core.database import metadata

compose_draft = Table(
    "compose_draft",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("staff_id", Uuid, nullable=False),
    Column("title", Text, nullable=False, server_default=text("''::text")),
    Column("sealed_id", Uuid, nullable=False),
    Column("client_count", Integer, nullable=False, server_default=text("0")),
    Column("template", Text, nullable=False, server_default=text("''::text")),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("closed_at", DateTime(timezone=True)),
    Column("occurrence_id", Uuid),
)
