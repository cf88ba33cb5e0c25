"""A month of a firm as it would have happened, for tests of figures: decisions by the services, calls by rows."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from freezegun.api import FrozenDateTimeFactory
from sqlalchemy import insert, select, text, update

from outreach.core import clock
from outreach.core.ids import new_id
from outreach.delivery.tables import attempt, reply
from outreach.ledger.append import seal_bytes
from outreach.ledger.work import Opener, Work
from outreach.messages.tables import message
from outreach.review.decide import approve, return_
from outreach.review.undo import undo
from tests.support.builders import Team
from tests.support.desk import Desk
from tests.support.review_rows import Held, as_read, hold


def put_up(open_work: Opener, desk: Desk, team: Team, count: int = 1, **fields: Any) -> Held:
    """Messages held now, each to a client of its own."""
    with open_work() as work:
        if "author" in fields:
            made = hold(work, desk.firm, team, policy=desk.each, count=count, **fields)
            work.conn.execute(
                text(
                    "UPDATE occurrence SET requested_by = :who FROM submission s"
                    " WHERE s.occurrence_id = occurrence.id AND s.id = :id"
                ),
                {"who": fields["author"].staff_id, "id": made.submission_id},
            )
            return made
        return hold(work, desk.firm, team, policy=desk.each, count=count, **fields)


def approved(open_work: Opener, team: Team, ids: tuple[UUID, ...]) -> UUID:
    """Approved by the branch's manager now; returns the decision."""
    with open_work(team.manager) as work:
        return approve(work, ids, as_read(work, ids)).decisions[0]


def sent_back(open_work: Opener, team: Team, ids: tuple[UUID, ...], *reasons: str) -> None:
    """Returned by the branch's manager now."""
    with open_work(team.manager) as work:
        return_(work, ids, as_read(work, ids), list(reasons), "")


def called(work: Work, message_id: UUID, state: str, at: datetime | None = None) -> None:
    """A provider call begun now that left the message in ``state``; ``at``: when it came to that state."""
    now = clock.now()
    row = work.conn.execute(select(message).where(message.c.id == message_id)).one()
    call = new_id()
    work.conn.execute(
        insert(attempt).values(
            id=call,
            message_id=message_id,
            scheduled_month=row.scheduled_month,
            provider="gateway",
            decision_id=row.decision_id or new_id(),
            digest=row.digest,
            state={"unknown": "unknown", "failed": "permanent"}.get(state, "accepted"),
            claimed_at=now,
            started_at=now,
            finished_at=now,
        )
    )
    work.conn.execute(
        update(message)
        .where(message.c.id == message_id)
        .values(state=state, state_at=at or now, claim_token=None if state == "failed" else call)
    )


def wrote_back(
    work: Work, team: Team, client_id: UUID, kind: str = "reply", answered: datetime | None = None
) -> UUID:
    """A client's message, received now."""
    identifier = new_id()
    work.conn.execute(
        insert(reply).values(
            id=identifier,
            channel="sms",
            provider="gateway",
            provider_ref=str(identifier),
            from_hash=b"",
            client_id=client_id,
            branch_id=team.id,
            owner_id=team.advisor.staff_id,
            kind=kind,
            body_id=seal_bytes(work, "好的".encode()).id,
            received_at=clock.now(),
            due_by=clock.now() + timedelta(hours=24),
            answered_at=answered,
        )
    )
    return identifier


def a_busy_day(open_work: Opener, desk: Desk, frozen: FrozenDateTimeFactory) -> dict[str, Any]:
    """What happens to B01 from where the clock stands: 12 messages put up, 6 approved in two decisions (one of them
    undone), 2 returned, 1 late, 4 of them called; a reply answered and an opt-out. Two of B02 beside it."""
    firm = desk.firm
    one = put_up(open_work, desk, firm.b01, 4, author=firm.b01.advisors[1], category="relationship")
    two = put_up(open_work, desk, firm.b01, 2, author=firm.b01.advisors[1], category="information")
    three = put_up(open_work, desk, firm.b01, 2, author=firm.b01.advisors[2], category="relationship")
    late = put_up(
        open_work, desk, firm.b01, 1, due_by=clock.now() + timedelta(minutes=5), category="information"
    )
    waits = put_up(open_work, desk, firm.b01, 3, due_by=clock.now() + timedelta(minutes=20))
    other = put_up(open_work, desk, firm.b02, 2, author=firm.b02.advisor)
    frozen.tick(timedelta(minutes=10))
    approved(open_work, firm.b01, one.ids)
    undone = approved(open_work, firm.b01, two.ids)
    with open_work(firm.b01.manager) as work:
        undo(work, undone)
    frozen.tick(timedelta(minutes=20))
    sent_back(open_work, firm.b01, three.ids, "tone")
    approved(open_work, firm.b01, late.ids)
    approved(open_work, firm.b02, other.ids)
    frozen.tick(timedelta(minutes=5))
    with open_work() as work:
        for identifier, state in zip(one.ids, ("sent", "delivered", "unknown", "failed"), strict=True):
            called(work, identifier, state)
        called(work, other.ids[0], "delivered")
        clients = work.conn.execute(
            select(message.c.client_id).where(message.c.id.in_(one.ids)).order_by(message.c.id)
        ).scalars()
        first, second, *_ = clients
        wrote_back(work, firm.b01, first, answered=clock.now() + timedelta(minutes=3))
        wrote_back(work, firm.b01, second)
        wrote_back(work, firm.b01, second, "opt_out")
    return {"one": one, "two": two, "three": three, "late": late, "waits": waits, "other": other}
