"""What comes of one row of a client file."""

from dataclasses import dataclass
from datetime import date

from outreach.occasions.lunar import LunarDay
from outreach.people.importing.findings import Finding


@dataclass(frozen=True)
class ClientRow:
    """One client as the file has it, normalised.

    ``row`` counts records, the header being 1. ``mobile`` is E.164, ``mobile_country`` ISO 3166. ``risk_class``
    is 1 to 5, ``risk_minimum`` the lowest C1. ``opt_out`` is None when the file does not say. ``suppressed``
    names why nothing is ever pushed: deceased, closed, test, minor (under 14; ``sensitive``, PIPL art. 28).
    ``digest`` (SHA-256) covers the content, so that an unchanged row is known as such.
    """

    row: int
    client_no: str
    name: str
    account_no: str | None = None
    gender: str | None = None
    kind: str = "person"
    id_type: str | None = None
    id_no: str | None = None
    id_expiry: date | None = None
    birth_date: date | None = None
    lunar_birthday: LunarDay | None = None
    mobile: str | None = None
    mobile_country: str = ""
    email: str | None = None
    address: str | None = None
    postcode: str | None = None
    tier: str = "ordinary"
    risk_class: int | None = None
    risk_minimum: bool = False
    assessed_on: date | None = None
    investor_class: str | None = None
    opened_on: date | None = None
    status: str = "normal"
    deceased: bool = False
    test: bool = False
    sensitive: bool = False
    advisor_no: str | None = None
    consultant_no: str | None = None
    branch: str | None = None
    channel: str | None = None
    opt_out: bool | None = None
    language: str = "zh-CN"
    margin_expiry: date | None = None
    note: str | None = None
    suppressed: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    digest: bytes = b""

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that somebody should look at."""
        return tuple(finding for finding in self.findings if finding.severity == "warning")


@dataclass(frozen=True)
class Rejected:
    """A row that is not taken; at least one finding has severity ``reject``. ``client_no`` may be empty."""

    row: int
    client_no: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Duplicate:
    """A row that says what row ``first_row`` says (or the same client with another account)."""

    row: int
    client_no: str
    first_row: int
    findings: tuple[Finding, ...]


Parsed = ClientRow | Rejected | Duplicate
