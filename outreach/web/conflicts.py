"""What a person put right in a client's file: the form, and the conflicts with what the client system's file says."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response

from outreach.core.access import Permission, require
from outreach.core.errors import BadInput
from outreach.people.conflicts import conflicts_by_branch, decide_conflicts, list_conflicts
from outreach.people.staff import branch_names
from outreach.web.frame import Desk, Desks, Page

PAGE = 50


@dataclass(frozen=True)
class BranchCount:
    """How many conflicts are open in a branch."""

    id: UUID
    name: str
    count: int


def router(desk: Desks) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=Page)
    here = Annotated[Desk, Depends(desk)]

    @routes.get("/conflicts")
    def conflicts(desk: here, branch: str = "", after: str = "") -> Response:
        require(desk.actor, Permission.READ_CLIENTS)
        wanted = _id(branch)
        with desk.work() as work:
            lines = list_conflicts(work, branch_id=wanted, after=_place(after), limit=PAGE + 1)
            names = branch_names(work.conn, desk.locale)
            counts = [
                BranchCount(branch_id, names.get(branch_id, ""), count)
                for branch_id, count in conflicts_by_branch(work).items()
            ]
            last = lines[PAGE - 1] if len(lines) > PAGE else None
            return desk.page(
                "conflicts.html",
                lines=lines[:PAGE],
                decides=any(line.decides for line in lines[:PAGE]),
                branches=sorted(counts, key=lambda one: one.name),
                branch=wanted,
                after=after,
                following=f"{last.at.isoformat()}~{last.id}" if last else "",
            )

    @routes.post("/conflicts")
    def decide(
        desk: here,
        act: Annotated[str, Form(max_length=10)] = "",
        conflict: Annotated[list[UUID] | None, Form()] = None,
        note: Annotated[str, Form(max_length=500)] = "",
        branch: Annotated[str, Form(max_length=40)] = "",
        csrf: Annotated[str, Form()] = "",
    ) -> Response:
        desk.check_form(csrf)
        if act not in ("keep", "take"):
            raise BadInput("Say which value is to stand.", mend="Choose ours or the file's.")
        with desk.work() as work:
            count = decide_conflicts(work, conflict or [], take=act == "take", note=note)
        wanted = _id(branch)
        told = (
            desk.say("The file's value was taken: %(n)s.", n=count)
            if act == "take"
            else desk.say("Ours was kept: %(n)s.", n=count)
        )
        return desk.go(f"/conflicts?branch={wanted}" if wanted else "/conflicts", told)

    return routes


def _id(written: str) -> UUID | None:
    if not written:
        return None
    try:
        return UUID(written)
    except ValueError:
        raise BadInput("There is no such branch.", mend="Choose one of the list.") from None


def _place(key: str) -> tuple[datetime, UUID] | None:
    """The place in the list that a key names. Raises BadInput."""
    if not key:
        return None
    at, _, last = key.partition("~")
    try:
        return datetime.fromisoformat(at), UUID(last)
    except ValueError:
        raise BadInput("That is no place in this list.", mend="Start from its first page.") from None
