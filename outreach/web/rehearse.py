"""Rehearsing a job: what it would say on a date, to chosen or drawn clients. Nothing is stored."""

from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from outreach.composing.rehearsal import MOST, Rehearsal, Variant, rehearse
from outreach.core import clock
from outreach.core.access import Permission, require
from outreach.core.errors import BadInput, NotFound, OutreachError
from outreach.core.ids import new_id
from outreach.scheduling.jobs import titles_in_force
from outreach.web.frame import Desk, Desks, Page, mail_page
from outreach.web.pieces import stretches

SIZES = (3, 5, 10, 20)


def router(desk: Desks) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=Page)
    here = Annotated[Desk, Depends(desk)]

    @routes.get("/rehearse")
    def choose(
        desk: here,
        job: Annotated[str, Query(max_length=80)] = "",
        on: Annotated[str, Query(max_length=10)] = "",
        clients: Annotated[str, Query(max_length=2000)] = "",
        size: int = SIZES[0],
        seed: Annotated[str, Query(max_length=64)] = "",
        item: Annotated[str, Query(max_length=80)] = "",
    ) -> Response:
        require(desk.actor, Permission.READ_MESSAGES)
        error: OutreachError | None = None
        found: Rehearsal | None = None
        tomorrow = clock.today(desk.site.settings.zone) + timedelta(days=1)
        with desk.work() as work:
            titles = titles_in_force(work.conn, desk.locale)
            if job:
                try:
                    day = _day(on) if on else tomorrow
                    found = rehearse(
                        work,
                        job,
                        day,
                        client_nos=_numbers(clients),
                        size=size,
                        seed=seed or "1",
                        item_key=item,
                        locale=desk.locale,
                    )
                except OutreachError as refused:
                    error = refused
        return desk.page(
            "rehearse.html",
            status=400 if error else 200,
            titles=titles,
            job=job,
            on=on or tomorrow.isoformat(),
            clients=clients,
            size=size,
            sizes=SIZES,
            seed=seed or "1",
            another=new_id().hex[-8:],
            item=item,
            found=found,
            error=error,
            stretches=stretches,
        )

    @routes.get("/rehearse/mail")
    def mail(
        desk: here,
        job: Annotated[str, Query(max_length=80)],
        on: Annotated[str, Query(max_length=10)],
        client: Annotated[str, Query(max_length=80)],
        language: Annotated[str, Query(max_length=10)],
        item: Annotated[str, Query(max_length=80)] = "",
    ) -> Response:
        with desk.work() as work:
            found = rehearse(work, job, _day(on), client_nos=[client], size=1, item_key=item)
        return mail_page(_mail(found, language).html)

    return routes


def _mail(found: Rehearsal, language: str) -> Variant:
    for variant in found.clients[0].variants if found.clients else ():
        if (variant.channel, variant.language) == ("email", language):
            return variant
    raise NotFound("There is no such mail.", mend="Open the rehearsal again.")


def _numbers(pasted: str) -> list[str]:
    numbers = pasted.replace(",", " ").replace("，", " ").replace("、", " ").split()
    if len(numbers) > MOST:
        raise BadInput(f"A rehearsal shows 1 to {MOST} clients.", mend="Ask for fewer.")
    return numbers


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput("That is no date.", mend="Write it like 2027-02-06.") from None
