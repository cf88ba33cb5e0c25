"""What a bag says of itself and of its place in the record: cover, bag-info, decisions' manifests, consistency."""

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from outreach.archive.bag import BagWriter
from outreach.archive.dossier.pages import Cover
from outreach.archive.names import Names
from outreach.archive.opening import nodes
from outreach.archive.selection import Asked, Chosen, decisions
from outreach.archive.tables import export_run
from outreach.core import clock
from outreach.ledger import merkle
from outreach.ledger.tables import ledger_checkpoint
from outreach.ledger.work import Work


def json_bytes(value: Any) -> bytes:
    """JSON as the bag's files have it: readable, keys in order."""
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"


def write_consistency(work: Work, bag: BagWriter, size: int, root: bytes) -> None:
    """That this tree continues the one of the export before it (RFC 9162 §2.1.4.1)."""
    before = work.conn.execute(
        select(ledger_checkpoint)
        .join(export_run, export_run.c.tree_size == ledger_checkpoint.c.tree_size)
        .where(export_run.c.state == "done", ledger_checkpoint.c.tree_size <= size)
        .order_by(ledger_checkpoint.c.tree_size.desc())
        .limit(1)
    ).one_or_none()
    if before is None:
        return
    known = nodes(work, merkle.consistency_nodes(before.tree_size, size))
    proof = merkle.consistency_proof(before.tree_size, size, lambda level, at: known[(level, at)])
    bag.write("data/ledger/previous-checkpoint", before.note.encode())
    bag.write(
        "data/ledger/consistency.json",
        json_bytes(
            {
                "old_size": before.tree_size,
                "old_root": bytes(before.root).hex(),
                "new_size": size,
                "new_root": root.hex(),
                "proof": [step.hex() for step in proof],
            }
        ),
    )


_LINES = text(
    "SELECT message_id, revision, digest FROM decision_digest WHERE decision_id = :id ORDER BY message_id"
)


def write_manifests(work: Work, bag: BagWriter) -> None:
    """For each decision the list it signed: its SHA-256 is the ``manifest_digest`` of the decision's entry."""
    for decision_id in decisions(work):
        with bag.stream(f"data/decisions/{decision_id}.txt") as file:
            rows = work.conn.execute(_LINES.execution_options(yield_per=5000), {"id": decision_id})
            for row in rows:
                file.write(f"{row.message_id}, {row.revision}, {bytes(row.digest).hex()}\n".encode())


def cover_of(
    work: Work,
    asked: Asked,
    chosen: Chosen,
    names: Names,
    note: str,
    size: int,
    withheld: int,
    made: datetime,
) -> Cover:
    """The first page of the dossier."""
    settings = work.settings
    if asked.client_id:
        question = (f"客户 {asked.client_no} 的全部记录", f"All records of client {asked.client_no}")
    else:
        first, last = (f"{day:%Y-%m-%d}" for day in _days(work, asked))
        question = (f"{first} 至 {last} 的全部记录", f"All records from {first} to {last}")
    return Cover(
        firm=(settings.firm_name, settings.firm_name_en),
        question=question,
        exported_by=names.person(work.actor.staff_id),
        exported_at=f"{made.astimezone(settings.zone):%Y-%m-%d %H:%M:%S %Z}",
        messages=chosen.messages,
        others=chosen.others,
        withheld=withheld,
        checkpoint=note,
        tree_size=size,
        fingerprint=work.keys.signing.fingerprint,
    )


def _days(work: Work, asked: Asked) -> tuple[datetime, datetime]:
    start, end = asked.start or clock.now(), asked.end or clock.now()
    zone = work.settings.zone
    return start.astimezone(zone), (end - timedelta(microseconds=1)).astimezone(zone)


def info_of(work: Work, asked: Asked, export_id: UUID, made: datetime) -> dict[str, str]:
    """What bag-info.txt says."""
    what = (
        f"client {asked.client_no}"
        if asked.client_id
        else "{:%Y-%m-%d} to {:%Y-%m-%d}".format(*_days(work, asked))
    )
    return {
        "Source-Organization": f"{work.settings.firm_name} {work.settings.firm_name_en}",
        "Bagging-Date": f"{made.astimezone(work.settings.zone):%Y-%m-%d}",
        "External-Identifier": str(export_id),
        "External-Description": f"Record of client communication: {what}",
        "Outreach-Key-Fingerprint": work.keys.signing.fingerprint,
    }
