"""Which policy a message falls under: the base one, or a stricter one whose condition holds. Pure.

The base is the policy that a job names, or that a kind of author has. What may take over from it is found once for a
plan (``candidates``); for most plans there is nothing to ask a message.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from outreach.content.approval_formats import Governs
from outreach.content.in_force import PolicyVersion
from outreach.content.strictness import laxer, written_by
from outreach.messages.findings import Finding

ANY = "any"
_NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Facts:
    """What conditions ask of a message.

    ``authors``: whose words it has; a job's greeting that an advisor made personal has those of both. ``rules``: what
    was found, hints aside. ``free_text``: characters that are the author's own. ``recipients``: how many get the same
    text, by the time within which they are counted.
    """

    category: str
    authors: frozenset[str]
    tier: str = ""
    rules: frozenset[str] = frozenset()
    free_text: int = 0
    recipients: Mapping[timedelta, int] = field(default_factory=dict)


def candidates(
    policies: Iterable[PolicyVersion], base: PolicyVersion, category: str, authors: Collection[str]
) -> tuple[PolicyVersion, ...]:
    """The policies that may take over from ``base`` for a category and authors, in the order in which they are asked:
    the highest priority first, equal ones by name.

    One that would ask for less than ``base`` never takes over, whatever was published; nor does one from itself, or
    from a condition of the same or a higher priority that holds already.
    """
    before = base.meta.priority if base.meta.governs.conditional else -1
    found = [
        one
        for one in policies
        if one.meta.governs.conditional
        and one.meta.scope == base.meta.scope
        and category in one.meta.governs.categories
        and written_by(one.meta.governs, authors)
        and one.name != base.name
        and one.meta.priority > before
        and laxer(one.meta, base.meta) is None
    ]
    return tuple(sorted(found, key=lambda one: (-one.meta.priority, one.name)))


def choose(base: PolicyVersion, stricter: Iterable[PolicyVersion], facts: Facts) -> PolicyVersion:
    """The first of ``stricter`` (as ``candidates`` orders them) whose condition holds, else ``base``."""
    return next((one for one in stricter if holds(one.meta.governs, facts)), base)


def holds(governs: Governs, facts: Facts) -> bool:
    """Whether every part of a condition holds."""
    return (
        facts.category in governs.categories
        and written_by(governs, facts.authors)
        and (not governs.tiers or facts.tier in governs.tiers)
        and (not governs.findings or _found(governs.findings, facts.rules))
        and (governs.free_text_over is None or facts.free_text > governs.free_text_over)
        and (
            governs.recipients_over is None
            or facts.recipients.get(governs.same_text_within, 0) > governs.recipients_over
        )
    )


def _found(wanted: Collection[str], rules: Collection[str]) -> bool:
    return bool(rules) and (ANY in wanted or any(one in rules for one in wanted))


def rules_of(findings: Collection[Finding]) -> frozenset[str]:
    """The rules that a person has to look at: a hint asks nobody's decision."""
    if not findings:  # as nearly always
        return _NOTHING
    return frozenset(one.rule for one in findings if one.severity != "hint")


@dataclass(frozen=True)
class Routes:
    """The policies of one plan. ``flagged``: the routes that take over where anything is found (an answer of the phrase
    book, approved as it stands, with something in it is an advisor's text like any other)."""

    base: PolicyVersion
    authors: frozenset[str]
    stricter: tuple[PolicyVersion, ...] = ()
    flagged: "Routes | None" = None

    @property
    def plain(self) -> bool:
        """Whether every message falls under the base."""
        return not self.stricter and self.flagged is None

    @property
    def counted(self) -> frozenset[timedelta]:
        """The times within which recipients of the same text must be counted."""
        own = frozenset(
            one.meta.governs.same_text_within
            for one in self.stricter
            if one.meta.governs.recipients_over is not None
        )
        return own if self.flagged is None else own | self.flagged.counted

    def of(self, facts: Facts) -> PolicyVersion:
        """The policy of a message."""
        if self.flagged is not None and facts.rules:
            return self.flagged.of(replace(facts, authors=self.flagged.authors))
        return choose(self.base, self.stricter, facts)


def routes_for(
    policies: Collection[PolicyVersion], base: PolicyVersion, category: str, author: str
) -> Routes:
    """The routes of what ``author`` (a kind, as policies name it) writes in a category."""
    authors = frozenset({author})
    return Routes(base, authors, candidates(policies, base, category, authors))
