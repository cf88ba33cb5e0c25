"""Policies with approvers in order, escalations and absences, for tests of the inbox."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select

from outreach.core import clock
from outreach.core.access import Actor, Role
from outreach.core.ids import new_id
from outreach.ledger.work import Work
from outreach.people.absence import set_absence
from outreach.people.staff import NewStaff, actor_for, add_staff
from outreach.people.tables import absence
from outreach.review.decide import Decided, approve
from tests.support.desk import Desk
from tests.support.review_rows import content

_POLICY = """
title = {{ zh = "{name}", en = "{name}" }}
scope = "{scope}"
mode = "{mode}"
{who}
time_to_decide = "4h"
undo_window = "60s"
sample = {{ least = 2, percent = 0.0 }}

[governs]
categories = ["channel", "information", "consulting", "product", "relationship"]
{escalation}
"""
BRANCH = ("manager", "deputy")
THEN_COMPLIANCE = (BRANCH, ("compliance",))


def policy_of(
    work: Work,
    desk: Desk,
    *approvers: tuple[str, ...],
    mode: str = "each",
    scope: str = "branch",
    escalation: tuple[tuple[str, tuple[str, ...]], ...] = (),
) -> UUID:
    """A policy's version with these approvers in order; ``escalation``: (how long after it was due, to whom)."""
    name = f"policy-{new_id().hex[-8:]}"
    lists = [str(list(roles)).replace("'", '"') for roles in approvers]
    who = f"deciders = {lists[0]}" if len(lists) == 1 else f"approvers = [{', '.join(lists)}]"
    steps = "".join(
        f'\n[[escalation]]\nafter = "{after}"\nto = {str(list(to)).replace(chr(39), chr(34))}\n'
        for after, to in escalation
    )
    source = _POLICY.format(name=name, scope=scope, mode=mode, who=who, escalation=steps)
    files = {f"policies/{name}.toml": source}
    return content(work, "policy", name, files, desk.firm.head_office, desk.firm.operator)


def somebody(work: Work, staff_no: str, role: Role, branch_id: UUID | None, person_key: str = "") -> Actor:
    """Another member of staff; ``person_key``: of the person whose second account it is."""
    new = NewStaff(staff_no, f"职员{staff_no}", [(role, branch_id)], person_key=person_key)
    return actor_for(work.conn, add_staff(work, new), clock.now().date())


def as_now(work: Work, actor: Actor) -> Actor:
    """The actor as they would be signed in at this moment, with what they may do for the absent."""
    assert actor.staff_id is not None
    return actor_for(work.conn, actor.staff_id, clock.today(work.settings.zone))


def away(work: Work, actor: Actor, deputy: Actor | None = None) -> UUID:
    """``actor`` is out of office for a week from a minute ago, entered by themselves."""
    assert actor.staff_id is not None
    now = clock.now()
    week = (now - timedelta(minutes=1), now + timedelta(days=7))
    by_themselves = Work(work.conn, actor, work.keys, work.settings)
    return set_absence(by_themselves, actor.staff_id, *week, deputy.staff_id if deputy else None)


def absences(work: Work) -> int:
    """How many absences there are."""
    return len(work.conn.execute(select(absence.c.id)).all())


def approve_as_read(work: Work, ids: tuple[UUID, ...]) -> Decided:
    """Approve what stands there now."""
    from tests.support.review_rows import as_read

    return approve(work, ids, as_read(work, ids))
