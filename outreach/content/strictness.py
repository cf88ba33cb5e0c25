"""When one policy may take over from another: pure comparisons of what they say.

A policy with a condition takes over message by message, and only to make more of a decision: it takes nothing away from
what the other one asks for.
"""

from collections.abc import Collection
from dataclasses import dataclass

from outreach.content.approval_formats import Governs, PolicyFile

_MODES = ("standing", "batch", "each")  # from the laxest to the strictest


@dataclass(frozen=True)
class Laxer:
    """In what a policy asks for less than another: the ``key`` of its file, and the words for it."""

    key: str
    words: str


def written_by(governs: Governs, authors: Collection[str]) -> bool:
    """Whether a policy is for words of one of these kinds of author."""
    return governs.authors == "any" or governs.authors in authors


def may_meet(one: PolicyFile, other: PolicyFile) -> bool:
    """Whether a message can fall under both: they share a category, a kind of author and their scope.

    A policy takes over within its own scope only: neither a branch's decision nor the firm's stands for the other
    (art. 7, 63).
    """
    return (
        one.scope == other.scope
        and bool(set(one.governs.categories) & set(other.governs.categories))
        and (
            one.governs.authors == other.governs.authors
            or "any" in (one.governs.authors, other.governs.authors)
        )
    )


def laxer(policy: PolicyFile, base: PolicyFile) -> Laxer | None:
    """In what ``policy`` asks for less than ``base``, None when in nothing.

    It asks for less when it reads less (standing < batch < each, or a smaller sample), or when somebody who had to
    decide under ``base`` has not to any more: each of its approvers must still be there, from the same roles or fewer.
    """
    if _MODES.index(policy.mode) < _MODES.index(base.mode):
        return Laxer("mode", f"mode {policy.mode}, not {base.mode}")
    small = policy.sample.least < base.sample.least or policy.sample.percent < base.sample.percent
    if policy.mode == base.mode == "batch" and small:
        return Laxer("sample", "a smaller sample")
    steps = [set(step) for step in policy.steps]
    for needed in base.steps:
        still = next((step for step in steps if step <= set(needed)), None)
        if still is None:
            roles = " / ".join(role.value for role in needed)
            return Laxer("approvers" if policy.approvers else "deciders", f"no approver who is {roles}")
        steps.remove(still)
    return None


def always_with(one: PolicyFile, other: PolicyFile) -> bool:
    """Whether the condition of ``one`` holds wherever that of ``other`` does."""
    mine, theirs = one.governs, other.governs
    if one.scope != other.scope or not set(theirs.categories) <= set(mine.categories):
        return False
    if mine.authors not in ("any", theirs.authors):
        return False
    if mine.tiers and not (theirs.tiers and set(theirs.tiers) <= set(mine.tiers)):
        return False
    if mine.findings and not (theirs.findings and _finds(mine.findings, theirs.findings)):
        return False
    # Recipients that are counted within other times can't be compared.
    same_time = mine.same_text_within == theirs.same_text_within
    return _reached(mine.free_text_over, theirs.free_text_over) and (
        mine.recipients_over is None or (same_time and _reached(mine.recipients_over, theirs.recipients_over))
    )


def may_hold_together(one: PolicyFile, other: PolicyFile) -> bool:
    """Whether one message can meet both conditions."""
    tiers = set(one.governs.tiers), set(other.governs.tiers)
    return may_meet(one, other) and (not all(tiers) or bool(tiers[0] & tiers[1]))


def _finds(mine: Collection[str], theirs: Collection[str]) -> bool:
    return "any" in mine or set(theirs) <= set(mine)


def _reached(mine: int | None, theirs: int | None) -> bool:
    return mine is None or (theirs is not None and mine <= theirs)
