"""Taking in research reports and market events: once each, and a correction takes the place of what it corrects."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal
from uuid import UUID

from sqlalchemy import func, insert, select, text, update

from outreach.core import clock
from outreach.core.access import Actor, Permission, require
from outreach.core.errors import BadInput
from outreach.core.events import FeedItemAccepted, FeedItemSuperseded, publish
from outreach.core.ids import new_id
from outreach.feeds.items import MarketEvent, ResearchReport
from outreach.feeds.parsing import parse_market_events, parse_research
from outreach.feeds.refusals import Fault, FeedRejected
from outreach.feeds.tables import feed_item
from outreach.feeds.types import needs_code
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


@dataclass(frozen=True)
class Taken:
    """What became of one item. ``line`` counts from 1.

    new; correction (it took an earlier item's place); known (there already, or overtaken by a later version: nothing
    changed); refused (``refusal`` says why).
    """

    line: int
    item_id: str
    outcome: Literal["new", "correction", "known", "refused"]
    refusal: Refusal | None = None


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
    result = FeedResult()
    for taken in take_in_each(open_work, actor, kind, stream):
        result.lines += 1
        if taken.refusal is not None:
            result.refused.append(taken.refusal)
        elif taken.outcome == "known":
            result.known += 1
        else:
            result.accepted += 1
            result.corrections += taken.outcome == "correction"
    return result


def take_in_each(
    open_work: Opener, actor: Actor, kind: str, stream: BinaryIO, locale: str = ""
) -> Iterator[Taken]:
    """Take in the items of a stream one by one, each in a transaction of its own, and say what became of each.

    ``locale``: the language of refusals, the firm's when empty. Raises as ``import_feed``.
    """
    if kind not in KINDS:
        raise BadInput(f"There is no feed {kind!r}.", mend=f"Use one of: {', '.join(KINDS)}.")
    require(actor, Permission.IMPORT)
    parse = parse_research if kind == "research" else parse_market_events
    if not locale:
        with open_work(actor) as work:
            locale = work.settings.locale
    for item in parse(stream):
        if isinstance(item, FeedRejected):
            yield Taken(item.line, item.item_id, "known") if item.is_repeat else _refused(item, locale)
            continue
        with open_work(actor) as work:
            outcome = take_in(work, kind, item)
        if outcome == "new" or outcome == "correction" or outcome == "known":
            yield Taken(item.line, item.item_id, outcome)
        else:
            fault = Fault("ts_code" if outcome == "needs_code" else "", outcome)
            yield _refused(FeedRejected(item.line, item.item_id, (fault,)), locale)


def _refused(item: FeedRejected, locale: str) -> Taken:
    refusal = Refusal(item.line, item.item_id, item.field, item.code, item.reason(locale), item.mend(locale))
    return Taken(item.line, item.item_id, "refused", refusal)


# The last three are codes of refusals.
Outcome = Literal["new", "correction", "known", "conflicting_known", "supersedes_later", "needs_code"]


def take_in(work: Work, kind: str, item: Item) -> Outcome:
    """Take in one item; returns new, correction, known (there already, or overtaken by what is later: it is
    never sent), or the code by which it is refused.

    It takes the place of whatever is in force of its own id, or of the id it ``supersedes``, and of what took
    their place before it, unless that is later. Raises Forbidden for an actor who may not import.
    """
    require(work.actor, Permission.IMPORT)
    conn = work.conn
    # One item of a feed at a time: two corrections of one item, or an item and its correction, that arrive at the
    # same moment must see each other.
    conn.execute(_TAKE_TURNS, {"key": f"feed:{kind}"})
    earlier = conn.execute(
        select(feed_item)
        .where(feed_item.c.kind == kind, feed_item.c.item_key == item.item_id)
        .order_by(feed_item.c.issued_at.desc())
    ).all()
    for row in earlier:
        if row.issued_at == item.issued_at:
            return "known" if bytes(row.sha256) == item.sha256 else "conflicting_known"
    if earlier and earlier[0].issued_at > item.issued_at:
        return "known"  # a later version is here already
    if not item.ts_code and needs_code(conn, kind, _type_of(item)):
        return "needs_code"
    named = item.supersedes if isinstance(item, MarketEvent) else None
    if named and _is_older_than(work, kind, named, item):
        return "supersedes_later"
    keys = [item.item_id] + ([named] if named else [])
    replaced: list[UUID] = []
    overtaken_by: UUID | None = None
    for row in conn.execute(_IN_FORCE, {"kind": kind, "keys": keys, "id": item.item_id}):
        if row.issued_at > item.issued_at or (row.issued_at == item.issued_at and row.names_it):
            overtaken_by = overtaken_by or row.id
        else:
            replaced.append(row.id)
    identifier = _insert(work, kind, item, replaced, overtaken_by)
    for old in replaced:
        conn.execute(update(feed_item).where(feed_item.c.id == old).values(superseded_by=identifier))
        publish(work, FeedItemSuperseded(kind, old, identifier))
    if overtaken_by is None:
        publish(work, FeedItemAccepted(kind, identifier))
    if overtaken_by is not None:
        return "known"
    return "correction" if replaced else "new"


def _is_older_than(work: Work, kind: str, named: str, item: Item) -> bool:
    """Whether every version of what ``item`` names was issued after it: then their order is unknown."""
    first = work.conn.execute(
        select(func.min(feed_item.c.issued_at)).where(feed_item.c.kind == kind, feed_item.c.item_key == named)
    ).scalar_one()
    return first is not None and first > item.issued_at


_TAKE_TURNS = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
# What is in force at the end of the chains that start with the ids, or with what names the new item as the one it
# replaces (names_it).
_IN_FORCE = text(
    """
    WITH RECURSIVE chain AS (
        SELECT id, issued_at, superseded_by, false AS names_it FROM feed_item
         WHERE kind = :kind AND item_key = ANY(:keys)
        UNION
        SELECT id, issued_at, superseded_by, true FROM feed_item
         WHERE kind = :kind AND data ->> 'supersedes' = :id
        UNION
        SELECT f.id, f.issued_at, f.superseded_by, c.names_it
          FROM feed_item f JOIN chain c ON f.id = c.superseded_by
    )
    SELECT id, issued_at, bool_or(names_it) AS names_it FROM chain WHERE superseded_by IS NULL
     GROUP BY id, issued_at ORDER BY issued_at DESC
    """
)


def _type_of(item: Item) -> str:
    return item.report_type if isinstance(item, ResearchReport) else item.type


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
            item_type=_type_of(item),
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
