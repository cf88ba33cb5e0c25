"""An advisor's day: whose birthday it is and what becomes of the greeting, who waits for an answer, what came back
to be mended, what goes out. What to do next about each is the page's to say."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select, text

from outreach.care.tasks import Task, open_tasks
from outreach.content.in_force import anything_published, jobs_in_force, template_in_force
from outreach.core import clock
from outreach.core.access import Permission, Role, require, visible
from outreach.core.errors import NotFound
from outreach.delivery.replies import ReplyLine, replies_by_id
from outreach.delivery.sends import Send, sends_of
from outreach.ledger.work import Work
from outreach.messages.reasons import Words, words
from outreach.people.birthdays import Birthday, birthdays_of
from outreach.people.tables import staff, staff_role
from outreach.review.mending import ToMend, returned_to

LONGEST = 100
OCCASION = "birthday"


@dataclass(frozen=True)
class Greeting:
    """What a job made of a birthday: a message where it stands, or (``state`` "left_out") why there is none."""

    message_id: UUID | None
    channel: str
    state: str
    send_at: datetime | None
    why: Words | None


@dataclass(frozen=True)
class Celebrated:
    """A birthday and its greetings. ``expected``: none is made yet, but a job will."""

    client: Birthday
    greetings: tuple[Greeting, ...]
    expected: bool


@dataclass(frozen=True)
class Advisor:
    """An advisor whose day may be looked at."""

    id: UUID
    name: str
    branch_id: UUID | None


@dataclass(frozen=True)
class AdvisorDay:
    """All of it, as known now. ``own``: the reader is the advisor. ``answers`` are the replies due, ``tasks`` the
    calls, letters and unsettled outcomes; ``texts`` what the clients wrote."""

    advisor: Advisor
    day: date
    own: bool
    birthdays: tuple[Celebrated, ...]
    answers: tuple[Task, ...]
    texts: dict[UUID, ReplyLine]
    tasks: tuple[Task, ...]
    returned: tuple[ToMend, ...]
    sends: tuple[Send, ...]


def advisor_day(
    work: Work, advisor_id: UUID | None = None, day: date | None = None, locale: str | None = None
) -> AdvisorDay:
    """The day (by default today) of the actor, or of an advisor in a branch for which the actor decides.

    Raises Forbidden, and NotFound beyond the actor's scope.
    """
    require(work.actor, Permission.READ_MESSAGES)
    require(work.actor, Permission.COMPOSE)
    advisor = _advisor(work, advisor_id)
    today = clock.today(work.settings.zone)
    on = day or today
    tasks = (
        open_tasks(work, owner=advisor.id, limit=LONGEST) if work.actor.may(Permission.ANSWER_REPLIES) else []
    )
    answers = tuple(one for one in tasks if one.kind == "answer")
    born = birthdays_of(work, advisor.id, on)
    return AdvisorDay(
        advisor=advisor,
        day=on,
        own=advisor.id == work.actor.staff_id,
        birthdays=_celebrated(work, born, on, expects=on >= today, locale=locale or work.settings.locale),
        answers=answers,
        texts=replies_by_id(work, [one.reply_id for one in answers if one.reply_id]),
        tasks=tuple(one for one in tasks if one.kind != "answer"),
        returned=tuple(returned_to(work, advisor.id)),
        sends=tuple(sends_of(work, advisor.id, on, locale)),
    )


def advisors_of(work: Work, branches: Collection[UUID] | None = None) -> list[Advisor]:
    """The advisors in office whose day the actor may look at, by name; in these branches only where given."""
    if not work.actor.may(Permission.COMPOSE):  # compliance decides, too, but runs nobody's day
        return []
    today = clock.today(work.settings.zone)
    query = (
        select(staff.c.id, staff.c.name, staff_role.c.branch_id)
        .join(staff_role, staff_role.c.staff_id == staff.c.id)
        .where(
            staff.c.status == "active",
            staff_role.c.role == Role.ADVISOR.value,
            staff_role.c.valid_from <= today,
            staff_role.c.valid_until.is_(None) | (staff_role.c.valid_until >= today),
            visible(work.actor, Permission.DECIDE, staff_role.c.branch_id),
        )
        .order_by(staff.c.name, staff.c.id)
    )
    if branches is not None:
        query = query.where(staff_role.c.branch_id.in_(sorted(branches)))
    return [Advisor(row.id, row.name, row.branch_id) for row in work.conn.execute(query)]


def _advisor(work: Work, advisor_id: UUID | None) -> Advisor:
    me = work.actor.staff_id
    if me is not None and advisor_id in (None, me):
        return Advisor(me, work.actor.name, None)
    found = next((one for one in advisors_of(work) if one.id == advisor_id), None)
    if found is None:
        raise NotFound("There is no such advisor whose day you may see.", mend="Choose one of your branch.")
    return found


# An occurrence by its job and day, what it made by the occurrence and the client: unique keys, each of them.
_GREETINGS = text(
    """
    SELECT m.client_id, m.id AS message_id, m.channel, m.state, m.send_at, m.reason, m.reason_params AS params
      FROM occurrence o
      JOIN message m ON m.scheduled_month = o.scheduled_month AND m.occurrence_id = o.id
                    AND m.client_id = ANY(:clients)
     WHERE o.job_name = ANY(:jobs) AND o.occurrence_key = :day
    UNION ALL
    SELECT l.client_id, NULL, l.channel, 'left_out', NULL, l.rule, l.params
      FROM occurrence o
      JOIN left_out l ON l.occurrence_id = o.id AND l.client_id = ANY(:clients)
     WHERE o.job_name = ANY(:jobs) AND o.occurrence_key = :day
     ORDER BY 3, 4
    """
)


def _celebrated(
    work: Work, born: list[Birthday], day: date, *, expects: bool, locale: str
) -> tuple[Celebrated, ...]:
    if not born:
        return ()
    jobs = _birthday_jobs(work)
    rows = work.conn.execute(
        _GREETINGS, {"clients": [one.client_id for one in born], "jobs": jobs, "day": day.isoformat()}
    ).all()
    composed = work.conn.execute(
        text(
            "SELECT count(*) FROM occurrence WHERE job_name = ANY(:jobs) AND occurrence_key = :day"
            " AND state <> 'due'"
        ),
        {"jobs": jobs, "day": day.isoformat()},
    ).scalar_one()
    made: dict[UUID, list[Greeting]] = {}
    for row in rows:
        why = words(row.reason, row.params, locale) if row.reason else None
        made.setdefault(row.client_id, []).append(
            Greeting(row.message_id, row.channel, row.state, row.send_at, why)
        )
    return tuple(
        Celebrated(
            client=one,
            greetings=tuple(_telling(made.get(one.client_id, []))),
            expected=expects and composed < len(jobs) and not made.get(one.client_id),
        )
        for one in born
    )


def _telling(made: list[Greeting]) -> list[Greeting]:
    """Where a message was made, why another channel would not do is nothing to act on."""
    return [one for one in made if one.message_id is not None] or made


def _birthday_jobs(work: Work) -> list[str]:
    if not anything_published(work.conn):
        return []
    return [
        job.name
        for job in jobs_in_force(work.conn)
        if template_in_force(work.conn, job.meta.template).meta.occasion == OCCASION
    ]
