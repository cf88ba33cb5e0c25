"""What somebody was told: when, by which ways, whether it still holds, and whether they have seen it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response

from outreach.notices.outbox import MAIL, count_unseen, list_notices, mark_seen
from outreach.web.frame import Desk, Desks, Page, safe_path

PAGE = 50


def router(desk: Desks) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=Page)
    here = Annotated[Desk, Depends(desk)]

    @routes.get("/notices")
    def notices(desk: here, after: UUID | None = None) -> Response:
        with desk.work() as work:
            page = list_notices(work, after=after, limit=PAGE, locale=desk.locale)
            return desk.page(
                "notices.html",
                notices=page.items,
                following=page.next_after,
                after=after,
                unseen=count_unseen(work),
                safe=safe_path,
                ways=lambda one: ("、" if desk.locale == "zh-CN" else ", ").join(
                    desk.say("mail") if way == MAIL else way for way in one.ways
                ),
                times=[f"{at:%H:%M}" for at in desk.site.settings.notice_times],
            )

    @routes.post("/notices/seen")
    def seen(
        desk: here,
        notice: UUID | None = None,
        back: Annotated[str, Form(max_length=200)] = "/",
        csrf: Annotated[str, Form()] = "",
    ) -> Response:
        desk.check_form(csrf)
        with desk.work() as work:
            mark_seen(work, None if notice is None else [notice])
        return desk.go(safe_path(back))

    return routes
