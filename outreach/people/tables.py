"""Rows of branches, staff, clients and what belongs to them.

The DDL is in core/migrations; a test holds the two together.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    LargeBinary,
    Numeric,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from outreach.core.database import metadata

branch = Table(
    "branch",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("code", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("time_zone", Text, nullable=False, server_default=text("'Asia/Shanghai'::text")),
    Column("phone", Text, nullable=False, server_default=text("''::text")),
    Column("complaint_phone", Text, nullable=False, server_default=text("''::text")),
    Column("email", Text, nullable=False, server_default=text("''::text")),
    Column("address", Text, nullable=False, server_default=text("''::text")),
)

staff = Table(
    "staff",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("staff_no", Text, nullable=False),
    Column("person_key", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("name_en", Text, nullable=False, server_default=text("''::text")),
    Column("email", Text, nullable=False, server_default=text("''::text")),
    Column("phone", Text, nullable=False, server_default=text("''::text")),
    Column("securities_licence", Text, nullable=False, server_default=text("''::text")),
    Column("securities_expires", Date),
    Column("advisory_licence", Text, nullable=False, server_default=text("''::text")),
    Column("advisory_expires", Date),
    Column("language", Text, nullable=False, server_default=text("'zh-CN'::text")),
    Column("status", Text, nullable=False, server_default=text("'active'::text")),
)

staff_role = Table(
    "staff_role",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("staff_id", Uuid, nullable=False),
    Column("role", Text, nullable=False),
    Column("branch_id", Uuid),
    Column("valid_from", Date, nullable=False, server_default=text("'1970-01-01'::date")),
    Column("valid_until", Date),
)

absence = Table(
    "absence",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("staff_id", Uuid, nullable=False),
    Column("deputy_id", Uuid),
    Column("starts_at", DateTime(timezone=True), nullable=False),
    Column("ends_at", DateTime(timezone=True), nullable=False),
    Column("note_id", Uuid),
    Column("created_by", Uuid, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("cancelled_at", DateTime(timezone=True)),
    Column("cancelled_by", Uuid),
)

client = Table(
    "client",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("client_no", Text, nullable=False),
    Column("account_no", Text),
    Column("name", Text, nullable=False),
    Column("gender", Text),
    Column("kind", Text, nullable=False, server_default=text("'person'::text")),
    Column("id_type", Text),
    Column("id_no", Text),
    Column("id_expiry", Date),
    Column("birth_date", Date),
    Column("lunar_month", SmallInteger),
    Column("lunar_day", SmallInteger),
    Column("lunar_leap", Boolean),
    Column("tier", Text, nullable=False, server_default=text("'ordinary'::text")),
    Column("risk_class", SmallInteger),
    Column("risk_minimum", Boolean, nullable=False, server_default=text("false")),
    Column("assessed_on", Date),
    Column("investor_class", Text),
    Column("opened_on", Date),
    Column("status", Text, nullable=False, server_default=text("'normal'::text")),
    Column("deceased", Boolean, nullable=False, server_default=text("false")),
    Column("test", Boolean, nullable=False, server_default=text("false")),
    Column("advisor_id", Uuid),
    Column("advisor_no", Text),
    Column("consultant_id", Uuid),
    Column("branch_id", Uuid, nullable=False),
    Column("channel_preference", Text),
    Column("language", Text, nullable=False, server_default=text("'zh-CN'::text")),
    Column("time_zone", Text, nullable=False, server_default=text("'Asia/Shanghai'::text")),
    Column("address", Text),
    Column("postcode", Text),
    Column("margin_expiry", Date),
    Column("note", Text),
    Column("tags", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column("do_not_contact", Boolean, nullable=False, server_default=text("false")),
    Column("row_digest", LargeBinary),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)

contact_point = Table(
    "contact_point",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("client_id", Uuid, nullable=False),
    Column("channel", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("country", Text, nullable=False, server_default=text("''::text")),
    Column("active", Boolean, nullable=False, server_default=text("true")),
)

consent = Table(
    "consent",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("client_id", Uuid, nullable=False),
    Column("channel", Text, nullable=False, server_default=text("'*'::text")),
    Column("category", Text, nullable=False, server_default=text("'*'::text")),
    Column("state", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("evidence", Text, nullable=False, server_default=text("''::text")),
    Column("at", DateTime(timezone=True), nullable=False),
)

holding = Table(
    "holding",
    metadata,
    Column("client_id", Uuid, primary_key=True),
    Column("code", Text, primary_key=True),
    Column("quantity", Numeric, nullable=False),
    Column("as_of", Date, nullable=False),
)

import_run = Table(
    "import_run",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("file_sha256", LargeBinary, nullable=False),
    Column("encoding", Text),
    Column("counts", JSONB, nullable=False),
    Column("rejects_path", Text),
    Column("by_staff_id", Uuid),
    Column("at", DateTime(timezone=True), nullable=False),
)

import_finding = Table(
    "import_finding",
    metadata,
    Column("import_id", Uuid, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("row_number", BigInteger, nullable=False),
    Column("client_no", Text),
    Column("column_name", Text),
    Column("code", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("mend", Text, nullable=False),
)

subscription = Table(
    "subscription",
    metadata,
    Column("client_id", Uuid, primary_key=True),
    Column("feed", Text, primary_key=True),
    Column("item_type", Text, primary_key=True),
    Column("source", Text, nullable=False, server_default=text("''::text")),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
)

client_date = Table(
    "client_date",
    metadata,
    Column("client_id", Uuid, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("on_date", Date, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("source", Text, nullable=False, server_default=text("''::text")),
    Column("at", DateTime(timezone=True), nullable=False),
)

client_correction = Table(
    "client_correction",
    metadata,
    Column("client_id", Uuid, primary_key=True),
    Column("field", Text, primary_key=True),
    Column("value", JSONB, nullable=False),
    Column("file_value", JSONB),
    Column("by_staff_id", Uuid, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("note", Text, nullable=False, server_default=text("''::text")),
    Column("told_at", DateTime(timezone=True)),
)

import_conflict = Table(
    "import_conflict",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("client_id", Uuid, nullable=False),
    Column("branch_id", Uuid, nullable=False),
    Column("field", Text, nullable=False),
    Column("ours", JSONB, nullable=False),
    Column("theirs", JSONB, nullable=False),
    Column("import_id", Uuid, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("state", Text, nullable=False, server_default=text("'open'::text")),
    Column("decided_by", Uuid),
    Column("decided_at", DateTime(timezone=True)),
)

import_waiting = Table(
    "import_waiting",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("file_sha256", LargeBinary, nullable=False),
    Column("path", Text, nullable=False),
    Column("reasons", JSONB, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("state", Text, nullable=False, server_default=text("'waiting'::text")),
    Column("decided_by", Uuid),
    Column("decided_at", DateTime(timezone=True)),
)

write_back = Table(
    "write_back",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("first_leaf", BigInteger, nullable=False),
    Column("end_leaf", BigInteger, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("until", DateTime(timezone=True), nullable=False),
    Column("counts", JSONB, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("by_staff_id", Uuid),
)
