"""What goes to an advisor's clients on a day, and where each message stands. No content."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from dateutil.relativedelta import relativedelta
from sqlalchemy import text

from outreach.core.access import Permission, Role
from outreach.ledger.work import Work
from outreach.messages.reasons import Words, words
from outreach.occasions.periods import Period, one_day

LONGEST = 300


@dataclass(frozen=True)
class Send:
    """A message to a client on that day. ``at``: when it came to where it stands, or, before it leaves, when it is
    to go out."""

    id: UUID
    client_id: UUID
    client_no: str
    client_name: str
    title: str
    channel: str
    state: str
    at: datetime
    why: Words | None


# By message_client in the months that a day's messages can be of: the clients of one advisor are some hundreds.
SENDS = """
SELECT m.id, m.client_id, c.client_no, c.name AS client_name, s.title, m.channel, m.state, m.reason, m.reason_params,
       CASE WHEN m.state IN ('held', 'approved') THEN m.send_at ELSE m.state_at END AS at
  FROM client c
  JOIN message m ON m.client_id = c.id
  JOIN submission s ON s.id = m.submission_id
 WHERE c.advisor_id = :advisor AND (:firm OR m.branch_id = ANY(:branches))
   AND m.scheduled_month BETWEEN :oldest AND :newest
   AND (m.state IN ('claimed', 'sent', 'handed_over', 'delivered', 'undelivered', 'unknown', 'failed', 'suppressed',
                    'expired') AND m.state_at >= :since AND m.state_at < :until
        OR m.state IN ('held', 'approved') AND m.send_at >= :since AND m.send_at < :until)
 ORDER BY at, m.id
 LIMIT :limit
"""


def sends_of(work: Work, advisor_id: UUID, day: date, locale: str | None = None) -> list[Send]:
    """What goes, went or should have gone to that advisor's clients on ``day``, as far as the actor may see them;
    an advisor their own only."""
    if work.actor.roles() == {Role.ADVISOR} and advisor_id != work.actor.staff_id:
        return []
    scope = work.actor.scope(Permission.READ_MESSAGES)
    period: Period = one_day(day, work.settings.zone)
    rows = work.conn.execute(
        text(SENDS),
        {
            "advisor": advisor_id,
            "firm": scope is None,
            "branches": sorted(scope or ()),
            "since": period.since,
            "until": period.until,
            "oldest": day.replace(day=1) - relativedelta(months=2),
            "newest": day.replace(day=1) + relativedelta(months=1),
            "limit": LONGEST,
        },
    )
    tongue = locale or work.settings.locale
    return [
        Send(
            id=row.id,
            client_id=row.client_id,
            client_no=row.client_no,
            client_name=row.client_name,
            title=row.title,
            channel=row.channel,
            state=row.state,
            at=row.at,
            why=words(row.reason, row.reason_params, tongue) if row.reason else None,
        )
        for row in rows
    ]
