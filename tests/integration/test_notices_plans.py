"""With years of notices behind it, looking for what is due reads what is due."""

from sqlalchemy import func, insert, select, text

from outreach.core import clock
from outreach.core.ids import new_id
from outreach.ledger.work import Opener, Work
from outreach.notices.outbox import list_notices, tell
from outreach.notices.routing import _due
from outreach.notices.sending import Ways, _lock_due, wake_notices
from outreach.notices.tables import notice, notice_delivery
from tests.support.builders import Firm, firm
from tests.support.notices import Postbox

OLD = 4000


def years_of_notices(work: Work, people: Firm) -> None:
    at = clock.now()
    staff = [one.staff_id for one in (*people.b01.advisors, *people.b02.advisors, people.b02.manager)]
    rows = [
        {
            "id": new_id(),
            "staff_id": staff[number % len(staff)],
            "kind": "reply",
            "params": {},
            "created_at": at,
            "sent_at": at,
            "routed_at": at,
            "told_id": new_id(),
        }
        for number in range(OLD)
    ]
    work.conn.execute(insert(notice), rows)
    work.conn.execute(
        insert(notice_delivery),
        [
            {
                "notice_id": row["id"],
                "way": "mail",
                "recipient": str(row["staff_id"]),
                "next_try_at": at,
                "ended_at": at,
                "outcome": "told",
            }
            for row in rows
        ],
    )
    work.conn.execute(text("ANALYZE notice, notice_delivery"))


def read(work: Work) -> int:
    """How many rows of both tables were read since the counters were reset, in this transaction."""
    counted = text(
        "SELECT sum(pg_stat_get_xact_tuples_returned(oid) + pg_stat_get_xact_tuples_fetched(oid))::int"
        " FROM pg_class WHERE relname IN ('notice', 'notice_delivery')"
    )
    return int(work.conn.execute(counted).scalar_one())


def test_what_is_due_is_found_without_reading_what_was_told(open_work: Opener) -> None:
    people = firm(open_work)
    assert people.b01.manager.staff_id is not None
    with open_work() as work:
        years_of_notices(work, people)
    with open_work() as work:
        tell(work, [people.b01.manager.staff_id], "reply", {"reply_id": "x"})
    postbox = Postbox(refuse=1)
    with open_work() as work:
        wake_notices(work)
        assert len(_due(work, None)) == 1
        assert _lock_due(work, Ways(postbox), None) == []
        assert read(work) < 50
    postbox.send(open_work)
    with open_work(people.b01.manager) as work:
        assert len(list_notices(work).items) == 1
        assert read(work) < 50
        work.conn.execute(select(func.count()).select_from(notice))
        assert read(work) > OLD  # the counters count
