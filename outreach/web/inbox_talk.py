"""Notes and questions beside what waits, claims, and compliance's list of questions."""

from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response

from outreach.core.errors import BadInput
from outreach.review.claims import claim, release_claim
from outreach.review.remarks import (
    answer_question,
    ask_compliance,
    comment,
    open_questions,
    withdraw_question,
)
from outreach.web.frame import Desk, Desks, Page

Csrf = Annotated[str, Form()]
Text = Annotated[str, Form(max_length=2100)]
Within = Annotated[str, Form(alias="within", max_length=1000)]


def router(desk: Desks) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=Page)
    here = Annotated[Desk, Depends(desk)]

    @routes.get("/inbox/questions")
    def questions(desk: here) -> Response:
        with desk.work() as work:
            return desk.page("questions.html", items=open_questions(work))

    @routes.post("/inbox/submission/{submission_id}/remarks")
    def remark(
        desk: here,
        submission_id: UUID,
        text: Text = "",
        kind: Annotated[str, Form(max_length=10)] = "",
        message: Annotated[UUID | None, Form()] = None,
        inside: Within = "",
        csrf: Csrf = "",
    ) -> Response:
        desk.check_form(csrf)
        if kind not in ("comment", "question"):
            raise BadInput("Nothing was noted.", mend="Note it, or ask compliance.")
        with desk.work() as work:
            if kind == "question":
                ask_compliance(work, submission_id, text, message)
                told = desk.say("Compliance was asked. The message waits for the answer.")
            else:
                comment(work, submission_id, text, message)
                told = desk.say("Noted.")
        return desk.go(_back(submission_id, message, inside), told)

    @routes.post("/inbox/remarks/{remark_id}/answer")
    def answer(
        desk: here,
        remark_id: UUID,
        text: Text = "",
        objects: Annotated[str, Form(max_length=5)] = "",
        csrf: Csrf = "",
    ) -> Response:
        desk.check_form(csrf)
        if objects not in ("yes", "no"):
            raise BadInput("The answer says neither yes nor no.", mend="Object, or say that you don't.")
        with desk.work() as work:
            answer_question(work, remark_id, text, objects == "yes")
        return desk.go("/inbox/questions", desk.say("Answered."))

    @routes.post("/inbox/remarks/{remark_id}/withdraw")
    def withdraw(desk: here, remark_id: UUID, csrf: Csrf = "") -> Response:
        desk.check_form(csrf)
        with desk.work() as work:
            withdraw_question(work, remark_id)
        return desk.go("/inbox", desk.say("The question is taken back."))

    @routes.post("/inbox/submission/{submission_id}/claim")
    def take(
        desk: here,
        submission_id: UUID,
        act: Annotated[str, Form(max_length=10)] = "",
        inside: Within = "",
        csrf: Csrf = "",
    ) -> Response:
        desk.check_form(csrf)
        with desk.work() as work:
            if act in ("claim", "take"):
                claim(work, submission_id, take_over=act == "take")
                told = desk.say("It is yours for a quarter of an hour.")
            elif act == "release":
                release_claim(work, submission_id)
                told = desk.say("Released: anybody may take it.")
            else:
                raise BadInput("Nothing was done.", mend="Claim it, take it over, or release it.")
        return desk.go(_back(submission_id, None, inside), told)

    return routes


def _back(submission_id: UUID, message: UUID | None, inside: str) -> str:
    query = {"message": str(message) if message else "", "within": inside}
    said = urlencode({name: value for name, value in query.items() if value})
    return f"/inbox/submission/{submission_id}" + (f"?{said}" if said else "")
