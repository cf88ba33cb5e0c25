"""Reading what waits: a submission's messages, each as its client will see it, and the sample of a batch."""

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from outreach.content.in_force import reasons_in_force
from outreach.content.sms import SmsLength, sms_length
from outreach.core.access import Permission, Role, require
from outreach.core.errors import BadInput
from outreach.ledger.work import Work
from outreach.review.batch import sample_of
from outreach.review.claims import claim_on
from outreach.review.detail import Detail, message_detail
from outreach.review.inbox import waiting_ids
from outreach.review.opening import AROUND, Opened, around, open_message, open_submission
from outreach.review.policies import policy_for
from outreach.review.reading import note_reading, readers_of
from outreach.review.rest import rest_of
from outreach.review.seen import mark_seen
from outreach.review.submissions import Submission, submission_for
from outreach.web.frame import Desk, Desks, Page, mail_page
from outreach.web.inbox_undo import PAGE, undoable, within
from outreach.web.pieces import Note, Piece, notes_of, pieces_of

_DAYS = (30, 90, 180, 365)


def router(desk: Desks) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=Page)
    here = Annotated[Desk, Depends(desk)]
    inside = Annotated[str, Query(alias="within", max_length=1000)]

    @routes.get("/inbox/submission/{submission_id}")
    def submission(
        desk: here,
        submission_id: UUID,
        message: UUID | None = None,
        after: str = "",
        undo: UUID | None = None,
        until: str = "",
        asked: inside = "",
    ) -> Response:
        require(desk.actor, Permission.READ_MESSAGES)
        with desk.work() as work:
            if message is not None and desk.request.headers.get("hx-target", "").endswith("#reader"):
                # The list stands there already: only the message that is read is put in its place.
                only = open_message(work, submission_id, message, desk.locale)
                return desk.page("reader.html", **_reader(desk, work, only.detail.submission, only, asked))
            opened = open_submission(
                work, submission_id, message, after or None, PAGE, within(asked).filters(), desk.locale
            )
            head = opened.lines.submission
            return desk.page(
                "submission.html",
                opened=message is not None,
                lines=opened.lines,
                after=after,
                claim=claim_on(work, head),
                batch=sample_of(work, submission_id) if head.mode != "each" and not head.stopped_at else None,
                rest=rest_of(work, submission_id) if head.stopped_at else None,
                opened_ones=opened.opened_ones,
                before_this=opened.before,
                after_this=opened.after,
                undo=undoable(undo, until),
                readers=opened.readers,
                **_reader(desk, work, head, opened.message, asked),
            )

    @routes.get("/inbox/message/{message_id}")
    def message(desk: here, message_id: UUID) -> Response:
        with desk.work() as work:
            detail = message_detail(work, message_id, desk.locale)
        return desk.go(f"/inbox/submission/{detail.submission.id}?message={message_id}")

    @routes.get("/inbox/message/{message_id}/mail")
    def mail(desk: here, message_id: UUID) -> Response:
        with desk.work() as work:
            detail = message_detail(work, message_id, desk.locale)
        html = detail.payload.html if detail.payload else ""
        return mail_page(html)

    @routes.get("/inbox/submission/{submission_id}/presence")
    def presence(desk: here, submission_id: UUID, message: str = "") -> Response:
        require(desk.actor, Permission.READ_MESSAGES)
        with desk.work() as work:
            head = submission_for(work, submission_id)
            note_reading(work, submission_id, _id(message))
            claim, readers = claim_on(work, head), readers_of(work, head)
        return desk.page("presence.html", head=head, claim=claim, readers=readers, within="")

    @routes.get("/inbox/submission/{submission_id}/batch")
    def batch(
        desk: here, submission_id: UUID, undo: UUID | None = None, until: str = "", asked: inside = ""
    ) -> Response:
        require(desk.actor, Permission.DECIDE)
        with desk.work() as work:
            head = submission_for(work, submission_id)
            sample = sample_of(work, submission_id)
            details = [message_detail(work, one, desk.locale) for one in sample.message_ids]
            mark_seen(work, details)
            note_reading(work, submission_id)
            policy = policy_for(work.conn, head.policy_version_id)
            before_this, after_this = around(head.id, waiting_ids(work, within(asked).filters(), AROUND))
            return desk.page(
                "batch.html",
                head=head,
                sample=sample,
                details=[(one, pieces(one), _notes(one), _sms(one)) for one in details],
                refusal=details[0].refusal if details else None,
                days=[day for day in _DAYS if timedelta(days=day) <= policy.standing_longest],
                policy=policy,
                claim=claim_on(work, head),
                readers=readers_of(work, head),
                within=within(asked).query,
                before_this=before_this,
                after_this=after_this,
                undo=undoable(undo, until),
            )

    return routes


def _reader(desk: Desk, work: Work, head: Submission, read: Opened | None, asked: str) -> dict[str, Any]:
    """What the reader shows of one message of a submission; nothing where there is none."""
    detail = read.detail if read else None
    return {
        "head": head,
        "detail": detail,
        "since": read.since if read else None,
        "pieces": pieces(detail) if detail else [],
        "notes": _notes(detail) if detail else [],
        "sms": _sms(detail) if detail else None,
        "identical": read.identical if read else None,
        "answers": Role.COMPLIANCE in desk.actor.roles(),
        "following": read.following if read else None,
        "preceding": read.preceding if read else None,
        "reasons": reasons_in_force(work.conn),
        "within": within(asked).query,
    }


def pieces(detail: Detail) -> list[Piece]:
    """The text of a message in stretches."""
    return pieces_of(detail.parts, detail.findings)


def _notes(detail: Detail) -> list[Note]:
    return notes_of("".join(part.text for part in detail.parts), detail.findings)


def _sms(detail: Detail) -> SmsLength | None:
    return sms_length(detail.payload.text) if detail.payload and detail.channel == "sms" else None


def _id(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        raise BadInput("There is no such message.", mend="Open the page again.") from None
