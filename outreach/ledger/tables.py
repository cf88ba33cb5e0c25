"""Rows of the append-only record.

The DDL is in core/migrations; a test holds the two together.
"""

from sqlalchemy import BigInteger, Column, DateTime, Integer, LargeBinary, SmallInteger, Table, Text, Uuid

from outreach.core.database import metadata

sealed_record = Table(
    "sealed_record",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
)

ledger_entry = Table(
    "ledger_entry",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    Column("sealed_id", Uuid),
    Column("message_id", Uuid),
    Column("client_id", Uuid),
    Column("branch_id", Uuid),
)

ledger_pending = Table(
    "ledger_pending",
    metadata,
    Column("entry_id", Uuid, primary_key=True),
)

ledger_leaf = Table(
    "ledger_leaf",
    metadata,
    Column("leaf_index", BigInteger, primary_key=True),
    Column("entry_id", Uuid, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
)

ledger_node = Table(
    "ledger_node",
    metadata,
    Column("level", SmallInteger, primary_key=True),
    Column("node_index", BigInteger, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
)

ledger_checkpoint = Table(
    "ledger_checkpoint",
    metadata,
    Column("tree_size", BigInteger, primary_key=True),
    Column("root", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)
