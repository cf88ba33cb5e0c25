"""The composition root: the only place that wires the rooms together."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from uuid import UUID

import aiosmtplib
from sqlalchemy import text

from outreach.archive.write_back import write_when_due
from outreach.care import tasks as care
from outreach.composing.compose import compose_occurrence
from outreach.core import clock, events
from outreach.core.access import SYSTEM, Actor
from outreach.core.database import Database, open_database
from outreach.core.dropped import DropResult, Looks, take_dropped
from outreach.core.engine import Handler, defer
from outreach.core.errors import Misconfigured, Unavailable
from outreach.core.settings import Settings, Smtp
from outreach.delivery.dispatch import Providers, configured, dispatch
from outreach.delivery.fallthrough import fall_through
from outreach.delivery.sweep import (
    expire_waiting,
    reconcile,
    release_leases,
    settle_waiting_receipts,
    wake,
)
from outreach.feeds.files import take_market_event_file, take_research_file
from outreach.ledger.integrator import integrate
from outreach.ledger.seal import KeyRing
from outreach.ledger.work import Opener, Work, opener
from outreach.messages.suppress import on_contact_changed, supersede_feed_item
from outreach.notices.audience import (
    on_file_waits,
    on_pending_changed,
    on_question_asked,
    on_reply_received,
    on_submission_escalated,
)
from outreach.notices.audience import on_submission_held as tell_deciders
from outreach.notices.authors import on_claim_taken_over, on_decision_made, on_question_answered
from outreach.notices.letters import Mail, Mailer
from outreach.notices.sending import Ways, send_notices, wake_notices
from outreach.notices.targets import read_targets
from outreach.people.nightly import take_clients_file, take_dates_file, take_holdings_file
from outreach.people.staff import actor_for
from outreach.review.escalation import escalate_due
from outreach.review.relex import on_content_published
from outreach.review.standing import on_submission_held as release_standing
from outreach.review.submissions import on_submission_held as reopen
from outreach.scheduling.clockwork import Duty
from outreach.scheduling.feeds import on_feed_item_accepted, on_feed_item_superseded
from outreach.scheduling.tick import expire_due, tick, top_up


def wire() -> None:
    """Subscribe the rooms above to the facts below. Wiring twice is the same as once."""
    events.subscribe(events.SubmissionHeld, reopen)
    events.subscribe(events.SubmissionHeld, release_standing)
    events.subscribe(events.SubmissionHeld, tell_deciders)
    events.subscribe(events.DecisionMade, on_decision_made)
    events.subscribe(events.QuestionAsked, on_question_asked)
    events.subscribe(events.QuestionAnswered, on_question_answered)
    events.subscribe(events.ClaimTakenOver, on_claim_taken_over)
    events.subscribe(events.SubmissionEscalated, on_submission_escalated)
    events.subscribe(events.PendingChanged, on_pending_changed)
    events.subscribe(events.FileWaits, on_file_waits)
    events.subscribe(events.ReplyReceived, care.on_reply_received)
    events.subscribe(events.ReplyReceived, on_reply_received)
    events.subscribe(events.MessageHandedOver, care.on_message_handed_over)
    events.subscribe(events.MessageUnreachable, care.on_message_unreachable)
    events.subscribe(events.ContactChanged, on_contact_changed)
    events.subscribe(events.FeedItemSuperseded, on_feed_item_superseded)
    events.subscribe(events.FeedItemSuperseded, supersede_feed_item)
    events.subscribe(events.FeedItemAccepted, on_feed_item_accepted)
    events.subscribe(events.ClientsImported, top_up)
    events.subscribe(events.ContentPublished, on_content_published)


# Who takes in what is dropped into the watched folder (OUTREACH_DROP), by subfolder.
DROPS: dict[str, Callable[[Opener, Path], DropResult]] = {
    "research": take_research_file,
    "market-events": take_market_event_file,
    "clients": take_clients_file,
    "holdings": take_holdings_file,
    "dates": take_dates_file,
}


@dataclass
class Outreach:
    """One process's view of the whole: settings, database, keys, and units of work."""

    settings: Settings
    database: Database
    keys: KeyRing
    open_work: Opener = field(init=False)
    _looks: dict[str, Looks] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.open_work = opener(self.database, self.keys, self.settings)
        wire()

    @classmethod
    def open(cls, settings: Settings, *, pool_size: int = 8, start_database: bool = True) -> "Outreach":
        """Open database and keys. Raises Unavailable when the database can't be reached, Misconfigured when it has
        no schema yet."""
        database = open_database(settings, pool_size=pool_size, start=start_database)
        try:
            _prove(database)
        except BaseException:
            database.close()
            raise
        settings.keys.parent.mkdir(parents=True, exist_ok=True)
        return cls(settings, database, KeyRing.open(settings.keys, create=True))

    def actor(self, staff_id: UUID) -> Actor:
        """The Actor that a member of staff is today."""
        with self.database.begin() as conn:
            return actor_for(conn, staff_id, clock.today(self.settings.zone))

    def close(self) -> None:
        """Give back the connections."""
        self.database.close()

    # ── the worker's tasks ────────────────────────────────────────────────────────────────────────────────

    def handlers(self, providers: Providers) -> dict[str, Handler]:
        """What each name of ``core.engine.TASKS`` does. Raises Misconfigured when the file of notices' targets can't
        be used."""
        open_work = self.open_work
        ways = self.ways()

        def compose(occurrence_id: str) -> None:
            compose_occurrence(open_work, UUID(occurrence_id))

        async def send() -> None:
            await dispatch(open_work, providers)

        async def send_urgent() -> None:
            await dispatch(open_work, providers, urgent=True)

        def weave() -> None:
            integrate(open_work)

        def tell() -> None:
            send_notices(open_work, ways, urgent=False)

        def tell_urgent() -> None:
            send_notices(open_work, ways, urgent=True)

        async def sweep() -> None:
            await reconcile(open_work, providers)

        return {
            "compose_occurrence": compose,
            "dispatch": send,
            "dispatch_urgent": send_urgent,
            "integrate": weave,
            "send_notices": tell,
            "send_urgent_notices": tell_urgent,
            "sweep": sweep,
        }

    def ways(self) -> Ways:
        """By what staff is told: mail and the firm's targets. Raises Misconfigured."""
        post = mailer(self.settings.smtp) if self.settings.smtp else None
        return Ways(mailer=post, targets=read_targets(self.settings.notice_targets))

    def providers(self) -> Providers:
        """The configured channels, to be opened on the worker's loop."""
        return Providers(configured(self.settings), self.settings)

    # ── the scheduler's duties ────────────────────────────────────────────────────────────────────────────

    def duties(self) -> list[Duty]:
        """What the scheduler does again and again; every duty may run on several machines at once."""
        return [
            Duty("schedules", 15.0, lambda: tick(self.open_work)),
            Duty("wake", 1.0, self._in_work(wake)),
            Duty("leases", 5.0, self._in_work(release_leases)),
            Duty("expiry", 20.0, self._in_work(expire_waiting)),
            Duty("next channel", 10.0, self._in_work(fall_through)),
            Duty("missed", 60.0, self._in_work(expire_due)),
            Duty("escalation", 5.0, self._in_work(escalate_due)),
            Duty("receipts", 5.0, self._in_work(settle_waiting_receipts)),
            Duty("due compositions", 10.0, self._in_work(_redefer_due)),
            Duty("reconcile", 30.0, self._in_work(lambda work: defer(work.conn, "sweep", lock="sweep"))),
            Duty("notices", 15.0, self._in_work(wake_notices)),
            Duty("partitions", 3600.0, self._in_work(_make_months)),
            Duty("write-back", 60.0, lambda: write_when_due(self.open_work)),
            # One for each folder: a night's file of clients must not keep an alert waiting.
            *(Duty(f"dropped {name}", 5.0, partial(self.look_at_dropped, name)) for name in DROPS),
        ]

    def look_at_dropped(self, name: str) -> None:
        """Take in what lies complete in one subfolder of the watched folder. Raises Misconfigured when that can't be
        used."""
        take_dropped(
            self.open_work,
            name,
            self.settings.drop_folder / name,
            partial(DROPS[name], self.open_work),
            self._looks.setdefault(name, {}),
        )

    def _in_work(self, act: Callable[[Work], object]) -> Callable[[], object]:
        def run() -> object:
            with self.open_work(SYSTEM) as work:
                return act(work)

        return run


def _prove(database: Database) -> None:
    """A role that starts says at once when it can't work, instead of failing again and again."""
    with database.begin() as conn:
        if conn.execute(text("SELECT to_regclass('message')")).scalar_one() is None:
            raise Misconfigured("The database has no schema yet.", mend="Run: outreach migrate")


def _redefer_due(work: Work) -> None:
    """An occurrence whose composing job was lost is deferred again."""
    rows = work.conn.execute(
        text(
            "SELECT id FROM occurrence WHERE state = 'due' AND created_at < now() - interval '20 seconds'"
            " ORDER BY created_at LIMIT 100"
        )
    ).all()
    for row in rows:
        defer(work.conn, "compose_occurrence", lock=f"compose:{row.id}", occurrence_id=str(row.id))


def _make_months(work: Work) -> None:
    """Partitions of this month and the fourteen after it."""
    work.conn.execute(
        text(
            "SELECT ensure_month((date_trunc('month', CAST(:now AS timestamptz)) + make_interval(months => n))::date)"
            " FROM generate_series(0, 14) AS n"
        ),
        {"now": clock.now()},
    )


def mailer(settings: Smtp) -> Mailer:
    """A Mailer over the firm's mail server, for notices to staff (messages to clients go by delivery)."""

    def send(mail: Mail) -> None:
        letter = EmailMessage()
        letter["From"], letter["To"], letter["Subject"] = settings.sender, mail.to, mail.subject
        letter.set_content(mail.text)
        try:
            asyncio.run(
                aiosmtplib.send(
                    letter,
                    hostname=settings.host,
                    port=settings.port,
                    username=settings.username or None,
                    password=settings.password or None,
                    use_tls=settings.tls == "tls",
                    start_tls=settings.tls == "starttls",
                    timeout=15,
                )
            )
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Unavailable(f"The notice could not be mailed: {error}") from error

    return send
