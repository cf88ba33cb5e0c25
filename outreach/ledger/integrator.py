"""The one writer of the tree: gives waiting entries their leaves, extends the tree, signs a checkpoint.

Any number of processes may call ``integrate``; an advisory lock lets one at a time through. An entry counts as
waiting by its row in ``ledger_pending``, not by a position, so one that commits late is never skipped.
"""

from sqlalchemy import delete, func, insert, select, text, tuple_

from outreach.core import clock
from outreach.core.database import driver
from outreach.ledger import merkle
from outreach.ledger.checkpoint import sign_checkpoint
from outreach.ledger.tables import (
    ledger_checkpoint,
    ledger_entry,
    ledger_leaf,
    ledger_node,
    ledger_pending,
)
from outreach.ledger.work import Opener, Work

ORIGIN = "outreach.example/ledger"
BATCH = 10_000


def integrate(open_work: Opener, *, batch: int = BATCH) -> int:
    """Integrate everything that waits, a batch for each transaction; returns how many leaves were added."""
    total = 0
    while True:
        with open_work() as work:
            added = _integrate_batch(work, batch)
        total += added
        if added < batch:
            return total


def _integrate_batch(work: Work, batch: int) -> int:
    conn = work.conn
    if not conn.execute(text("SELECT pg_try_advisory_xact_lock(hashtext('outreach.ledger'))")).scalar_one():
        return 0  # another integrator is at it, and takes what we would
    rows = conn.execute(
        select(ledger_entry.c.id, ledger_entry.c.envelope)
        .join(ledger_pending, ledger_pending.c.entry_id == ledger_entry.c.id)
        .order_by(ledger_entry.c.id)
        .limit(batch)
    ).all()
    if not rows:
        return 0
    size = tree_size(work)
    hashes = [merkle.leaf_hash(bytes(row.envelope)) for row in rows]
    known = nodes(work, merkle.root_nodes(size))
    stored = merkle.extend(size, lambda level, index: known[(level, index)], hashes)
    with driver(conn).cursor() as cursor:
        with cursor.copy(
            "COPY ledger_leaf (leaf_index, entry_id, leaf_hash) FROM STDIN (FORMAT BINARY)"
        ) as copy:
            copy.set_types(["int8", "uuid", "bytea"])
            for offset, row in enumerate(rows):
                copy.write_row((size + offset, row.id, hashes[offset]))
        with cursor.copy("COPY ledger_node (level, node_index, hash) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["int2", "int8", "bytea"])
            for node in stored:
                copy.write_row(node)
    known.update({(level, index): digest for level, index, digest in stored})
    new_size = size + len(rows)
    root = merkle.root(new_size, lambda level, index: known[(level, index)])
    conn.execute(
        insert(ledger_checkpoint).values(
            tree_size=new_size,
            root=root,
            note=sign_checkpoint(ORIGIN, new_size, root, work.keys.signing),
            at=clock.now(),
        )
    )
    conn.execute(delete(ledger_pending).where(ledger_pending.c.entry_id.in_([row.id for row in rows])))
    return len(rows)


def tree_size(work: Work) -> int:
    """How many leaves the tree has."""
    last = work.conn.execute(select(func.max(ledger_leaf.c.leaf_index))).scalar_one()
    return 0 if last is None else int(last) + 1


def nodes(work: Work, wanted: list[merkle.Node]) -> dict[merkle.Node, bytes]:
    """The stored nodes among ``wanted``, in one query."""
    if not wanted:
        return {}
    rows = work.conn.execute(
        select(ledger_node).where(tuple_(ledger_node.c.level, ledger_node.c.node_index).in_(wanted))
    ).all()
    return {(row.level, row.node_index): bytes(row.hash) for row in rows}
