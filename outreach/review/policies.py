"""What the policy version that is pinned to a submission says, and whether somebody may decide under it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Connection

from outreach.content.approval_formats import EscalationStep
from outreach.content.in_force import policy_version
from outreach.core.access import Actor, Grant, Permission, Role
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

    def roles_for(self, verb: str, endorsed: int = 0, escalation: int = 0) -> frozenset[Role]:
        """Who may act by ``verb`` when ``endorsed`` approvers have endorsed and ``escalation`` is the submission's:
        the present step's roles, and those it escalated to. Any step's approver may return or reject."""
        steps = (self.steps[min(endorsed, len(self.steps) - 1)],) if verb == "approve" else self.steps
        later = self.escalation[: max(escalation - 1, 0)]
        return frozenset(role for roles in (*steps, *(step.to for step in later)) for role in roles)

    def escalated_at(self, role: Role) -> int | None:
        """The submission's ``escalation`` from which on ``role`` may decide; None: never by escalation."""
        return next((at for at, step in enumerate(self.escalation, 2) if role in step.to), None)

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
    """Whether ``actor`` may decide on a submission of ``branch_id`` (None: the firm's), first step."""
    return bool(fitting(actor, branch_id, policy, verb))


def fitting(
    actor: Actor,
    branch_id: UUID | None,
    policy: Policy,
    verb: str = "approve",
    client_branch: UUID | None = None,
    *,
    endorsed: int = 0,
    escalation: int = 0,
) -> tuple[Grant, ...]:
    """The actor's grants by which they may act by ``verb`` on a submission of ``branch_id`` (None: the firm's), their
    own before those of absent colleagues.

    What is put up for the firm is approved by those whose role spans the firm; a branch may return or reject
    what goes to its own clients (DESIGN §1; art. 7, 63). The branch walls themselves are kept by the queries.
    """
    roles = policy.roles_for(verb, endorsed, escalation)
    every = [one for one in (*actor.grants, *actor.stands_in) if one.gives(Permission.DECIDE)]
    found = [one for one in every if one.role in roles and one.reaches(branch_id)]
    if branch_id is None and verb != "approve":
        found += [
            one
            for one in every
            if one not in found
            and one.gives(Permission.LEAD)
            and (client_branch is None or one.reaches(client_branch))
        ]
    return tuple(found)


def refusal(
    actor: Actor,
    branch_id: UUID | None,
    policy: Policy,
    verb: str = "approve",
    locale: str = "zh-CN",
    client_branch: UUID | None = None,
    *,
    endorsed: int = 0,
    escalation: int = 0,
    endorsers: Sequence[tuple[str, str]] = (),
) -> Refusal | None:
    """Why ``actor`` may not act by ``verb`` as ``fitting`` says, None if they may.

    ``endorsed``: how many approvers in order have endorsed; ``endorsers``: who, and when in words.
    """
    if not actor.may(Permission.DECIDE):
        return refuse("no_permission", locale)
    if fitting(actor, branch_id, policy, verb, client_branch, endorsed=endorsed, escalation=escalation):
        return None
    roles = tuple(sorted(role.value for role in policy.roles_for(verb, endorsed, escalation)))
    if verb == "approve" and any(
        fitting(actor, branch_id, policy, endorsed=step) for step in range(len(policy.steps))
    ):
        rule = "turn_passed" if endorsers else "turn_later"
        return refuse(rule, locale, roles=roles, endorsers=endorsers)
    if branch_id is None:
        return (
            refuse("firm", locale)
            if verb == "approve"
            else refuse("role", locale, policy=policy.title(locale), roles=roles)
        )
    if not actor.may(Permission.DECIDE, branch_id):
        return refuse("branch", locale)
    return refuse("role", locale, policy=policy.title(locale), roles=roles)
