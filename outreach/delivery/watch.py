"""What whoever runs the firm sees of delivery: accounts, queues and unknown outcomes, never a message's content."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, text

from outreach.core.access import Permission, require, visible
from outreach.core.errors import BadInput, NotFound
from outreach.core.settings import Settings
from outreach.delivery.channels.base import Fate
from outreach.delivery.routes import route
from outreach.delivery.sweep import settle
from outreach.delivery.tables import attempt, rate_bucket, receipt
from outreach.ledger.work import Work
from outreach.messages.states import State
from outreach.messages.tables import message

# What a person can have found out at the provider.
OUTCOMES = {
    "delivered": Fate.DELIVERED,
    "undelivered": Fate.UNDELIVERED,
    "accepted": Fate.ACCEPTED,
    "never-sent": Fate.ABSENT,
}


@dataclass(frozen=True)
class Unknown:
    """A message whose outcome nobody knows, with all that is known of its last call."""

    id: UUID
    channel: str
    category: str
    branch_id: UUID
    since: datetime
    provider: str | None
    provider_ref: str | None
    called_at: datetime | None
    error_code: str | None
    attempts: int
    receipts: int


def unknown_outcomes(work: Work, limit: int = 50) -> list[Unknown]:
    """Unknown outcomes in the actor's scope, the oldest first. Raises Forbidden."""
    require(work.actor, Permission.WATCH_DELIVERY)
    heard = (
        select(func.count())
        .where(receipt.c.message_id == message.c.id)
        .correlate(message)
        .scalar_subquery()
        .label("receipts")
    )
    rows = work.conn.execute(
        select(
            message.c.id,
            message.c.channel,
            message.c.category,
            message.c.branch_id,
            message.c.state_at.label("since"),
            attempt.c.provider,
            attempt.c.provider_ref,
            attempt.c.started_at.label("called_at"),
            attempt.c.error_code,
            message.c.attempts,
            heard,
        )
        .outerjoin(attempt, attempt.c.id == message.c.claim_token)
        .where(
            message.c.state == State.UNKNOWN.value,
            visible(work.actor, Permission.WATCH_DELIVERY, message.c.branch_id),
        )
        .order_by(message.c.state_at, message.c.id)
        .limit(limit)
    )
    return [Unknown(**row) for row in rows.mappings()]


def count_unknown(work: Work) -> int:
    """How many outcomes nobody knows, in the actor's scope."""
    scope = visible(work.actor, Permission.WATCH_DELIVERY, message.c.branch_id)
    return work.conn.execute(
        select(func.count()).where(message.c.state == State.UNKNOWN.value, scope)
    ).scalar_one()


def settle_by_hand(work: Work, message_id: UUID, outcome: str, reference: str = "") -> None:
    """Say what became of a message whose outcome is unknown, as found at the provider.

    ``never-sent`` puts it back among what is to be sent. Raises Forbidden, NotFound beyond the actor's scope,
    BadInput for an outcome that there is not, Conflict when it is settled already.
    """
    require(work.actor, Permission.RUN_JOBS)
    fate = OUTCOMES.get(outcome)
    if fate is None:
        raise BadInput(f"{outcome!r} is no outcome.", mend=f"Use {', '.join(OUTCOMES)}.")
    known = work.conn.execute(
        select(message.c.id).where(
            message.c.id == message_id, visible(work.actor, Permission.RUN_JOBS, message.c.branch_id)
        )
    ).first()
    if known is None:
        raise NotFound("There is no such message that you may settle.", mend="Read the list again.")
    settle(work, message_id, fate, reference.strip(), basis="person")


@dataclass(frozen=True)
class Account:
    """The rate limit of a provider account. ``tokens``: calls that it would grant at once."""

    name: str
    per_second: float
    tokens: float


_BUCKETS = select(
    rate_bucket.c.account,
    rate_bucket.c.per_second,
    func.least(
        rate_bucket.c.burst,
        rate_bucket.c.tokens
        + rate_bucket.c.per_second
        * func.extract("epoch", func.clock_timestamp() - rate_bucket.c.refilled_at),
    ).label("tokens"),
).order_by(rate_bucket.c.account)


def accounts(work: Work) -> list[Account]:
    """Every provider account that was used, with its rate limit."""
    require(work.actor, Permission.WATCH_DELIVERY)
    return [Account(row.account, row.per_second, float(row.tokens)) for row in work.conn.execute(_BUCKETS)]


@dataclass(frozen=True)
class Lane:
    """Where a kind of address is carried: ``provider`` None says that there is no lawful route configured."""

    channel: str
    to: str
    provider: str | None


# An address of each kind, of ranges that nobody has.
_KINDS = (
    ("sms", "mainland", "+8610000000000"),
    ("sms", "overseas", "+12025550100"),
    ("email", "everywhere", "client@example.net"),
)


def routes(settings: Settings) -> list[Lane]:
    """The route table as it applies with the providers that are configured."""
    return [Lane(channel, to, route(channel, address, settings).provider) for channel, to, address in _KINDS]


@dataclass(frozen=True)
class Queue:
    """Jobs of the engine in one queue."""

    name: str
    waiting: int
    running: int
    failed: int


_QUEUES = text(
    """
    SELECT queue_name AS name, count(*) FILTER (WHERE status = 'todo') AS waiting,
           count(*) FILTER (WHERE status = 'doing') AS running, count(*) FILTER (WHERE status = 'failed') AS failed
      FROM procrastinate_jobs GROUP BY queue_name ORDER BY queue_name
    """
)


def queues(work: Work) -> list[Queue]:
    """The engine's queues. Raises Forbidden."""
    require(work.actor, Permission.WATCH_DELIVERY)
    return [Queue(**row) for row in work.conn.execute(_QUEUES).mappings()]
