"""Running it: how delivery goes, and what the jobs do. Never a message's content."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response

from outreach.core import clock
from outreach.core.access import Permission, require
from outreach.delivery.watch import OUTCOMES, accounts, queues, routes, settle_by_hand, unknown_outcomes
from outreach.messages.tally import ChannelTally, by_channel
from outreach.people.staff import branch_names
from outreach.scheduling.overview import job_lines
from outreach.scheduling.tick import prepare_next
from outreach.web.frame import Desk, Desks, Page

_SPANS = {"1": timedelta(days=1), "7": timedelta(days=7), "30": timedelta(days=30)}


def router(desk: Desks) -> APIRouter:
    """The routes."""
    app = APIRouter(route_class=Page)
    here = Annotated[Desk, Depends(desk)]

    @app.get("/delivery")
    def delivery(desk: here, days: str = "7") -> Response:
        require(desk.actor, Permission.WATCH_DELIVERY)
        span = _SPANS.get(days, _SPANS["7"])
        with desk.work() as work:
            counted = by_channel(work, clock.now() - span)
            return desk.page(
                "delivery.html",
                channels=sorted({one.channel for one in counted}),
                states=_states(counted),
                counted={(one.channel, one.state): one.count for one in counted},
                unknown=unknown_outcomes(work),
                branches=branch_names(work.conn, desk.locale),
                outcomes=tuple(OUTCOMES),
                lanes=routes(desk.site.settings),
                accounts=accounts(work),
                queues=queues(work) if desk.actor.scope(Permission.WATCH_DELIVERY) is None else [],
                days=str(span.days),
                spans=tuple(_SPANS),
            )

    @app.post("/delivery/{message_id}/settle")
    def settle(
        desk: here,
        message_id: UUID,
        outcome: Annotated[str, Form()] = "",
        reference: Annotated[str, Form(max_length=200)] = "",
        csrf: Annotated[str, Form()] = "",
    ) -> Response:
        desk.check_form(csrf)
        with desk.work() as work:
            settle_by_hand(work, message_id, outcome, reference)
        return desk.go("/delivery", desk.say("Settled, and recorded as yours."))

    @app.get("/jobs")
    def jobs(desk: here) -> Response:
        require(desk.actor, Permission.RUN_JOBS)
        with desk.work() as work:
            return desk.page("jobs.html", jobs=job_lines(work))

    @app.post("/jobs/{name}/prepare")
    def prepare(desk: here, name: str, csrf: Annotated[str, Form()] = "") -> Response:
        desk.check_form(csrf)
        with desk.work() as work:
            prepare_next(work, name)
        return desk.go("/jobs", desk.say("It is being composed, and will wait in the inbox for its day."))

    return app


# As a message goes through them, so that columns read from left to right.
_ORDER = (
    "held",
    "returned",
    "approved",
    "claimed",
    "sent",
    "handed_over",
    "delivered",
    "undelivered",
    "unknown",
    "failed",
    "suppressed",
    "expired",
    "rejected",
    "cancelled",
)


def _states(counted: list[ChannelTally]) -> list[str]:
    there = {one.state for one in counted}
    return [state for state in _ORDER if state in there]
