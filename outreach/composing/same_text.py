"""The same text again: how many recipients it has had, however many requests it was split over.

FINRA 2210(a) draws the line between correspondence and a retail communication by the number of retail investors who
get one communication within any 30 calendar days; so a text is known by a keyed hash of what is said before anybody's
slots, and its recipients are counted over all requests and jobs of the firm.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID

from sqlalchemy import Connection, text

from outreach.composing.audience import Audience, counted
from outreach.composing.corrections import MAY_HAVE_LEFT
from outreach.composing.plan import Plan
from outreach.content.folding import folded
from outreach.content.in_force import TemplateVersion
from outreach.ledger.seal import KeyRing
from outreach.messages.states import State

_LONGEST_AHEAD = timedelta(days=190)  # what leaves now was put up within this time

# ── which text ────────────────────────────────────────────────────────────────────────────────────────────


def text_key(keys: KeyRing, *said: str) -> bytes:
    """The keyed hash of a text. Blanks, punctuation, width, case and traditional characters make no other text."""
    return keys.keyed_hash("\0".join(_condensed(one) for one in said))


def template_source(template: TemplateVersion) -> str:
    """All that a template says, whatever its version: an edit that changes no word makes no other text."""
    return _parts(
        tuple(sorted((name, said) for name, said in template.files.items() if name.endswith(".j2")))
    )


@lru_cache(maxsize=512)
def _parts(files: tuple[tuple[str, str], ...]) -> str:
    return "\n".join(f"{name} {_condensed(said)}" for name, said in files)


def without(said: str, addressed: Iterable[str]) -> str:
    """``said`` without the names by which its recipients are addressed, for these are slots filled in by hand."""
    for name in sorted({one for one in addressed if len(one) > 1}, key=len, reverse=True):
        said = said.replace(name, "")
    return said


def _condensed(said: str) -> str:
    return "".join(one for one in "".join(map(folded, said)) if one.isalnum())


# ── how many recipients ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Recipients:
    """Recipients of the same text: of this occurrence by branch, and by the time counted of the whole firm."""

    by_branch: Mapping[UUID, int]
    total: Mapping[timedelta, int]

    def of(self, branch_id: UUID, *, per_branch: bool) -> dict[timedelta, int]:
        """As a condition counts them for a message to a client of ``branch_id``: without a time, in its submission."""
        here = self.by_branch.get(branch_id, 0) if per_branch else sum(self.by_branch.values())
        return {timedelta(0): here, **self.total}


NOBODY = Recipients({}, {})


def recipients_of_request(
    conn: Connection, plan: Plan, clients: Mapping[UUID, UUID], *, lock: bool = True
) -> Recipients:
    """``clients``: client -> branch of everybody who gets it now. ``lock``: whoever puts the same text up at the same
    time waits, so that two halves do not each pass for all of it."""
    by_branch = _by_branch(clients.values())
    withins = sorted(plan.routes.counted - {timedelta(0)})
    if not withins or plan.batch.text_hash is None:
        return Recipients(by_branch, {})
    if lock:
        conn.execute(_LOCK, {"hash": plan.batch.text_hash.hex()})
    total = {within: _recipients(conn, plan, within, list(clients)) for within in withins}
    return Recipients(by_branch, total)


def recipients_of_audience(conn: Connection, plan: Plan) -> Recipients:
    """Of a job's occurrence: its whole audience, counted once; nothing is asked where no policy asks it.

    A client who is left out, or who had the same text before, counts, too: that is never the laxer side.
    """
    if not plan.routes.counted:
        return NOBODY
    by_branch = {row.branch_id: int(row.n) for row in counted(conn, plan.audience, "c.branch_id")}
    for branch_id, count in _corrected(conn, plan.audience):
        by_branch[branch_id] = by_branch.get(branch_id, 0) + count
    here = sum(by_branch.values())
    withins = sorted(plan.routes.counted - {timedelta(0)})
    total = {within: here + _recipients(conn, plan, within, []) for within in withins}
    return Recipients(by_branch, total)


def _by_branch(branches: Iterable[UUID]) -> dict[UUID, int]:
    found: dict[UUID, int] = {}
    for branch_id in branches:
        found[branch_id] = found.get(branch_id, 0) + 1
    return found


_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('same text ' || :hash, 0))")
# Read by the index of submission (text_hash, created_at), then each submission's messages by theirs. Whatever leaves
# within the time before or after this one counts: any such period may hold both.
_RECIPIENTS = text(
    """
    SELECT count(*) FROM (
        SELECT m.client_id
          FROM submission s
          JOIN message m ON m.submission_id = s.id
         WHERE s.text_hash = :hash AND s.created_at > :made_after AND s.occurrence_id <> :occurrence
           AND m.send_at > :after AND m.send_at < :before AND m.state <> ALL(:never)
        UNION
        SELECT unnest(CAST(:clients AS uuid[]))
    ) AS recipients
    """
)
_NEVER_SENT = [state.value for state in (State.CANCELLED, State.REJECTED, State.EXPIRED, State.SUPPRESSED)]


def _recipients(conn: Connection, plan: Plan, within: timedelta, clients: Sequence[UUID]) -> int:
    at: datetime = plan.send_at
    return int(
        conn.execute(
            _RECIPIENTS,
            {
                "hash": plan.batch.text_hash,
                "made_after": at - within - _LONGEST_AHEAD,
                "after": at - within,
                "before": at + within,
                "never": _NEVER_SENT,
                "occurrence": plan.occurrence_id,
                "clients": clients,
            },
        ).scalar_one()
    )


_CORRECTED = text(
    "SELECT branch_id, count(DISTINCT client_id) AS n FROM message"
    " WHERE scheduled_month = ANY(:months) AND occurrence_id = ANY(:occurrences) AND state = ANY(:left)"
    " GROUP BY branch_id"
)


def _corrected(conn: Connection, audience: Audience) -> Collection[tuple[UUID, int]]:
    """Whom an earlier item reached, and who is told of its correction whatever the audience is now."""
    if not audience.corrected:
        return ()
    rows = conn.execute(
        _CORRECTED,
        {
            "months": list(audience.corrected.months),
            "occurrences": list(audience.corrected.occurrences),
            "left": list(MAY_HAVE_LEFT),
        },
    )
    return [(row.branch_id, row.n) for row in rows]
