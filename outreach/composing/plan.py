"""What one occurrence composes, with every version pinned: the same for all its clients."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Protocol
from uuid import UUID

from outreach.composing.audience import Audience
from outreach.composing.batches import Batch
from outreach.composing.routing import Routes
from outreach.messages.findings import Finding
from outreach.messages.rules import Cap


class Words(Protocol):
    """A rendered text: what a template's ``render`` gives."""

    @property
    def subject(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def html(self) -> str: ...


Render = Callable[[str, str, Mapping[str, Any]], Words]  # channel, language, context


class Check(Protocol):
    """What is looked for in a rendered text; ``own`` are the recipient's own numbers, which may stand in it."""

    def __call__(
        self, channel: str, language: str, words: Words, /, *, own: Collection[str] = ()
    ) -> list[Finding]: ...


@dataclass(frozen=True)
class Plan:
    """One occurrence, ready to be composed.

    ``languages`` pairs each channel with the languages the template has for it; ``fallback`` is the language
    declared for clients whose own is missing. ``greeting`` names the occasion of which an address gets one a
    day ("" for none). ``signed``: goes out in the advisor's name. ``at`` is the time of day on the client's own
    clock, None when it goes out as soon as their window allows. ``fixed`` is the part of the templates' context
    that is the same for all, by channel and language; ``senders`` the name a mail goes out under, by language
    (``*``: any other).
    """

    occurrence_id: UUID
    scheduled_month: date
    send_date: date | None
    send_at: datetime
    expires_at: datetime
    at: time | None
    audience: Audience
    batch: Batch  # under the base policy
    routes: Routes
    per_branch: bool
    channels: tuple[str, ...]
    send_window: str
    category: str
    occasion: str
    greeting: str
    risk_level: int | None
    advice: bool
    urgent: bool
    signed: bool
    languages: Mapping[str, Collection[str]]
    fallback: Mapping[str, str]
    template_version_id: UUID | None
    author_id: UUID | None
    lexicon_digest: bytes
    render: Render
    check: Check
    fixed: Mapping[tuple[str, str], Mapping[str, Any]]
    senders: Mapping[str, str]
    cap: Cap = field(default_factory=Cap)
    life: timedelta | None = (
        None  # a message expires so long after its own send time, and with the plan at last
    )
    product_codes: tuple[str, ...] = ()
    feed_item_id: UUID | None = None
    attachments: tuple[str, ...] = ()  # as a payload names them; mail only
    due_on: date | None = None  # the date that the messages of a client-date job are about
    due_field: str = ""  # the column of client it is counted from
    falls_through: bool = False  # each client's other channels are composed, too, as alternatives
    own_characters: int = 0  # of the author's own words: all of a free text, of a template what was filled in


def expiry_of(plan: Plan, send_at: datetime) -> datetime:
    """When a message that may leave from ``send_at`` on stops being worth sending."""
    return plan.expires_at if plan.life is None else min(plan.expires_at, send_at + plan.life)


def language_for(plan: Plan, channel: str, language: str) -> str | None:
    """The language in which a client of ``language`` is written to on ``channel``, or None when the template has
    neither it nor its declared fallback."""
    known = plan.languages.get(channel, ())
    if language in known:
        return language
    other = plan.fallback.get(language, plan.fallback.get("*", ""))
    return other if other in known else None
