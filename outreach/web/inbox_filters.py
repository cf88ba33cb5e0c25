"""What the inbox is narrowed to, as its address says it: read from the query, carried along while one decides."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from urllib.parse import parse_qsl, quote, urlencode
from uuid import UUID

from fastapi import Request

from outreach.content.formats import CATEGORIES, CHANNELS, LANGUAGES
from outreach.core.errors import BadInput
from outreach.review.inbox import Filters

MODES = ("each", "batch", "standing")
TIERS = ("diamond", "platinum", "gold", "silver", "vip", "core", "ordinary")
DUE = ("late", "today", "later")
_LONGEST = 100
_CHOICES: dict[str, tuple[str, ...]] = {
    "category": CATEGORIES,
    "mode": MODES,
    "channel": CHANNELS,
    "language": LANGUAGES,
    "tier": TIERS,
    "due": DUE,
}


@dataclass(frozen=True)
class Asked:
    """The filters as the form's fields say them; empty: any."""

    text: str = ""
    mode: str = ""
    category: str = ""
    channel: str = ""
    language: str = ""
    tier: str = ""
    due: str = ""
    rule: str = ""
    author: str = ""
    branch: str = ""
    flagged: str = ""

    @property
    def query(self) -> str:
        """For an address; empty when nothing is narrowed."""
        return urlencode({name: value for name, value in vars(self).items() if value})

    @property
    def narrowed(self) -> int:
        """How many fields narrow the list, the search and the tick left out."""
        return sum(bool(value) for name, value in vars(self).items() if name not in ("text", "flagged"))

    def filters(self) -> Filters:
        """For the list. Raises BadInput for an id that is none."""
        return Filters(
            branch=_id(self.branch),
            category=self.category or None,
            mode=self.mode or None,
            author=_id(self.author),
            channel=self.channel or None,
            language=self.language or None,
            tier=self.tier or None,
            rule=self.rule or None,
            due=self.due or None,
            flagged=True if self.flagged else None,
            text=self.text,
        )


def asked_by(request: Request) -> Asked:
    """The filters of a request's own query. Raises BadInput for a value that no field offers."""
    return _asked(request.query_params)


def asked_within(query: str) -> Asked:
    """The filters that a page was opened within: ``Asked.query`` again. Raises BadInput as ``asked_by``."""
    return _asked(dict(parse_qsl(query[:1000])))


def place(query: str, more: str = "") -> str:
    """What follows a page's path, so that the filters are carried along; ``more`` comes before them."""
    joined = "&".join(one for one in (more, f"within={quote(query)}" if query else "") if one)
    return f"?{joined}" if joined else ""


def _asked(said: Mapping[str, str]) -> Asked:
    values = {one.name: " ".join(said.get(one.name, "").split())[:_LONGEST] for one in fields(Asked)}
    for name, choices in _CHOICES.items():
        if values[name] and values[name] not in choices:
            raise BadInput("The list can't be narrowed to that.", mend="Choose from the form.")
    return Asked(**values)


def _id(value: str) -> UUID | None:
    try:
        return UUID(value) if value else None
    except ValueError:
        raise BadInput("The list can't be narrowed to that.", mend="Choose from the form.") from None
