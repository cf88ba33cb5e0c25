"""The year ahead on one page: what goes out when, to how many, and under which policy."""

from datetime import date
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from outreach.composing.year import year_ahead
from outreach.core import clock
from outreach.core.access import Permission, require
from outreach.core.i18n import month_text
from outreach.occasions.cron_words import cron_in_words
from outreach.web.frame import Desk, Desks, Page


def router(desk: Desks) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=Page)
    here = Annotated[Desk, Depends(desk)]

    @routes.get("/calendar")
    def calendar(desk: here, year: int = 0) -> Response:
        require(desk.actor, Permission.WATCH_DELIVERY)
        today = clock.today(desk.site.settings.zone)
        with desk.work() as work:
            found = year_ahead(work, year or today.year)
            return desk.page(
                "calendar.html",
                found=found,
                months=[
                    (month, month_text(desk.locale, date(found.year, month, 1))) for month in range(1, 13)
                ],
                today=today,
                cron=partial(cron_in_words, locale=desk.locale),
                throughout=[one for one in found.lines if one.kind in ("trading_day", "cron", "feed")],
            )

    return routes
