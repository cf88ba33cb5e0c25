"""Rows of submissions, standing approvals and decisions.

The DDL is in core/migrations; a test holds the two together.
"""

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
    Column("text_hash", LargeBinary),
    Column("escalation", SmallInteger, nullable=False, server_default=text("0")),
    Column("escalate_at", DateTime(timezone=True)),
    Column("claimed_by", Uuid),
    Column("claimed_until", DateTime(timezone=True)),
    Column("stopped_at", DateTime(timezone=True)),
    Column("stopped_by", Uuid),
    Column("sample_round", SmallInteger, nullable=False, server_default=text("1")),
    Column("scheduled_month", Date, nullable=False),
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
    Column("step", SmallInteger, nullable=False, server_default=text("1")),
    Column("acting_for", Uuid),
)

decision_digest = Table(
    "decision_digest",
    metadata,
    Column("decision_id", Uuid, primary_key=True),
    Column("message_id", Uuid, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("digest", LargeBinary, nullable=False),
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

remark = Table(
    "remark",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("submission_id", Uuid, nullable=False),
    Column("message_id", Uuid),
    Column("kind", Text, nullable=False),
    Column("staff_id", Uuid, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("sealed_id", Uuid, nullable=False),
    Column("answers", Uuid),
    Column("objects", Boolean),
    Column("closed_at", DateTime(timezone=True)),
)

message_seen = Table(
    "message_seen",
    metadata,
    Column("staff_id", Uuid, primary_key=True),
    Column("message_id", Uuid, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("findings", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("at", DateTime(timezone=True), nullable=False),
)

reading = Table(
    "reading",
    metadata,
    Column("staff_id", Uuid, primary_key=True),
    Column("submission_id", Uuid, nullable=False),
    Column("message_id", Uuid),
    Column("at", DateTime(timezone=True), nullable=False),
)

submission_tally = Table(
    "submission_tally",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("submission_id", Uuid, nullable=False),
    Column("branch_id", Uuid, nullable=False),
    Column("held", Integer, nullable=False),
    Column("flagged", Integer, nullable=False),
    Column("blocked", Integer, nullable=False),
    Column("personal", Integer, nullable=False),
    Column("returned", Integer, nullable=False),
    Column("decided", Integer, nullable=False),
    Column("skipped", Integer, nullable=False),
    Column("alternatives", Integer, nullable=False),
)
