"""Claiming: approved and due messages become attempts, after the last look at each (P1, P5).

The bytes are unsealed and their digest compared with what the decision binds, in the transaction that claims;
whatever is not exactly what was approved does not go out.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, select, text, update

from outreach.core import clock
from outreach.core.database import AnyRow, driver
from outreach.core.ids import new_id
from outreach.delivery.rates import grant
from outreach.delivery.routes import PERSON, route
from outreach.ledger.append import Entry, Opened, open_sealed, record_many
from outreach.ledger.work import Work
from outreach.messages.attachments import Contents, read_contents
from outreach.messages.chains import FIRST_STOPPED, NOT_NEEDED
from outreach.messages.fallthrough import before_sending, rest, take_next
from outreach.messages.payload import Payload, digest, from_bytes
from outreach.messages.recheck import facts_for, verdict
from outreach.messages.states import State, move
from outreach.messages.tables import message
from outreach.review.gate import bound_digests
from outreach.review.holding import held_branches, rest_held


@dataclass(frozen=True)
class Limit:
    """What one provider account may carry."""

    account: str
    per_second: float


@dataclass(frozen=True)
class Claimed:
    """One message that this worker, and nobody else, may now try to send."""

    message_id: UUID
    attempt_id: UUID
    scheduled_month: Any
    provider: str
    payload: Payload
    digest: bytes
    opened: Opened
    decision_id: UUID
    revision: int
    channel: str
    category: str
    language: str
    client_id: UUID
    branch_id: UUID
    submission_id: UUID
    occurrence_id: UUID
    attempts: int
    expires_at: datetime
    urgent: bool
    fallback_of: UUID | None = None
    files: tuple[Contents, ...] = field(default=(), repr=False)


_CANDIDATES = (
    select(message)
    .where(
        message.c.state == State.APPROVED.value,
        message.c.due_at <= bindparam("now"),
        message.c.urgent == bindparam("urgent"),
    )
    .order_by(message.c.due_at, message.c.id)
    .limit(bindparam("size"))
    .with_for_update(skip_locked=True)
)


def claim_due(
    work: Work, limits: Mapping[str, Limit], *, urgent: bool, size: int, lease_seconds: float
) -> tuple[list[Claimed], int]:
    """Claim up to ``size`` due messages of a lane.

    Returns the claimed ones and how many were looked at: more were looked at than claimed where the last
    check stopped some, or the provider's rate did. The lease outlasts ``lease_seconds``.
    """
    conn = work.conn
    now = clock.now()
    rows = conn.execute(_CANDIDATES, {"now": now, "urgent": urgent, "size": size}).all()
    if not rows:
        return [], 0
    fit = _last_look(work, rows, now)
    by_provider: dict[str, list[tuple[AnyRow, Opened, Payload]]] = defaultdict(list)
    files = read_contents(work, (line for _, _, payload in fit for line in payload.attachments))
    for row, opened, payload in fit:
        if any(line not in files for line in payload.attachments):
            _stop(work, row, State.HELD, "payload_altered", {})
            continue
        chosen = route(row.channel, payload.to, work.settings)
        if chosen.provider is None or (chosen.provider != PERSON and chosen.provider not in limits):
            _stop(work, row, State.CANCELLED, chosen.reason or "no_route", {})
            continue
        by_provider[chosen.provider].append((row, opened, payload))
    claimed: list[Claimed] = []
    for provider, items in by_provider.items():
        if provider == PERSON:
            claimed += [_claimed(provider, *item) for item in items]
            continue
        limit = limits[provider]
        allowed = grant(conn, limit.account, len(items), limit.per_second)
        claimed += [_claimed(provider, *item) for item in items[:allowed]]
    if files:
        claimed = [
            replace(item, files=tuple(files[line] for line in item.payload.attachments)) for item in claimed
        ]
    _write_claims(work, claimed, now, lease_seconds)
    kept = {row.id for items in by_provider.values() for row, _, _ in items}
    take_next(work, [row.id for row in rows if row.urgent and row.id not in kept])
    return claimed, len(rows)


def _last_look(work: Work, rows: Sequence[AnyRow], now: datetime) -> list[tuple[AnyRow, Opened, Payload]]:
    """Those of ``rows`` whose bytes are what was approved and which may still go out now."""
    ids = [row.id for row in rows]
    bound = bound_digests(work.conn, ids)
    opened = open_sealed(work, [row.payload_id for row in rows])
    facts = facts_for(work.conn, rows)
    fit: list[tuple[AnyRow, Opened, Payload]] = []
    resting = held_branches(work.conn, {row.submission_id for row in rows})
    for submission_id, branch_id in resting:
        rest_held(work.conn, submission_id, [branch_id])
    turns = _turns(work, rows)
    for row in rows:
        if (row.submission_id, row.branch_id) in resting or turns.get(row.id, "go") != "go":
            continue
        kept = opened.get(row.payload_id)
        binding = bound.get(row.id)
        if binding is None:
            _stop(work, row, State.HELD, "decision_void", {})
            continue
        if kept is None or kept.plaintext is None or digest(kept.plaintext) != binding.digest:
            _stop(work, row, State.HELD, "payload_altered", {})
            continue
        if row.revision != binding.revision or bytes(row.digest) != binding.digest:
            _stop(work, row, State.HELD, "payload_altered", {})
            continue
        said = verdict(facts[row.id], now)
        if said.kind == "wait" and said.until is not None:
            work.conn.execute(
                update(message)
                .where(message.c.id == row.id, message.c.scheduled_month == row.scheduled_month)
                .values(due_at=said.until)
            )
        elif said.kind == "expired":
            _stop(work, row, State.EXPIRED, said.code, said.params)
        elif said.kind == "hold":
            _stop(work, row, State.HELD, said.code, said.params)
        elif said.kind == "suppress":
            _stop(work, row, State.SUPPRESSED, said.code, said.params)
        else:
            fit.append((row, kept, from_bytes(kept.plaintext)))
    return fit


def _turns(work: Work, rows: Sequence[AnyRow]) -> dict[UUID, str]:
    """Of the alternatives among ``rows`` those whose turn it is not: the client was reached meanwhile, or another
    channel is at it (again). They are stopped, or rest."""
    alternatives = {row.id: row for row in rows if row.fallback_of is not None}
    if not alternatives:
        return {}
    said = before_sending(work.conn, alternatives)
    for message_id, (turn, channel) in said.items():
        if turn == "rest":
            rest(work.conn, message_id)
        elif turn == "cancel":
            code, params = (NOT_NEEDED, {"channel": channel}) if channel else (FIRST_STOPPED, {})
            _stop(work, alternatives[message_id], State.CANCELLED, code, params)
    return {message_id: turn for message_id, (turn, _) in said.items()}


_KINDS = {
    State.HELD: "message.cancelled",
    State.CANCELLED: "message.cancelled",
    State.EXPIRED: "message.expired",
    State.SUPPRESSED: "message.suppressed",
}


def _stop(work: Work, row: AnyRow, target: State, code: str, params: dict[str, Any]) -> None:
    """Keep one message from going out, and say why, in the row and in the record."""
    columns: dict[str, Any] = {"due_at": None}
    if target is State.HELD:
        columns["decision_id"] = None
    move(
        work.conn,
        State.APPROVED,
        target,
        (message.c.id == row.id) & (message.c.scheduled_month == row.scheduled_month),
        reason=code,
        params=params,
        **columns,
    )
    record_many(
        work,
        [
            Entry(
                _KINDS[target],
                {
                    "submission_id": row.submission_id,
                    "revision": row.revision,
                    "digest": bytes(row.digest),
                    "channel": row.channel,
                    "decision_id": row.decision_id,
                    "rule": code,
                },
                message_id=row.id,
                client_id=row.client_id,
                branch_id=row.branch_id,
            )
        ],
    )


def _claimed(provider: str, row: AnyRow, opened: Opened, payload: Payload) -> Claimed:
    return Claimed(
        message_id=row.id,
        attempt_id=new_id(),
        scheduled_month=row.scheduled_month,
        provider=provider,
        payload=payload,
        digest=bytes(row.digest),
        opened=opened,
        decision_id=row.decision_id,
        revision=row.revision,
        channel=row.channel,
        category=row.category,
        language=row.language,
        client_id=row.client_id,
        branch_id=row.branch_id,
        submission_id=row.submission_id,
        occurrence_id=row.occurrence_id,
        attempts=row.attempts + 1,
        expires_at=row.expires_at,
        urgent=row.urgent,
        fallback_of=row.fallback_of,
    )


_CLAIM = text(
    """
    UPDATE message m
       SET state = 'claimed', state_at = :now, reason = NULL, reason_params = NULL, attempts = m.attempts + 1,
           claim_token = c.token, lease_until = clock_timestamp() + make_interval(secs => :lease)
      FROM unnest(CAST(:ids AS uuid[]), CAST(:months AS date[]), CAST(:tokens AS uuid[])) AS c(id, month, token)
     WHERE m.id = c.id AND m.scheduled_month = c.month AND m.state = 'approved'
    """
)


def _write_claims(work: Work, claimed: Sequence[Claimed], now: datetime, lease_seconds: float) -> None:
    if not claimed:
        return
    with (
        driver(work.conn).cursor() as cursor,
        cursor.copy(
            "COPY attempt (id, message_id, scheduled_month, provider, decision_id, digest, state, claimed_at)"
            " FROM STDIN (FORMAT BINARY)"
        ) as copy,
    ):
        copy.set_types(["uuid", "uuid", "date", "text", "uuid", "bytea", "text", "timestamptz"])
        for item in claimed:
            copy.write_row(
                (
                    item.attempt_id,
                    item.message_id,
                    item.scheduled_month,
                    item.provider,
                    item.decision_id,
                    item.digest,
                    "claimed",
                    now,
                )
            )
    done = work.conn.execute(
        _CLAIM,
        {
            "now": now,
            "lease": lease_seconds,
            "ids": [item.message_id for item in claimed],
            "months": [item.scheduled_month for item in claimed],
            "tokens": [item.attempt_id for item in claimed],
        },
    )
    if done.rowcount != len(claimed):
        raise RuntimeError("rows locked for a claim changed under it")


def due_lanes(work: Work) -> dict[bool, int]:
    """How many approved messages are due, by lane (urgent or not), counted up to 1,000 each."""
    counts: dict[bool, int] = {}
    for urgent in (True, False):
        due = (
            select(message.c.id)
            .where(
                message.c.state == State.APPROVED.value,
                message.c.due_at <= clock.now(),
                message.c.urgent.is_(urgent),
            )
            .limit(1000)
            .subquery()
        )
        counts[urgent] = work.conn.execute(select(func.count()).select_from(due)).scalar_one()
    return counts
