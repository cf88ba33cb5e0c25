"""One message whose words were changed: they may ask for a stricter policy than the one it waits under.

It moves to that policy's submission of the same occurrence and branch, and what it waited in goes on without it. It
never moves to a laxer one: what its first words asked for, better ones don't take back.
"""

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text

from outreach.composing.authors import advisors_policy, kind_of_author
from outreach.composing.batches import Batch, due_by, submission_of
from outreach.composing.placing import titled
from outreach.composing.routing import Facts, candidates, choose, rules_of
from outreach.content.in_force import PolicyVersion, policies_in_force, policy_version, template_version
from outreach.core import clock
from outreach.ledger.append import unseal_many
from outreach.ledger.work import Work
from outreach.messages.findings import Finding
from outreach.messages.payload import Payload, from_bytes
from outreach.messages.tables import message_revision
from outreach.people.tables import client

# A submission belongs to review, a room above, so it is spoken to in SQL here.
_WHERE_IT_WAITS = text(
    """
    SELECT s.branch_id, s.policy_version_id, s.template_version_id, s.title, s.category, s.author_id, s.urgent,
           s.send_at, s.expires_at, s.text_hash, o.job_version_id, p.title AS base_title
      FROM submission s
      JOIN occurrence o ON o.id = s.occurrence_id
      LEFT JOIN submission p ON p.occurrence_id = s.occurrence_id AND p.branch_id IS NOT DISTINCT FROM s.branch_id
                            AND p.policy_version_id = o.policy_version_id
     WHERE s.id = :id
    """
)
_MOST = 1_000_000  # comparisons of characters; texts that differ more than that have nothing in common


def submission_for_words(
    work: Work, row: Row[Any], payload: Payload, said: int, findings: Sequence[Finding]
) -> UUID:
    """The submission that the message ``row`` belongs into with its new words, of which its author wrote ``said``
    characters: its own, or a stricter policy's, which is made when it is not there yet. Whoever calls has locked the
    occurrence's submissions of that branch."""
    waits = work.conn.execute(_WHERE_IT_WAITS, {"id": row.submission_id}).one()
    base, authors = _base(work, row, waits)
    facts = Facts(
        category=row.category,
        authors=authors,
        tier=work.conn.execute(select(client.c.tier).where(client.c.id == row.client_id)).scalar_one(),
        rules=rules_of(findings),
        free_text=_own_characters(work, row, payload) if row.template_version_id else said,
    )
    policy = choose(base, candidates(policies_in_force(work.conn), base, row.category, authors), facts)
    if policy.id == waits.policy_version_id:
        own: UUID = row.submission_id
        return own
    return submission_of(work.conn, _batch(row, waits, policy), waits.branch_id)


def _base(work: Work, row: Row[Any], waits: Row[Any]) -> tuple[PolicyVersion, frozenset[str]]:
    """The policy it waits under, and whose words it has now. A phrase in other words is its author's own text."""
    pinned = policy_version(work.conn, waits.policy_version_id)
    editor = kind_of_author(work)
    if waits.job_version_id is not None:
        return pinned, frozenset({"jobs", editor})
    template = template_version(work.conn, row.template_version_id) if row.template_version_id else None
    if template is not None and template.meta.phrase and pinned.meta.mode == "standing":
        own = advisors_policy(work, row.category)
        if own.meta.scope == pinned.meta.scope:
            return own, frozenset({editor})
    return pinned, frozenset({editor})


def _own_characters(work: Work, row: Row[Any], payload: Payload) -> int:
    """What was written into a template's text since it was first composed, however often."""
    first = work.conn.execute(
        select(message_revision.c.payload_id).where(
            message_revision.c.message_id == row.id,
            message_revision.c.scheduled_month == row.scheduled_month,
            message_revision.c.revision == 1,
        )
    ).scalar_one()
    body = unseal_many(work, {first}).get(first)
    composed = from_bytes(body) if body is not None else None
    if composed is None:
        return len(payload.text) + len(payload.subject)
    return added(composed.text, payload.text) + added(composed.subject, payload.subject)


def added(before: str, after: str) -> int:
    """How many characters of ``after`` did not stand in ``before``, in their order."""
    start = _common(before, after)
    before, after = before[start:], after[start:]
    end = _common(before[::-1], after[::-1])
    before, after = before[: len(before) - end], after[: len(after) - end]
    if not before or len(before) * len(after) > _MOST:
        return len(after)
    blocks = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    return len(after) - sum(block.size for block in blocks)


def _common(one: str, other: str) -> int:
    """How many characters both begin with."""
    most = min(len(one), len(other))
    return next((at for at in range(most) if one[at] != other[at]), most)


def _batch(row: Row[Any], waits: Row[Any], policy: PolicyVersion) -> Batch:
    return Batch(
        occurrence_id=row.occurrence_id,
        mode=policy.meta.mode,
        policy_version_id=policy.id,
        template_version_id=waits.template_version_id,
        title=titled(waits.base_title or waits.title, policy.meta.title),
        category=waits.category,
        author_id=waits.author_id,
        urgent=waits.urgent,
        due_by=due_by(clock.now(), max(waits.send_at, row.send_at), policy.meta.time_to_decide),
        send_at=waits.send_at,
        expires_at=waits.expires_at,
        text_hash=waits.text_hash,
    )
