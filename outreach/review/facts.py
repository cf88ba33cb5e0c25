"""What about a client matters to a decision: consent, class, status, and who has lately been in touch."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from outreach.occasions.birthdays import assessment_valid_until

LAST_CONTACTS = 5


@dataclass(frozen=True)
class Contact:
    """A message that went to this client before."""

    at: datetime
    channel: str
    category: str
    state: str


@dataclass(frozen=True)
class ClientFacts:
    """What about the client matters to a decision. ``opted_out``: (channel, category) pairs, ``*`` for all."""

    id: UUID
    client_no: str
    name: str
    tier: str
    risk_class: int | None
    risk_minimum: bool
    assessed_until: date | None
    status: str
    deceased: bool
    do_not_contact: bool
    opted_out: tuple[tuple[str, str], ...]
    language: str
    last_contacts: tuple[Contact, ...]


# The columns of ``client`` that ``client_facts`` reads, beside its id.
FACTS = (
    "client_no",
    "name",
    "tier",
    "risk_class",
    "risk_minimum",
    "assessed_on",
    "status",
    "deceased",
    "do_not_contact",
    "language",
)

# In one look: opt-outs first, by channel and category, then the last that went to them.
WISHES_AND_CONTACTS = text(
    """
    (SELECT 'out' AS kind, NULL::timestamptz AS at, channel, category, '' AS state
       FROM consent WHERE client_id = :client AND state = 'opted_out' ORDER BY channel, category)
    UNION ALL
    (SELECT 'went', state_at, channel, category, state FROM message
      WHERE client_id = :client AND id <> :message
        AND state IN ('sent', 'delivered', 'undelivered', 'handed_over', 'unknown', 'claimed')
      ORDER BY state_at DESC LIMIT :most)
    """
)


def client_facts(found: Any, rows: Sequence[Any]) -> ClientFacts:
    """The facts of a client whose row has ``FACTS`` under ``client_…``; ``rows``: of ``WISHES_AND_CONTACTS``."""
    assessed = found.client_assessed_on
    return ClientFacts(
        id=found.client_id,
        client_no=found.client_client_no,
        name=found.client_name,
        tier=found.client_tier,
        risk_class=found.client_risk_class,
        risk_minimum=found.client_risk_minimum,
        assessed_until=assessment_valid_until(assessed) if assessed else None,
        status=found.client_status,
        deceased=found.client_deceased,
        do_not_contact=found.client_do_not_contact,
        opted_out=tuple((row.channel, row.category) for row in rows if row.kind == "out"),
        language=found.client_language,
        last_contacts=tuple(
            Contact(row.at, row.channel, row.category, row.state) for row in rows if row.kind == "went"
        ),
    )
