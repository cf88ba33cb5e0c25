"""What can't be right in policies: conditions that name what isn't there, never hold, or would ask for less."""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from itertools import combinations
from typing import Protocol

from outreach.content.approval_formats import TIERS, LexiconFile, PolicyFile
from outreach.content.faults import Fault, line_of
from outreach.content.strictness import always_with, laxer, may_hold_together, may_meet


class Said(Protocol):
    """A policy or a lexicon as it was read: its one file, and what it says."""

    @property
    def files(self) -> Mapping[str, str]: ...
    @property
    def meta(self) -> object: ...


def policy_faults(policies: Mapping[str, Said], lexicons: Mapping[str, Said]) -> list[Fault]:
    """The faults of all policies, taken together."""
    known = {name: _Policy(name, source) for name, source in sorted(policies.items())}
    rules = {
        rule.id for one in lexicons.values() if isinstance(one.meta, LexiconFile) for rule in one.meta.rules
    }
    faults: list[Fault] = []
    for one in known.values():
        faults += _unknown(one, "tiers", one.said.governs.tiers, TIERS)
        faults += _unknown(one, "findings", one.said.governs.findings, {*rules, "any"})
        faults += _never(one, known)
        faults += _laxer(one, known)
    return faults + _undecided(known) + _two_for_one_author(known)


class _Policy:
    """A policy with the file it stands in."""

    def __init__(self, name: str, source: Said) -> None:
        assert isinstance(source.meta, PolicyFile)
        self.name, self.said = name, source.meta
        ((self.file, self.text),) = source.files.items()

    @property
    def conditional(self) -> bool:
        return self.said.governs.conditional

    def fault(self, key: str, message: str, mend: str) -> Fault:
        path = ["governs", key] if key in type(self.said.governs).model_fields else [key]
        return Fault(self.file, line_of(self.text, path), message, mend)


def _unknown(one: _Policy, key: str, named: Collection[str], known: Collection[str]) -> list[Fault]:
    faults = []
    for value in named:
        if value not in known:
            near = get_close_matches(value, sorted(known), n=1)
            mend = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(sorted(known))}."
            faults.append(one.fault(key, f"There is no {_ONE[key]} {value!r}.", mend))
    return faults


_ONE = {"tiers": "tier", "findings": "rule"}


def _never(one: _Policy, known: Mapping[str, _Policy]) -> list[Fault]:
    """Conditions that can't hold, or that never come to their turn."""
    governs = one.said.governs
    if governs.same_text_within and governs.recipients_over is None:
        mend = "Add `recipients_over = …`, or take it out."
        return [one.fault("same_text_within", "Without `recipients_over` nothing is counted.", mend)]
    if not one.conditional:
        return []
    if governs.free_text_over is not None and governs.authors in ("jobs", "phrases"):
        said = f"What {governs.authors} write has no text of an author's own."
        return [one.fault("free_text_over", said, "Name other authors, or take it out.")]
    if governs.recipients_over and governs.authors == "phrases" and not governs.same_text_within:
        mend = "Add `same_text_within = …`, or take it out."
        return [one.fault("recipients_over", "An answer of the phrase book has one recipient.", mend)]
    if not any(not base.conditional and may_meet(one.said, base.said) for base in known.values()):
        said = f"{one.name} takes over from no policy: none has its scope, categories and authors."
        return [one.fault("categories", said, "Correct these, or take the policy out.")]
    for other in known.values():
        first = other.conditional and other.said.priority > one.said.priority
        if first and always_with(other.said, one.said):
            said = f"{one.name} never has its turn: {other.name} is asked first and always applies."
            return [one.fault("priority", said, f"Give it a higher priority than {other.name}.")]
    return []


def _laxer(one: _Policy, known: Mapping[str, _Policy]) -> list[Fault]:
    """A policy that takes over must ask for no less than each one that it may take over from, and than each condition
    that may hold as well and is asked after it."""
    if not one.conditional:
        return []
    for other in known.values():
        if other.conditional:
            meet = other.said.priority < one.said.priority and may_hold_together(one.said, other.said)
        else:
            meet = may_meet(one.said, other.said)
        found = laxer(one.said, other.said) if meet else None
        if found is not None:
            said = f"{one.name} would take over from {other.name} and ask for less: {found.words}."
            return [one.fault(found.key, said, "Ask for as much, or name other authors or categories.")]
    return []


def _undecided(known: Mapping[str, _Policy]) -> list[Fault]:
    """Two that may both apply, and nothing says which."""
    conditional = [one for one in known.values() if one.conditional]
    return [
        second.fault(
            "priority",
            f"{first.name} and {second.name} may both apply to one message, and have the same priority.",
            "Give one of them a higher priority.",
        )
        for first, second in combinations(conditional, 2)
        if first.said.priority == second.said.priority and may_hold_together(first.said, second.said)
    ]


def _two_for_one_author(known: Mapping[str, _Policy]) -> list[Fault]:
    """What people write is governed by the policy of their kind and the category: there is one."""
    plain = [
        one
        for one in known.values()
        if not one.conditional and one.said.governs.authors not in ("any", "jobs")
    ]
    faults = []
    for first, second in combinations(plain, 2):
        both = sorted(set(first.said.governs.categories) & set(second.said.governs.categories))
        if both and first.said.governs.authors == second.said.governs.authors:
            said = f"{first.name} and {second.name} both govern what {first.said.governs.authors} write in {both[0]}."
            faults.append(second.fault("categories", said, "Leave each category to one of them."))
    return faults
