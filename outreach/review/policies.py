"""What the policy version that is pinned to a submission says, and whether somebody may decide under it."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Connection

from outreach.content.in_force import policy_version
from outreach.core.access import Actor, Permission, Role
from outreach.review.wording import Refusal, refuse


@dataclass(frozen=True)
class Policy:
    """A version of a policy, as the inbox needs it. ``sample``: how many messages of a batch are read."""

    version_id: UUID
    name: str
    title: str
    scope: str  # branch | firm
    mode: str  # each | batch | standing
    deciders: tuple[Role, ...]
    undo_window: timedelta
    decide_within: timedelta
    sample: int
    standing_longest: timedelta

    def sample_size(self, count: int) -> int:
        """How many of ``count`` messages are read before a batch is approved."""
        return min(self.sample, count)


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
    return refuse("role", locale, policy=policy.title, roles=roles)
