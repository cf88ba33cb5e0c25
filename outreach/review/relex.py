"""A newly published lexicon looks at what waits (P5): what it hits needs a decision that has seen the finding."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, select, text

from outreach.content.in_force import lexicons_in_force
from outreach.content.matcher import Matcher
from outreach.core.events import ContentPublished, SubmissionHeld, publish
from outreach.ledger.append import Entry, record_many, unseal_many
from outreach.ledger.work import Work
from outreach.messages.findings import Finding, blocks, flags, read_findings
from outreach.messages.payload import Payload, from_bytes
from outreach.messages.reasons import REASONS
from outreach.messages.states import State, move
from outreach.messages.tables import message
from outreach.review.binding import among
from outreach.review.manifest import Bound, manifest_digest
from outreach.review.submissions import refresh_state

_CHUNK = 2000
_LOOKED_AT = [State.HELD.value, State.APPROVED.value]


@dataclass(frozen=True)
class _Seen:
    """One message after a second look. ``fresh``: rules that hit now and did not before."""

    row: Row[Any]
    findings: list[Finding]
    fresh: tuple[str, ...]

    @property
    def flagged(self) -> bool:
        # Flagged without a finding (an advisor's edit) stays flagged.
        return flags(self.findings) or (self.row.flagged and not flags(read_findings(self.row.findings)))


def on_content_published(work: Work, event: ContentPublished) -> None:  # noqa: ARG001 - what waits is compared itself
    """Look again at everything that waits under another lexicon, in the transaction that publishes it: from the
    commit on nothing goes out that a new phrase hits."""
    recheck_all_words(work)


def recheck_all_words(work: Work) -> int:
    """Look again at all that is held or approved, in chunks; returns how many have new findings."""
    _, digest = lexicons_in_force(work.conn)
    hit = 0
    last: UUID | None = None
    while True:
        stale = message.c.state.in_(_LOOKED_AT) & (message.c.lexicon_digest != digest)
        if last is not None:
            stale = stale & (message.c.id > last)
        rows = _lock(work, stale)
        if not rows:
            return hit
        hit += len(_look_again(work, rows))
        last = rows[-1].id


def recheck_words(work: Work, rows: Iterable[Row[Any]]) -> set[UUID]:
    """Look again at those of ``rows``, which are locked, that were checked under another lexicon than the one in
    force; returns those with new findings, which are held (again) and say so."""
    _, digest = lexicons_in_force(work.conn)
    ids = [row.id for row in rows if bytes(row.lexicon_digest) != digest]
    hit: set[UUID] = set()
    for start in range(0, len(ids), _CHUNK):
        stale = among(message.c.id, ids[start : start + _CHUNK]) & (message.c.lexicon_digest != digest)
        hit |= _look_again(work, _lock(work, stale & message.c.state.in_(_LOOKED_AT)))
    return hit


def _lock(work: Work, where: ColumnElement[bool]) -> Sequence[Row[Any]]:
    query = select(message).where(where).order_by(message.c.id).limit(_CHUNK).with_for_update()
    return work.conn.execute(query).all()


def _look_again(work: Work, rows: Sequence[Row[Any]]) -> set[UUID]:
    bodies = unseal_many(work, [row.payload_id for row in rows])
    matcher, digest = lexicons_in_force(work.conn)
    seen = [
        _see(row, _hits(work, matcher, from_bytes(bodies[row.payload_id])))
        for row in rows
        if row.payload_id in bodies
    ]
    if not seen:
        return set()
    hit = [item for item in seen if item.fresh]
    approved = [item.row for item in hit if item.row.state == State.APPROVED.value]
    if approved:
        _take_back(work, approved)
    work.conn.execute(_UPDATE, _arrays(seen, digest))
    if approved:
        _tell(work, approved, digest)
    return {item.row.id for item in hit}


def _hits(work: Work, matcher: Matcher, payload: Payload) -> list[Finding]:
    """What the lexicons in force find in each part that the client reads, with why in the firm's language."""
    chinese = work.settings.locale.startswith("zh")
    parts = (("subject", payload.subject), ("text", payload.text), ("html", payload.html))
    return [
        Finding(
            rule=hit.rule,
            article=hit.article,
            severity=hit.severity,
            field=name,
            start=hit.start,
            end=hit.end,
            advice=hit.why_zh if chinese else hit.why_en,
        )
        for name, words in parts
        if words
        for hit in matcher.find(words)
    ]


def _see(row: Row[Any], hits: list[Finding]) -> _Seen:
    before = read_findings(row.findings)
    # A code of messages.reasons comes from another check than the lexicon, and still stands.
    kept = [finding for finding in before if finding.rule in REASONS]
    known = {(finding.rule, finding.field, finding.start, finding.end) for finding in before}
    fresh = [
        finding.rule
        for finding in hits
        if finding.severity != "hint"
        and (finding.rule, finding.field, finding.start, finding.end) not in known
    ]
    return _Seen(row, [*kept, *hits], tuple(dict.fromkeys(fresh)))


_UPDATE = text(
    """
    UPDATE message m
       SET findings = n.findings, flagged = n.flagged, blocked = n.blocked, lexicon_digest = :digest,
           reason = CASE WHEN n.fresh IS NULL THEN m.reason ELSE 'lexicon_changed' END,
           reason_params = coalesce(n.fresh, m.reason_params)
      FROM unnest(CAST(:ids AS uuid[]), CAST(:months AS date[]), CAST(:findings AS jsonb[]),
                  CAST(:flagged AS boolean[]), CAST(:blocked AS boolean[]), CAST(:fresh AS jsonb[]))
           AS n(id, month, findings, flagged, blocked, fresh)
     WHERE m.id = n.id AND m.scheduled_month = n.month
    """
)


def _arrays(seen: Sequence[_Seen], digest: bytes) -> dict[str, Any]:
    return {
        "digest": digest,
        "ids": [item.row.id for item in seen],
        "months": [item.row.scheduled_month for item in seen],
        "findings": [json.dumps([finding.to_json() for finding in item.findings]) for item in seen],
        "flagged": [item.flagged for item in seen],
        "blocked": [blocks(item.findings) for item in seen],
        "fresh": [json.dumps({"rules": list(item.fresh)}) if item.fresh else None for item in seen],
    }


def _take_back(work: Work, rows: Sequence[Row[Any]]) -> None:
    """Approved messages that a new phrase hits wait for a decision again."""
    months = message.c.scheduled_month.in_({row.scheduled_month for row in rows})
    move(
        work.conn,
        State.APPROVED,
        State.HELD,
        among(message.c.id, (row.id for row in rows)) & months,
        decision_id=None,
        due_at=None,
    )


def _tell(work: Work, rows: Sequence[Row[Any]], digest: bytes) -> None:
    """An entry for each submission says which of its messages lost their decision."""
    by_submission: dict[UUID, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        by_submission[row.submission_id].append(row)
    entries = [
        Entry(
            "undo",
            {
                "submission_id": submission_id,
                "verb": "recheck",
                "reason": "lexicon_changed",
                "lexicon_digest": digest,
                "count": len(members),
                "manifest_digest": manifest_digest(
                    Bound(row.id, row.revision, bytes(row.digest)) for row in members
                ),
            },
            branch_id=members[0].branch_id,
        )
        for submission_id, members in sorted(by_submission.items())
    ]
    record_many(work, entries)
    refresh_state(work.conn, by_submission)
    for submission_id in sorted(by_submission):
        publish(work, SubmissionHeld(submission_id))
