"""Whose turn it is: which approvers in order have endorsed exactly these bytes, and who comes next (P1, P2).

Only ``decision_digest`` and ``decision`` are believed; ``message.endorsed`` is their shadow, for lists and for the
UPDATE that moves a message on.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Uuid,
    and_,
    any_,
    exists,
    literal,
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from outreach.core import clock
from outreach.core.access import Permission, visible
from outreach.core.errors import NotFound
from outreach.core.i18n import instant_text
from outreach.ledger.work import Work
from outreach.messages.tables import message
from outreach.people.tables import staff
from outreach.review.policies import Policy, fitting, policy_for, refusal
from outreach.review.submissions import Submission
from outreach.review.tables import decision, decision_digest, remark, submission
from outreach.review.wording import Refusal


@dataclass(frozen=True)
class Endorsement:
    """One approver's endorsement of one message. ``eyes``: the natural persons behind it (who decided, and whom they
    stood in for)."""

    message_id: UUID
    submission_id: UUID
    decision_id: UUID
    step: int  # from 1
    at: datetime
    revision: int
    digest: bytes
    eyes: frozenset[str]
    who: str


def endorsements(conn: Connection, message_ids: Iterable[UUID]) -> dict[UUID, list[Endorsement]]:
    """The endorsements of these messages that were not undone, under the policy version that is pinned to their
    submission, and since whose time nobody returned the message."""
    ids = any_(literal(sorted(set(message_ids)), ARRAY(Uuid)))
    back, back_digest = decision.alias("back"), decision_digest.alias("back_digest")
    absent = staff.alias("absent")
    returned = (
        exists()
        .select_from(back_digest.join(back, back.c.id == back_digest.c.decision_id))
        .where(
            back_digest.c.message_id == decision_digest.c.message_id,
            back.c.verb == "return",
            back.c.at >= decision.c.at,
        )
        .correlate(decision_digest, decision)
    )
    rows = conn.execute(
        select(
            decision_digest,
            decision.c.submission_id,
            decision.c.step,
            decision.c.at,
            staff.c.person_key,
            staff.c.name,
            absent.c.person_key.label("absent_key"),
        )
        .select_from(decision_digest.join(decision, decision.c.id == decision_digest.c.decision_id))
        .join(submission, submission.c.id == decision.c.submission_id)
        .join(staff, staff.c.id == decision.c.actor_id)
        .outerjoin(absent, absent.c.id == decision.c.acting_for)
        .where(
            decision_digest.c.message_id == ids,
            decision.c.verb == "endorse",
            decision.c.undone_at.is_(None),
            decision.c.policy_version_id == submission.c.policy_version_id,
            ~returned,
        )
    )
    found: dict[UUID, list[Endorsement]] = defaultdict(list)
    for row in rows:
        eyes = frozenset(key for key in (row.person_key, row.absent_key) if key)
        found[row.message_id].append(
            Endorsement(
                row.message_id,
                row.submission_id,
                row.decision_id,
                row.step,
                row.at,
                row.revision,
                bytes(row.digest),
                eyes,
                row.name,
            )
        )
    return found


def chain(
    found: Sequence[Endorsement], submission_id: UUID, revision: int, digest: bytes, steps: int
) -> tuple[Endorsement, ...]:
    """Those of ``found`` that stand: of the first approver, the second and so on, in this order, each binding this
    very revision and digest, each by other natural persons; at most one less than the policy's ``steps``."""
    standing: list[Endorsement] = []
    persons: set[str] = set()
    for step in range(1, steps):
        fit = [
            one
            for one in found
            if one.step == step
            and one.submission_id == submission_id
            and (one.revision, one.digest) == (revision, digest)
            and (not standing or one.at >= standing[-1].at)
            and not one.eyes & persons
        ]
        if not fit:
            break
        standing.append(max(fit, key=lambda one: one.at))
        persons |= standing[-1].eyes
    return tuple(standing)


def chains(conn: Connection, rows: Sequence[Any], policy: Policy) -> dict[UUID, tuple[Endorsement, ...]]:
    """For each locked row of ``message`` the endorsements that stand."""
    if len(policy.steps) == 1:
        return {row.id: () for row in rows}
    found = endorsements(conn, (row.id for row in rows))
    return {
        row.id: chain(
            found.get(row.id, []), row.submission_id, row.revision, bytes(row.digest), len(policy.steps)
        )
        for row in rows
    }


def mend_endorsed(
    conn: Connection, rows: Sequence[Row[Any]], standing: dict[UUID, tuple[Endorsement, ...]]
) -> None:
    """Where a locked message's ``endorsed`` says something else than its decisions, the decisions are right."""
    for row in rows:
        if row.endorsed != len(standing[row.id]):
            conn.execute(
                update(message)
                .where(message.c.id == row.id, message.c.scheduled_month == row.scheduled_month)
                .values(endorsed=len(standing[row.id]))
            )


def why_not(
    work: Work, about: Submission, policy: Policy, row: Row[Any], verb: str, locale: str
) -> Refusal | None:
    """``policies.refusal`` for one message as it stands: whose turn it is, and who has endorsed it when."""
    if len(policy.steps) == 1:
        return refusal(
            work.actor,
            about.branch_id,
            policy,
            verb,
            locale,
            row.branch_id,
            escalation=about.escalation,
        )
    standing = chains(work.conn, [row], policy)[row.id]
    return refusal(
        work.actor,
        about.branch_id,
        policy,
        verb,
        locale,
        row.branch_id,
        endorsed=len(standing),
        escalation=about.escalation,
        endorsers=endorsers(work, standing, locale),
    )


def endorsers(work: Work, standing: Sequence[Endorsement], locale: str) -> tuple[tuple[str, str], ...]:
    """Who endorsed, and when in words."""
    now = clock.now()
    return tuple((one.who, instant_text(locale, one.at, work.settings.zone, now)) for one in standing)


def in_turn(work: Work, about: Submission, policy: Policy) -> ColumnElement[bool]:
    """The messages of a submission that wait for the actor's own step; all of them for who decides nothing here."""
    if len(policy.steps) == 1:
        return true()
    mine = [
        endorsed
        for endorsed in range(len(policy.steps))
        if fitting(work.actor, about.branch_id, policy, endorsed=endorsed, escalation=about.escalation)
    ]
    return message.c.endorsed.in_(mine) if mine else true()


def waits_for(work: Work) -> ColumnElement[bool]:
    """The condition on ``message`` joined with ``submission`` that holds where the present step is the actor's, by
    the version of the policy that is pinned to each submission. For counts and for what is listed first.

    Whether a single message is the actor's own words is not asked here.
    """
    if work.actor.is_system:
        return true()
    mine = [
        (submission.c.policy_version_id == policy.version_id) & here & step
        for policy in _open_policies(work)
        for here, step in _by_grants(work, policy)
    ]
    if not mine:
        return message.c.id.is_(None)
    return and_(or_(*mine), visible(work.actor, Permission.DECIDE, message.c.branch_id))


def listed_for(work: Work) -> ColumnElement[bool] | None:
    """The condition on ``submission`` for the inbox of who decides only where a policy or an escalation names them
    (compliance): that it is their turn for something in it, or that they were asked. Whoever leads a branch or the
    firm's service sees all that waits there; who decides nothing, what they may read (None: nothing more is asked)."""
    if work.actor.may(Permission.LEAD) or not work.actor.may(Permission.DECIDE):
        return None
    held = message.c.state == literal_column("'held'")
    asked = exists().where(
        remark.c.submission_id == submission.c.id, remark.c.kind == "question", remark.c.closed_at.is_(None)
    )
    found: list[ColumnElement[bool]] = [asked]
    for policy in _open_policies(work):
        for condition, step in _by_grants(work, policy):
            here = (submission.c.policy_version_id == policy.version_id) & condition
            if len(policy.steps) > 1:
                here &= exists().where(
                    message.c.submission_id == submission.c.id,
                    message.c.scheduled_month == submission.c.scheduled_month,
                    held,
                    step,
                )
            found.append(here)
    return or_(*found)


def _open_policies(work: Work) -> list[Policy]:
    open_versions = select(submission.c.policy_version_id).where(submission.c.state == "open").distinct()
    found: list[Policy] = []
    for version_id in work.conn.execute(open_versions).scalars():
        try:
            found.append(policy_for(work.conn, version_id))
        except NotFound:  # nothing is decided under a policy that is not there
            continue
    return found


def _by_grants(work: Work, policy: Policy) -> list[tuple[ColumnElement[bool], ColumnElement[bool]]]:
    """For each grant and step: the conditions on ``submission`` and on ``message`` that it is this one's turn."""
    found: list[tuple[ColumnElement[bool], ColumnElement[bool]]] = []
    grants = [one for one in (*work.actor.grants, *work.actor.stands_in) if one.gives(Permission.DECIDE)]
    for endorsed in range(len(policy.steps)):
        for grant in grants:
            here = true() if grant.branch_id is None else submission.c.branch_id == grant.branch_id
            step = message.c.endorsed == endorsed if len(policy.steps) > 1 else true()
            by_then = policy.escalated_at(grant.role)
            if grant.role in policy.steps[endorsed]:
                found.append((here, step))
            elif by_then is not None:
                found.append((here & (submission.c.escalation >= by_then), step))
    return found
