"""Sealed bytes with their salts, and proofs: what a third party needs to check a record alone."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from outreach.core.database import AnyRow
from outreach.core.errors import NotFound
from outreach.ledger import merkle
from outreach.ledger import seal as sealing
from outreach.ledger.tables import sealed_record
from outreach.ledger.work import Work

DISPOSED, ALTERED = "disposed", "altered"


@dataclass(frozen=True)
class Kept:
    """Opened bytes with the salt of their commitment; ``why`` says why there are none."""

    salt: bytes = b""
    plaintext: bytes | None = None
    why: str = ""


GONE = Kept(why=DISPOSED)


def open_kept(work: Work, sealed_ids: Iterable[UUID]) -> dict[UUID, Kept]:
    """The bytes of each of these sealed records that is still there; a destroyed key means disposed of."""
    wanted = list(sealed_ids)
    found: dict[UUID, Kept] = {}
    if not wanted:
        return found
    for row in work.conn.execute(select(sealed_record).where(sealed_record.c.id.in_(wanted))):
        sealed = sealing.Sealed(
            bytes(row.salt), bytes(row.wrapped_key), bytes(row.nonce), bytes(row.ciphertext)
        )
        try:
            plain = sealing.unseal(sealed, work.keys.get(row.epoch), row.id)
        except NotFound:
            found[row.id] = GONE
        except sealing.SealBroken:
            found[row.id] = Kept(why=ALTERED)
        else:
            found[row.id] = Kept(sealed.salt, plain)
    return found


_NODES = text(
    "SELECT n.level, n.node_index, n.hash FROM ledger_node n"
    " JOIN unnest(CAST(:levels AS smallint[]), CAST(:indexes AS bigint[])) AS w(level, node_index)"
    " ON n.level = w.level AND n.node_index = w.node_index"
)


def nodes(work: Work, wanted: Iterable[merkle.Node]) -> dict[merkle.Node, bytes]:
    """These stored nodes of the tree, in one query."""
    asked = sorted(set(wanted))
    rows = work.conn.execute(
        _NODES, {"levels": [node[0] for node in asked], "indexes": [node[1] for node in asked]}
    )
    return {(row.level, row.node_index): bytes(row.hash) for row in rows}


def proofs(work: Work, indexes: Sequence[int], size: int) -> dict[int, list[bytes]]:
    """The inclusion proof of each leaf under the root of ``size`` leaves (RFC 9162 §2.1.3.1)."""
    known = nodes(work, {node for index in indexes for node in merkle.inclusion_nodes(index, size)})
    return {
        index: merkle.inclusion_proof(index, size, lambda level, at: known[(level, at)]) for index in indexes
    }


@dataclass(frozen=True)
class Body:
    """The bytes that an entry commits to, with the salt of the commitment."""

    data: bytes
    salt: bytes


@dataclass(frozen=True)
class Evidence:
    """One entry as a third party checks it.

    ``body`` is what the envelope's ``commitment`` binds; ``payload`` the message's payload that its ``digest``
    binds, where the body is another text (a note) or there is none.
    """

    row: AnyRow
    envelope: dict[str, Any]
    proof: list[bytes]
    body: Body | None = None
    payload: bytes | None = None
    why_missing: str = ""

    @property
    def message_bytes(self) -> bytes | None:
        """The payload of the message that the entry speaks of, however it is bound."""
        return self.body.data if self.body is not None and commits_to_payload(self.row.kind) else self.payload


def commits_to_payload(kind: str) -> bool:
    """Whether the bytes that an entry of ``kind`` commits to are a message's payload."""
    return kind.startswith("message.") or kind == "settled"


_REVISIONS = text(
    """
    SELECT r.message_id, r.revision, r.payload_id
      FROM unnest(CAST(:ids AS uuid[]), CAST(:revisions AS int[])) AS w(id, revision)
      JOIN message m ON m.id = w.id
      JOIN message_revision r
        ON r.scheduled_month = m.scheduled_month AND r.message_id = m.id AND r.revision = w.revision
    """
)


def evidence(work: Work, rows: Sequence[AnyRow], size: int) -> list[Evidence]:
    """What proves each of these entries, with the bytes they speak of."""
    envelopes = [json.loads(bytes(row.envelope)) for row in rows]
    payloads = _payloads_by_digest(work, rows, envelopes)
    kept = open_kept(work, {row.sealed_id for row in rows if row.sealed_id} | set(payloads.values()))
    paths = proofs(work, [row.leaf_index for row in rows], size)
    found: list[Evidence] = []
    for row, envelope in zip(rows, envelopes, strict=True):
        body, payload, why = None, None, ""
        if row.sealed_id:
            sealed = kept.get(row.sealed_id, GONE)
            why = sealed.why
            if sealed.plaintext is not None:
                holds = sealing.commit(sealed.salt, sealed.plaintext).hex() == envelope.get("commitment")
                body, why = (Body(sealed.plaintext, sealed.salt), "") if holds else (None, ALTERED)
        if row.id in payloads:
            sealed = kept.get(payloads[row.id], GONE)
            why = why or sealed.why
            if sealed.plaintext is not None:
                holds = hashlib.sha256(sealed.plaintext).hexdigest() == envelope["digest"]
                payload, why = (sealed.plaintext, why) if holds else (None, ALTERED)
        found.append(Evidence(row, envelope, paths[row.leaf_index], body, payload, why))
    return found


def _payloads_by_digest(
    work: Work, rows: Sequence[AnyRow], envelopes: Sequence[dict[str, Any]]
) -> dict[UUID, UUID]:
    """Entry id -> sealed payload, for entries that name a message's revision without committing to its bytes."""
    asked = [
        (row, envelope["revision"])
        for row, envelope in zip(rows, envelopes, strict=True)
        if row.message_id
        and {"revision", "digest"} <= envelope.keys()
        and not (row.sealed_id and commits_to_payload(row.kind))
    ]
    if not asked:
        return {}
    found = {
        (row.message_id, row.revision): row.payload_id
        for row in work.conn.execute(
            _REVISIONS,
            {"ids": [row.message_id for row, _ in asked], "revisions": [revision for _, revision in asked]},
        )
    }
    return {
        row.id: found[(row.message_id, revision)]
        for row, revision in asked
        if (row.message_id, revision) in found
    }
