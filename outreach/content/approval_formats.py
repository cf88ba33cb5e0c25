"""The formats of approvals/: policies, lexicons, disclosures, reasons (DESIGN.md §6). Strict, as ``formats``."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from outreach.content.formats import Category, Duration, Language, Slug, Strict, Title
from outreach.core.access import Role

TIERS = ("diamond", "platinum", "gold", "silver", "vip", "core", "ordinary")  # a client's, from the highest


class Governs(Strict):
    """What a policy is for; jobs name their policy, this guards against naming the wrong one.

    With a condition (the fields below ``authors``) it is a stricter policy: it takes over, message by message, from the
    one that a job names or that a kind of author has, wherever its condition holds. Of several conditions in one
    policy all must hold; of several policies the one with the highest ``priority`` is taken.
    """

    categories: Annotated[tuple[Category, ...], Field(min_length=1)]
    authors: Literal["jobs", "advisors", "phrases", "head-office", "any"] = "any"
    tiers: tuple[str, ...] = ()  # the client's
    recipients_over: Annotated[int | None, Field(ge=0)] = (
        None  # of the same text, within ``same_text_within``
    )
    same_text_within: Duration = timedelta(0)  # 0: in this submission; FINRA 2210(a) counts 30 days
    findings: tuple[str, ...] = ()  # rule ids of the lexicons; "any" for every flag
    free_text_over: Annotated[int | None, Field(ge=0)] = None  # characters of the author's own words

    @property
    def conditional(self) -> bool:
        """Whether it takes over from another policy."""
        return bool(
            self.tiers or self.findings or self.recipients_over is not None or self.free_text_over is not None
        )


class Sample(Strict):
    """How many messages of a batch are read before it is approved: the larger of both."""

    least: Annotated[int, Field(ge=1)] = 5
    percent: Annotated[float, Field(ge=0, le=100)] = 2.0


class EscalationStep(Strict):
    """So long after the decision was due, these roles may decide too, and are told."""

    after: Duration
    to: Annotated[tuple[Role, ...], Field(min_length=1)]


class PolicyFile(Strict):
    """Who must decide what, in which way, in which order, and within what time."""

    title: Title
    governs: Governs
    scope: Literal["branch", "firm"] = "branch"
    mode: Literal["each", "batch", "standing"]
    priority: Annotated[int, Field(ge=0, le=1000)] = 0
    deciders: tuple[Role, ...] = ()  # one approver of these roles
    approvers: tuple[tuple[Role, ...], ...] = ()  # or several, in this order, each another person
    time_to_decide: Duration
    escalation: tuple[EscalationStep, ...] = ()
    undo_window: Duration
    sample: Sample = Sample()
    standing_valid: Duration = timedelta(days=366)

    @property
    def steps(self) -> tuple[tuple[Role, ...], ...]:
        """The roles of each approver, in order."""
        return self.approvers or (self.deciders,)

    @model_validator(mode="after")
    def _one_way(self) -> "PolicyFile":
        if bool(self.deciders) == bool(self.approvers):
            raise ValueError("name deciders, or approvers where several decide in order: one of both")
        if not all(self.approvers):
            raise ValueError("each of the approvers needs a role")
        if self.mode == "standing" and len(self.steps) > 1:
            raise ValueError("a standing approval is given by one approver")
        if self.mode == "standing" and self.governs.conditional:
            raise ValueError("a policy that takes over from another one can't be a standing approval")
        afters = [step.after for step in self.escalation]
        if afters != sorted(set(afters)):
            raise ValueError("write the steps of the escalation in the order of their times")
        return self


class LexiconRule(Strict):
    """One rule: phrases, what they break, and the lawful wording that contains them."""

    id: Slug
    article: Annotated[str, Field(min_length=1)]
    severity: Literal["block", "flag"]
    why: Title
    phrases: Annotated[tuple[str, ...], Field(min_length=1)]
    openings: bool = False  # only at the very beginning of a text
    exceptions: tuple[str, ...] = ()


class LexiconFile(Strict):
    """A lexicon: rules that belong together."""

    title: Title
    language: Language
    rules: Annotated[tuple[LexiconRule, ...], Field(min_length=1)]


class Disclosure(Strict):
    """A text that must stand in what it is required for (art. 51)."""

    article: str
    zh: Annotated[str, Field(min_length=1)]
    en: Annotated[str, Field(min_length=1)]
    categories: tuple[Category, ...] = ()
    advice: bool = False


class DisclosuresFile(Strict):
    """All disclosures by id."""

    disclosures: dict[Slug, Disclosure]


class ReasonWords(Strict):
    """A reason for returning or rejecting a message."""

    zh: Annotated[str, Field(min_length=1)]
    en: Annotated[str, Field(min_length=1)]


class ReasonsFile(Strict):
    """All reasons by code, in the order in which they are offered."""

    reasons: Annotated[dict[Slug, ReasonWords], Field(min_length=1)]
