"""What the policy version that is pinned to a submission says, and whether somebody may decide under it."""

import math
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Connection

from outreach.content.approval_formats import EscalationStep
from outreach.content.in_force import policy_version
from outreach.core.access import Actor, Permission, Role
from outreach.review.wording import Refusal, refuse


@dataclass(frozen=True)
class Policy:
    """A version of a policy, as the inbox needs it. Of a batch the larger of both samples is read."""

    version_id: UUID
    name: str
    title_zh: str
    title_en: str
    scope: str  # branch | firm
    mode: str  # each | batch | standing
    steps: tuple[tuple[Role, ...], ...]  # the roles of each approver, in order
    escalation: tuple[EscalationStep, ...]
    undo_window: timedelta
    decide_within: timedelta
    sample_least: int
    sample_percent: float
    standing_longest: timedelta

    @property
    def deciders(self) -> tuple[Role, ...]:
        """The roles of the first approver."""
        return self.steps[0]

    def sample_size(self, count: int) -> int:
        """How many of ``count`` messages are read before a batch is approved."""
        return min(count, max(self.sample_least, math.ceil(count * self.sample_percent / 100)))

    def title(self, locale: str) -> str:
        """Its name in the reader's language."""
        return self.title_zh if locale.startswith("zh") else self.title_en


def policy_for(conn: Connection, version_id: UUID) -> Policy:
    """The policy of a pinned version. Raises NotFound when there is no such version."""
    version = policy_version(conn, version_id)
    said = version.meta
    return Policy(
        version_id=version.id,
        name=version.name,
        title_zh=said.title.zh,
        title_en=said.title.en,
        scope=said.scope,
        mode=said.mode,
        steps=said.steps,
        escalation=said.escalation,
        undo_window=said.undo_window,
        decide_within=said.time_to_decide,
        sample_least=said.sample.least,
        sample_percent=said.sample.percent,
        standing_longest=said.standing_valid,
    )


def may_decide(actor: Actor, branch_id: UUID | None, policy: Policy, verb: str = "approve") -> bool:
    """Whether ``actor`` may decide on a submission of ``branch_id`` (None: the firm's)."""
    return refusal(actor, branch_id, policy, verb) is None


def refusal(
    actor: Actor,
    branch_id: UUID | None,
    policy: Policy,
    verb: str = "approve",
    locale: str = "zh-CN",
    client_branch: UUID | None = None,
) -> Refusal | None:
    """Why ``actor`` may not decide by ``verb`` on a submission of ``branch_id``, None if they may.

    What is put up for the firm is approved by those whose role spans the firm; a branch may return or reject
    what goes to its own clients (DESIGN §1; art. 7, 63). The branch walls themselves are kept by the queries.
    """
    if not actor.may(Permission.DECIDE):
        return refuse("no_permission", locale)
    if branch_id is None and verb != "approve" and actor.may(Permission.DECIDE, client_branch):
        return None
    fitting = [grant for grant in actor.grants if grant.role in policy.deciders]
    if branch_id is None:
        if any(grant.branch_id is None for grant in fitting):
            return None
        return refuse("firm", locale)
    if any(grant.branch_id in (None, branch_id) for grant in fitting):
        return None
    if not actor.may(Permission.DECIDE, branch_id):
        return refuse("branch", locale)
    roles = tuple(role.value for role in policy.deciders)
    return refuse("role", locale, policy=policy.title(locale), roles=roles)
