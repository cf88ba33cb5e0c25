"""The whole path without a person: what waits is decided by a scripted manager through the inbox's own services,
a client answers, and the record is exported and verified."""

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import TextClause, text

from outreach.archive.export import ExportResult, export_period
from outreach.archive.verify import verify_bag, verify_database
from outreach.composing.own import own_message
from outreach.composing.pending import resubmit
from outreach.content.in_force import reasons_in_force
from outreach.core import clock
from outreach.core.access import SYSTEM, Actor
from outreach.core.errors import RuleBroken, Unavailable
from outreach.core.settings import Settings
from outreach.demo.sandbox.client import Sandbox
from outreach.demo.stage import Say, Stage
from outreach.ledger.work import Opener, Work
from outreach.people.staff import actor_for
from outreach.review.batch import approve_batch, sample_of
from outreach.review.decide import approve, return_
from outreach.review.detail import message_detail
from outreach.review.inbox import Waiting, list_messages, list_waiting
from outreach.review.standing import grant_standing

_SETTLE_SECONDS = 120.0
_DECIDERS = ("M001", "M002", "H002")
_PAGE = 200


@dataclass
class Decisions:
    """What the scripted people decided."""

    approved: int = 0
    in_batches: int = 0
    released: int = 0
    returned: int = 0
    refused: Counter[str] = field(default_factory=Counter)


def walk(open_work: Opener, settings: Settings, sandbox: Sandbox, out: Path, say: Say) -> ExportResult:
    """Decide, wait for what was sent, answer as two clients, export and verify; returns the export.

    Raises Unavailable when the roles do not bring it about in time, RuleBroken when the record does not verify.
    """
    stage = Stage(open_work, settings, say)
    _waiting(stage)
    done = Decisions()
    for staff_no in _DECIDERS:
        decide_all(stage, stage.actor(staff_no), done)
    say(
        f"decided       {done.approved} read and approved, {done.in_batches} approved in batches,"
        f" {done.released} released by standing approvals, {done.returned} returned, mended and put up again"
    )
    for rule, count in sorted(done.refused.items()):
        say(f"              {count} refused: {rule}")
    _settled(stage)
    _states(stage, "sent")
    _received(sandbox, say)
    _answer(stage, sandbox)
    return _export(stage, out)


def decide_all(stage: Stage, actor: Actor, done: Decisions) -> None:
    """Decide everything that waits for ``actor``, submission by submission; the first of an advisor's messages goes
    back to its author once, and is approved with better words."""
    with stage.open_work(actor) as work:
        waiting = list_waiting(work, limit=_PAGE).items
    for item in waiting:
        try:
            if item.submission.mode == "standing":
                with stage.open_work(actor) as work:
                    done.released += grant_standing(
                        work, item.submission.id, clock.now() + timedelta(days=30)
                    ).released
            elif item.submission.mode == "batch":
                done.in_batches += _batch(stage, actor, item)
        except RuleBroken as refusal:
            done.refused[refusal.rule] += 1
            continue
        _one_by_one(stage, actor, item, done)


def _batch(stage: Stage, actor: Actor, item: Waiting) -> int:
    with stage.open_work(actor) as work:
        sample = sample_of(work, item.submission.id)
    if not sample.count:
        return 0
    for message_id in sample.message_ids:
        with stage.open_work(actor) as work:
            message_detail(work, message_id)
    with stage.open_work(actor) as work:
        decided = approve_batch(
            work,
            item.submission.id,
            sample.manifest_digest,
            frozenset(sample.message_ids),
            sample.count if sample.needs_count else None,
        )
    return decided.count


def _one_by_one(stage: Stage, actor: Actor, item: Waiting, done: Decisions) -> None:
    """What a batch leaves over, and what is read one by one anyway."""
    after: str | None = None
    while True:
        with stage.open_work(actor) as work:
            page = list_messages(work, item.submission.id, after, _PAGE)
        for line in page.items:
            _decide(stage, actor, line.id, done)
        after = page.next_after
        if after is None:
            return


def _decide(stage: Stage, actor: Actor, message_id: UUID, done: Decisions) -> None:
    with stage.open_work(actor) as work:
        read = message_detail(work, message_id)
        if read.refusal is not None:
            done.refused[read.refusal.rule] += 1
            return
        expected = {message_id: (read.revision, read.digest)}
        if done.returned or read.submission.mode != "each":
            done.approved += approve(work, [message_id], expected).count
            return
        reason = next(iter(reasons_in_force(work.conn)))
        return_(work, [message_id], expected, [reason], "")
        done.returned += 1
        author = read.submission.author_id
    _mend(stage, author, message_id)
    _decide(stage, actor, message_id, done)


def _mend(stage: Stage, author: UUID | None, message_id: UUID) -> None:
    """The author's way back: other words, put up again."""
    assert author is not None
    with stage.open_work(SYSTEM) as work:
        advisor = actor_for(work.conn, author, clock.today(stage.settings.zone))
    with stage.open_work(advisor) as work:
        line = own_message(work, message_id)
        resubmit(work, message_id, line.revision, line.subject, line.text.replace("方便时", "如方便"))


# ── what is watched from outside ──────────────────────────────────────────────────────────────────────────

_STATES = text("SELECT state, count(*) AS count FROM message GROUP BY state ORDER BY state")
_ON_ITS_WAY = text(
    "SELECT count(*) FROM message WHERE (state = 'approved' AND due_at <= now() AND send_at <= now())"
    " OR state = 'claimed' OR (state = 'approved' AND due_at <= now() + interval '2 minutes' AND send_at <= now())"
)
_UNRECEIPTED = text("SELECT count(*) FROM message WHERE state = 'sent' AND channel = 'sms'")
_PENDING = text("SELECT count(*) FROM ledger_pending")


def _count(stage: Stage, query: TextClause) -> int:
    with stage.open_work(SYSTEM) as work:
        return int(work.conn.execute(query).scalar_one())


def _waiting(stage: Stage) -> None:
    with stage.open_work(SYSTEM) as work:
        rows = work.conn.execute(_KINDS).all()
    for row in rows:
        stage.say(f"waiting       {row.kind}: {row.count}")


_KINDS = text(
    "SELECT o.job_name AS kind, count(*) AS count FROM message m"
    " JOIN occurrence o ON o.id = m.occurrence_id WHERE m.state = 'held' GROUP BY 1 ORDER BY 1"
)


def _settled(stage: Stage) -> None:
    """Until what is due is sent, its receipts are in, and the ledger has taken up every entry."""
    until = time.monotonic() + _SETTLE_SECONDS
    quiet = 0
    while quiet < 3:
        left = sum(_count(stage, query) for query in (_ON_ITS_WAY, _UNRECEIPTED, _PENDING))
        quiet = 0 if left else quiet + 1
        if time.monotonic() > until:
            raise Unavailable(
                f"{left} messages, receipts or entries were still on their way after {_SETTLE_SECONDS:.0f} seconds.",
                mend=f"Read the logs in {stage.settings.home / 'logs'}.",
            )
        time.sleep(0.3)


def _states(stage: Stage, label: str) -> None:
    with stage.open_work(SYSTEM) as work:
        rows = work.conn.execute(_STATES).all()
    stage.say(f"{label:<13} " + ", ".join(f"{row.count} {row.state}" for row in rows))


def _received(sandbox: Sandbox, say: Say) -> None:
    for name, server in (
        ("SMTP", sandbox.smtp),
        ("Twilio API", sandbox.twilio),
        ("gateway", sandbox.gateway),
    ):
        counts = server.counts(brief=True)
        notices = ", notices to staff among them" if name == "SMTP" else ""
        say(f"received      {name}: {counts['total']} messages, {len(counts['duplicates'])} twice{notices}")


_DELIVERED = text(
    "SELECT m.id, m.client_id FROM message m WHERE m.state = 'delivered' AND m.channel = 'sms'"
    " ORDER BY m.id LIMIT 2"
)


def _answer(stage: Stage, sandbox: Sandbox) -> None:
    """One client opts out, another one asks something."""
    with stage.open_work(SYSTEM) as work:
        rows = work.conn.execute(_DELIVERED).all()
        numbers = [_address(work, row.id) for row in rows]
    for number, words in zip(numbers, ("退订", "请问这份报告还有详细版吗？"), strict=False):
        sandbox.type_on_phone(number, words)
    until = time.monotonic() + _SETTLE_SECONDS
    while _count(stage, _REPLIES) < len(numbers):
        if time.monotonic() > until:
            raise Unavailable("The replies did not come in.", mend="Read the logs.")
        time.sleep(0.2)
    _settled(stage)
    with stage.open_work(SYSTEM) as work:
        row = work.conn.execute(_AFTER).one()
    stage.say(
        f"replies       {len(numbers)}: {row.opted_out} opted out, {row.suppressed} waiting messages suppressed,"
        f" {row.tasks} for an advisor to answer"
    )


_REPLIES = text("SELECT count(*) FROM reply")
_AFTER = text(
    "SELECT (SELECT count(*) FROM reply WHERE kind = 'opt_out') AS opted_out,"
    " (SELECT count(*) FROM message WHERE state = 'suppressed') AS suppressed,"
    " (SELECT count(*) FROM reply WHERE kind = 'reply' AND answered_at IS NULL) AS tasks"
)


def _address(work: Work, message_id: UUID) -> str:
    detail = message_detail(work, message_id)
    assert detail.payload is not None
    return detail.payload.to


def _export(stage: Stage, out: Path) -> ExportResult:
    compliance = stage.actor("K001")
    now = clock.now()
    done = export_period(stage.open_work, compliance, now - timedelta(days=2), now + timedelta(days=1), out)
    stage.say(f"exported      {done.records} records of {done.messages} messages to {done.path}")
    stage.say(f"              key fingerprint {done.fingerprint}")
    for what, report in (
        ("export", verify_bag(done.path, done.fingerprint)),
        ("database", verify_database(stage.open_work, actor=compliance)),
    ):
        if not report.ok:
            raise RuleBroken(
                f"The {what} does not verify: {'; '.join(report.faults[:3])}",
                rule="record",
                mend="Keep everything as it is.",
            )
        stage.say(f"verified      the {what}: {len(report.checks)} checks")
    return done
