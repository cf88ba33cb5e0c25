"""Rows of messages, their revisions, who was left out, and what may be attached.

The DDL is in core/migrations; a test holds the two together.
"""

from datetime import date
from typing import Protocol
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from outreach.core.database import metadata


class Placed(Protocol):
    """A row of ``message``, or what stands for one: its id, and the month of its partition."""

    @property
    def id(self) -> UUID: ...

    @property
    def scheduled_month(self) -> date: ...


message = Table(
    "message",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("scheduled_month", Date, primary_key=True),
    Column("occurrence_id", Uuid, nullable=False),
    Column("submission_id", Uuid, nullable=False),
    Column("branch_id", Uuid, nullable=False),
    Column("client_id", Uuid, nullable=False),
    Column("advisor_id", Uuid),
    Column("author_id", Uuid),
    Column("last_editor_id", Uuid),
    Column("channel", Text, nullable=False),
    Column("contact_point_id", Uuid),
    Column("address_hash", LargeBinary, nullable=False),
    Column("category", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("template_version_id", Uuid),
    Column("lexicon_digest", LargeBinary, nullable=False),
    Column("risk_level", SmallInteger),
    Column("product_codes", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column("advice", Boolean, nullable=False, server_default=text("false")),
    Column("revision", Integer, nullable=False, server_default=text("1")),
    Column("digest", LargeBinary, nullable=False),
    Column("payload_id", Uuid, nullable=False),
    Column("state", Text, nullable=False),
    Column("state_at", DateTime(timezone=True), nullable=False),
    Column("reason", Text),
    Column("reason_params", JSONB),
    Column("findings", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("flagged", Boolean, nullable=False, server_default=text("false")),
    Column("blocked", Boolean, nullable=False, server_default=text("false")),
    Column("urgent", Boolean, nullable=False, server_default=text("false")),
    Column("send_at", DateTime(timezone=True), nullable=False),
    Column("send_window", Text, nullable=False, server_default=text("'09:00-20:00'::text")),
    Column("time_zone", Text, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("due_at", DateTime(timezone=True)),
    Column("decision_id", Uuid),
    Column("claim_token", Uuid),
    Column("lease_until", DateTime(timezone=True)),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("fallback_of", Uuid),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("text_hash", LargeBinary),
    Column("endorsed", SmallInteger, nullable=False, server_default=text("0")),
)

message_revision = Table(
    "message_revision",
    metadata,
    Column("message_id", Uuid, primary_key=True),
    Column("scheduled_month", Date, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("payload_id", Uuid, nullable=False),
    Column("editor_id", Uuid),
    Column("at", DateTime(timezone=True), nullable=False),
)

greeting_slot = Table(
    "greeting_slot",
    metadata,
    Column("send_date", Date, primary_key=True),
    Column("occasion", Text, primary_key=True),
    Column("address_hash", LargeBinary, primary_key=True),
    Column("message_id", Uuid, nullable=False),
)

left_out = Table(
    "left_out",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("occurrence_id", Uuid, nullable=False),
    Column("client_id", Uuid, nullable=False),
    Column("branch_id", Uuid, nullable=False),
    Column("channel", Text, nullable=False, server_default=text("''::text")),
    Column("rule", Text, nullable=False),
    Column("params", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("reason", Text, nullable=False),
    Column("mend", Text, nullable=False),
    Column("article", Text, nullable=False, server_default=text("''::text")),
    Column("at", DateTime(timezone=True), nullable=False),
)

attachment = Table(
    "attachment",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("sha256", LargeBinary, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sealed_id", Uuid, nullable=False),
    Column("branch_id", Uuid),
    Column("uploaded_by", Uuid, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)

material = Table(
    "material",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("title", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("risk_level", SmallInteger),
    Column("advice", Boolean, nullable=False, server_default=text("false")),
    Column("attachment_id", Uuid, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("branch_id", Uuid),
    Column("author_id", Uuid, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'held'::text")),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("decided_by", Uuid),
    Column("decided_at", DateTime(timezone=True)),
    Column("reasons", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column("note", Text, nullable=False, server_default=text("''::text")),
    Column("valid_until", DateTime(timezone=True)),
)
