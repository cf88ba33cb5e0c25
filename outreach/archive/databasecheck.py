"""Checking the database: everything the record says is computed again, a chunk at a time."""

import hashlib
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text

from outreach.archive.checks import Check, Progress, Report, silent
from outreach.archive.opening import ALTERED, DISPOSED, GONE, Kept, open_kept
from outreach.core import clock
from outreach.core.access import SYSTEM, Actor, Permission, require
from outreach.core.database import AnyRow
from outreach.ledger import merkle
from outreach.ledger.checkpoint import verify_checkpoint
from outreach.ledger.envelope import rfc3339
from outreach.ledger.errors import RecordAltered
from outreach.ledger.seal import commit
from outreach.ledger.tables import ledger_checkpoint, ledger_entry, ledger_leaf, ledger_pending
from outreach.ledger.work import Opener, Work

CHUNK = 2000
PENDING_AT_MOST = timedelta(minutes=10)


def verify_database(open_work: Opener, progress: Progress | None = None, actor: Actor = SYSTEM) -> Report:
    """Compute every leaf, node, root, commitment and payload digest again and compare.

    Reads only, in one transaction a chunk, and tells ``progress`` (done, total). What does not hold is in the
    report, in words. Raises Forbidden without Permission.VERIFY for the firm.
    """
    require(actor, Permission.VERIFY)
    report, tell = Report(), progress or silent
    leaves = report.begin("leaves as recorded")
    tree = report.begin("tree over them")
    checkpoints = report.begin("signed checkpoints")
    texts = report.begin("sealed texts as committed")
    waiting = report.begin("entries waiting for their leaf")
    messages = report.begin("messages' payloads")
    bound = report.begin("decided payloads")
    with open_work(actor) as work:
        size = int(work.conn.execute(select(func.count()).select_from(ledger_leaf)).scalar_one())
        total = size + int(work.conn.execute(text("SELECT count(*) FROM message_revision")).scalar_one())
        disposals = work.conn.execute(
            select(ledger_entry.c.id).where(ledger_entry.c.kind == "disposal").limit(1)
        ).first()
    walk = _TreeWalk(leaves, tree, checkpoints, texts, disposals is not None)
    while walk.size < size:
        with open_work(actor) as work:
            if not walk.step(work, min(CHUNK, size - walk.size)):
                break
        tell(walk.size, total)
    with open_work(actor) as work:
        walk.end(work, size)
        _check_waiting(work, waiting)
        _check_decided(work, bound)
    _check_messages(open_work, actor, messages, disposals is not None, size, total, tell)
    return report


class _TreeWalk:
    """The leaves from left to right, with the complete subtrees so far: one a level, as a counter in base two."""

    def __init__(self, leaves: Check, tree: Check, checkpoints: Check, texts: Check, disposals: bool) -> None:
        self.leaves, self.tree, self.checkpoints, self.texts = leaves, tree, checkpoints, texts
        self.disposals = disposals
        self.size = 0
        self.edge: list[tuple[int, bytes]] = []  # (level, hash), largest first

    def step(self, work: Work, count: int) -> bool:
        """The next ``count`` leaves; False when the leaves do not go on."""
        first = self.size
        rows = work.conn.execute(_LEAVES, {"first": first, "last": first + count - 1}).all()
        stored = {
            (row.level, row.node_index): bytes(row.hash)
            for row in work.conn.execute(_SPAN, _spans(first, first + count)).all()
        }
        notes = {
            row.tree_size: row
            for row in work.conn.execute(
                select(ledger_checkpoint).where(
                    ledger_checkpoint.c.tree_size > first, ledger_checkpoint.c.tree_size <= first + count
                )
            )
        }
        self._check_texts(work, rows)
        for row in rows:
            if row.leaf_index != self.size:
                self.leaves.fault(f"Leaf {self.size} is missing.")
                return False
            self._add(row, stored)
            if self.size in notes:
                self._compare(work, notes[self.size])
        if len(rows) < count:
            self.leaves.fault(f"Leaf {self.size} is missing.")
            return False
        return True

    def _add(self, row: AnyRow, stored: dict[merkle.Node, bytes]) -> None:
        index = self.size
        digest = merkle.leaf_hash(bytes(row.envelope))
        self.leaves.count += 1
        if digest != bytes(row.leaf_hash):
            self.leaves.fault(f"Entry {row.id} (leaf {index}) is not what was recorded.")
        wrong = _columns_that_differ(row)
        if wrong:
            self.leaves.fault(f"Entry {row.id} (leaf {index}): its columns {', '.join(wrong)} were altered.")
        level = 0
        self._node(stored, level, index, digest)
        while self.edge and self.edge[-1][0] == level:
            digest = merkle.node_hash(self.edge.pop()[1], digest)
            level, index = level + 1, index // 2
            self._node(stored, level, index, digest)
        self.edge.append((level, digest))
        self.size += 1

    def _node(self, stored: dict[merkle.Node, bytes], level: int, index: int, digest: bytes) -> None:
        self.tree.count += 1
        if stored.get((level, index)) != digest:
            self.tree.fault(
                f"Node {level}/{index} of the tree is {'wrong' if (level, index) in stored else 'missing'}."
            )

    def root(self) -> bytes:
        """The root of the leaves so far."""
        if not self.edge:
            return merkle.EMPTY_ROOT
        *others, (_, value) = self.edge
        for _, digest in reversed(others):
            value = merkle.node_hash(digest, value)
        return value

    def _compare(self, work: Work, row: AnyRow) -> None:
        self.checkpoints.count += 1
        try:
            said = verify_checkpoint(row.note, work.keys.signing.public)
        except RecordAltered as error:
            self.checkpoints.fault(f"Checkpoint {row.tree_size}: {error.message}")
            return
        if (said.size, said.root) != (row.tree_size, bytes(row.root)):
            self.checkpoints.fault(f"Checkpoint {row.tree_size} is not what was signed.")
        if said.root != self.root():
            self.checkpoints.fault(f"Checkpoint {row.tree_size} signed another tree than the one stored.")

    def _check_texts(self, work: Work, rows: Sequence[AnyRow]) -> None:
        kept = open_kept(work, [row.sealed_id for row in rows if row.sealed_id])
        for row in rows:
            if row.sealed_id is None:
                continue
            self.texts.count += 1
            found = kept.get(row.sealed_id, GONE)
            words = _sealed_fault(found, self.disposals)
            if not words and found.plaintext is not None:
                said = json.loads(bytes(row.envelope)).get("commitment")
                if commit(found.salt, found.plaintext).hex() != said:
                    words = "is not what it committed to"
            if words:
                self.texts.fault(f"The text of entry {row.id} (leaf {row.leaf_index}) {words}.")

    def end(self, work: Work, size: int) -> None:
        """What can only be said when all leaves were seen."""
        conn = work.conn
        wanted = sum(size >> level for level in range(size.bit_length()))
        found = conn.execute(_NODES_UP_TO, {"size": size}).scalar_one()
        if found != wanted:
            self.tree.fault(f"The tree has {found:,} nodes where {size:,} leaves make {wanted:,}.")
        last = conn.execute(
            select(func.max(ledger_checkpoint.c.tree_size)).where(ledger_checkpoint.c.tree_size <= size)
        ).scalar_one()
        if size and last != size:
            self.checkpoints.fault(
                f"The newest {size - (last or 0):,} leaves are under no signed checkpoint."
            )


_LEAVES = text(
    """
    SELECT l.leaf_index, l.leaf_hash, e.id, e.kind, e.at, e.envelope, e.sealed_id, e.message_id, e.client_id,
           e.branch_id
      FROM ledger_leaf l JOIN ledger_entry e ON e.id = l.entry_id
     WHERE l.leaf_index BETWEEN :first AND :last ORDER BY l.leaf_index
    """
)
_SPAN = text(
    "SELECT n.level, n.node_index, n.hash"
    "  FROM unnest(CAST(:levels AS smallint[]), CAST(:firsts AS bigint[]), CAST(:ends AS bigint[]))"
    "       AS span(level, first, last)"
    "  JOIN ledger_node n ON n.level = span.level AND n.node_index >= span.first AND n.node_index < span.last"
)
# A node (level, index) is complete within ``size`` leaves when its last leaf is.
_NODES_UP_TO = text(
    "SELECT count(*) FROM ledger_node WHERE (node_index + 1) * (CAST(1 AS bigint) << level::int) <= :size"
)


def _spans(first: int, end: int) -> dict[str, list[int]]:
    """On each level the nodes that become complete by the leaves from ``first`` up to ``end``."""
    levels = [level for level in range(end.bit_length()) if end >> level > first >> level]
    return {
        "levels": levels,
        "firsts": [first >> level for level in levels],
        "ends": [end >> level for level in levels],
    }


def _columns_that_differ(row: AnyRow) -> list[str]:
    """The columns that queries go by and that do not say what the envelope says."""
    said: dict[str, Any] = json.loads(bytes(row.envelope))
    columns = {
        "id": str(row.id),
        "kind": row.kind,
        "at": rfc3339(row.at),
        "message_id": str(row.message_id) if row.message_id else None,
        "client_id": str(row.client_id) if row.client_id else None,
        "branch_id": str(row.branch_id) if row.branch_id else None,
    }
    return [name for name, value in columns.items() if said.get(name) != value]


def _sealed_fault(kept: Kept, disposals: bool) -> str:
    if kept.why == ALTERED:
        return "was altered"
    if kept.why == DISPOSED and not disposals:
        return "is gone, though nothing was ever disposed of"
    return ""


def _check_waiting(work: Work, check: Check) -> None:
    """Every entry is a leaf or waits to become one, and none waits long."""
    count, oldest = work.conn.execute(
        select(func.count(), func.min(ledger_entry.c.at)).join_from(
            ledger_pending, ledger_entry, ledger_pending.c.entry_id == ledger_entry.c.id
        )
    ).one()
    check.count = int(count)
    if oldest is not None and clock.now() - oldest > PENDING_AT_MOST:
        check.fault(f"The oldest of {count:,} has waited since {rfc3339(oldest)}: is a worker running?")
    lost = work.conn.execute(
        text(
            "SELECT count(*) FROM ledger_entry e"
            " WHERE NOT EXISTS (SELECT FROM ledger_leaf l WHERE l.entry_id = e.id)"
            " AND NOT EXISTS (SELECT FROM ledger_pending p WHERE p.entry_id = e.id)"
        )
    ).scalar_one()
    if lost:
        check.fault(f"{lost:,} entries are neither in the tree nor waiting.")


def _check_decided(work: Work, check: Check) -> None:
    """What an approval bound is a revision that exists as it was decided."""
    check.count = int(work.conn.execute(text("SELECT count(*) FROM decision_digest")).scalar_one())
    rows = work.conn.execute(
        text(
            "SELECT d.decision_id, d.message_id FROM decision_digest d JOIN message m ON m.id = d.message_id"
            " LEFT JOIN message_revision r ON r.scheduled_month = m.scheduled_month AND r.message_id = m.id"
            " AND r.revision = d.revision WHERE r.digest IS DISTINCT FROM d.digest LIMIT 100"
        )
    ).all()
    for row in rows:
        check.fault(f"Decision {row.decision_id} bound other bytes than message {row.message_id} has.")


_REVISIONS = text(
    """
    SELECT r.scheduled_month, r.message_id, r.revision, r.digest, r.payload_id,
           m.revision AS now, m.digest AS now_digest,
           m.payload_id AS now_payload
      FROM message_revision r
      LEFT JOIN message m ON m.scheduled_month = r.scheduled_month AND m.id = r.message_id
     WHERE (r.scheduled_month, r.message_id, r.revision) > (:month, :message, :revision)
     ORDER BY r.scheduled_month, r.message_id, r.revision LIMIT :chunk
    """
)


def _check_messages(
    open_work: Opener, actor: Actor, check: Check, disposals: bool, done: int, total: int, tell: Progress
) -> None:
    """Each revision's payload has its digest, and the message stands on its newest revision."""
    after: dict[str, Any] = {"month": "-infinity", "message": UUID(int=0), "revision": 0, "chunk": CHUNK}
    while True:
        with open_work(actor) as work:
            rows = work.conn.execute(_REVISIONS, after).all()
            kept = open_kept(work, [row.payload_id for row in rows])
        if not rows:
            break
        for row in rows:
            check.count += 1
            found = kept.get(row.payload_id, GONE)
            words = _sealed_fault(found, disposals)
            if found.plaintext is not None and hashlib.sha256(found.plaintext).digest() != bytes(row.digest):
                words = "has not its digest"
            if words:
                check.fault(f"The payload of message {row.message_id}, revision {row.revision}, {words}.")
            if row.now == row.revision and (bytes(row.now_digest), row.now_payload) != (
                bytes(row.digest),
                row.payload_id,
            ):
                check.fault(
                    f"Message {row.message_id} points to other bytes than its revision {row.revision}."
                )
        last = rows[-1]
        after |= {"month": last.scheduled_month, "message": last.message_id, "revision": last.revision}
        tell(done + check.count, total)


__all__ = ["verify_database"]
