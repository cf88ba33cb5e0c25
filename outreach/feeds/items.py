"""The form of a research report and of a market event, strictly checked at the edge."""

import hashlib
import json
import re
import unicodedata
from datetime import date, datetime
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    model_validator,
)
from pydantic_core import PydanticCustomError

_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_CODE = re.compile(r"[0-9A-Za-z]{1,12}\.[A-Z]{2,4}")
_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._:/\-]{0,79}")
_SLUG = re.compile(r"[a-z][a-z0-9_\-]{0,39}")
_HOST = re.compile(r"[^\s/?#@\\%<>\"'`{}|^]+")
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\ufeff")
_YEARS = range(1990, 2200)
_INSTANT_LIKE = "2026-11-23T08:10:00+08:00"
SEVERITIES = ("low", "normal", "high", "urgent")


def refuse(code: str, **params: Any) -> PydanticCustomError:
    """The error for a refusal of refusals.py."""
    return PydanticCustomError(code, "refused", params)


def _clean(text: str, *, lines: bool) -> str:
    for char in text:
        if char in _TURNING or (
            unicodedata.category(char) in {"Cc", "Cs", "Co"} and not (lines and char in "\n\t")
        ):
            raise refuse("control_characters")
    return text.strip()


def _line(text: str) -> str:
    return _clean(text, lines=False)


def _lines(text: str) -> str:
    return _clean(text.replace("\r\n", "\n"), lines=True)


def _filled(text: str) -> str:
    if not text:
        raise refuse("empty")
    return text


def _risk_text(text: str) -> str:
    if not text:
        raise refuse("risk_text")
    return text


def _identifier(text: str) -> str:
    if not _ID.fullmatch(_filled(text)):
        raise refuse("bad_form", wanted="R2026112301")
    return text


def _security(text: str) -> str:
    if text and not _CODE.fullmatch(text):
        raise refuse("bad_form", wanted="600000.SH")
    return text


def _slug(text: str) -> str:
    if not _SLUG.fullmatch(_filled(text)):
        raise refuse("bad_form", wanted="ipo_payment")
    return text


def _product_risk(text: str) -> str:
    if text not in {"", "R1", "R2", "R3", "R4", "R5"}:
        raise refuse("not_one_of", wanted="R1 R2 R3 R4 R5")
    return text


def _severity(text: str) -> str:
    if text not in SEVERITIES:
        raise refuse("not_one_of", wanted=" ".join(SEVERITIES))
    return text


def web_address(text: str) -> str:
    """``text`` when it is an http(s) address with a host and without user name, space or control character.

    Raises PydanticCustomError ``bad_url`` otherwise: what stands here becomes a link that clients follow.
    """
    if len(text) > 2000 or any(char.isspace() or unicodedata.category(char)[0] == "C" for char in text):
        raise refuse("bad_url")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise refuse("bad_url") from error
    host = parts.hostname or ""
    is_sound = (
        parts.scheme in {"http", "https"} and port != 0 and _HOST.fullmatch(host) and "." in host.strip(".")
    )
    if not is_sound or "@" in parts.netloc or "\\" in text:
        raise refuse("bad_url")
    return text


def _instant(value: object) -> datetime:
    if not isinstance(value, str):
        raise refuse("wrong_type", wanted=_INSTANT_LIKE)
    if not _DATE_TIME.fullmatch(value):
        raise refuse("bad_form", wanted=_INSTANT_LIKE)
    try:
        instant = datetime.fromisoformat(value)
    except ValueError as error:
        raise refuse("bad_form", wanted=_INSTANT_LIKE) from error
    if instant.tzinfo is None:
        raise refuse("naive_time")
    if instant.year not in _YEARS:
        raise refuse("bad_form", wanted=_INSTANT_LIKE)
    return instant


def _day(value: object) -> date:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise refuse("bad_form", wanted="2026-11-23")
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise refuse("bad_form", wanted="2026-11-23") from error


def _or_none(value: object) -> object:
    return None if value is None or value == "" else value


Line = Annotated[str, Field(max_length=500), AfterValidator(_line)]
Lines = Annotated[str, Field(max_length=20_000), AfterValidator(_lines)]
Filled = Annotated[Line, AfterValidator(_filled)]
Identifier = Annotated[str, AfterValidator(_identifier)]
Security = Annotated[str, AfterValidator(_security)]
Instant = Annotated[datetime, BeforeValidator(_instant)]
OptionalInstant = Annotated[Instant | None, BeforeValidator(_or_none)]
OptionalDay = Annotated[Annotated[date, BeforeValidator(_day)] | None, BeforeValidator(_or_none)]


class FeedItem(BaseModel):
    """What both kinds have. A time is aware, a day is a civil date of the exchange."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    _line: int = PrivateAttr(default=0)
    _version: str = PrivateAttr(default="first")

    @property
    def line(self) -> int:
        """The line of the file, from 1."""
        return self._line

    @property
    def version(self) -> str:
        """How it stands to the same id above it in the file: first, correction (later) or outdated (earlier)."""
        return self._version

    @property
    def sha256(self) -> bytes:
        """Digest of the content, whatever the order of its keys was."""
        content = json.dumps(self.model_dump(mode="json"), ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(content.encode()).digest()

    def placed(self, line: int, version: str) -> Self:
        """The same item with its place in the file."""
        copy = self.model_copy()
        copy._line = line
        copy._version = version
        return copy


class ResearchReport(FeedItem):
    """One report of the research feed. ``is_advice``: it rates, or speaks of one security or product class."""

    report_id: Identifier
    ts_code: Security = ""
    title: Filled
    report_type: Filled
    publisher: Line
    authors: Line = ""
    author_licence: Line = ""
    published_at: Instant
    rating: Line = ""
    previous_rating: Line = ""
    product_risk: Annotated[str, AfterValidator(_product_risk)] = ""
    abstract: Lines = ""
    risk_text: Annotated[Lines, AfterValidator(_risk_text)]
    url: Annotated[str, AfterValidator(web_address)]
    expires_at: OptionalInstant = None

    @property
    def item_id(self) -> str:
        """The publisher's id."""
        return self.report_id

    @property
    def issued_at(self) -> datetime:
        """When it was published; a later time under the same id is a correction."""
        return self.published_at

    @property
    def is_advice(self) -> bool:
        """Whether the rules for advice hold: names, licence, source (art. 17, 19)."""
        return bool(self.rating or self.product_risk or self.ts_code)

    @property
    def risk_level(self) -> int | None:
        """The product's risk, 1 to 5."""
        return int(self.product_risk[1]) if self.product_risk else None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.expires_at is not None and self.expires_at <= self.published_at:
            raise refuse("expires_first", field="expires_at")
        authors, licences = split_names(self.authors), split_names(self.author_licence)
        if self.is_advice and not (self.publisher and authors and licences):
            missing = "publisher" if not self.publisher else "authors" if not authors else "author_licence"
            raise refuse("advice_source", field=missing)
        if self.is_advice and len(authors) != len(licences):
            raise refuse("licence_count", field="author_licence")
        return self


class MarketEvent(FeedItem):
    """One event of the market feed. ``type`` is a word such as ipo_payment or dividend; jobs choose by it."""

    event_id: Identifier
    type: Annotated[str, AfterValidator(_slug)]
    ts_code: Security = ""
    headline: Filled
    announced_at: Instant
    record_date: OptionalDay = None
    ex_date: OptionalDay = None
    pay_date: OptionalDay = None
    deadline: OptionalInstant = None
    source_url: Annotated[str, AfterValidator(web_address)]
    severity: Annotated[str, AfterValidator(_severity)] = "normal"
    firm_view: Lines = ""
    supersedes: Annotated[Identifier | None, BeforeValidator(_or_none)] = None

    @property
    def item_id(self) -> str:
        """The publisher's id."""
        return self.event_id

    @property
    def issued_at(self) -> datetime:
        """When it was announced; a later time under the same id is a correction."""
        return self.announced_at

    @property
    def is_urgent(self) -> bool:
        """Whether it goes before everything else."""
        return self.severity == "urgent"

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.supersedes == self.event_id:
            raise refuse("supersedes_itself", field="supersedes")
        return self


def split_names(text: str) -> list[str]:
    """Authors or licence numbers, separated by a semicolon or a Chinese comma."""
    return [part.strip() for part in re.split(r"[;；、，]", text) if part.strip()]
