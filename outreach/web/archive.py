"""The archive: exports with their progress, and the check of the record itself."""

from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response, StreamingResponse

from outreach.archive.export import export_client, export_period
from outreach.archive.runs import bag_of, exports, record_state, zipped
from outreach.archive.verify import verify_database
from outreach.core import clock
from outreach.core.access import Permission, require
from outreach.core.errors import BadInput, Forbidden, NotFound
from outreach.core.ids import new_id
from outreach.occasions.windows import start_of_day
from outreach.web.background import Background, Task
from outreach.web.frame import Desk, Desks, Page

_A_MOMENT = 1.0


def router(desk: Desks) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=Page)
    here = Annotated[Desk, Depends(desk)]
    going = Background()

    @routes.get("/archive")
    def start(desk: here) -> Response:
        actor = desk.actor
        may_export, may_verify = actor.may(Permission.EXPORT), actor.may(Permission.VERIFY)
        if not (may_export or may_verify):
            raise Forbidden(mend="Ask compliance.")
        today = clock.today(desk.site.settings.zone)
        with desk.work() as work:
            return desk.page(
                "archive.html",
                may_export=may_export,
                may_verify=may_verify,
                runs=exports(work) if may_export else [],
                state=record_state(work) if may_verify else None,
                first=today.replace(day=1),
                last=today,
                span=partial(_span, desk.site.settings.zone),
            )

    @routes.post("/archive/export")
    def export(
        desk: here,
        what: Annotated[str, Form()] = "period",
        first: Annotated[str, Form()] = "",
        last: Annotated[str, Form()] = "",
        client_no: Annotated[str, Form(max_length=64)] = "",
        csrf: Annotated[str, Form()] = "",
    ) -> Response:
        desk.check_form(csrf)
        require(desk.actor, Permission.EXPORT)
        settings, actor, open_work = desk.site.settings, desk.actor, desk.site.open_work
        key = new_id()
        out = settings.home / "exports" / _name(what, client_no, first, last, key)
        if what == "client":
            number = client_no.strip()
            if not number:
                raise BadInput("No client number was given.", mend="Enter the client's number.")

            def act(task: Task) -> Any:
                return export_client(open_work, actor, number, out, task.tell)
        else:
            start = start_of_day(_day(first), settings.zone)
            end = start_of_day(_day(last) + timedelta(days=1), settings.zone)

            def act(task: Task) -> Any:
                return export_period(open_work, actor, start, end, out, task.tell)

        going.begin(str(key), actor.staff_id, "export", act)
        return desk.go(f"/archive/work/{key}")

    @routes.post("/archive/verify")
    def verify(desk: here, csrf: Annotated[str, Form()] = "") -> Response:
        desk.check_form(csrf)
        require(desk.actor, Permission.VERIFY)
        actor, open_work, key = desk.actor, desk.site.open_work, new_id()
        going.begin(
            str(key), actor.staff_id, "verify", lambda task: verify_database(open_work, task.tell, actor)
        )
        return desk.go(f"/archive/work/{key}")

    @routes.get("/archive/work/{key}")
    def work(desk: here, key: UUID) -> Response:
        task = _task(going, desk, key)
        task.wait(_A_MOMENT)
        return desk.page("archive_work.html", task=task, key=key)

    @routes.get("/archive/work/{key}/progress")
    def progress(desk: here, key: UUID) -> Response:
        task = _task(going, desk, key)
        if task.ended:
            return Response(status_code=200, headers={"HX-Refresh": "true"})
        return desk.page("archive_progress.html", task=task, key=key)

    @routes.get("/archive/{export_id}.zip")
    def fetch(desk: here, export_id: UUID) -> Response:
        with desk.work() as work:
            bag = bag_of(work, export_id)
        return StreamingResponse(
            zipped(bag),
            media_type="application/zip",
            headers={"Content-Disposition": f'attachment; filename="{bag.name}.zip"'},
        )

    return routes


def _task(going: Background, desk: Desk, key: UUID) -> Task:
    task = going.get(str(key), desk.actor.staff_id)
    if task is None:
        raise NotFound(
            "That is no longer going on here.", mend="The archive's page lists every export and how it ended."
        )
    return task


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{text!r} is no date.", mend="Write it as 2026-01-31.") from None


def _span(zone: ZoneInfo, query: dict[str, Any]) -> tuple[date, date] | None:
    """The civil dates of an export's period, in the firm's zone, as they were asked."""
    start, end = query.get("start"), query.get("end")
    if not start or not end:
        return None
    last = datetime.fromisoformat(end) - timedelta(seconds=1)
    return datetime.fromisoformat(start).astimezone(zone).date(), last.astimezone(zone).date()


def _name(what: str, client_no: str, first: str, last: str, key: UUID) -> str:
    """A folder's name that says what is in it."""
    about = client_no if what == "client" else f"{first}-{last}"
    plain = "".join(sign for sign in about if sign.isascii() and (sign.isalnum() or sign == "-"))[:40]
    return Path(f"export-{plain}-{key.hex[-8:]}").name
