"""The row behind a message's page: the message itself, with what one row of other tables says of it."""

from dataclasses import fields
from typing import Any
from uuid import UUID

from sqlalchemy import text

from outreach.core import clock
from outreach.core.access import Permission, reach
from outreach.core.errors import NotFound
from outreach.core.together import Answer, Question, asked
from outreach.ledger.work import Work
from outreach.review.facts import FACTS
from outreach.review.submissions import Submission


def read_row(work: Work, message_id: UUID, within: UUID | None = None) -> Any:
    """The message with what one row of other tables says of it, under their names.

    ``within``: the submission, where it is known. Raises NotFound beyond the actor's scope, or outside of it.
    """
    return row_from(asked(work.conn, row_question(work, message_id, within)))


def row_question(work: Work, message_id: UUID, within: UUID | None) -> Question:
    """What ``read_row`` asks."""
    wanted: dict[str, Any] = {
        "id": message_id,
        "actor": work.actor.staff_id,
        "now": clock.now(),
        "scope": reach(work.actor, Permission.READ_MESSAGES),
    }
    return (_MESSAGE, wanted) if within is None else (_MESSAGE_WITHIN, wanted | {"within": within})


def row_from(answer: Answer) -> Any:
    """The row that ``row_question`` was answered. Raises NotFound when there is none."""
    found = answer.one_or_none()
    if found is None:
        raise NotFound("There is no such message that you may see.", mend="Look in the inbox again.")
    return found


SUBMISSION = [field.name for field in fields(Submission)]
_MESSAGE = text(
    f"""
    SELECT m.id, m.scheduled_month, m.occurrence_id, m.submission_id, m.branch_id, m.client_id, m.author_id, m.channel,
           m.category, m.language, m.template_version_id, m.risk_level, m.revision, m.digest, m.payload_id, m.state,
           m.reason, m.reason_params, m.findings, m.flagged, m.blocked, m.urgent, m.send_at, m.due_at, m.expires_at,
           m.created_at, m.decision_id, m.endorsed, m.text_hash,
           {", ".join(f"s.{name} AS submission_{name}" for name in SUBMISSION if name != "id")},
           {", ".join(f"c.{name} AS client_{name}" for name in FACTS)},
           b.name AS branch_name, b.name_en AS branch_name_en, p.version AS policy_version,
           author.name AS author_name, editor.name AS editor_name, advisor.name AS advisor_name,
           claimer.name AS claimer_name, stopper.name AS stopper_name,
           seen.revision AS seen_revision, seen.findings AS seen_findings, seen.at AS seen_at,
           o.feed_item_id IS NOT NULL OR EXISTS (SELECT FROM occurrence_item i WHERE i.occurrence_id = o.id) AS sourced
      FROM message m
      JOIN submission s ON s.id = m.submission_id AND s.scheduled_month = m.scheduled_month
      JOIN occurrence o ON o.id = m.occurrence_id
      JOIN client c ON c.id = m.client_id
      JOIN branch b ON b.id = m.branch_id
      JOIN content_version p ON p.id = s.policy_version_id
      LEFT JOIN staff author ON author.id = m.author_id
      LEFT JOIN staff editor ON editor.id = m.last_editor_id
      LEFT JOIN staff advisor ON advisor.id = m.advisor_id
      LEFT JOIN staff claimer ON claimer.id = s.claimed_by AND s.claimed_until > :now
      LEFT JOIN staff stopper ON stopper.id = s.stopped_by
      LEFT JOIN message_seen seen ON seen.message_id = m.id AND seen.staff_id = CAST(:actor AS uuid)
     WHERE m.id = :id AND (CAST(:scope AS uuid[]) IS NULL OR m.branch_id = ANY(:scope))
    """
)


# In the partition of its submission, and no other.
_MESSAGE_WITHIN = text(
    f"{_MESSAGE.text} AND m.submission_id = :within"
    " AND m.scheduled_month = (SELECT scheduled_month FROM submission WHERE id = :within)"
)
