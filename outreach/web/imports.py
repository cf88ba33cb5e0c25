"""Importing a file: hand it in, read what it would do, then apply it in one transaction."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, File, Form, UploadFile
from fastapi.responses import FileResponse, Response

from outreach.core.access import Permission, require
from outreach.core.errors import BadInput, Conflict
from outreach.core.i18n import number_text
from outreach.people.apply import ImportPreview, apply_import, preview_import
from outreach.people.dated_facts import import_dates, preview_dates
from outreach.people.holdings import import_holdings, preview_holdings
from outreach.people.imports import my_imports, rejects_of
from outreach.people.nightly import discard_waiting, waiting_file, waiting_files
from outreach.web import uploads
from outreach.web.background import Background, Task
from outreach.web.frame import Desk, Desks, Page
from outreach.web.uploads import Upload

_A_MOMENT = 1.0  # seconds a page waits for what may be quick


def router(desk: Desks) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=Page)
    here = Annotated[Desk, Depends(desk)]
    going = Background()

    @routes.get("/import")
    def form(desk: here) -> Response:
        require(desk.actor, Permission.IMPORT)
        with desk.work() as work:
            return desk.page("import_start.html", imports=my_imports(work), waiting=waiting_files(work))

    # What is larger is cut off while it arrives, before it fills a disk.
    @routes.post("/import", max_body_size=uploads.LARGEST + (1 << 20))
    def hand_in(
        desk: here,
        file: Annotated[UploadFile | None, File()] = None,
        kind: Annotated[str, Form()] = "clients",
        csrf: Annotated[str, Form()] = "",
    ) -> Response:
        desk.check_form(csrf)
        require(desk.actor, Permission.IMPORT)
        if file is None or not file.filename:
            raise BadInput("No file was chosen.", mend="Choose a CSV or XLSX file, or drop it on the page.")
        home, owner = desk.site.settings.home, desk.actor.staff_id
        upload = uploads.store(home, owner, kind, file.filename, file.file)
        _begin_preview(going, desk, upload)
        return desk.go(f"/import/{upload.id}")

    @routes.post("/import/waiting/{waiting_id}/open")
    def look_at_waiting(desk: here, waiting_id: UUID, csrf: Annotated[str, Form()] = "") -> Response:
        desk.check_form(csrf)
        with desk.work() as work:
            found = waiting_file(work, waiting_id)
        with found.path.open("rb") as stream:
            upload = uploads.store(
                desk.site.settings.home, desk.actor.staff_id, found.kind, found.file_name, stream
            )
        _begin_preview(going, desk, upload)
        return desk.go(f"/import/{upload.id}")

    @routes.post("/import/waiting/{waiting_id}/discard")
    def discard_the_waiting(desk: here, waiting_id: UUID, csrf: Annotated[str, Form()] = "") -> Response:
        desk.check_form(csrf)
        with desk.work() as work:
            discard_waiting(work, waiting_id)
        return desk.go(
            "/import", desk.say("Nothing of it was imported. The file lies in done/ of its folder.")
        )

    @routes.get("/import/{upload_id}")
    def shown(desk: here, upload_id: UUID) -> Response:
        task, upload = _current(going, desk, upload_id)
        task.wait(_A_MOMENT)
        return desk.page("import.html", **_values(desk, task, upload, upload_id))

    @routes.get("/import/{upload_id}/progress")
    def progress(desk: here, upload_id: UUID) -> Response:
        task, upload = _current(going, desk, upload_id)
        if task.ended:
            return Response(status_code=200, headers={"HX-Refresh": "true"})
        return desk.page("import_progress.html", **_values(desk, task, upload, upload_id))

    @routes.post("/import/{upload_id}/apply")
    def apply(desk: here, upload_id: UUID, csrf: Annotated[str, Form()] = "") -> Response:
        desk.check_form(csrf)
        require(desk.actor, Permission.IMPORT)
        done = going.get(f"{upload_id}:apply", desk.actor.staff_id)
        if done is None or done.error is not None:
            upload = uploads.find(desk.site.settings.home, desk.actor.staff_id, upload_id)
            _begin_apply(going, desk, upload)
        return desk.go(f"/import/{upload_id}")

    @routes.post("/import/{upload_id}/discard")
    def discard(desk: here, upload_id: UUID, csrf: Annotated[str, Form()] = "") -> Response:
        desk.check_form(csrf)
        applying = going.get(f"{upload_id}:apply", desk.actor.staff_id)
        if applying is not None and not applying.ended:
            raise Conflict("This file is being imported.", mend="Wait for its end.")
        upload = uploads.find(desk.site.settings.home, desk.actor.staff_id, upload_id)
        going.forget(f"{upload_id}:preview")
        uploads.discard(upload)
        return desk.go("/import", desk.say("Nothing was imported, and the file was deleted here."))

    @routes.get("/imports/{import_id}/rejected.csv")
    def rejected(desk: here, import_id: UUID) -> Response:
        with desk.work() as work:
            path = rejects_of(work, import_id)
        return FileResponse(path, media_type="text/csv; charset=utf-8", filename=f"rejected-{import_id}.csv")

    return routes


def _current(going: Background, desk: Desk, upload_id: UUID) -> tuple[Task, Upload | None]:
    """What goes on with a file of the actor's: its import, else its preview, begun again if need be."""
    require(desk.actor, Permission.IMPORT)
    owner = desk.actor.staff_id
    applying = going.get(f"{upload_id}:apply", owner)
    if applying is not None:
        return applying, None
    upload = uploads.find(desk.site.settings.home, owner, upload_id)
    return going.get(f"{upload_id}:preview", owner) or _begin_preview(going, desk, upload), upload


def _begin_preview(going: Background, desk: Desk, upload: Upload) -> Task:
    open_work, actor = desk.site.open_work, desk.actor

    def read(task: Task) -> Any:
        if upload.kind == "holdings":
            return preview_holdings(open_work, actor, upload.path)
        if upload.kind == "dates":
            return preview_dates(open_work, actor, upload.path)
        return preview_import(open_work, actor, upload.path, name=upload.name, progress=task.tell)

    return going.begin(f"{upload.id}:preview", actor.staff_id, f"{upload.kind}:preview", read)


def _begin_apply(going: Background, desk: Desk, upload: Upload) -> Task:
    open_work, actor = desk.site.open_work, desk.actor

    def bring_in(task: Task) -> Any:
        result: Any
        if upload.kind == "holdings":
            result = import_holdings(open_work, actor, upload.path)
        elif upload.kind == "dates":
            result = import_dates(open_work, actor, upload.path)
        else:
            result = apply_import(open_work, actor, upload.path, name=upload.name, progress=task.tell)
        uploads.discard(upload)
        going.forget(f"{upload.id}:preview")
        return result

    return going.begin(f"{upload.id}:apply", actor.staff_id, f"{upload.kind}:apply", bring_in)


def _values(desk: Desk, task: Task, upload: Upload | None, upload_id: UUID) -> dict[str, Any]:
    kind, _, stage = task.name.partition(":")
    found = task.result
    if found is not None and kind == "clients" and stage == "apply":
        found = found.preview
    return {
        "task": task,
        "upload": upload,
        "upload_id": upload_id,
        "kind": kind,
        "stage": stage,
        "found": found,
        "sentence": _sentence(desk, found) if isinstance(found, ImportPreview) else "",
        "result": task.result if stage == "apply" else None,
    }


def _sentence(desk: Desk, found: ImportPreview) -> str:
    """What stands out in a client file: "7 birthdays today, 31 VIP and core clients without an advisor, …"."""
    said = (
        (found.birthdays_today, "1 birthday today", "%(n)s birthdays today"),
        (
            found.orphans,
            "1 VIP or core client without an advisor",
            "%(n)s VIP and core clients without an advisor",
        ),
        (found.expired_assessments, "1 risk assessment expired", "%(n)s risk assessments expired"),
        (found.rejected, "1 row refused", "%(n)s rows refused"),
    )
    parts = [
        desk.say(one) if count == 1 else desk.say(many, n=number_text(desk.locale, count))
        for count, one, many in said
    ]
    return desk.say(", ").join(parts)
