"""What the start page shows, by role: services' results put in order."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from outreach.archive.runs import RecordState, record_state
from outreach.core import clock
from outreach.core.access import Permission, Role
from outreach.core.errors import NotFound
from outreach.core.settings import Settings
from outreach.delivery.watch import Queue, count_unknown, queues
from outreach.ledger.work import Work
from outreach.messages.tally import approved_waiting, sent_since, written_by_me
from outreach.occasions.windows import start_of_day
from outreach.review.inbox import Counts, Waiting, counts, list_waiting
from outreach.scheduling.overview import JobLine, job_lines

# States of a message as tiles, in the order in which it goes through them, with their tone.
_TONES = {
    "approved": "calm",
    "claimed": "calm",
    "sent": "accent",
    "handed_over": "accent",
    "delivered": "good",
    "undelivered": "soon",
    "unknown": "urgent",
    "failed": "urgent",
}


@dataclass(frozen=True)
class Tile:
    """One number with its state."""

    state: str
    count: int
    tone: str


@dataclass(frozen=True)
class Inbox:
    """What waits for a decision, and the first of it."""

    counts: Counts
    first: tuple[Waiting, ...]

    @property
    def earliest(self) -> datetime | None:
        """When the next decision is needed."""
        return min((one.submission.due_by for one in self.first), default=None)


@dataclass(frozen=True)
class Trap:
    """One of the demonstration's planted traps, in the reader's language."""

    title: str
    where_url: str
    rule: str
    article: str
    mend: str


def inbox(work: Work) -> Inbox | None:
    """The inbox in short, for whoever decides."""
    if not work.actor.may(Permission.DECIDE):
        return None
    return Inbox(counts(work), list_waiting(work, limit=4).items)


def sends_today(work: Work) -> list[Tile]:
    """Today's sends by state (the firm's day), and what is approved and waits."""
    if not (work.actor.may(Permission.WATCH_DELIVERY) or Role.ADVISOR in work.actor.roles()):
        return []
    zone = work.settings.zone
    found = {"approved": approved_waiting(work)} | sent_since(work, start_of_day(clock.today(zone), zone))
    shown = ("approved", "sent", "delivered", *(state for state in found))
    return [Tile(state, found.get(state, 0), _TONES[state]) for state in dict.fromkeys(shown)]


def mine(work: Work) -> dict[str, int] | None:
    """An advisor's own messages that need them."""
    return written_by_me(work) if Role.ADVISOR in work.actor.roles() else None


@dataclass(frozen=True)
class Machine:
    """What whoever operates looks at first."""

    unknown: int
    queues: list[Queue]
    next_jobs: list[JobLine]


def machine(work: Work) -> Machine | None:
    """Delivery and jobs in short, for whoever runs the jobs."""
    if not work.actor.may(Permission.RUN_JOBS):
        return None
    try:
        lines = [line for line in job_lines(work) if line.send_at is not None]
    except NotFound:  # nothing is published yet
        lines = []
    soonest = sorted(lines, key=lambda line: line.send_at or clock.now())[:5]
    return Machine(count_unknown(work), queues(work), soonest)


def record(work: Work) -> RecordState | None:
    """Where the record stands, for whoever may verify it."""
    return record_state(work) if work.actor.may(Permission.VERIFY) else None


def traps(settings: Settings, locale: str) -> list[Trap]:
    """The demonstration's traps, from ``demonstration/traps.json`` in the state folder; none elsewhere."""
    path = settings.home / "demonstration" / "traps.json"
    if not settings.demonstration or not path.is_file():
        return []
    tongue = "zh" if locale.startswith("zh") else "en"
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return [
        Trap(
            title=str(row.get(f"title_{tongue}", "")),
            where_url=str(row.get("where_url", "/")),
            rule=str(row.get("rule", "")),
            article=str(row.get("article", "")),
            mend=str(row.get(f"mend_{tongue}", "")),
        )
        for row in rows
    ]
