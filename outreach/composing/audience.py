"""Who an occurrence is for: one SQL query, read in chunks by key, with everything a message to them needs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Row, text

from outreach.composing.corrections import MAY_HAVE_LEFT, Corrected
from outreach.core.errors import BadInput
from outreach.occasions.birthdays import LeapDayRule, birth_monthdays_on
from outreach.occasions.lunar import lunar_days_of

BirthdayKind = Literal["any", "solar", "lunar"]
_DATED_FIELDS = frozenset({"id_expiry", "assessed_on", "opened_on", "margin_expiry", "birth_date"})


@dataclass(frozen=True)
class Audience:
    """Who is meant; an empty part means everybody. ``holders_of`` are codes of which a client holds one; with
    ``subscribed_to`` either is enough. ``corrected``: whoever got one of these occurrences is meant in any case."""

    tiers: Collection[str] = ()
    branches: Collection[str] = ()  # codes
    risk_classes: Collection[int] = ()
    tags: Collection[str] = ()
    languages: Collection[str] = ()
    kinds: Collection[str] = ()
    holders_of: Collection[str] = ()
    subscribed_to: str = ""  # a feed
    subscribed_types: Collection[str] = ()  # its types that a subscription may be of; empty: any
    corrected: Corrected = Corrected()
    only_corrected: bool = False
    redone: Corrected = Corrected()  # of a digest that is made again: whom these did not reach
    birthday_on: date | None = None
    birthdays: BirthdayKind = "any"  # the solar one is kept by those who gave no lunar one
    leap_day: LeapDayRule = "02-28"
    dated_field: str = ""  # a date column of client
    dated_on: Collection[date] = ()  # the dates of which that field must have one
    yearly: bool = False  # only month and day count (anniversaries)
    fact: str = ""  # a kind of dated fact; ``dated_on`` has its dates
    client_ids: Collection[UUID] | None = None  # exactly these (an advisor's request)
    branch_ids: Collection[UUID] | None = None  # only of these branches (the walls of whoever looks)
    advisor_id: UUID | None = None  # only this advisor's own
    signer_id: UUID | None = None  # in whose name it goes out instead of the client's own advisor's


# Clients first, by key, then what belongs to them: one contact point a channel (the one recorded first), the
# opt-outs, the advisor who is still with the firm.
_NOT_YET = """c.id > :after
       AND NOT EXISTS (SELECT FROM message m
                        WHERE m.scheduled_month = :month AND m.occurrence_id = :occurrence
                          AND m.client_id = c.id)
       AND NOT EXISTS (SELECT FROM left_out l WHERE l.occurrence_id = :occurrence AND l.client_id = c.id)
"""
_HEAD = f"""
WITH chosen AS MATERIALIZED (
    SELECT c.*
      FROM client c
     WHERE {_NOT_YET}"""
# Whom an item's earlier version reached is told of the correction, though the audience may be another by now. Each
# half is read in the order of its key and stops after a chunk.
_CORRECTION_HEAD = f"""
WITH reached AS (
    SELECT DISTINCT m.client_id AS id FROM message m
     WHERE m.scheduled_month = ANY(:corrected_months) AND m.occurrence_id = ANY(:corrected)
       AND m.client_id > :after AND m.state = ANY(:left)
), picked AS (
    (SELECT c.id FROM client c JOIN reached r ON r.id = c.id WHERE {_NOT_YET} ORDER BY c.id LIMIT :size)
    UNION
    (SELECT c.id FROM client c
      WHERE {_NOT_YET}"""
_CORRECTION_TAIL = """
      ORDER BY c.id LIMIT :size)
), chosen AS MATERIALIZED (
    SELECT c.* FROM client c JOIN picked p ON p.id = c.id"""
_TAIL = """
     ORDER BY c.id
     LIMIT :size
)
SELECT c.id, c.client_no, c.name, c.gender, c.kind, c.birth_date, c.tier, c.risk_class, c.risk_minimum,
       c.assessed_on, c.opened_on, c.status, c.deceased, c.test, c.branch_id, c.channel_preference, c.language,
       c.time_zone, c.margin_expiry, c.id_expiry, c.do_not_contact, c.address, c.postcode,
       b.code AS branch_code, b.name AS branch_name, b.name_en AS branch_name_en, b.phone AS branch_phone,
       b.complaint_phone, b.email AS branch_email, b.address AS branch_address,
       s.id AS signer_id, s.name AS signer_name, s.name_en AS signer_name_en, s.phone AS signer_phone,
       s.email AS signer_email, s.status AS signer_status, s.securities_licence, s.securities_expires,
       s.advisory_licence, s.advisory_expires,
       w.consents, p.points, f.subjects
  FROM chosen c
  JOIN branch b ON b.id = c.branch_id
  LEFT JOIN staff s ON s.id = coalesce(CAST(:signer AS uuid), c.advisor_id) AND s.status = 'active'
  LEFT JOIN LATERAL (
        SELECT array_agg(channel || ':' || category) AS consents
          FROM consent WHERE client_id = c.id AND state = 'opted_out'
       ) w ON true
  LEFT JOIN LATERAL (
        SELECT array_agg(ARRAY[channel, id::text, address] ORDER BY id DESC) AS points
          FROM contact_point WHERE client_id = c.id AND active
       ) p ON true
  LEFT JOIN LATERAL (
        SELECT array_agg(subject ORDER BY subject) FILTER (WHERE subject <> '') AS subjects
          FROM client_date
         WHERE CAST(:fact AS text) <> '' AND client_id = c.id AND kind = :fact
           AND on_date = ANY(CAST(:fact_dates AS date[]))
       ) f ON true
 ORDER BY c.id
"""

LEAST = UUID(int=0)


def read_chunk(
    conn: Connection, audience: Audience, *, occurrence_id: UUID, month: date, after: UUID, size: int
) -> Sequence[Row[Any]]:
    """The next ``size`` clients of ``audience`` after the id ``after`` who have neither a message of this occurrence
    nor a row that says why not.

    Raises BadInput when the audience names a field that is not a date of a client.
    """
    conditions, parameters = _conditions(audience)
    wanted = "".join(f"       AND {condition}\n" for condition in conditions)
    statement = _HEAD + wanted + _TAIL
    if audience.corrected:
        statement = _CORRECTION_HEAD + wanted + _CORRECTION_TAIL + _TAIL
        parameters |= {
            "corrected": list(audience.corrected.occurrences),
            "corrected_months": list(audience.corrected.months),
            "left": list(MAY_HAVE_LEFT),
        }
    parameters |= {"fact": audience.fact, "fact_dates": sorted(audience.dated_on) if audience.fact else []}
    parameters |= {"after": after, "month": month, "occurrence": occurrence_id, "size": size}
    parameters["signer"] = audience.signer_id
    return conn.execute(text(statement), parameters).all()


def draw(conn: Connection, audience: Audience, *, seed: str, size: int) -> tuple[list[UUID], int]:
    """``size`` clients of ``audience`` drawn by ``seed`` (the same seed draws the same ones), and how many there are
    in all."""
    conditions, parameters = _conditions(audience)
    where = " AND ".join(conditions) or "true"
    statement = text(
        f"SELECT c.id, count(*) OVER () AS total FROM client c WHERE {where}"
        " ORDER BY hashtextextended(c.id::text || CAST(:seed AS text), 0), c.id LIMIT :size"
    )
    rows = conn.execute(statement, parameters | {"seed": seed, "size": size}).all()
    return [row.id for row in rows], rows[0].total if rows else 0


def counted(conn: Connection, audience: Audience, *columns: str) -> Sequence[Row[Any]]:
    """How many clients ``audience`` has (``n``), in groups by ``columns``: SQL of ours, never of anybody's input."""
    conditions, parameters = _conditions(audience)
    where = " AND ".join(conditions) or "true"
    listed = ", ".join([*columns, "count(*) AS n"])
    groups = ", ".join(str(number + 1) for number in range(len(columns)))
    statement = f"SELECT {listed} FROM client c WHERE {where}" + (f" GROUP BY {groups}" if groups else "")
    return conn.execute(text(statement), parameters).all()


def _conditions(audience: Audience) -> tuple[list[str], dict[str, Any]]:
    """The WHERE conditions (fixed wording; values travel as parameters)."""
    parts: list[tuple[str, dict[str, Any]]] = []
    for column, wanted in (
        ("tier", audience.tiers),
        ("language", audience.languages),
        ("kind", audience.kinds),
        ("risk_class", audience.risk_classes),
    ):
        if wanted:
            parts.append((f"c.{column} = ANY(:{column})", {column: sorted(wanted)}))
    if audience.branches:
        parts.append(
            (
                "c.branch_id IN (SELECT id FROM branch WHERE code = ANY(:branches))",
                {"branches": sorted(audience.branches)},
            )
        )
    if audience.tags:
        parts.append(("c.tags && :tags", {"tags": sorted(audience.tags)}))
    if audience.redone:
        parts.append(
            (
                _NOT_REACHED,
                {"redone": list(audience.redone.occurrences), "months": list(audience.redone.months)},
            )
        )
    if audience.only_corrected:
        parts.append(("false", {}))
    if audience.holders_of or audience.subscribed_to:
        parts.append(_holders_or_subscribers(audience))
    if audience.branch_ids is not None:
        parts.append(("c.branch_id = ANY(:branch_ids)", {"branch_ids": sorted(audience.branch_ids)}))
    if audience.advisor_id is not None:
        parts.append(("c.advisor_id = :advisor_id", {"advisor_id": audience.advisor_id}))
    if audience.client_ids is not None:
        parts.append(("c.id = ANY(:ids)", {"ids": sorted(audience.client_ids)}))
    if audience.birthday_on is not None:
        parts.append(_birthday(audience.birthday_on, audience.birthdays, audience.leap_day))
    if audience.dated_field:
        parts.append(_dated(audience))
    if audience.fact:
        parts.append(_with_fact(audience))
    return [part for part, _ in parts], {k: v for _, values in parts for k, v in values.items()}


_NOT_REACHED = """NOT EXISTS (SELECT FROM message r
                        WHERE r.scheduled_month = ANY(:months) AND r.occurrence_id = ANY(:redone)
                          AND r.client_id = c.id
                          AND (r.state <> 'cancelled' OR r.reason IS DISTINCT FROM 'superseded'))"""


def _holders_or_subscribers(audience: Audience) -> tuple[str, dict[str, Any]]:
    """Either is enough; each is read by its own index."""
    either: list[str] = []
    values: dict[str, Any] = {}
    if audience.holders_of:
        either.append("SELECT h.client_id FROM holding h WHERE h.code = ANY(:codes) AND h.quantity > 0")
        values["codes"] = sorted(audience.holders_of)
    if audience.subscribed_to:
        of_type = " AND s.item_type = ANY(:types)" if audience.subscribed_types else ""
        either.append(
            f"SELECT s.client_id FROM subscription s WHERE s.feed = :feed{of_type} AND s.ended_at IS NULL"
        )
        values |= {"feed": audience.subscribed_to}
        values |= {"types": sorted(audience.subscribed_types)} if audience.subscribed_types else {}
    return f"c.id IN ({' UNION '.join(either)})", values


def _birthday(day: date, kind: BirthdayKind, leap_day: LeapDayRule) -> tuple[str, dict[str, Any]]:
    """Clients whose birthday is kept on ``day``: the lunar one by those who gave one, else the solar one."""
    solar = " OR ".join(
        f"(extract(month FROM c.birth_date) = {month:d} AND extract(day FROM c.birth_date) = {number:d})"
        for month, number in sorted(birth_monthdays_on(day, leap_day))
    )
    lunar = " OR ".join(
        f"(c.lunar_month = {one.month:d} AND c.lunar_day = {one.day:d}"
        f" AND coalesce(c.lunar_leap, false) = {str(one.leap).lower()})"
        for one in sorted(lunar_days_of(day))
    )
    parts = {
        "solar": f"(c.lunar_month IS NULL AND c.birth_date IS NOT NULL AND ({solar}))",
        "lunar": f"(c.lunar_month IS NOT NULL AND ({lunar}))",
    }
    return parts[kind] if kind != "any" else f"({parts['solar']} OR {parts['lunar']})", {}


def _dated(audience: Audience) -> tuple[str, dict[str, Any]]:
    field = audience.dated_field
    if field not in _DATED_FIELDS:
        raise BadInput(
            f"{field!r} is not a date of a client.", mend=f"Use one of: {', '.join(sorted(_DATED_FIELDS))}."
        )
    days = sorted(audience.dated_on)
    if not audience.yearly:
        return f"c.{field} = ANY(CAST(:dated_on AS date[]))", {"dated_on": days}
    month_days = sorted({pair for day in days for pair in birth_monthdays_on(day, audience.leap_day)})
    either = " OR ".join(
        f"(extract(month FROM c.{field}) = {month:d} AND extract(day FROM c.{field}) = {number:d})"
        for month, number in month_days
    )
    if not days:
        return "false", {}
    # In the year itself there is no anniversary yet.
    return f"(c.{field} < :year_start AND ({either}))", {"year_start": date(days[0].year, 1, 1)}


def _with_fact(audience: Audience) -> tuple[str, dict[str, Any]]:
    """Clients of whom a fact of the kind has one of the dates; read by its index."""
    return (
        "c.id IN (SELECT d.client_id FROM client_date d"
        " WHERE d.kind = :fact AND d.on_date = ANY(CAST(:fact_dates AS date[])))",
        {"fact": audience.fact, "fact_dates": sorted(audience.dated_on)},
    )
