"""The fields of a client that a person may put right here: how a value is read, shown, and compared with a file's.

A value is checked by the parsers that read a client file, and held as text (tags as a list), None when there is none:
a mobile in E.164, a date in ISO 8601, a lunar birthday as ``8-15`` or ``闰6-6``.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

from sqlalchemy import select, text, update

from outreach.core import clock
from outreach.core.database import AnyRow
from outreach.core.errors import BadInput
from outreach.ledger.work import Work
from outreach.occasions.lunar import LunarDay, parse_lunar
from outreach.people.importing import texts
from outreach.people.importing.cells import value_of
from outreach.people.importing.dates import parse_lunar_cell, parse_past_date
from outreach.people.importing.fields import (
    parse_address,
    parse_channel,
    parse_email,
    parse_gender,
    parse_language,
    parse_postcode,
)
from outreach.people.importing.findings import Issue
from outreach.people.importing.phones import parse_mobile
from outreach.people.tables import client, contact_point

Value = str | list[str] | None
_Parse = Callable[[str], tuple[Any, Sequence[Issue]]]

FIELDS = (
    "mobile",
    "email",
    "address",
    "postcode",
    "gender",
    "language",
    "channel",
    "birth_date",
    "lunar_birthday",
    "time_zone",
    "tags",
)
CHANNELS = {"mobile": "sms", "email": "email"}  # fields that are contact points
ADDRESSES = frozenset({"mobile", "email", "address"})  # shown in full only to whoever needs them
# What a message depends on: what waits for the client is checked again when it changes.
TOUCHING = frozenset({"mobile", "email", "address", "birth_date"})
_ABOUT_PERSONS = frozenset({"gender", "birth_date", "lunar_birthday"})
_MOST_TAGS, _LONGEST_TAG = 20, 40
_SEPARATORS = re.compile(r"[,，、;；\n]+")
_COLUMNS = {"channel": "channel_preference"}


@dataclass(frozen=True)
class Side:
    """Where a field's value stands in SQL, as text: in the client's row ``c``, and in the staged file's ``s``."""

    ours: str
    theirs: str


def _lunar(row: str) -> str:
    month, day = f"{row}.lunar_month::text", f"{row}.lunar_day::text"
    return f"CASE WHEN {row}.lunar_leap THEN '闰' ELSE '' END || {month} || '-' || {day}"


def _address(channel: str) -> str:
    return (
        "(SELECT p.address FROM contact_point p WHERE p.client_id = c.id AND p.active"
        f" AND p.channel = '{channel}' ORDER BY p.id LIMIT 1)"
    )


# The fields that a client file speaks of. Tags and the time zone are ours alone.
IN_FILES: dict[str, Side] = {
    "mobile": Side(_address("sms"), "s.mobile"),
    "email": Side(_address("email"), "s.email"),
    "channel": Side("c.channel_preference", "s.channel_preference"),
    "birth_date": Side("c.birth_date::text", "s.birth_date::text"),
    "lunar_birthday": Side(_lunar("c"), _lunar("s")),
} | {name: Side(f"c.{name}", f"s.{name}") for name in ("address", "postcode", "gender", "language")}


def read_value(field: str, written: str, row: AnyRow, today: date, locale: str = "en") -> Value:
    """The value of ``field`` in what a person wrote, checked as an import checks it; empty means none.

    Raises BadInput for a field that can't be corrected here, and for a value that can't be read with certainty.
    """
    if field not in FIELDS:
        raise BadInput("That field can't be corrected here.", mend=f"Use one of: {', '.join(FIELDS)}.")
    if row.kind == "company" and field in _ABOUT_PERSONS:
        raise BadInput(
            "A company has no gender and no birthday.", mend="Have its kind mended in the client file."
        )
    plain = written.strip()
    if field == "tags":
        return _tags(plain)
    if field == "time_zone":
        if plain not in available_timezones():
            raise BadInput("That is no time zone.", mend="Use an IANA name such as Asia/Shanghai.")
        return plain
    if not plain:
        if field == "language":
            raise BadInput("A client has a language.", mend="Choose zh-CN or en.")
        return None
    value, issues = _parsers(today)[field](plain)
    for found in issues:
        if texts.TEXTS[found.code].severity != "info" or value is None:
            params = dict(found.params)
            raise BadInput(
                texts.message(found.code, params, locale), mend=texts.mend(found.code, params, locale)
            )
    if value is None:
        raise BadInput("That can't be read.", mend="Write it as a client file would, or leave it empty.")
    return _as_text(value)


def present(work: Work, row: AnyRow, field: str) -> Value:
    """The client's value as it stands."""
    if field in CHANNELS:
        return work.conn.execute(
            select(contact_point.c.address)
            .where(
                contact_point.c.client_id == row.id,
                contact_point.c.channel == CHANNELS[field],
                contact_point.c.active,
            )
            .order_by(contact_point.c.id)
            .limit(1)
        ).scalar_one_or_none()
    if field == "lunar_birthday":
        if row.lunar_month is None:
            return None
        return _as_text(LunarDay(row.lunar_month, row.lunar_day, bool(row.lunar_leap)))
    found = getattr(row, _COLUMNS.get(field, field))
    if field == "tags":
        return list(found)
    return found.isoformat() if isinstance(found, date) else found


def put_value(work: Work, client_id: UUID, field: str, value: Value) -> None:
    """Make ``value`` the client's. It must be one of ``read_value``, ``present`` or the staged file."""
    if field in CHANNELS:
        _put_address(work, client_id, CHANNELS[field], value if isinstance(value, str) else None)
        columns: dict[str, Any] = {}
    elif field == "lunar_birthday":
        day = parse_lunar(value) if isinstance(value, str) else None
        columns = {
            "lunar_month": day.month if day else None,
            "lunar_day": day.day if day else None,
            "lunar_leap": day.leap if day else None,
        }
    elif field == "birth_date":
        columns = {field: date.fromisoformat(value) if isinstance(value, str) else None}
    else:
        columns = {_COLUMNS.get(field, field): value}
    work.conn.execute(
        update(client).where(client.c.id == client_id).values(**columns, updated_at=clock.now())
    )


def shown(value: Any) -> str:
    """A value as a file or a page writes it; empty when there is none."""
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return "" if value is None else str(value)


def _parsers(today: date) -> dict[str, _Parse]:
    def cleaned(parse: _Parse) -> _Parse:
        def read(cell: str) -> tuple[Any, Sequence[Issue]]:
            plain, issues = value_of(cell)
            value, found = parse(plain)
            return value, [*issues, *found]

        return read

    def mobile(cell: str) -> tuple[str | None, Sequence[Issue]]:
        number, _, issues = parse_mobile(cell)
        return number, issues

    return {
        "mobile": cleaned(mobile),
        "email": parse_email,
        "address": parse_address,
        "postcode": parse_postcode,
        "gender": parse_gender,
        "language": parse_language,
        "channel": parse_channel,
        "birth_date": cleaned(lambda cell: parse_past_date(cell, today)),
        "lunar_birthday": cleaned(parse_lunar_cell),
    }


def _as_text(value: Any) -> str:
    if isinstance(value, LunarDay):
        return f"{'闰' if value.leap else ''}{value.month}-{value.day}"
    return value.isoformat() if isinstance(value, date) else str(value)


def _tags(written: str) -> list[str]:
    tags = sorted({" ".join(part.split()) for part in _SEPARATORS.split(written)} - {""})
    if len(tags) > _MOST_TAGS or any(len(tag) > _LONGEST_TAG or not tag.isprintable() for tag in tags):
        raise BadInput(
            "There are too many tags, or one is too long.",
            mend=f"At most {_MOST_TAGS}, each of up to {_LONGEST_TAG} characters, with commas between.",
        )
    return tags


def _put_address(work: Work, client_id: UUID, channel: str, address: str | None) -> None:
    work.conn.execute(
        update(contact_point)
        .where(
            contact_point.c.client_id == client_id,
            contact_point.c.channel == channel,
            contact_point.c.active != (contact_point.c.address == (address or "")),
        )
        .values(active=contact_point.c.address == (address or ""))
    )
    if address is None:
        return
    country = parse_mobile(address)[1] if channel == "sms" else ""
    work.conn.execute(
        text(
            "INSERT INTO contact_point (id, client_id, channel, address, country)"
            " VALUES (gen_random_uuid(), :client, :channel, :address, :country)"
            " ON CONFLICT (client_id, channel, address) DO NOTHING"
        ),
        {"client": client_id, "channel": channel, "address": address, "country": country},
    )
