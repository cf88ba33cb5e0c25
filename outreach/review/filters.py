"""What the inbox is narrowed to."""

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    DateTime,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.selectable import LateralFromClause

from outreach.core import clock
from outreach.core.access import in_reach
from outreach.core.errors import BadInput
from outreach.ledger.work import Work
from outreach.messages.tables import message
from outreach.people.tables import client
from outreach.review.tables import submission
from outreach.review.tally import touches

DUE = ("late", "today", "later")

# Written as the partial indexes have it, so that the planner sees that they fit.
HELD: ColumnElement[bool] = message.c.state == literal_column("'held'")


@dataclass(frozen=True)
class Filters:
    """What the list is narrowed to; None means any. ``text`` is in a title, a client's name or number.

    ``author``: who put it up; ``channel``, ``language``, ``tier`` and ``rule`` (a finding's) ask for one waiting
    message that has them all; ``due``: late | today | later, by the firm's clock.
    """

    branch: UUID | None = None
    category: str | None = None
    mode: str | None = None
    author: UUID | None = None
    channel: str | None = None
    language: str | None = None
    tier: str | None = None
    rule: str | None = None
    due: str | None = None
    urgent: bool | None = None
    flagged: bool | None = None
    text: str = field(default="")


def narrowed(chosen: Filters, tally: LateralFromClause) -> ColumnElement[bool]:
    """The condition on ``submission``, beside its ``tally``; its parameters are ``scope`` (``access.reach``) and those
    of ``days``. Raises BadInput for a due that there is not."""
    conditions: list[ColumnElement[bool]] = [true()]
    if chosen.branch is not None:
        firms = submission.c.branch_id.is_(None) & touches(submission.c.id, chosen.branch)
        conditions.append(or_(submission.c.branch_id == chosen.branch, firms))
    if chosen.category is not None:
        conditions.append(submission.c.category == chosen.category)
    if chosen.mode is not None:
        conditions.append(submission.c.mode == chosen.mode)
    if chosen.author is not None:
        conditions.append(submission.c.author_id == chosen.author)
    if chosen.urgent is not None:
        conditions.append(submission.c.urgent.is_(chosen.urgent))
    if chosen.flagged is not None:
        conditions.append(tally.c.flagged > 0 if chosen.flagged else tally.c.held > tally.c.flagged)
    if chosen.due is not None:
        conditions.append(_due(chosen.due))
    if some := _of_messages(chosen):
        conditions.append(_one_held(chosen.branch, *some))
    words = chosen.text.strip()
    if words:
        person = or_(client.c.name.contains(words, autoescape=True), client.c.client_no == words)
        named = _one_held(chosen.branch, client.c.id == message.c.client_id, person)
        conditions.append(or_(submission.c.title.icontains(words, autoescape=True), named))
    return and_(*conditions)


def days(work: Work) -> dict[str, datetime]:
    """Now, and when the day ends by the firm's clock."""
    zone = work.settings.zone
    tomorrow = datetime.combine(clock.today(zone) + timedelta(days=1), time.min, zone)
    return {"now": clock.now(), "tomorrow": tomorrow}


def _due(due: str) -> ColumnElement[bool]:
    now, tomorrow = (bindparam(name, type_=DateTime(timezone=True)) for name in ("now", "tomorrow"))
    if due == "late":
        return submission.c.due_by < now
    if due == "today":
        return and_(submission.c.due_by >= now, submission.c.due_by < tomorrow)
    if due == "later":
        return submission.c.due_by >= tomorrow
    raise BadInput(f"Nothing is due {due!r}.", mend=f"Ask for one of {', '.join(DUE)}.")


def _of_messages(chosen: Filters) -> list[ColumnElement[bool]]:
    """What a waiting message has to be."""
    conditions: list[ColumnElement[bool]] = []
    if chosen.channel is not None:
        conditions.append(message.c.channel == chosen.channel)
    if chosen.language is not None:
        conditions.append(message.c.language == chosen.language)
    if chosen.tier is not None:
        of_tier = select(client.c.tier).where(client.c.id == message.c.client_id).correlate(message)
        conditions.append(of_tier.scalar_subquery() == chosen.tier)
    if chosen.rule is not None:
        wanted: Any = func.jsonb_build_array(func.jsonb_build_object("rule", chosen.rule), type_=JSONB)
        conditions.append(message.c.findings.contains(wanted))
    return conditions


def _one_held(branch: UUID | None, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    of_branch = true() if branch is None else message.c.branch_id == branch
    return exists().where(
        message.c.submission_id == submission.c.id,
        message.c.scheduled_month == submission.c.scheduled_month,
        HELD,
        of_branch,
        in_reach(message.c.branch_id),
        *conditions,
    )
