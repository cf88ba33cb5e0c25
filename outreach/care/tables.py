"""Rows of tasks.

The DDL is in core/migrations; a test holds the two together.
"""

from sqlalchemy import Column, DateTime, Table, Text, Uuid, text

from outreach.core.database import metadata

task = Table(
    "task",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("branch_id", Uuid),
    Column("client_id", Uuid),
    Column("owner_id", Uuid),
    Column("message_id", Uuid),
    Column("reply_id", Uuid),
    Column("due_by", DateTime(timezone=True), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("done_at", DateTime(timezone=True)),
    Column("done_by", Uuid),
    Column("note", Text, nullable=False, server_default=text("''::text")),
)
