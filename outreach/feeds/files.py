"""Files of research reports and market events, as they are dropped into the watched folder."""

from pathlib import Path

from outreach.core.access import SYSTEM
from outreach.core.dropped import DropResult
from outreach.feeds.take_in import FeedResult, import_feed
from outreach.ledger.work import Opener


def take_research_file(open_work: Opener, path: Path) -> DropResult:
    """Take in a file of research reports. Raises BadInput when it can't be read."""
    return _dropped(import_feed(open_work, SYSTEM, "research", path))


def take_market_event_file(open_work: Opener, path: Path) -> DropResult:
    """Take in a file of market events. Raises BadInput when it can't be read."""
    return _dropped(import_feed(open_work, SYSTEM, "market-event", path))


def _dropped(result: FeedResult) -> DropResult:
    counts = {
        "lines": result.lines,
        "accepted": result.accepted,
        "corrections": result.corrections,
        "known": result.known,
        "refused": len(result.refused),
    }
    return DropResult(
        counts,
        [
            " ".join(f"{one.line}: {one.item_id} {one.field} [{one.code}] {one.reason} {one.mend}".split())
            for one in result.refused
        ],
    )
