"""A branch as its manager sees it: how fast it decides, what is late, what comes back, what releases itself."""

from datetime import UTC, datetime, time
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response

from outreach.care.advisor_day import advisors_of
from outreach.care.report_tables import hours, reason_words
from outreach.care.reports import Report, report
from outreach.content.in_force import anything_published, reasons_in_force, templates_in_force
from outreach.core import clock
from outreach.core.access import Permission
from outreach.core.errors import NotFound
from outreach.delivery.figures import waiting_now
from outreach.ledger.work import Work
from outreach.occasions.periods import Period, last_days, one_day
from outreach.review.figures import (
    Branch,
    Pace,
    late_now,
    pace,
    released_under,
    reported_branches,
    returned_for,
    undone,
)
from outreach.review.standing import Standing, revoke_standing, standing_in_force
from outreach.web.frame import Desk, Desks, Page

SPANS = (30, 90)


def router(desk: Desks) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=Page)
    here = Annotated[Desk, Depends(desk)]

    @routes.get("/branch")
    def branches(desk: here, days: int = SPANS[0]) -> Response:
        with desk.work() as work:
            found = reported_branches(work)
            if len(found) == 1:
                return _branch(desk, work, found[0], days)
            ids = [one.id for one in found]
            late: dict[UUID, int] = {}
            for one in late_now(work, ids):
                late[one.branch_id] = late.get(one.branch_id, 0) + one.waiting
            return desk.page(
                "branches.html",
                branches=found,
                waiting=waiting_now(work, ids),
                late=late,
                pace=pace(work, ids, _period(desk, SPANS[0])).branches,
                hours=hours,
                days=SPANS[0],
            )

    @routes.get("/branch/{code}")
    def one_branch(desk: here, code: str, days: int = SPANS[0]) -> Response:
        with desk.work() as work:
            return _branch(desk, work, branch_called(work, code), days)

    @routes.post("/branch/{code}/standing/{standing_id}/revoke")
    def revoke(desk: here, code: str, standing_id: UUID, csrf: Annotated[str, Form()] = "") -> Response:
        desk.check_form(csrf)
        with desk.work() as work:
            branch_called(work, code)
            back = revoke_standing(work, standing_id)
        return desk.go(f"/branch/{code}", desk.say("Revoked. Back in the inbox: %(count)s.", count=back))

    return routes


def branch_called(work: Work, code: str) -> Branch:
    """The branch of that code among those whose figures the actor may see. Raises Forbidden, NotFound."""
    for one in reported_branches(work):
        if one.code == code:
            return one
    raise NotFound("There is no such branch whose figures you may see.", mend="Choose one of the list.")


def _period(desk: Desk, days: int) -> Period:
    zone = desk.site.settings.zone
    return last_days(clock.today(zone), days, zone)


def _branch(desk: Desk, work: Work, branch: Branch, days: int) -> Response:
    span = days if days in SPANS else SPANS[0]
    period, ids = _period(desk, span), [branch.id]
    found = pace(work, ids, period)
    standing = [one for one in standing_in_force(work) if one.branch_id in (None, branch.id)]
    today: Report = report(work, one_day(period.last, period.zone), branch.id)
    published = anything_published(work.conn)
    reasons = reasons_in_force(work.conn) if published else {}
    chinese = desk.locale.startswith("zh")
    return desk.page(
        "branch.html",
        branch=branch,
        period=period,
        days=span,
        spans=SPANS,
        pace=found,
        plot=_plot(found, period),
        late=late_now(work, ids),
        returned=returned_for(work, ids, period),
        reason=lambda code: reason_words(code, desk.locale, reasons),
        standing=standing,
        titles={
            one.name: one.meta.title.zh if chinese else one.meta.title.en
            for one in (templates_in_force(work.conn) if published else ())
        },
        released=released_under(work, ids, [one.id for one in standing]),
        may_revoke=partial(_may_revoke, desk, branch),
        undone=undone(work, ids, period),
        today=today.total,
        advisors=advisors_of(work, ids),
        hours=hours,
    )


def _may_revoke(desk: Desk, branch: Branch, one: Standing) -> bool:
    """A branch revokes its own; what was granted for the firm, those whose role spans the firm."""
    if one.branch_id is None:
        return desk.actor.scope(Permission.DECIDE) is None
    return one.branch_id == branch.id and desk.actor.may(Permission.DECIDE, branch.id)


def _plot(found: Pace, period: Period) -> dict[str, Any]:
    """The series as the page's script draws them: seconds of UTC midnights, hours or null where nobody decided."""
    listed = [found.days.get(day) for day in period.days]
    return {
        "days": [int(datetime.combine(day, time(), UTC).timestamp()) for day in period.days],
        "median": [hours(one.median) if one else None for one in listed],
        "p90": [hours(one.p90) if one else None for one in listed],
        "spread": list(found.spread),
    }
