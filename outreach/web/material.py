"""Material: what may be attached, what waits for a second person, and one's own; each with its file in place."""

from datetime import date
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from outreach.content.formats import CATEGORIES, LANGUAGES
from outreach.content.in_force import reasons_in_force
from outreach.core.access import Permission, require
from outreach.core.errors import BadInput, OutreachError
from outreach.messages.files import LARGEST
from outreach.messages.material import Material, Particulars, list_material, material_for
from outreach.people.staff import branch_names
from outreach.review.material import (
    LONGEST_NOTE,
    LONGEST_TITLE,
    OPEN,
    approve_material,
    material_file,
    material_waiting,
    may_decide_material,
    may_withdraw,
    mend_material,
    put_up,
    reject_material,
    return_material,
    withdraw_material,
)
from outreach.web.files import file_page
from outreach.web.frame import STATUS, Desk, Desks, Page
from outreach.web.handed_in import LARGEST_FORM, Fields, HandedIn, one, read_form
from outreach.web.told import told

PAGE = 30
STATES = ("approved", "held", "returned", "rejected", "withdrawn")
_MOST_FIELDS = 20
_NEW = Particulars("", "relationship", "zh-CN")


def router(desk: Desks) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=Page)
    here = Annotated[Desk, Depends(desk)]

    @routes.get("/material")
    def material(
        desk: here, state: str = "approved", mine: bool = False, after: UUID | None = None
    ) -> Response:
        require(desk.actor, Permission.READ_MESSAGES)
        with desk.work() as work:
            shown = list_material(work, (state,) if state else STATES, mine=mine, after=after, limit=PAGE + 1)
            return desk.page(
                "material.html",
                waiting=material_waiting(work) if after is None else [],
                own=list_material(work, ("held", "returned"), mine=True) if after is None else [],
                shown=shown[:PAGE],
                following=shown[PAGE - 1].id if len(shown) > PAGE else None,
                after=after,
                state=state,
                mine=mine,
                states=STATES,
                branches=branch_names(work.conn, desk.locale),
            )

    @routes.get("/material/new")
    def new(desk: here) -> Response:
        require(desk.actor, Permission.COMPOSE)
        return _form(desk, _NEW)

    # Read on the server's loop, done in a thread.
    @routes.post("/material/new", max_body_size=LARGEST_FORM)
    async def hand_in(desk: here, request: Request) -> Response:
        return await run_in_threadpool(_put_up, desk, None, *await read_form(request, _MOST_FIELDS))

    @routes.get("/material/{material_id}")
    def shown(desk: here, material_id: UUID) -> Response:
        return _one(desk, material_id)

    @routes.get("/material/{material_id}/file")
    def file(desk: here, material_id: UUID, download: bool = False) -> Response:
        with desk.work() as work:
            return file_page(material_file(work, material_id), download=download)

    @routes.post("/material/{material_id}/mend", max_body_size=LARGEST_FORM)
    async def mend(desk: here, material_id: UUID, request: Request) -> Response:
        return await run_in_threadpool(_put_up, desk, material_id, *await read_form(request, _MOST_FIELDS))

    @routes.post("/material/{material_id}")
    def decide(
        desk: here,
        material_id: UUID,
        act: Annotated[str, Form(max_length=10)] = "",
        digest: Annotated[str, Form(max_length=64)] = "",
        last_day: Annotated[str, Form(max_length=10)] = "",
        reasons: Annotated[list[str] | None, Form()] = None,
        note: Annotated[str, Form(max_length=4000)] = "",
        csrf: Annotated[str, Form()] = "",
    ) -> Response:
        desk.check_form(csrf)
        try:
            with desk.work() as work:
                if act == "approve":
                    approve_material(work, material_id, _digest(digest), last_day=_day(last_day), note=note)
                    said = desk.say("Approved: it can be attached now.")
                elif act == "return":
                    return_material(work, material_id, _digest(digest), reasons or [], note)
                    said = desk.say("Returned to be mended.")
                elif act == "reject":
                    reject_material(work, material_id, _digest(digest), reasons or [], note)
                    said = desk.say("Rejected: this file can't be put up again.")
                elif act == "withdraw":
                    withdraw_material(work, material_id, note)
                    said = desk.say("Withdrawn: it can't be attached any more.")
                else:
                    raise BadInput("Nothing was done.", mend="Choose one of the buttons.")
        except OutreachError as error:
            return _one(desk, material_id, error=error, note=note, ticked=reasons or [])
        return desk.go(f"/material/{material_id}", said)

    return routes


def _digest(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise BadInput("A field of this form can't be read.", mend="Open the page again.") from None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise BadInput("That is no date.", mend="Write it as 2026-12-31, or leave it empty.") from None


def _put_up(desk: Desk, material_id: UUID | None, fields: Fields, files: list[HandedIn]) -> Response:
    """Put up, new or mended. What is refused leaves the page with everything that was typed."""
    desk.check_form(one(fields, "csrf"))
    said = Particulars(
        title=one(fields, "title"),
        category=one(fields, "category"),
        language=one(fields, "language"),
        risk_level=_risk(one(fields, "risk_level")),
        advice=one(fields, "advice") == "yes",
    )
    file = files[0] if files else HandedIn("", b"")
    try:
        with desk.work() as work:
            if material_id is None:
                if not file.name:
                    raise BadInput("No file is chosen.", mend="Choose a PDF, PNG or JPEG.")
                made = put_up(work, said, file.name, file.data)
            else:
                made = mend_material(work, material_id, said, file.name, file.data)
    except OutreachError as error:
        if material_id is None:
            return _form(desk, said, error=error)
        return _one(desk, material_id, error=error, said=said)
    return desk.go(f"/material/{made.id}", desk.say("It waits for a second person."))


def _risk(text: str) -> int | None:
    """The level as typed; what is no number is no level there is."""
    return None if not text else int(text) if text.isascii() and text.isdigit() and len(text) < 3 else 0


def _words(desk: Desk) -> dict[str, Any]:
    return {
        "told": partial(told, desk.locale),
        "categories": CATEGORIES,
        "tongues": LANGUAGES,
        "largest": LARGEST,
        "longest": LONGEST_TITLE,
        "longest_note": LONGEST_NOTE,
    }


def _form(desk: Desk, said: Particulars, *, error: OutreachError | None = None) -> Response:
    status = STATUS.get(error.code, 400) if error else 200
    return desk.page("material_new.html", status=status, said=said, error=error, **_words(desk))


def _one(
    desk: Desk,
    material_id: UUID,
    *,
    error: OutreachError | None = None,
    said: Particulars | None = None,
    note: str = "",
    ticked: list[str] | None = None,
) -> Response:
    with desk.work() as work:
        found = material_for(work, material_id)
        return desk.page(
            "material_one.html",
            status=STATUS.get(error.code, 400) if error else 200,
            material=found,
            mine=found.author_id == desk.actor.staff_id,
            decides=may_decide_material(work, found),
            withdraws=found.state in OPEN and may_withdraw(work, found),
            said=said or _said_of(found),
            note=note,
            ticked=ticked or [],
            reasons=reasons_in_force(work.conn),
            branches=branch_names(work.conn, desk.locale),
            error=error,
            **_words(desk),
        )


def _said_of(found: Material) -> Particulars:
    return Particulars(found.title, found.category, found.language, found.risk_level, found.advice)
