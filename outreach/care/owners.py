"""Whose task it is to reach a client by hand."""

from uuid import UUID

from sqlalchemy import text

from outreach.core import clock
from outreach.ledger.work import Work

# In whose name the message goes out, else the client's advisor, as long as they are with the firm; else the branch's
# manager (art. 55: a client without a named advisor is the branch's).
_OWNER = text(
    """
    SELECT coalesce(
             (SELECT s.id FROM staff s WHERE s.id = m.advisor_id AND s.status = 'active'),
             (SELECT s.id FROM staff s WHERE s.id = c.advisor_id AND s.status = 'active'),
             (SELECT s.id FROM staff_role r JOIN staff s ON s.id = r.staff_id
               WHERE r.role = 'manager' AND r.branch_id = m.branch_id AND s.status = 'active'
                 AND r.valid_from <= :today AND (r.valid_until IS NULL OR r.valid_until >= :today)
               ORDER BY r.valid_from, s.id LIMIT 1))
      FROM message m JOIN client c ON c.id = m.client_id
     WHERE m.id = :id
    """
)


def owner_of(work: Work, message_id: UUID) -> UUID | None:
    """Who calls, or posts, for a message; None where its branch has no manager."""
    today = clock.today(work.settings.zone)
    found: UUID | None = work.conn.execute(_OWNER, {"id": message_id, "today": today}).scalar_one_or_none()
    return found
