"""The call list of alerts: whom to call, with the approved script, and what came of it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from outreach.care.calls import alerts_with_calls, call_list
from outreach.care.tasks import scripts
from outreach.core.access import Permission, require
from outreach.web.frame import Desk, Desks, Page
from outreach.web.people import place_of_task, task_at

PAGE = 50


def router(desk: Desks) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=Page)
    here = Annotated[Desk, Depends(desk)]

    @routes.get("/calls")
    def calls(desk: here, alert: UUID | None = None, mine: bool = False, after: str = "") -> Response:
        require(desk.actor, Permission.ANSWER_REPLIES)
        with desk.work() as work:
            found = call_list(
                work,
                occurrence_id=alert,
                mine=mine,
                after=task_at(after),
                limit=PAGE + 1,
                locale=desk.locale,
            )
            return desk.page(
                "calls.html",
                alerts=alerts_with_calls(work),
                calls=found[:PAGE],
                scripts=scripts(work, [one.task for one in found[:PAGE]]),
                following=place_of_task(found[PAGE - 1].task) if len(found) > PAGE else "",
                alert=alert,
                mine=mine,
                after=after,
            )

    return routes
