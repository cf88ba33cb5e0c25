"""What staff is told, and the ways by which it goes to them.

The DDL is in core/migrations; a test holds the two together.
"""

from sqlalchemy import Boolean, Column, DateTime, Integer, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from outreach.core.database import metadata

notice = Table(
    "notice",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("staff_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("params", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("sent_at", DateTime(timezone=True)),
    Column("seen_at", DateTime(timezone=True)),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("told_id", Uuid),
    Column("submission_id", Uuid),
    Column("branch_id", Uuid),
    Column("urgent", Boolean, nullable=False, server_default=text("false")),
    Column("not_before", DateTime(timezone=True)),
    Column("routed_at", DateTime(timezone=True)),
    Column("stands_in_for", Uuid),
)

notice_delivery = Table(
    "notice_delivery",
    metadata,
    Column("notice_id", Uuid, primary_key=True),
    Column("way", Text, primary_key=True),
    Column("recipient", Text, nullable=False),
    Column("told_id", Uuid),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("next_try_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Column("outcome", Text, nullable=False, server_default=text("''::text")),
    Column("error", Text, nullable=False, server_default=text("''::text")),
)
