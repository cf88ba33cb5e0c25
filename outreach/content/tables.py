"""Rows of published content; never updated.

The DDL is in core/migrations; a test holds the two together.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from outreach.core.database import metadata

content_release = Table(
    "content_release",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("number", BigInteger, Identity(always=True), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("published_by", Uuid, nullable=False),
    Column("approved_by", Uuid, nullable=False),
    Column("bootstrap", Boolean, nullable=False, server_default=text("false")),
    Column("note", Text, nullable=False, server_default=text("''::text")),
)

content_version = Table(
    "content_version",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("files", JSONB, nullable=False),
    Column("release_id", Uuid, nullable=False),
    Column("last_editor", Uuid, nullable=False),
    Column("retired", Boolean, nullable=False, server_default=text("false")),
)

content_draft = Table(
    "content_draft",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("base_version", Integer, nullable=False, server_default=text("0")),
    Column("files", JSONB, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'editing'::text")),
    Column("revision", Integer, nullable=False, server_default=text("1")),
    Column("editor_id", Uuid, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("submitted_at", DateTime(timezone=True)),
    Column("submitted_by", Uuid),
    Column("note", Text, nullable=False, server_default=text("''::text")),
    Column("decided_by", Uuid),
    Column("decided_at", DateTime(timezone=True)),
    Column("decision_note", Text, nullable=False, server_default=text("''::text")),
    Column("release_id", Uuid),
)
