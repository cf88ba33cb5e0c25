"""Rows of attempts, receipts, replies and rate limits.

The DDL is in core/migrations; a test holds the two together.
"""

from sqlalchemy import Boolean, Column, Date, DateTime, Float, LargeBinary, Table, Text, Uuid, text

from outreach.core.database import metadata

attempt = Table(
    "attempt",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("message_id", Uuid, nullable=False),
    Column("scheduled_month", Date, nullable=False),
    Column("provider", Text, nullable=False),
    Column("decision_id", Uuid, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("wire_digest", LargeBinary),
    Column("state", Text, nullable=False),
    Column("claimed_at", DateTime(timezone=True), nullable=False),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    Column("provider_ref", Text),
    Column("error_code", Text),
    Column("error_text", Text),
)

receipt = Table(
    "receipt",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("message_id", Uuid),
    Column("provider", Text, nullable=False),
    Column("provider_ref", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("provider_status", Text, nullable=False),
    Column("error_code", Text),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("settled", Boolean, nullable=False, server_default=text("false")),
)

reply = Table(
    "reply",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("provider_ref", Text, nullable=False),
    Column("from_hash", LargeBinary, nullable=False),
    Column("client_id", Uuid),
    Column("branch_id", Uuid),
    Column("owner_id", Uuid),
    Column("kind", Text, nullable=False),
    Column("body_id", Uuid, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("due_by", DateTime(timezone=True)),
    Column("answered_at", DateTime(timezone=True)),
)

rate_bucket = Table(
    "rate_bucket",
    metadata,
    Column("account", Text, primary_key=True),
    Column("tokens", Float, nullable=False),
    Column("per_second", Float, nullable=False),
    Column("burst", Float, nullable=False),
    Column("refilled_at", DateTime(timezone=True), nullable=False),
)
