"""The approval inbox: what waits, each message as its client will see it, and the decisions on it.

Every action is a plain form that works without scripts; ``inbox.js`` adds the keyboard.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response

from outreach.content.in_force import reasons_in_force
from outreach.content.sms import sms_length
from outreach.core import clock
from outreach.core.access import Permission, require
from outreach.core.errors import BadInput
from outreach.review.batch import approve_batch, sample_of
from outreach.review.decide import Decided, approve, reject, return_
from outreach.review.detail import Detail, message_detail
from outreach.review.holding import firm_submissions
from outreach.review.inbox import Filters, Line, LinePage, counts, list_messages, list_waiting
from outreach.review.material import material_waiting
from outreach.review.policies import policy_for
from outreach.review.standing import grant_standing
from outreach.review.submissions import submission_for
from outreach.review.undo import undo
from outreach.web import firm
from outreach.web.frame import Desk, mail_page
from outreach.web.pieces import Piece, pieces_of

PAGE = 50
_DAYS = (30, 90, 180, 365)


def router(desk: Callable[[Request], Desk]) -> APIRouter:
    """The routes."""
    routes = APIRouter()
    here = Annotated[Desk, Depends(desk)]
    routes.include_router(firm.router(desk))

    @routes.get("/inbox")
    def inbox(
        desk: here,
        text: Annotated[str, Query(max_length=100)] = "",
        mode: str = "",
        flagged: bool = False,
        after: str = "",
        undo: UUID | None = None,
        until: str = "",
    ) -> Response:
        require(desk.actor, Permission.DECIDE)
        filters = Filters(mode=mode or None, flagged=True if flagged else None, text=text)
        with desk.work() as work:
            page = list_waiting(work, filters, after or None, PAGE)
            return desk.page(
                "inbox.html",
                items=page.items,
                following=page.next_after,
                after=after,
                counts=counts(work),
                from_head_office=len(firm_submissions(work)) if not _decides_for_all(desk) else 0,
                material=len(material_waiting(work)),
                text=text,
                mode=mode,
                flagged=flagged,
                undo=_undoable(undo, until),
            )

    @routes.get("/inbox/submission/{submission_id}")
    def submission(
        desk: here,
        submission_id: UUID,
        message: UUID | None = None,
        after: str = "",
        undo: UUID | None = None,
        until: str = "",
    ) -> Response:
        require(desk.actor, Permission.DECIDE)
        with desk.work() as work:
            head = submission_for(work, submission_id)
            lines = list_messages(work, submission_id, after or None, PAGE)
            chosen = message or (lines.items[0].id if lines.items else None)
            detail = message_detail(work, chosen, desk.locale) if chosen else None
            if detail is not None and detail.submission.id != submission_id:
                raise BadInput("This message is in another submission.", mend="Open it from the inbox.")
            return desk.page(
                "submission.html",
                head=head,
                lines=lines,
                after=after,
                detail=detail,
                pieces=pieces(detail) if detail else [],
                sms=sms_length(detail.payload.text)
                if detail and detail.payload and detail.channel == "sms"
                else None,
                following=_following(lines, chosen),
                preceding=_preceding(lines, chosen),
                batch=sample_of(work, submission_id) if head.mode != "each" else None,
                reasons=reasons_in_force(work.conn),
                undo=_undoable(undo, until),
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

    @routes.post("/inbox/decide")
    def decide(
        desk: here,
        message: Annotated[UUID, Form()],
        revision: Annotated[int, Form()],
        digest: Annotated[str, Form(max_length=64)],
        verb: Annotated[str, Form(max_length=10)],
        reasons: Annotated[list[str] | None, Form()] = None,
        note: Annotated[str, Form(max_length=2000)] = "",
        following: Annotated[str, Form(max_length=40)] = "",
        csrf: Annotated[str, Form()] = "",
    ) -> Response:
        desk.check_form(csrf)
        expected = {message: (revision, _digest(digest))}
        with desk.work() as work:
            submission_id = message_detail(work, message).submission.id
            if verb == "approve":
                decided = approve(work, [message], expected)
            elif verb in ("return", "reject"):
                act = return_ if verb == "return" else reject
                decided = act(work, [message], expected, reasons or [], note)
            else:
                raise BadInput("Nothing was decided.", mend="Approve, return or reject.")
            waiting = list_messages(work, submission_id, None, 1).items
        return desk.go(_onward(submission_id, following, waiting, decided), _said(desk, decided))

    @routes.get("/inbox/submission/{submission_id}/batch")
    def batch(desk: here, submission_id: UUID) -> Response:
        require(desk.actor, Permission.DECIDE)
        with desk.work() as work:
            head = submission_for(work, submission_id)
            sample = sample_of(work, submission_id)
            details = [message_detail(work, one, desk.locale) for one in sample.message_ids]
            policy = policy_for(work.conn, head.policy_version_id)
            return desk.page(
                "batch.html",
                head=head,
                sample=sample,
                details=[(one, pieces(one)) for one in details],
                refusal=details[0].refusal if details else None,
                days=[day for day in _DAYS if timedelta(days=day) <= policy.standing_longest],
            )

    @routes.post("/inbox/submission/{submission_id}/batch")
    def decide_batch(
        desk: here,
        submission_id: UUID,
        manifest: Annotated[str, Form(max_length=64)],
        seen: Annotated[list[UUID] | None, Form()] = None,
        typed: Annotated[int | None, Form()] = None,
        csrf: Annotated[str, Form()] = "",
    ) -> Response:
        desk.check_form(csrf)
        with desk.work() as work:
            decided = approve_batch(work, submission_id, _digest(manifest), frozenset(seen or []), typed)
            waiting = list_messages(work, submission_id, None, 1).items
        return desk.go(_onward(submission_id, "", waiting, decided), _said(desk, decided))

    @routes.post("/inbox/submission/{submission_id}/standing")
    def standing(
        desk: here,
        submission_id: UUID,
        days: Annotated[int, Form(ge=1, le=3660)],
        manifest: Annotated[str, Form(max_length=64)],
        seen: Annotated[list[UUID] | None, Form()] = None,
        csrf: Annotated[str, Form()] = "",
    ) -> Response:
        desk.check_form(csrf)
        with desk.work() as work:
            sample = sample_of(work, submission_id)
            if sample.manifest_digest != _digest(manifest) or set(sample.message_ids) - set(seen or []):
                raise BadInput(
                    "Part of the sample was not read, or the batch has changed.", mend="Read it again."
                )
            granted = grant_standing(work, submission_id, clock.now() + timedelta(days=days))
        return desk.go(
            "/inbox",
            desk.say("Standing approval given; %(count)s messages released.", count=granted.released),
        )

    @routes.post("/inbox/undo")
    def take_back(
        desk: here, decision: Annotated[UUID, Form()], csrf: Annotated[str, Form()] = ""
    ) -> Response:
        desk.check_form(csrf)
        with desk.work() as work:
            done = undo(work, decision)
        said = desk.say("Undone: %(count)s messages wait again.", count=done.count)
        if done.too_late:
            said += " " + desk.say("%(count)s were on their way already.", count=len(done.too_late))
        return desk.go("/inbox", said)

    return routes


def _decides_for_all(desk: Desk) -> bool:
    return desk.actor.scope(Permission.DECIDE) is None


def pieces(detail: Detail) -> list[Piece]:
    """The text of a message in stretches."""
    return pieces_of(detail.parts, detail.findings)


def _digest(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise BadInput("The digest is not one.", mend="Open the message again.") from None


def _undoable(decision: UUID | None, until: str) -> tuple[UUID, datetime] | None:
    """What the page just came from, while it can be taken back. The service decides; this only shows the button."""
    try:
        at = datetime.fromisoformat(until) if until else None
    except ValueError:
        return None
    if decision is None or at is None or at.tzinfo is None or at <= clock.now():
        return None
    return decision, at


def _following(lines: LinePage, chosen: UUID | None) -> UUID | None:
    ids = [line.id for line in lines.items]
    at = ids.index(chosen) + 1 if chosen in ids else 0
    return ids[at] if at < len(ids) else None


def _preceding(lines: LinePage, chosen: UUID | None) -> UUID | None:
    ids = [line.id for line in lines.items]
    at = ids.index(chosen) - 1 if chosen in ids else -1
    return ids[at] if at >= 0 else None


def _onward(submission_id: UUID, following: str, waiting: tuple[Line, ...], decided: Decided) -> str:
    """To the next message of the submission, or back to the list; with what can be undone."""
    query = ""
    if decided.verb in ("approve", "endorse") and decided.undo_until > clock.now() and len(decided.decisions) == 1:
        until = decided.undo_until.isoformat().replace("+", "%2B")
        query = f"undo={decided.decisions[0]}&until={until}"
    if not waiting:
        return f"/inbox?{query}" if query else "/inbox"
    path = f"/inbox/submission/{submission_id}"
    chosen = f"message={following}" if following else ""
    joined = "&".join(part for part in (chosen, query) if part)
    return f"{path}?{joined}" if joined else path


def _said(desk: Desk, decided: Decided) -> str:
    words = {
        "approve": "%(count)s approved.",
        "endorse": "%(count)s endorsed; they go on to the next approver.",
        "return": "%(count)s returned to be mended.",
        "reject": "%(count)s rejected.",
    }[decided.verb]
    said = desk.say(words, count=decided.count)
    if decided.suppressed:
        said += " " + desk.say("%(count)s set aside: they may not go out any more.", count=decided.suppressed)
    return said
