"""Rows of schedules and occurrences.

The DDL is in core/migrations; a test holds the two together.
"""

from sqlalchemy import Boolean, Column, Date, DateTime, Table, Text, Uuid, text

from outreach.core.database import metadata

schedule = Table(
    "schedule",
    metadata,
    Column("job_name", Text, primary_key=True),
    Column("high_water", DateTime(timezone=True), nullable=False),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
)

occurrence = Table(
    "occurrence",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("job_name", Text, nullable=False),
    Column("occurrence_key", Text, nullable=False),
    Column("job_version_id", Uuid),
    Column("template_version_id", Uuid),
    Column("policy_version_id", Uuid),
    Column("scheduled_month", Date, nullable=False),
    Column("send_date", Date),
    Column("send_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("feed_item_id", Uuid),
    Column("requested_by", Uuid),
    Column("state", Text, nullable=False, server_default=text("'due'::text")),
    Column("top_up", Boolean, nullable=False, server_default=text("false")),
    Column("composed_at", DateTime(timezone=True)),
    Column("note", Text, nullable=False, server_default=text("''::text")),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

occurrence_item = Table(
    "occurrence_item",
    metadata,
    Column("occurrence_id", Uuid, primary_key=True),
    Column("feed_item_id", Uuid, primary_key=True),
)
