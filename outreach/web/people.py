"""The start page, who was left out and why, and what clients answered."""

import csv
import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response, StreamingResponse

from outreach.care.answers import answer_with_phrase, offers, phrases
from outreach.care.calls import alerts_with_calls
from outreach.care.tasks import Task, close_task, open_tasks, scripts, task_by_id
from outreach.content.sms import sms_length
from outreach.core import clock
from outreach.core.access import Permission, Role, require
from outreach.core.errors import BadInput, NotFound
from outreach.delivery.replies import list_replies, replies_by_id
from outreach.messages.leftout import LeftOutLine, left_out_by_rule, list_left_out
from outreach.messages.reasons import words
from outreach.notices.outbox import unseen
from outreach.people.importing.rejects import formula_safe
from outreach.web import overview
from outreach.web.compose import pieces
from outreach.web.frame import Desk, Desks, Page, safe_path

PAGE = 50
_RECENT = timedelta(days=30)


def router(desk: Desks) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=Page)
    here = Annotated[Desk, Depends(desk)]

    @routes.get("/")
    def start(desk: here) -> Response:
        actor = desk.actor
        with desk.work() as work:
            return desk.page(
                "start.html",
                inbox=overview.inbox(work),
                sends=overview.sends_today(work),
                mine=overview.mine(work),
                notices=unseen(work, 6, desk.locale),
                tasks=open_tasks(work, mine=Role.ADVISOR in actor.roles(), limit=6)
                if actor.may(Permission.ANSWER_REPLIES)
                else [],
                machine=overview.machine(work),
                record=overview.record(work),
                traps=overview.traps(desk.site.settings, desk.locale)
                if actor.may(Permission.READ_MESSAGES)
                else [],
                safe=safe_path,
                today=clock.today(desk.site.settings.zone),
            )

    @routes.get("/left-out")
    def left_out(
        desk: here, rule: str = "", occurrence: UUID | None = None, after: UUID | None = None
    ) -> Response:
        require(desk.actor, Permission.READ_CLIENTS)
        with desk.work() as work:
            lines = list_left_out(
                work,
                occurrence_id=occurrence,
                rule=rule or None,
                after=after,
                limit=PAGE + 1,
                locale=desk.locale,
            )
            return desk.page(
                "left_out.html",
                lines=lines[:PAGE],
                following=lines[PAGE - 1].id if len(lines) > PAGE else None,
                rules=left_out_by_rule(work, clock.now() - _RECENT),
                rule=rule,
                occurrence=occurrence,
                after=after,
                reason_name=lambda code: words(code, {}, desk.locale).reason,
            )

    @routes.get("/left-out.csv")
    def left_out_csv(desk: here, rule: str = "", occurrence: UUID | None = None) -> Response:
        require(desk.actor, Permission.READ_CLIENTS)
        return StreamingResponse(
            _csv(desk, rule, occurrence),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="left-out.csv"'},
        )

    @routes.get("/replies")
    def replies(desk: here, after: str = "") -> Response:
        require(desk.actor, Permission.ANSWER_REPLIES)
        with desk.work() as work:
            tasks = open_tasks(work, after=task_at(after), limit=PAGE + 1)
            texts = replies_by_id(work, [task.reply_id for task in tasks if task.reply_id])
            return desk.page(
                "replies.html",
                calls=sum(one.open for one in alerts_with_calls(work)),
                tasks=tasks[:PAGE],
                texts=texts,
                scripts=scripts(work, tasks[:PAGE]),
                phrases=len(phrases(work)) if desk.actor.may(Permission.COMPOSE) else 0,
                following=place_of_task(tasks[PAGE - 1]) if len(tasks) > PAGE else "",
                after=after,
            )

    @routes.get("/replies/all")
    def every_reply(desk: here, before: UUID | None = None) -> Response:
        require(desk.actor, Permission.ANSWER_REPLIES)
        with desk.work() as work:
            lines = list_replies(work, before=before, limit=PAGE + 1)
            return desk.page(
                "replies_all.html",
                lines=lines[:PAGE],
                following=lines[PAGE - 1].id if len(lines) > PAGE else None,
            )

    @routes.post("/tasks/{task_id}/close")
    def close(
        desk: here,
        task_id: UUID,
        note: Annotated[str, Form(max_length=2000)] = "",
        outcome: Annotated[str, Form(max_length=20)] = "reached",
        back: Annotated[str, Form(max_length=400)] = "/replies",
        csrf: Annotated[str, Form()] = "",
    ) -> Response:
        desk.check_form(csrf)
        if outcome not in ("reached", "not_reached"):
            raise BadInput("Say whether the client was reached.", mend="Choose one of the two.")
        with desk.work() as work:
            close_task(work, task_id, note, reached=outcome == "reached")
        return desk.go(safe_path(back), desk.say("Closed, with your note."))

    @routes.get("/tasks/{task_id}/answer")
    def phrase_book(desk: here, task_id: UUID) -> Response:
        with desk.work() as work:
            offered = offers(work, task_id, desk.locale)
            task = task_by_id(work, task_id)
            texts = replies_by_id(work, [task.reply_id] if task.reply_id else [])
            return desk.page(
                "phrases.html",
                task=task,
                reply=texts.get(task.reply_id) if task.reply_id else None,
                offered=offered,
                pieces=pieces,
                sms_length=sms_length,
            )

    @routes.post("/tasks/{task_id}/answer")
    def answer(
        desk: here,
        task_id: UUID,
        phrase: Annotated[str, Form(max_length=80)] = "",
        csrf: Annotated[str, Form()] = "",
    ) -> Response:
        desk.check_form(csrf)
        with desk.work() as work:
            done = answer_with_phrase(work, task_id, phrase)
        said = (
            "Answered; it is on its way." if done.released else "It waits for approval; the task stays open."
        )
        return desk.go("/replies", desk.say(said))

    @routes.get("/tasks/{task_id}/paper")
    def paper(desk: here, task_id: UUID) -> Response:
        require(desk.actor, Permission.ANSWER_REPLIES)
        with desk.work() as work:
            task = task_by_id(work, task_id)
            found = scripts(work, [task]).get(task_id)
            if found is None:
                raise NotFound("There is no letter or script here that you may read.")
            return desk.page("paper.html", task=task, paper=found)

    return routes


def place_of_task(task: Task) -> str:
    """The key of a task's place in a list of tasks."""
    return f"{task.due_by.isoformat()}~{task.id}"


def task_at(key: str) -> tuple[datetime, UUID] | None:
    """The place in the list of tasks that a key names. Raises BadInput."""
    if not key:
        return None
    due_by, _, last = key.partition("~")
    try:
        return datetime.fromisoformat(due_by), UUID(last)
    except ValueError:
        raise BadInput("That is no place in this list.", mend="Start from its first page.") from None


_HEADERS = ("Time", "Branch", "Client number", "Name", "Occasion", "Channel", "Why", "What to do", "Source")


def _csv(desk: Desk, rule: str, occurrence: UUID | None) -> Iterator[str]:
    """Every left-out row, a page at a time: memory stays flat. UTF-8 with BOM, safe from formulas."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write("\ufeff")
    writer.writerow([desk.say(one) for one in _HEADERS])
    after: UUID | None = None
    while True:
        with desk.work() as work:
            lines = list_left_out(
                work, occurrence_id=occurrence, rule=rule or None, after=after, limit=1000, locale=desk.locale
            )
        for line in lines:
            writer.writerow([formula_safe(cell) for cell in _cells(line, desk.site.settings.zone)])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        if len(lines) < 1000:
            return
        after = lines[-1].id


def _cells(line: LeftOutLine, zone: ZoneInfo) -> tuple[str, ...]:
    return (
        line.at.astimezone(zone).isoformat(timespec="seconds"),
        line.branch_name,
        line.client_no,
        line.client_name,
        line.title,
        line.channel,
        line.reason,
        line.mend,
        line.article,
    )
