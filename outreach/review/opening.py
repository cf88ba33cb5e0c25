"""Opening what waits: all that the pages of one message and of one submission show, asked in few round trips.

That the actor reads it is noted, and what they were shown counts as seen from then on.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from outreach.core.together import Answer, Ask, together
from outreach.ledger.work import Work
from outreach.messages.states import State
from outreach.review.detail import About, Detail, ask_about, detail_of, read_row
from outreach.review.filters import Filters
from outreach.review.identical import (
    LIKE,
    UNFLAGGED,
    Bulk,
    Identical,
    bulk_of,
    identical_among,
    like,
    there,
)
from outreach.review.inbox import waiting_ids
from outreach.review.lines import BESIDE, LinePage, list_messages, place_of
from outreach.review.reading import NOTED, READERS, Reader, beside_whom, note_reading, noted
from outreach.review.seen import SEEN, Since, changed_since, seen_now
from outreach.review.submissions import Submission

AROUND = 100  # submissions among which the one before and the one after are looked for


@dataclass(frozen=True)
class Opened:
    """One message that was opened. ``since``: what changed since the actor last saw it; ``identical``: those that read
    exactly so; ``preceding`` and ``following``: what waits beside it in its submission."""

    detail: Detail
    since: Since | None
    identical: Identical | None
    preceding: UUID | None
    following: UUID | None


@dataclass(frozen=True)
class OpenedSubmission:
    """A submission that was opened, with one of its messages (None when nothing waits in it any more).

    ``readers``: the others who read it now; ``opened_ones``: what of it can be approved at once because the actor has
    opened it, None where it is approved as a batch; ``before`` and ``after``: the submissions beside it in the list
    that it was opened from.
    """

    lines: LinePage
    message: Opened | None
    readers: list[Reader]
    opened_ones: Bulk | None
    before: UUID | None
    after: UUID | None


def open_message(work: Work, submission_id: UUID, message_id: UUID, locale: str) -> Opened:
    """Open one message of a submission. Raises NotFound beyond the actor's scope, or outside of the submission."""
    row = read_row(work, message_id, submission_id)
    with together(work.conn) as ask:
        asked = _ask(ask, work, row)
    return _opened(work, row, asked, locale)


def open_submission(
    work: Work,
    submission_id: UUID,
    message_id: UUID | None,
    after: str | None,
    limit: int,
    within: Filters,
    locale: str,
) -> OpenedSubmission:
    """Open a page of a submission's messages, and ``message_id`` or the first of them.

    ``within``: what the list was narrowed to. Raises as ``open_message`` and ``lines.list_messages``.
    """
    lines = list_messages(work, submission_id, after, limit)
    head = lines.submission
    chosen = message_id or (lines.items[0].id if lines.items else None)
    row = read_row(work, chosen, submission_id) if chosen else None
    if row is None:
        note_reading(work, submission_id)
    with together(work.conn) as ask:
        asked = _ask(ask, work, row) if row is not None else None
        readers = ask(READERS, **beside_whom(work, head))
        unflagged = ask(UNFLAGGED, **there(work, head)) if head.mode == "each" else None
    before, following = around(work, head, within)
    return OpenedSubmission(
        lines=lines,
        message=_opened(work, row, asked, locale) if asked else None,
        readers=[Reader(*one) for one in readers.rows],
        opened_ones=bulk_of(unflagged.rows) if unflagged else None,
        before=before,
        after=following,
    )


@dataclass(frozen=True)
class _Asked:
    about: About
    like: Answer | None
    beside: Answer


def _ask(ask: Ask, work: Work, row: Any) -> _Asked:
    asked = _Asked(
        ask_about(ask, work, row),
        ask(LIKE, **like(work, row)) if row.state == State.HELD.value and row.text_hash else None,
        ask(BESIDE, **place_of(work, row.submission_id, row.scheduled_month, row)),
    )
    if work.actor.staff_id is not None:
        ask(NOTED, **noted(work, row.submission_id, row.id))
        ask(SEEN, **seen_now(work, row.id, row.revision, Jsonb(row.findings)))
    return asked


def _opened(work: Work, row: Any, asked: _Asked, locale: str) -> Opened:
    detail = detail_of(work, row, asked.about, locale)
    beside = asked.beside.rows[0]
    return Opened(
        detail,
        changed_since(work, detail),
        identical_among(detail, asked.like.rows) if asked.like else None,
        beside.before,
        beside.after,
    )


def around(work: Work, head: Submission, within: Filters) -> tuple[UUID | None, UUID | None]:
    """The submissions before and after this one in the list that it was opened from."""
    ids = waiting_ids(work, within, AROUND)
    if head.id not in ids:
        return None, ids[0] if ids else None
    at = ids.index(head.id)
    return ids[at - 1] if at else None, ids[at + 1] if at + 1 < len(ids) else None
