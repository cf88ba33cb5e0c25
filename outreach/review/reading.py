"""Who is reading what just now. It is worth nothing after a minute, and nothing after a crash."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from outreach.core import clock
from outreach.core.access import Permission, reach
from outreach.core.errors import NotFound
from outreach.core.together import Answer, Question, asked
from outreach.ledger.work import Work
from outreach.review.submissions import Submission

STILL = timedelta(seconds=45)  # who was not seen reading for so long reads no more


@dataclass(frozen=True)
class Reader:
    """Somebody who has a submission open. ``message_id``: the message, where one is shown."""

    staff_id: UUID
    name: str
    message_id: UUID | None
    at: datetime


def note_reading(work: Work, submission_id: UUID, message_id: UUID | None = None) -> None:
    """Note that the actor reads this now: one statement. Raises NotFound beyond the actor's scope."""
    if work.actor.staff_id is None:
        return
    noted = asked(work.conn, note_question(work, submission_id, message_id))
    if noted.one_or_none() is None:
        raise NotFound("There is no such submission that you may see.", mend="Look in the inbox again.")


def note_question(work: Work, submission_id: UUID, message_id: UUID | None) -> Question:
    """What ``note_reading`` asks: the reader's id, nothing where they may not see it."""
    return _NOTE, {
        "who": work.actor.staff_id,
        "submission": submission_id,
        "message": message_id,
        "at": clock.now(),
        "scope": reach(work.actor, Permission.READ_MESSAGES),
    }


# What may not be seen is not read either.
_NOTE = text(
    """
    INSERT INTO reading (staff_id, submission_id, message_id, at)
    SELECT CAST(:who AS uuid), s.id, CAST(:message AS uuid), CAST(:at AS timestamptz)
      FROM submission s
     WHERE s.id = :submission
       AND CASE WHEN CAST(:message AS uuid) IS NULL
                THEN CAST(:scope AS uuid[]) IS NULL OR s.branch_id = ANY(:scope)
                     OR (s.branch_id IS NULL AND EXISTS (SELECT FROM submission_tally t
                                                          WHERE t.submission_id = s.id AND t.branch_id = ANY(:scope)))
                ELSE EXISTS (SELECT FROM message m
                              WHERE m.id = :message AND m.scheduled_month = s.scheduled_month
                                AND m.submission_id = s.id
                                AND (CAST(:scope AS uuid[]) IS NULL OR m.branch_id = ANY(:scope))) END
        ON CONFLICT (staff_id) DO UPDATE
       SET submission_id = excluded.submission_id, message_id = excluded.message_id, at = excluded.at
    RETURNING staff_id
    """
)


def readers_of(work: Work, about: Submission) -> list[Reader]:
    """The others who read this submission within the last 45 seconds, the last one first.

    Of the firm's, only those on it as a whole or on messages that the actor may see.
    """
    found = asked(work.conn, readers_question(work, about))
    return readers_from(found)


def readers_from(answer: Answer) -> list[Reader]:
    """``readers_of``, by what ``readers_question`` was answered."""
    return [Reader(*row) for row in answer.rows]


def readers_question(work: Work, about: Submission) -> Question:
    """What ``readers_of`` asks."""
    return _READERS, {
        "who": work.actor.staff_id,
        "submission": about.id,
        "month": about.scheduled_month,
        "since": clock.now() - STILL,
        "scope": reach(work.actor, Permission.READ_MESSAGES),
    }


_READERS = text(
    """
    SELECT r.staff_id, s.name, r.message_id, r.at
      FROM reading r JOIN staff s ON s.id = r.staff_id
     WHERE r.submission_id = :submission AND r.at > :since AND r.staff_id IS DISTINCT FROM CAST(:who AS uuid)
       AND (r.message_id IS NULL
            OR EXISTS (SELECT FROM message m
                        WHERE m.id = r.message_id AND m.scheduled_month = :month
                          AND (CAST(:scope AS uuid[]) IS NULL OR m.branch_id = ANY(:scope))))
     ORDER BY r.at DESC
    """
)
