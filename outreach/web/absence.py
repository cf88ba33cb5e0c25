"""Out of office: who is away, who stands in, one's own absence and that of the people one leads."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response

from outreach.core.errors import BadInput, OutreachError
from outreach.ledger.work import Work
from outreach.people.absence import absences_of, colleagues, deputies_for, end_absence, set_absence
from outreach.people.staff import staff_names, staff_numbers
from outreach.web.frame import STATUS, Desk, Desks, Page
from outreach.web.told import told

MOST_LISTED = 60  # people to choose from; beyond that their number is typed
_EMPTY = {"who": "", "deputy": "", "since": "", "until": "", "note": ""}


def router(desk: Desks) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=Page)
    here = Annotated[Desk, Depends(desk)]

    @routes.get("/absence")
    def absence(desk: here) -> Response:
        return _page(desk, _EMPTY)

    @routes.post("/absence")
    def away(
        desk: here,
        who: Annotated[str, Form(max_length=40)] = "",
        since: Annotated[str, Form(max_length=20)] = "",
        until: Annotated[str, Form(max_length=20)] = "",
        deputy: Annotated[str, Form(max_length=40)] = "",
        note: Annotated[str, Form(max_length=500)] = "",
        csrf: Annotated[str, Form()] = "",
    ) -> Response:
        desk.check_form(csrf)
        written = {"who": who, "deputy": deputy, "since": since, "until": until, "note": note}
        try:
            with desk.work() as work:
                person = _staff(work, who) if who else desk.actor.staff_id
                if person is None:
                    raise BadInput("Who is away?", mend="Choose somebody.")
                set_absence(
                    work,
                    person,
                    _instant(desk, since),
                    _instant(desk, until),
                    _staff(work, deputy) if deputy else None,
                    note,
                )
        except OutreachError as error:  # the form comes back with what was written
            return _page(desk, written, error)
        return desk.go("/absence", desk.say("Entered."))

    @routes.post("/absence/{absence_id}/end")
    def back(desk: here, absence_id: UUID, csrf: Annotated[str, Form()] = "") -> Response:
        desk.check_form(csrf)
        with desk.work() as work:
            end_absence(work, absence_id)
        return desk.go("/absence", desk.say("Ended; nobody stands in any more."))

    return routes


def _page(desk: Desk, written: dict[str, str], error: OutreachError | None = None) -> Response:
    with desk.work() as work:
        people = colleagues(work)
        choose = len(people) <= MOST_LISTED
        stands_in = {one.acting_for for one in work.actor.stands_in if one.acting_for}
        return desk.page(
            "absence.html",
            status=STATUS.get(error.code, 500) if error else 200,
            lines=absences_of(work),
            stands_in=sorted(staff_names(work.conn, stands_in).values()),
            people=people if choose else [],
            deputies=deputies_for(work, {one.id for one in people}) if choose else [],
            choose=choose,
            written=written,
            wrong=told(desk.locale, error) if error else None,
        )


def _staff(work: Work, staff_no: str) -> UUID:
    found = staff_numbers(work.conn).get(staff_no.strip())
    if found is None:
        raise BadInput("There is no member of staff with that number.", mend="Check the staff number.")
    return found


def _instant(desk: Desk, written: str) -> datetime:
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        raise BadInput("Say from when until when.", mend="Choose both times.") from None
    return at.replace(tzinfo=desk.site.settings.zone)
