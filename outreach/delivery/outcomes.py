"""Recording what a call came to: attempt, message and leaf in one transaction.

The token gates only the message's state: an outcome that comes late, after the message was given up as
``unknown``, is kept and settles it.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from outreach.core import clock
from outreach.delivery.channels.base import Accepted, ChannelError
from outreach.delivery.claims import Claimed
from outreach.delivery.receipts import settle_receipts
from outreach.ledger.append import Entry, record_many
from outreach.ledger.work import Work
from outreach.messages.chains import UNKNOWN_GIVEN_UP
from outreach.messages.fallthrough import take_next

MAX_ATTEMPTS = 8
_FIRST_BACKOFF = 15.0
_LONGEST_BACKOFF = 1800.0


@dataclass(frozen=True)
class Outcome:
    """One call and what came of it."""

    claimed: Claimed
    started_at: datetime
    result: Accepted | ChannelError


_START = text(
    "UPDATE attempt SET state = 'started', started_at = :now WHERE id = ANY(:ids) AND state = 'claimed' RETURNING id"
)

_FINISH_ATTEMPTS = text(
    """
    UPDATE attempt a
       SET state = o.state, finished_at = :now, provider_ref = o.ref, wire_digest = o.wire,
           error_code = o.code, error_text = o.words
      FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:refs AS text[]), CAST(:wires AS bytea[]),
                  CAST(:codes AS text[]), CAST(:words AS text[])) AS o(id, state, ref, wire, code, words)
     WHERE a.id = o.id AND (a.finished_at IS NULL OR a.state <> o.state)
    RETURNING a.id
    """
)

_FINISH_MESSAGES = text(
    """
    UPDATE message m
       SET state = CASE WHEN m.reason = :given_up AND o.state = 'approved' THEN 'failed' ELSE o.state END,
           state_at = :now, reason = o.reason,
           reason_params = CASE WHEN o.reason IS NOT NULL
                                THEN jsonb_build_object('code', o.code, 'text', o.words) END,
           due_at = o.due, lease_until = NULL,
           claim_token = CASE WHEN o.state IN ('unknown', 'sent') THEN m.claim_token END
      FROM unnest(CAST(:ids AS uuid[]), CAST(:months AS date[]), CAST(:tokens AS uuid[]), CAST(:states AS text[]),
                  CAST(:reasons AS text[]), CAST(:codes AS text[]), CAST(:words AS text[]),
                  CAST(:dues AS timestamptz[])) AS o(id, month, token, state, reason, code, words, due)
     WHERE m.id = o.id AND m.scheduled_month = o.month AND m.claim_token = o.token
       AND (m.state = 'claimed' OR (m.state = 'unknown' AND o.state IN ('sent', 'failed', 'approved')))
    RETURNING m.id
    """
)


_RENEW = text(
    """
    UPDATE message m SET lease_until = clock_timestamp() + make_interval(secs => :lease)
      FROM unnest(CAST(:ids AS uuid[]), CAST(:months AS date[]), CAST(:tokens AS uuid[])) AS c(id, month, token)
     WHERE m.id = c.id AND m.scheduled_month = c.month AND m.claim_token = c.token AND m.state = 'claimed'
    """
)


def renew_leases(work: Work, claimed: Sequence[Claimed], lease_seconds: float) -> None:
    """Keep the leases of what this worker still has in hand."""
    work.conn.execute(
        _RENEW,
        {
            "lease": lease_seconds,
            "ids": [item.message_id for item in claimed],
            "months": [item.scheduled_month for item in claimed],
            "tokens": [item.attempt_id for item in claimed],
        },
    )


def start_calls(work: Work, claimed: Sequence[Claimed]) -> dict[UUID, datetime]:
    """Note, before the calls of a window are made, that they are being made; returns attempt id -> time.

    A crash after this leaves these messages ``unknown``; one before it leaves them approved. An attempt that
    the sweeper has taken back meanwhile is not in the answer and must not be called.
    """
    now = clock.now()
    ids = work.conn.execute(_START, {"now": now, "ids": [item.attempt_id for item in claimed]}).scalars()
    return dict.fromkeys(ids, now)


def _verdict(outcome: Outcome, now: datetime) -> tuple[str, str, str | None, datetime | None]:
    """(attempt state, message state, reason, next due) of one outcome."""
    result = outcome.result
    if isinstance(result, Accepted):
        return "accepted", "sent", None, None
    if result.unknown:
        return "unknown", "unknown", "provider_unknown", None
    if result.permanent:
        return "permanent", "failed", "provider_permanent", None
    attempts = outcome.claimed.attempts
    pause = min(_FIRST_BACKOFF * 2.0 ** (attempts - 1), _LONGEST_BACKOFF)
    pause = result.retry_after or pause * random.uniform(0.8, 1.2)  # noqa: S311 - spreads retries, no secret
    due = now + timedelta(seconds=pause)
    if attempts >= MAX_ATTEMPTS or due >= outcome.claimed.expires_at:
        return "temporary", "failed", "provider_gave_up", None
    return "temporary", "approved", "provider_temporary", due


def record_outcomes(work: Work, outcomes: Sequence[Outcome]) -> None:
    """Write what these calls came to. Attempts are always written; a message only by the holder of its token.

    Written twice (the answer to the first commit was lost), it is once in the record.
    """
    if not outcomes:
        return
    now = clock.now()
    judged = [(outcome, *_verdict(outcome, now)) for outcome in outcomes]
    fresh = _write_attempts(work, judged, now)
    judged = [item for item in judged if item[0].claimed.attempt_id in fresh]
    moved = _write_messages(work, judged, now)
    record_many(work, [_entry(*item) for item in judged if item[2] != "approved"])
    ended = [outcome.claimed for outcome, _, state, _, _ in judged if state == "failed"]
    take_next(work, [item.message_id for item in ended if item.urgent and item.message_id in moved])
    settle_receipts(work, [outcome.claimed.message_id for outcome in outcomes])


Judged = tuple[Outcome, str, str, str | None, datetime | None]


def _write_attempts(work: Work, judged: Sequence[Judged], now: datetime) -> set[UUID]:
    results = [item[0].result for item in judged]
    done = work.conn.execute(
        _FINISH_ATTEMPTS,
        {
            "now": now,
            "ids": [item[0].claimed.attempt_id for item in judged],
            "states": [item[1] for item in judged],
            "refs": [result.provider_ref if isinstance(result, Accepted) else None for result in results],
            "wires": [result.wire_digest if isinstance(result, Accepted) else None for result in results],
            "codes": [None if isinstance(result, Accepted) else result.code for result in results],
            "words": [None if isinstance(result, Accepted) else result.message[:500] for result in results],
        },
    )
    return set(done.scalars())


def _write_messages(work: Work, judged: Sequence[Judged], now: datetime) -> set[UUID]:
    results = [item[0].result for item in judged]
    done = work.conn.execute(
        _FINISH_MESSAGES,
        {
            "now": now,
            "given_up": UNKNOWN_GIVEN_UP,  # the next channel was taken: it is not tried again
            "ids": [item[0].claimed.message_id for item in judged],
            "months": [item[0].claimed.scheduled_month for item in judged],
            "tokens": [item[0].claimed.attempt_id for item in judged],
            "states": [item[2] for item in judged],
            "reasons": [item[3] for item in judged],
            "codes": [None if isinstance(result, Accepted) else result.code for result in results],
            "words": [None if isinstance(result, Accepted) else result.message[:500] for result in results],
            "dues": [item[4] for item in judged],
        },
    )
    return set(done.scalars())


_KINDS = {"sent": "message.sent", "failed": "message.failed", "unknown": "message.unknown"}


def _entry(
    outcome: Outcome, attempt_state: str, state: str, reason: str | None, due: datetime | None
) -> Entry:
    del due
    item, result = outcome.claimed, outcome.result
    accepted = result if isinstance(result, Accepted) else None
    refused = result if isinstance(result, ChannelError) else None
    return Entry(
        _KINDS[state],
        {
            "submission_id": item.submission_id,
            "occurrence_id": item.occurrence_id,
            "revision": item.revision,
            "digest": item.digest,
            "channel": item.channel,
            "category": item.category,
            "language": item.language,
            "decision_id": item.decision_id,
            "attempt_id": item.attempt_id,
            "attempt_number": item.attempts,
            "provider": item.provider,
            "provider_ref": accepted.provider_ref if accepted else None,
            "wire_digest": accepted.wire_digest if accepted else None,
            "error_code": refused.code if refused else None,
            "outcome": attempt_state,
            "rule": reason,
            "started_at": outcome.started_at,
            "urgent": item.urgent,
            "fallback_of": item.fallback_of,
        },
        sealed=item.opened.ref,
        message_id=item.message_id,
        client_id=item.client_id,
        branch_id=item.branch_id,
    )
