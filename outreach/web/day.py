"""An advisor's day on one page, each thing with what to do next about it."""

from datetime import date, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from outreach.care.advisor_day import advisor_day, advisors_of
from outreach.care.report_tables import reason_words
from outreach.content.in_force import anything_published, reasons_in_force
from outreach.core import clock
from outreach.core.access import Role
from outreach.core.errors import BadInput
from outreach.web.frame import Desk, Desks, Page


def router(desk: Desks) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=Page)
    here = Annotated[Desk, Depends(desk)]

    @routes.get("/day")
    def day(desk: here, advisor: UUID | None = None, on: str = "") -> Response:
        today = clock.today(desk.site.settings.zone)
        with desk.work() as work:
            if advisor is None and Role.ADVISOR not in desk.actor.roles():
                return desk.page("days.html", advisors=advisors_of(work))
            found = advisor_day(work, advisor, _date(on) if on else today, desk.locale)
            reasons = reasons_in_force(work.conn) if anything_published(work.conn) else {}
            return desk.page(
                "day.html",
                found=found,
                today=today,
                before=found.day - timedelta(days=1),
                after=found.day + timedelta(days=1),
                whose="" if found.own else f"advisor={found.advisor.id}&",
                reason=lambda code: reason_words(code, desk.locale, reasons),
            )

    return routes


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{text!r} is no date.", mend="Choose one, such as 2026-11-25.") from None
