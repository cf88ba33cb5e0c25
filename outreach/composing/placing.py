"""Putting composed messages into submissions: one for each policy that some of them fall under, branch by branch."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from outreach.composing.batches import Batch, due_by, submission_of
from outreach.composing.plan import Plan
from outreach.composing.routing import Facts, rules_of
from outreach.composing.same_text import Recipients
from outreach.content.formats import Title
from outreach.content.in_force import PolicyVersion
from outreach.core import clock
from outreach.core.i18n import bilingual, in_language
from outreach.ledger.work import Work
from outreach.messages.copying import NewMessage
from outreach.messages.findings import Finding


def place(
    work: Work, plan: Plan, messages: Sequence[NewMessage], rows: Iterable[Row[Any]], recipients: Recipients
) -> list[NewMessage]:
    """``messages``, each in the submission of the policy that it falls under. ``rows`` are the clients as read."""
    policies = _policies(plan, messages, rows, recipients)
    wanted = {
        (policy.id, _owner(policy, one.branch_id)): policy
        for one, policy in zip(messages, policies, strict=True)
    }
    # In one order, so that two composers never wait for each other in a ring.
    submissions = {
        key: submission_of(work.conn, batch_under(plan, wanted[key]), key[1])
        for key in sorted(wanted, key=str)
    }
    return [
        replace(one, submission_id=submissions[policy.id, _owner(policy, one.branch_id)])
        for one, policy in zip(messages, policies, strict=True)
    ]


def _policies(
    plan: Plan, messages: Sequence[NewMessage], rows: Iterable[Row[Any]], recipients: Recipients
) -> list[PolicyVersion]:
    """The policy of each message; messages of which the same is known are asked about once."""
    if plan.routes.plain:
        return [plan.routes.base] * len(messages)
    tiers = {row.id: row.tier for row in rows}
    known: dict[tuple[str, frozenset[str], UUID], PolicyVersion] = {}
    policies: list[PolicyVersion] = []
    for one, findings in zip(messages, _findings(plan, messages), strict=True):
        tier = tiers.get(one.client_id, "")
        key = (tier, rules_of(findings), one.branch_id)
        if key not in known:
            known[key] = policy_of(plan, tier, findings, one.branch_id, recipients)
        policies.append(known[key])
    return policies


def _findings(plan: Plan, messages: Sequence[NewMessage]) -> list[Sequence[Finding]]:
    """What decides each message's policy. A client's alternatives are decided together with the first, whatever is
    found in only one of them."""
    if not plan.falls_through:
        return [one.findings for one in messages]
    together: dict[UUID, list[Finding]] = defaultdict(list)
    for one in messages:
        together[one.client_id] += one.findings
    return [together[one.client_id] for one in messages]


def policy_of(
    plan: Plan, tier: str, findings: Sequence[Finding], branch_id: UUID, recipients: Recipients
) -> PolicyVersion:
    """The policy of one message of a plan."""
    routes = plan.routes
    if routes.plain:
        return routes.base
    return routes.of(
        Facts(
            category=plan.category,
            authors=routes.authors,
            tier=tier,
            rules=rules_of(findings),
            free_text=plan.own_characters,
            recipients=recipients.of(branch_id, per_branch=plan.per_branch) if routes.counted else {},
        )
    )


def batch_under(plan: Plan, policy: PolicyVersion) -> Batch:
    """The plan's batch as ``policy`` has it decided; one that took over says why in the title."""
    if policy.id == plan.batch.policy_version_id:
        return plan.batch
    return taken_over(plan.batch, policy)


def taken_over(batch: Batch, policy: PolicyVersion) -> Batch:
    """``batch`` under a policy that took over from its own."""
    return replace(
        batch,
        mode=policy.meta.mode,
        policy_version_id=policy.id,
        title=titled(batch.title, policy.meta.title),
        due_by=due_by(clock.now(), batch.send_at, policy.meta.time_to_decide),
    )


def titled(title: str, why: Title) -> str:
    """A submission's title (200 characters at most in a language) and why another policy took over."""
    said = [
        f"{in_language(title, locale)[: 200 - len(reason) - 3]} · {reason}"
        for locale, reason in (("zh-CN", why.zh), ("en", why.en))
    ]
    return bilingual(*said)


def _owner(policy: PolicyVersion, branch_id: UUID) -> UUID | None:
    return branch_id if policy.meta.scope == "branch" else None
