"""``outreach delivery``: how sending goes, and outcomes that a person must settle. Never message content."""

from datetime import timedelta
from uuid import UUID

import click
from sqlalchemy import func, or_, select, text

from outreach.cli.session import signed_in
from outreach.cli.tables import local, rows
from outreach.core import clock
from outreach.core.access import Permission, require, visible
from outreach.core.errors import NotFound
from outreach.delivery.channels.base import Fate
from outreach.delivery.sweep import settle
from outreach.delivery.tables import attempt
from outreach.messages.states import State
from outreach.messages.tables import message

_WORDS = {
    "delivered": Fate.DELIVERED,
    "undelivered": Fate.UNDELIVERED,
    "accepted": Fate.ACCEPTED,
    "never-sent": Fate.ABSENT,
}
_WAITING = ("held", "returned", "approved", "claimed", "unknown")


@click.group()
def delivery() -> None:
    """Watch delivery and settle what is unknown."""


_QUEUE = text(
    "SELECT queue_name, status::text AS status, count(*) AS n FROM procrastinate_jobs GROUP BY 1, 2 ORDER BY 1, 2"
)


@delivery.command()
@click.option("--days", default=7, show_default=True, help="how far to look back at what is finished")
def status(days: int) -> None:
    """Counts by channel and state, and the queue."""
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        require(actor, Permission.WATCH_DELIVERY)
        since = clock.now() - timedelta(days=days)
        found = work.conn.execute(
            select(message.c.channel, message.c.state, func.count().label("n"))
            .where(
                visible(actor, Permission.WATCH_DELIVERY, message.c.branch_id),
                or_(message.c.state_at > since, message.c.state.in_(_WAITING)),
            )
            .group_by(message.c.channel, message.c.state)
            .order_by(message.c.channel, message.c.state)
        ).all()
        rows(("CHANNEL", "STATE", "MESSAGES"), [(row.channel, row.state, str(row.n)) for row in found])
        if actor.scope(Permission.WATCH_DELIVERY) is None:
            click.echo()
            queue = work.conn.execute(_QUEUE).all()
            rows(("QUEUE", "STATUS", "JOBS"), [(row.queue_name, row.status, str(row.n)) for row in queue])


@delivery.command()
@click.option("--limit", default=50, show_default=True)
def unknown(limit: int) -> None:
    """Messages whose outcome nobody knows: what was called, when, and what the provider said."""
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        require(actor, Permission.WATCH_DELIVERY)
        zone = outreach.settings.zone
        found = work.conn.execute(
            select(
                message.c.id,
                message.c.channel,
                message.c.state_at,
                attempt.c.provider,
                attempt.c.provider_ref,
                attempt.c.error_code,
            )
            .outerjoin(attempt, attempt.c.id == message.c.claim_token)
            .where(
                message.c.state == State.UNKNOWN.value,
                visible(actor, Permission.WATCH_DELIVERY, message.c.branch_id),
            )
            .order_by(message.c.state_at)
            .limit(limit)
        ).all()
        rows(
            ("MESSAGE", "CHANNEL", "PROVIDER", "SINCE", "REFERENCE", "SAID"),
            [
                (
                    str(row.id),
                    row.channel,
                    row.provider or "–",
                    local(row.state_at, zone),
                    row.provider_ref or "–",
                    row.error_code or "–",
                )
                for row in found
            ],
        )


@delivery.command("settle")
@click.argument("message_id", metavar="MESSAGE", type=click.UUID)
@click.option(
    "--as",
    "outcome",
    type=click.Choice(sorted(_WORDS)),
    required=True,
    help="what became of it; never-sent puts it back in the queue",
)
@click.option("--reference", default="", help="the provider's reference, from its console")
def settle_(message_id: UUID, outcome: str, reference: str) -> None:
    """Say what became of a message whose outcome is unknown, as found at the provider."""
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        require(actor, Permission.RUN_JOBS)
        known = work.conn.execute(
            select(message.c.id).where(
                message.c.id == message_id, visible(actor, Permission.RUN_JOBS, message.c.branch_id)
            )
        ).first()
        if known is None:
            raise NotFound("There is no such message.", mend="List them with: outreach delivery unknown")
        settle(work, message_id, _WORDS[outcome], reference, basis="person")
        click.echo(f"settled: {outcome}")
