"""Clients: the list with its search, one client's file, and the import of files."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response

from outreach.core.access import Permission, require
from outreach.core.errors import BadInput
from outreach.delivery.replies import replies_of
from outreach.feeds.types import recent_types
from outreach.messages.tally import messages_to
from outreach.people.clashes import as_seen
from outreach.people.clients import client_for, consents, contact_points, holdings, search_clients
from outreach.people.conflicts import conflicts_by_branch
from outreach.people.correctable import FIELDS
from outreach.people.corrections import correct_client, corrections_of
from outreach.people.masking import masked, sees_addresses
from outreach.people.staff import branch_names, staff_names
from outreach.people.subscriptions import subscribe, subscriptions_of, unsubscribe
from outreach.web import conflicts, imports
from outreach.web.frame import Desk, Desks, Page

PAGE = 50
TIERS = ("diamond", "platinum", "gold", "silver", "vip", "core", "ordinary")


def router(desk: Desks) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=Page)
    here = Annotated[Desk, Depends(desk)]
    routes.include_router(imports.router(desk))
    routes.include_router(conflicts.router(desk))

    @routes.get("/clients")
    def search(desk: here, q: str = "", tier: str = "", after: str = "") -> Response:
        require(desk.actor, Permission.READ_CLIENTS)
        with desk.work() as work:
            lines = search_clients(
                work, q[:200], tiers=(tier,) if tier in TIERS else (), after=after[:64], limit=PAGE + 1
            )
            return desk.page(
                "clients.html",
                lines=lines[:PAGE],
                following=lines[PAGE - 1].client_no if len(lines) > PAGE else "",
                q=q,
                tier=tier,
                tiers=TIERS,
                after=after,
                conflicts=sum(conflicts_by_branch(work).values()),
            )

    @routes.get("/clients/{client_id}")
    def one(desk: here, client_id: UUID, before: datetime | None = None) -> Response:
        require(desk.actor, Permission.READ_CLIENTS)
        return _shown(desk, client_id, before)

    @routes.post("/clients/{client_id}/correct")
    def correct(
        desk: here,
        client_id: UUID,
        field: Annotated[str, Form(max_length=40)] = "",
        value: Annotated[str, Form(max_length=1000)] = "",
        note: Annotated[str, Form(max_length=500)] = "",
        csrf: Annotated[str, Form()] = "",
    ) -> Response:
        desk.check_form(csrf)
        try:
            with desk.work() as work:
                changed = correct_client(work, client_id, field, value, note, locale=desk.locale)
        except BadInput as error:
            return _shown(desk, client_id, None, 400, fault=error, written=(field, value, note))
        told = desk.say("Put right, and recorded.") if changed else desk.say("That is what stands already.")
        return desk.go(f"/clients/{client_id}", told)

    @routes.post("/clients/{client_id}/subscriptions")
    def subscriptions(
        desk: here,
        client_id: UUID,
        act: Annotated[str, Form(max_length=20)] = "",
        feed: Annotated[str, Form(max_length=40)] = "",
        item_type: Annotated[str, Form(max_length=200)] = "*",
        csrf: Annotated[str, Form()] = "",
    ) -> Response:
        desk.check_form(csrf)
        with desk.work() as work:
            if act == "end":
                unsubscribe(work, client_id, feed, item_type, source="page")
                told = desk.say("The subscription has ended.")
            else:
                # One choice of the form names both: feed, and after a bar the type.
                feed, _, chosen = feed.partition("|")
                subscribe(work, client_id, feed, chosen or item_type, source="page")
                told = desk.say("The subscription is recorded.")
        return desk.go(f"/clients/{client_id}", told)

    return routes


def _shown(
    desk: Desk,
    client_id: UUID,
    before: datetime | None,
    status: int = 200,
    *,
    fault: BadInput | None = None,
    written: tuple[str, str, str] = ("", "", ""),
) -> Response:
    """One client's file; with ``fault``, what was wrong with the correction that was ``written``."""
    with desk.work() as work:
        row = client_for(work, client_id)
        in_full = sees_addresses(desk.actor, row.branch_id)
        people = [person for person in (row.advisor_id, row.consultant_id) if person]
        contacts = messages_to(work, client_id, before=before, limit=PAGE + 1, locale=desk.locale)
        heard = desk.actor.may(Permission.ANSWER_REPLIES, row.branch_id) and before is None
        composes = desk.actor.may(Permission.COMPOSE, row.branch_id)

        def seen(field: str, value: Any) -> str:
            return as_seen(work, row.branch_id, field, value)

        return desk.page(
            "client.html",
            status=status,
            client=row,
            branch=branch_names(work.conn, desk.locale).get(row.branch_id, ""),
            people=staff_names(work.conn, people),
            points=[
                (point, point.address if in_full else masked(point.address))
                for point in contact_points(work, client_id)
            ],
            in_full=in_full,
            consents=consents(work, client_id),
            holdings=holdings(work, client_id),
            subscriptions=subscriptions_of(work, client_id),
            types=recent_types(work),
            subscribes=composes,
            contacts=contacts[:PAGE],
            following=contacts[PAGE - 1].at if len(contacts) > PAGE else None,
            replies=replies_of(work, client_id, 20) if heard else [],
            before=before,
            corrections=[
                (one, seen(one.field, one.value), seen(one.field, one.file_value))
                for one in corrections_of(work, client_id)
            ],
            fields=FIELDS if composes and in_full else (),
            fault=fault,
            written=written,
        )
