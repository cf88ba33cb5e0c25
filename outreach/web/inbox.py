"""The approval inbox: what waits, oldest due first, alerts on top. Reading and deciding have modules of their own.

Every action is a plain form that works without scripts; ``inbox.js`` adds the keyboard.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from outreach.content.formats import CATEGORIES, CHANNELS, LANGUAGES
from outreach.core import clock
from outreach.core.access import Permission, require
from outreach.ledger.work import Work
from outreach.people.staff import branch_names
from outreach.review.inbox import Waiting, inbox_of
from outreach.review.offered import authors_waiting, rules_waiting
from outreach.web import firm, inbox_acts, inbox_reading, inbox_talk
from outreach.web.frame import Desk, Desks, Page
from outreach.web.inbox_filters import DUE, MODES, TIERS, Asked, asked_by
from outreach.web.inbox_undo import PAGE, at_once, undoable

_HOUR = timedelta(hours=1)
Choice = tuple[str, str]  # a value, and its words


@dataclass(frozen=True)
class Group:
    """Submissions that are due about the same time. ``key``: alerts, late, hour, today or later."""

    key: str
    lines: tuple[Waiting, ...]


def router(desk: Desks) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=Page)
    here = Annotated[Desk, Depends(desk)]
    for part in (firm, inbox_reading, inbox_acts, inbox_talk):
        routes.include_router(part.router(desk))

    @routes.get("/inbox")
    def show(
        desk: here, after: str = "", more: bool = False, undo: UUID | None = None, until: str = ""
    ) -> Response:
        require(desk.actor, Permission.DECIDE)
        asked = asked_by(desk.request)
        for_all = desk.actor.scope(Permission.DECIDE) is None
        first = not asked.query and not after
        choosing = bool(asked.narrowed or more)
        with desk.look() as work:
            inbox = inbox_of(work, asked.filters(), after or None, PAGE, beside=first)
            return desk.page(
                "inbox.html",
                groups=grouped(inbox.page.items, desk.site.settings.zone),
                at_once=at_once,
                following=inbox.page.next_after,
                after=after,
                counts=inbox.counts,
                from_head_office=inbox.from_head_office,
                material=inbox.material,
                questions=inbox.questions,
                asked=asked,
                choices=_choices(work, desk.locale, asked) if choosing else None,
                several=for_all or len(desk.actor.scope(Permission.DECIDE) or ()) > 1,
                undo=undoable(undo, until),
            )

    return routes


def grouped(items: Sequence[Waiting], zone: ZoneInfo) -> list[Group]:
    """The submissions in groups by when they are due, in the order of the list."""
    now = clock.now()
    groups: dict[str, list[Waiting]] = {}
    for item in items:
        key = "alerts" if item.submission.urgent else _when(item.submission.due_by, now, zone)
        groups.setdefault(key, []).append(item)
    return [Group(key, tuple(lines)) for key, lines in groups.items()]


def _when(due_by: datetime, now: datetime, zone: ZoneInfo) -> str:
    if due_by < now:
        return "late"
    if due_by < now + _HOUR:
        return "hour"
    return "today" if due_by.astimezone(zone).date() == now.astimezone(zone).date() else "later"


def _choices(work: Work, locale: str, asked: Asked) -> dict[str, Sequence[str] | list[Choice]]:
    """What each filter offers: fixed values, whose words the page has, or pairs of value and words."""
    scope = work.actor.scope(Permission.DECIDE)
    branches = [
        (str(one), name)
        for one, name in branch_names(work.conn, locale).items()
        if scope is None or one in scope
    ]
    rules = rules_waiting(work)
    return {
        "mode": MODES,
        "due": DUE,
        "category": CATEGORIES,
        "channel": CHANNELS,
        "tier": TIERS,
        "language": LANGUAGES,
        "rule": [(one, one) for one in dict.fromkeys((*rules, *([asked.rule] if asked.rule else [])))],
        "author": [(str(one), name) for one, name in authors_waiting(work)],
        "branch": sorted(branches, key=lambda one: one[1]),
    }
