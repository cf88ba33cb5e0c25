"""The record: what is written becomes a leaf, once, whoever integrates; nothing in it can be altered."""

import threading
from collections.abc import Callable
from hashlib import sha256

import pytest
from sqlalchemy import create_engine, delete, func, select, text, update
from sqlalchemy.exc import ProgrammingError

from outreach.ledger import merkle
from outreach.ledger.append import Entry, record, record_many, seal_bytes, unseal_bytes
from outreach.ledger.checkpoint import verify_checkpoint
from outreach.ledger.integrator import integrate
from outreach.ledger.seal import SealBroken
from outreach.ledger.tables import ledger_checkpoint, ledger_entry, ledger_leaf, ledger_pending, sealed_record
from outreach.ledger.work import Opener


def root_of(hashes: list[bytes]) -> bytes:
    """RFC 9162 §2.1.1 by its recursive definition, independent of the stored levels."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << ((len(hashes) - 1).bit_length() - 1)
    return sha256(b"\x01" + root_of(hashes[:split]) + root_of(hashes[split:])).digest()


def entries(count: int) -> list[Entry]:
    return [Entry("view", {"purpose": "test"}) for _ in range(count)]


def test_every_entry_becomes_one_leaf_under_a_signed_checkpoint(open_work: Opener) -> None:
    for size in (1, 2, 5, 13):
        with open_work() as work:
            record_many(work, entries(size))
        assert integrate(open_work, batch=4) == size
    with open_work() as work:
        hashes = [
            merkle.leaf_hash(bytes(row.envelope))
            for row in work.conn.execute(
                select(ledger_entry.c.envelope)
                .join(ledger_leaf, ledger_leaf.c.entry_id == ledger_entry.c.id)
                .order_by(ledger_leaf.c.leaf_index)
            )
        ]
        assert len(hashes) == 21
        for row in work.conn.execute(select(ledger_checkpoint)):
            assert bytes(row.root) == root_of(hashes[: row.tree_size])
            assert verify_checkpoint(row.note, work.keys.signing.public).root == bytes(row.root)
        assert work.conn.execute(select(func.count()).select_from(ledger_pending)).scalar_one() == 0


def test_writers_and_integrators_side_by_side_lose_nothing(open_work: Opener) -> None:
    failures: list[BaseException] = []

    def guarded(act: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            try:
                act()
            except BaseException as error:
                failures.append(error)

        return run

    def write() -> None:
        for _ in range(15):
            with open_work() as work:
                record(work, entries(1)[0])

    def weave() -> None:
        for _ in range(15):
            integrate(open_work, batch=7)

    threads = [threading.Thread(target=guarded(act)) for act in (write, write, weave, weave)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    integrate(open_work)
    with open_work() as work:
        indexes = (
            work.conn.execute(select(ledger_leaf.c.leaf_index).order_by(ledger_leaf.c.leaf_index))
            .scalars()
            .all()
        )
    assert list(indexes) == list(range(30))


@pytest.mark.parametrize("table", ["ledger_entry", "ledger_leaf", "ledger_node", "ledger_checkpoint"])
@pytest.mark.parametrize("act", ["UPDATE {} SET {} = {}", "DELETE FROM {}"])
def test_the_application_can_not_alter_the_record(open_work: Opener, table: str, act: str) -> None:
    column = {
        "ledger_entry": "kind",
        "ledger_leaf": "leaf_hash",
        "ledger_node": "hash",
        "ledger_checkpoint": "note",
    }
    with pytest.raises(ProgrammingError, match="permission denied"), open_work() as work:
        work.conn.execute(text(act.format(table, column[table], column[table])))


def test_sealed_bytes_come_back_and_an_altered_record_is_found(open_work: Opener, conninfo: str) -> None:
    with open_work() as work:
        ref = seal_bytes(work, "您好".encode())
    with open_work() as work:
        assert unseal_bytes(work, ref.id) == "您好".encode()
    owner = create_engine(conninfo.replace("postgresql://", "postgresql+psycopg://"))
    with owner.begin() as conn:
        conn.execute(update(sealed_record).values(ciphertext=b"\x00" * 32))
    with pytest.raises(SealBroken), open_work() as work:
        unseal_bytes(work, ref.id)
    with owner.begin() as conn:
        conn.execute(delete(sealed_record))
    owner.dispose()
