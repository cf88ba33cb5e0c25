"""Which policy governs what a person writes, by the kind of author that they are."""

from dataclasses import replace

from outreach.composing.routing import Routes, routes_for
from outreach.content.in_force import PolicyVersion, policies_in_force
from outreach.core.access import Role
from outreach.core.errors import NotFound
from outreach.ledger.work import Work


def advisors_policy(work: Work, category: str, *, phrase: bool = False) -> PolicyVersion:
    """The policy that governs what advisors write in ``category``; a ``phrase`` of the phrase book, and what head
    office puts up, has its own, where there is one. What has a condition only takes over (``advisors_routes``).

    Raises NotFound when there is none.
    """
    governing = [
        one
        for one in policies_in_force(work.conn)
        if category in one.meta.governs.categories and not one.meta.governs.conditional
    ]
    for authors in (*(("phrases",) if phrase else ()), kind_of_author(work), "advisors"):
        for policy in governing:
            if policy.meta.governs.authors == authors:
                return policy
    raise NotFound(
        f"No policy governs what advisors write in the category {category}.",
        mend="Compliance publishes one with governs.authors = “advisors”.",
    )


def advisors_routes(work: Work, policy: PolicyVersion, category: str) -> Routes:
    """What may take over from the policy that ``advisors_policy`` found. A phrase with a finding in it falls under the
    policy of what its author writes themselves."""
    policies = policies_in_force(work.conn)
    author = policy.meta.governs.authors
    routes = routes_for(policies, policy, category, author)
    if author != "phrases":
        return routes
    own = advisors_policy(work, category)
    return replace(routes, flagged=routes_for(policies, own, category, own.meta.governs.authors))


def kind_of_author(work: Work) -> str:
    """The actor as policies name them."""
    head_office = any(grant.role is Role.HEAD_OFFICE for grant in work.actor.grants)
    return "head-office" if head_office else "advisors"
