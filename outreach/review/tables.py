"""Rows of submissions, standing approvals and decisions.

The DDL is in core/migrations; a test holds the two together.
"""

from sqlalchemy import Boolean, Column, DateTime, Integer, LargeBinary, SmallInteger, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY

from outreach.core.database import metadata

submission = Table(
    "submission",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("occurrence_id", Uuid, nullable=False),
    Column("branch_id", Uuid),
    Column("mode", Text, nullable=False),
    Column("policy_version_id", Uuid, nullable=False),
    Column("template_version_id", Uuid),
    Column("title", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("author_id", Uuid),
    Column("urgent", Boolean, nullable=False, server_default=text("false")),
    Column("sample_seed", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("due_by", DateTime(timezone=True), nullable=False),
    Column("send_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("state", Text, nullable=False, server_default=text("'open'::text")),
)

standing_approval = Table(
    "standing_approval",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("branch_id", Uuid),
    Column("template_version_id", Uuid, nullable=False),
    Column("policy_version_id", Uuid, nullable=False),
    Column("lexicon_digest", LargeBinary, nullable=False),
    Column("granted_by", Uuid, nullable=False),
    Column("granted_at", DateTime(timezone=True), nullable=False),
    Column("valid_until", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
    Column("revoked_by", Uuid),
)

decision = Table(
    "decision",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("submission_id", Uuid, nullable=False),
    Column("verb", Text, nullable=False),
    Column("actor_id", Uuid),
    Column("standing_approval_id", Uuid),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("undo_until", DateTime(timezone=True), nullable=False),
    Column("undone_at", DateTime(timezone=True)),
    Column("undone_by", Uuid),
    Column("reasons", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column("note", Text, nullable=False, server_default=text("''::text")),
    Column("manifest_digest", LargeBinary, nullable=False),
    Column("count", Integer, nullable=False),
    Column("policy_version_id", Uuid, nullable=False),
)

decision_digest = Table(
    "decision_digest",
    metadata,
    Column("decision_id", Uuid, primary_key=True),
    Column("message_id", Uuid, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("digest", LargeBinary, nullable=False),
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
    Column("branch_id", Uuid),
    Column("author_id", Uuid, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'held'::text")),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("decided_by", Uuid),
    Column("decided_at", DateTime(timezone=True)),
    Column("note", Text, nullable=False, server_default=text("''::text")),
    Column("valid_until", DateTime(timezone=True)),
)

branch_hold = Table(
    "branch_hold",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("submission_id", Uuid, nullable=False),
    Column("branch_id", Uuid, nullable=False),
    Column("by_staff_id", Uuid, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("reason", Text, nullable=False),
    Column("lifted_at", DateTime(timezone=True)),
    Column("lifted_by", Uuid),
)
