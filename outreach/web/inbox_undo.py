"""Where the browser goes after a decision, and what can still be taken back there."""

from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from outreach.core import clock
from outreach.core.errors import BadInput, OutreachError
from outreach.ledger.work import Work
from outreach.review.decide import Decided
from outreach.review.inbox import Waiting, list_waiting
from outreach.review.lines import next_waiting
from outreach.web.frame import Desk
from outreach.web.inbox_filters import Asked, asked_within

PAGE = 50


def undoable(decision: UUID | None, until: str) -> tuple[UUID, datetime] | None:
    """What the page just came from, while it can be taken back. The service decides; this only shows the button."""
    try:
        at = datetime.fromisoformat(until) if until else None
    except ValueError:
        return None
    if decision is None or at is None or at.tzinfo is None or at <= clock.now():
        return None
    return decision, at


def digest_of(text: str) -> bytes:
    """A digest as a form carries it. Raises BadInput for anything else."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise BadInput("The digest is not one.", mend="Open the message again.") from None


def within(query: str) -> Asked:
    """The filters the page was opened within; none when they can't be read."""
    try:
        return asked_within(query)
    except OutreachError:
        return Asked()


def at_once(item: Waiting) -> bool:
    """Whether a submission is decided as a whole first: a batch that goes on, with more in it than what is flagged."""
    return (
        item.submission.mode != "each" and item.submission.stopped_at is None and item.waiting > item.flagged
    )


def onward(work: Work, submission_id: UUID, following: str, asked: Asked, decided: Decided) -> str:
    """To the next message of the submission, else to the next submission, else back to the list; with what can be
    undone."""
    query: dict[str, str] = {}
    path = "/inbox"
    still = None if decided.verb == "endorse" else next_waiting(work, submission_id, _id(following))
    if still is not None:
        path = f"/inbox/submission/{submission_id}"
        query["message"] = str(still)
    else:
        rest = list_waiting(work, asked.filters(), None, 2).items
        after = next((one for one in rest if one.submission.id != submission_id), None)
        if after is not None:
            path = f"/inbox/submission/{after.submission.id}" + ("/batch" if at_once(after) else "")
    if path == "/inbox":
        query |= {name: value for name, value in vars(asked).items() if value}
    elif asked.query:
        query["within"] = asked.query
    undo = decided.verb in ("approve", "endorse") and decided.undo_until > clock.now()
    if undo and len(decided.decisions) == 1:
        query |= {"undo": str(decided.decisions[0]), "until": decided.undo_until.isoformat()}
    return f"{path}?{urlencode(query)}" if query else path


def _id(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def said(desk: Desk, decided: Decided) -> str:
    """What was decided, in words."""
    if decided.verb == "endorse":
        text = desk.say("%(count)s endorsed; they go on to the next approver.", count=decided.count)
    elif decided.verb == "return":
        text = desk.say("%(count)s returned to be mended.", count=decided.count)
    elif decided.verb == "reject":
        text = desk.say("%(count)s rejected.", count=decided.count)
    else:
        text = desk.say("%(count)s approved.", count=decided.count)
    if decided.alternatives:
        text += " " + desk.say(
            "%(count)s of them go only if another channel did not reach the client.",
            count=decided.alternatives,
        )
    if decided.left:
        text += " " + desk.say(
            "%(count)s had left the batch meanwhile and wait apart or were stopped.", count=decided.left
        )
    if decided.suppressed:
        text += " " + desk.say("%(count)s set aside: they may not go out any more.", count=decided.suppressed)
    return text
