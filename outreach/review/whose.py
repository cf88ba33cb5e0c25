"""As whom somebody approves: in their own right, or for an absent colleague whose words it is not (P2)."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from outreach.core.access import Grant
from outreach.core.errors import Forbidden, RuleBroken
from outreach.ledger.work import Work
from outreach.people.staff import staff_names
from outreach.review.conflicts import lost
from outreach.review.eyes import own_endorsements, own_words
from outreach.review.policies import Policy, fitting, refusal
from outreach.review.submissions import Submission
from outreach.review.turns import Endorsement, endorsers
from outreach.review.wording import refuse


def eyes_of(work: Work, grant: Grant) -> tuple[UUID, ...]:
    """Who decides, and for whom they stand in: the persons whose words it must not be."""
    return tuple(one for one in (work.actor.staff_id, grant.acting_for, grant.through) if one)


def as_whom(
    work: Work,
    submission: Submission,
    policy: Policy,
    rows: Sequence[Row[Any]],
    step: int,
    standing: Mapping[UUID, Sequence[Endorsement]],
) -> Grant:
    """The grant by which the actor approves these rows: their own, or that of an absent colleague whose words they
    are not. Raises Forbidden (not their turn), Conflict (their turn has been taken), RuleBroken (four eyes)."""
    actor, locale = work.actor, work.settings.locale
    assert actor.staff_id is not None
    escalation = submission.escalation
    grants = fitting(actor, submission.branch_id, policy, endorsed=step - 1, escalation=escalation)
    ids = [row.id for row in rows]
    if not grants:
        if any(
            fitting(actor, submission.branch_id, policy, endorsed=taken, escalation=escalation)
            for taken in range(step - 1)
        ):
            raise lost(work.conn, ids)
        why = refusal(
            actor,
            submission.branch_id,
            policy,
            locale=locale,
            endorsed=step - 1,
            escalation=escalation,
            endorsers=endorsers(work, standing[ids[0]], locale),
        )
        assert why is not None
        raise Forbidden(why.reason, mend=why.mend, rule=why.rule)
    first: tuple[str, Grant, set[UUID]] | None = None
    for grant in _one_each(grants):
        others = [one for one in (grant.acting_for, grant.through) if one]
        rule = "four_eyes_deputy" if others else "four_eyes"
        refused = own_words(work.conn, actor.staff_id, rows, *others)
        if not refused and step > 1:
            refused = own_endorsements(work.conn, actor.staff_id, rows, *others)
            rule = "four_eyes_deputy" if others else "four_eyes_step"
        if not refused:
            return grant
        first = first or (rule, grant, refused)
    assert first is not None
    rule, grant, refused = first
    names = staff_names(work.conn, [grant.acting_for] if grant.acting_for else [])
    words = refuse(rule, locale, absent=names.get(grant.acting_for, "") if grant.acting_for else "")
    raise RuleBroken(
        words.reason,
        rule=words.rule,
        article=words.article,
        mend=words.mend,
        messages=sorted(str(message_id) for message_id in refused),
    )


def _one_each(grants: Sequence[Grant]) -> list[Grant]:
    """One grant for each person whose right it is: their own first."""
    found: dict[UUID | None, Grant] = {}
    for grant in grants:
        found.setdefault(grant.acting_for, grant)
    return list(found.values())
