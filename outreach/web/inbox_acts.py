"""Deciding: on the message that is shown, on those that are exactly like it, on ticked ones, on a whole batch."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response

from outreach.core import clock
from outreach.core.errors import BadInput
from outreach.ledger.work import Work
from outreach.review.batch import approve_batch, sample_of
from outreach.review.decide import Decided, Expected, approve, reject, return_
from outreach.review.identical import approve_identical, approve_seen_unflagged
from outreach.review.rest import return_rest
from outreach.review.standing import grant_standing
from outreach.review.stopping import resume_batch
from outreach.review.ticked import approve_ticked
from outreach.review.undo import undo
from outreach.web.frame import Desk, Desks, Page
from outreach.web.inbox_undo import digest_of, onward, said, within

Reasons = Annotated[list[str] | None, Form()]
Note = Annotated[str, Form(max_length=2000)]
Csrf = Annotated[str, Form()]
Within = Annotated[str, Form(alias="within", max_length=1000)]
Hex = Annotated[str, Form(max_length=64)]
Verb = Annotated[str, Form(max_length=20)]
_MOST_TICKED = 200


def router(desk: Desks) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=Page)
    here = Annotated[Desk, Depends(desk)]

    @routes.post("/inbox/decide")
    def decide(
        desk: here,
        message: Annotated[UUID, Form()],
        revision: Annotated[int, Form()],
        digest: Hex,
        verb: Verb,
        reasons: Reasons = None,
        note: Note = "",
        following: Annotated[str, Form(max_length=40)] = "",
        inside: Within = "",
        csrf: Csrf = "",
    ) -> Response:
        desk.check_form(csrf)
        with desk.work() as work:
            decided = _decide(work, verb, {message: (revision, digest_of(digest))}, reasons, note)
            path = onward(work, decided.submissions[0], following, within(inside), decided)
        return desk.go(path, said(desk, decided))

    @routes.post("/inbox/identical")
    def identical(
        desk: here,
        message: Annotated[UUID, Form()],
        manifest: Hex,
        confirmed: Annotated[int | None, Form()] = None,
        inside: Within = "",
        csrf: Csrf = "",
    ) -> Response:
        desk.check_form(csrf)
        if confirmed is None:
            raise BadInput("Nothing was decided.", mend="Tick the sentence that says how many they are.")
        with desk.work() as work:
            decided = approve_identical(work, message, digest_of(manifest), confirmed)
            path = onward(work, decided.submissions[0], "", within(inside), decided)
        return desk.go(path, said(desk, decided))

    @routes.post("/inbox/submission/{submission_id}/opened")
    def opened(
        desk: here,
        submission_id: UUID,
        manifest: Hex,
        confirmed: Annotated[int | None, Form()] = None,
        inside: Within = "",
        csrf: Csrf = "",
    ) -> Response:
        desk.check_form(csrf)
        if confirmed is None:
            raise BadInput("Nothing was decided.", mend="Tick the sentence that says how many they are.")
        with desk.work() as work:
            decided = approve_seen_unflagged(work, submission_id, digest_of(manifest), confirmed)
            path = onward(work, submission_id, "", within(inside), decided)
        return desk.go(path, said(desk, decided))

    @routes.post("/inbox/bulk")
    def bulk(
        desk: here,
        submission: Annotated[UUID, Form()],
        act: Verb,
        ticked: Annotated[list[str] | None, Form()] = None,
        confirmed: Annotated[str, Form(max_length=10)] = "",
        reasons: Reasons = None,
        note: Note = "",
        inside: Within = "",
        csrf: Csrf = "",
    ) -> Response:
        desk.check_form(csrf)
        expected = _ticked(ticked or [])
        if confirmed.strip() != str(len(expected)):
            raise BadInput(
                f"{len(expected)} messages are ticked.", mend="Type how many they are to confirm it."
            )
        with desk.work() as work:
            if act == "approve-ticked":
                decided = approve_ticked(work, expected)
            elif act == "return-ticked":
                decided = return_(work, list(expected), expected, reasons or [], note)
            else:
                raise BadInput("Nothing was decided.", mend="Approve or return the ticked ones.")
            path = onward(work, submission, "", within(inside), decided)
        return desk.go(path, said(desk, decided))

    @routes.post("/inbox/submission/{submission_id}/batch")
    def decide_batch(
        desk: here,
        submission_id: UUID,
        manifest: Hex,
        seen: Annotated[list[UUID] | None, Form()] = None,
        confirmed: Annotated[int | None, Form()] = None,
        inside: Within = "",
        csrf: Csrf = "",
    ) -> Response:
        desk.check_form(csrf)
        with desk.work() as work:
            decided = approve_batch(
                work, submission_id, digest_of(manifest), frozenset(seen or []), confirmed
            )
            path = onward(work, submission_id, "", within(inside), decided)
        return desk.go(path, said(desk, decided))

    @routes.post("/inbox/submission/{submission_id}/rest")
    def rest(
        desk: here,
        submission_id: UUID,
        act: Verb,
        manifest: Hex,
        reasons: Reasons = None,
        note: Note = "",
        csrf: Csrf = "",
    ) -> Response:
        desk.check_form(csrf)
        with desk.work() as work:
            if act == "resume":
                resume_batch(work, submission_id)
                path = f"/inbox/submission/{submission_id}/batch"
                told = desk.say("A new sample, twice the size, is drawn.")
            elif act == "return":
                decided = return_rest(work, submission_id, digest_of(manifest), reasons or [], note)
                path, told = onward(work, submission_id, "", within(""), decided), said(desk, decided)
            else:
                raise BadInput("Nothing was decided.", mend="Return the rest, or draw a new sample.")
        return desk.go(path, told)

    @routes.post("/inbox/submission/{submission_id}/standing")
    def standing(
        desk: here,
        submission_id: UUID,
        days: Annotated[int, Form(ge=1, le=3660)],
        manifest: Hex,
        seen: Annotated[list[UUID] | None, Form()] = None,
        csrf: Csrf = "",
    ) -> Response:
        desk.check_form(csrf)
        with desk.work() as work:
            sample = sample_of(work, submission_id)
            if sample.manifest_digest != digest_of(manifest) or set(sample.message_ids) - set(seen or []):
                raise BadInput(
                    "Part of the sample was not read, or the batch has changed.", mend="Read it again."
                )
            granted = grant_standing(work, submission_id, clock.now() + timedelta(days=days))
        told = desk.say("Standing approval given; %(count)s messages released.", count=granted.released)
        return desk.go("/inbox", told)

    @routes.post("/inbox/undo")
    def take_back(desk: here, decision: Annotated[UUID, Form()], csrf: Csrf = "") -> Response:
        desk.check_form(csrf)
        with desk.work() as work:
            done = undo(work, decision)
        told = desk.say("Undone: %(count)s messages wait again.", count=done.count)
        if done.too_late:
            told += " " + desk.say("%(count)s were on their way already.", count=len(done.too_late))
        return desk.go("/inbox", told)

    return routes


def _decide(work: Work, verb: str, expected: Expected, reasons: Sequence[str] | None, note: str) -> Decided:
    if verb == "approve":
        return approve(work, list(expected), expected)
    if verb not in ("return", "reject"):
        raise BadInput("Nothing was decided.", mend="Approve, return or reject.")
    act = return_ if verb == "return" else reject
    return act(work, list(expected), expected, reasons or [], note)


def _ticked(boxes: Sequence[str]) -> dict[UUID, tuple[int, bytes]]:
    """The ticked messages with what was read of each. Raises BadInput for what no box says."""
    if not boxes:
        raise BadInput("Nothing is ticked.", mend="Tick the messages first.")
    if len(boxes) > _MOST_TICKED:
        raise BadInput("More is ticked than one page shows.", mend="Open the page again.")
    expected: dict[UUID, tuple[int, bytes]] = {}
    for one in boxes:
        try:
            identifier, revision, digest = one.split(":")
            expected[UUID(identifier)] = (int(revision), bytes.fromhex(digest))
        except ValueError:
            raise BadInput("A tick can't be read.", mend="Open the page again.") from None
    return expected
