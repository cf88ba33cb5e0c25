"""Opening what waits: all that the pages of one message and of one submission show, asked in few round trips.

That the actor reads it is noted, and what they were shown counts as seen from then on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from outreach.core.together import together
from outreach.ledger.append import SEALED, unsealed
from outreach.ledger.work import Work
from outreach.messages.states import State
from outreach.review.detail import Detail, ask_about, detail_of
from outreach.review.filters import Filters
from outreach.review.identical import (
    Bulk,
    Identical,
    identical_from,
    identical_question,
    unflagged_from,
    unflagged_question,
)
from outreach.review.inbox import list_question
from outreach.review.lines import LinePage, beside_question, lines_from, lines_question, sealed_in
from outreach.review.message_row import read_row, row_from, row_question
from outreach.review.reading import Reader, note_question, note_reading, readers_from, readers_question
from outreach.review.seen import Since, changed_since, seen_question
from outreach.review.submissions import submission_for

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
    return _open(work, read_row(work, message_id, submission_id), locale)


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
    head = submission_for(work, submission_id)
    beside, page = list_question(work, within, AROUND), lines_question(work, head, after, limit)
    with together(work.conn) as ask:
        found = ask(*page)
        ids = ask(*beside)
        readers = ask(*readers_question(work, head))
        unflagged = ask(*unflagged_question(work, head)) if head.mode == "each" else None
    chosen = message_id or (found.rows[0].id if found.rows else None)
    with together(work.conn) as ask:
        bodies = ask(SEALED, ids=sealed_in(found, limit))
        row = ask(*row_question(work, chosen, submission_id)) if chosen else None
    message = _open(work, row_from(row), locale) if row else None
    if message is None:
        note_reading(work, submission_id)
    before, following = around(head.id, [one.id for one in ids.rows])
    return OpenedSubmission(
        lines=lines_from(found, work, head, unsealed(work, bodies.rows), limit),
        message=message,
        readers=readers_from(readers),
        opened_ones=unflagged_from(unflagged) if unflagged else None,
        before=before,
        after=following,
    )


def around(submission_id: UUID, ids: Sequence[UUID]) -> tuple[UUID | None, UUID | None]:
    """The submissions before and after one in a list."""
    if submission_id not in ids:
        return None, ids[0] if ids else None
    at = ids.index(submission_id)
    return ids[at - 1] if at else None, ids[at + 1] if at + 1 < len(ids) else None


def _open(work: Work, row: Any, locale: str) -> Opened:
    alike = row.state == State.HELD.value and row.text_hash is not None
    with together(work.conn) as ask:
        about = ask_about(ask, work, row)
        same = ask(*identical_question(work, row)) if alike else None
        beside = ask(*beside_question(work, row.submission_id, row.scheduled_month, row))
        if work.actor.staff_id is not None:
            ask(*note_question(work, row.submission_id, row.id))
            ask(*seen_question(work, row.id, row.revision, row.findings))
    detail = detail_of(work, row, about, locale)
    before, after = beside.rows[0]
    return Opened(
        detail,
        changed_since(work, detail),
        identical_from(same, detail) if same else None,
        before,
        after,
    )
