"""Taking in research reports and market events: once each, and a correction takes the place of what it corrects."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from sqlalchemy import insert, select, update

from outreach.core import clock
from outreach.core.access import Actor, Permission, require
from outreach.core.errors import BadInput
from outreach.core.events import FeedItemAccepted, FeedItemSuperseded, publish
from outreach.core.ids import new_id
from outreach.feeds.items import MarketEvent, ResearchReport
from outreach.feeds.parsing import parse_market_events, parse_research
from outreach.feeds.refusals import FeedRejected
from outreach.feeds.tables import feed_item
from outreach.ledger.append import Entry, record
from outreach.ledger.work import Opener, Work

KINDS = ("research", "market-event")
Item = ResearchReport | MarketEvent


@dataclass(frozen=True)
class Refusal:
    """A line that was not taken, in words."""

    line: int
    item_id: str
    field: str
    code: str
    reason: str
    mend: str


@dataclass
class FeedResult:
    """What taking in a feed came to."""

    lines: int = 0
    accepted: int = 0
    corrections: int = 0
    known: int = 0
    refused: list[Refusal] = field(default_factory=list)


def import_feed(open_work: Opener, actor: Actor, kind: str, path: Path) -> FeedResult:
    """Take in a JSON Lines file of ``kind`` (research, market-event); the same file again changes nothing.

    Each item is a transaction of its own, so a faulty line, or a stop half way, loses nothing else. Raises
    BadInput for an unknown kind or an unreadable file, Forbidden for an actor who may not import.
    """
    require(actor, Permission.IMPORT)
    try:
        with path.open("rb") as stream:
            return take_in_stream(open_work, actor, kind, stream)
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}.", mend="Check the path.") from error


def take_in_stream(open_work: Opener, actor: Actor, kind: str, stream: BinaryIO) -> FeedResult:
    """``import_feed`` from an open stream."""
    if kind not in KINDS:
        raise BadInput(f"There is no feed {kind!r}.", mend=f"Use one of: {', '.join(KINDS)}.")
    parse = parse_research if kind == "research" else parse_market_events
    result = FeedResult()
    for item in parse(stream):
        result.lines += 1
        with open_work(actor) as work:
            if isinstance(item, FeedRejected):
                if item.is_repeat:
                    result.known += 1
                else:
                    result.refused.append(_refusal(item, work.settings.locale))
                continue
            outcome = take_in(work, kind, item)
        if outcome == "conflict":
            result.refused.append(
                Refusal(
                    item.line,
                    item.item_id,
                    "",
                    "conflicting",
                    "This id was taken in with the same time and another content.",
                    "Give the correction a later time.",
                )
            )
        elif outcome == "known":
            result.known += 1
        else:
            result.accepted += 1
            result.corrections += outcome == "correction"
    return result


def _refusal(item: FeedRejected, locale: str) -> Refusal:
    return Refusal(item.line, item.item_id, item.field, item.code, item.reason(locale), item.mend(locale))


def take_in(work: Work, kind: str, item: Item) -> str:
    """Take in one item; returns new, correction, known (there already, or overtaken) or conflict.

    Raises Forbidden for an actor who may not import.
    """
    require(work.actor, Permission.IMPORT)
    conn = work.conn
    earlier = conn.execute(
        select(feed_item)
        .where(feed_item.c.kind == kind, feed_item.c.item_key == item.item_id)
        .order_by(feed_item.c.issued_at.desc())
        .with_for_update()
    ).all()
    for row in earlier:
        if row.issued_at == item.issued_at:
            return "known" if bytes(row.sha256) == item.sha256 else "conflict"
    if earlier and earlier[0].issued_at > item.issued_at:
        return "known"  # a later version is here already
    replaced = [row.id for row in earlier if row.superseded_by is None]
    named = item.supersedes if isinstance(item, MarketEvent) else None
    if named:
        replaced += conn.execute(
            select(feed_item.c.id)
            .where(
                feed_item.c.kind == kind, feed_item.c.item_key == named, feed_item.c.superseded_by.is_(None)
            )
            .with_for_update()
        ).scalars()
    overtaken_by = conn.execute(
        select(feed_item.c.id)
        .where(
            feed_item.c.kind == kind,
            feed_item.c.data["supersedes"].astext == item.item_id,
            feed_item.c.issued_at >= item.issued_at,
        )
        .limit(1)
    ).scalar_one_or_none()
    identifier = _insert(work, kind, item, replaced, overtaken_by)
    for old in replaced:
        conn.execute(update(feed_item).where(feed_item.c.id == old).values(superseded_by=identifier))
        publish(work, FeedItemSuperseded(kind, old, identifier))
    if overtaken_by is None:
        publish(work, FeedItemAccepted(kind, identifier))
    return "correction" if replaced else "new"


def _insert(work: Work, kind: str, item: Item, replaced: list[UUID], overtaken_by: UUID | None) -> UUID:
    identifier = new_id()
    report = isinstance(item, ResearchReport)
    work.conn.execute(
        insert(feed_item).values(
            id=identifier,
            kind=kind,
            item_key=item.item_id,
            issued_at=item.issued_at,
            code=item.ts_code,
            item_type=item.report_type if isinstance(item, ResearchReport) else item.type,
            risk_level=item.risk_level if isinstance(item, ResearchReport) else None,
            urgent=item.is_urgent if isinstance(item, MarketEvent) else False,
            expires_at=item.expires_at if isinstance(item, ResearchReport) else item.deadline,
            data=item.model_dump(mode="json"),
            sha256=item.sha256,
            supersedes_id=replaced[0] if replaced else None,
            superseded_by=overtaken_by,
            received_at=clock.now(),
        )
    )
    record(
        work,
        Entry(
            "import",
            {
                "feed_item_id": identifier,
                "object": "research" if report else "market-event",
                "file_digest": item.sha256,
                "accepted": 1,
            },
        ),
    )
    return identifier
