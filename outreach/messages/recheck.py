"""The same rules again, when a message is approved and when it is sent (P5): facts from the database, then judge.

``message.advisor_id`` is the person in whose name a message goes out; null means the branch's name.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, text

from outreach.content.in_force import cap_of_job, occasion_of_template
from outreach.core import clock
from outreach.messages.rules import Cap, Consent, Facts, Licences, Verdict, judge
from outreach.messages.tables import Placed

# One row a message, by the index on message.id in its month.
_FACTS = text(
    """
    SELECT m.id, m.client_id, m.channel, m.address_hash, m.category, m.risk_level, m.advice, m.urgent, m.expires_at,
           m.send_window, m.time_zone, m.template_version_id, o.job_version_id,
           c.kind, c.status, c.deceased, c.test, c.birth_date, c.do_not_contact, c.risk_class, c.risk_minimum,
           c.assessed_on,
           CASE WHEN m.channel = 'letter' THEN coalesce(c.address, '') <> ''
                ELSE coalesce(p.active AND p.client_id = m.client_id, false) END AS has_address,
           s.id AS signer_id, s.name AS signer_name, s.status AS signer_status, s.securities_licence,
           s.securities_expires, s.advisory_licence, s.advisory_expires,
           f.superseded_by IS NOT NULL
             OR EXISTS (SELECT FROM occurrence_item i JOIN feed_item x ON x.id = i.feed_item_id
                         WHERE i.occurrence_id = o.id AND x.superseded_by IS NOT NULL) AS superseded,
           w.consents
      FROM message m
      JOIN client c ON c.id = m.client_id
      JOIN occurrence o ON o.id = m.occurrence_id
      LEFT JOIN feed_item f ON f.id = o.feed_item_id
      LEFT JOIN contact_point p ON p.id = m.contact_point_id
      LEFT JOIN staff s ON s.id = m.advisor_id
      LEFT JOIN LATERAL (
            SELECT array_agg(channel || ':' || category) AS consents
              FROM consent WHERE client_id = m.client_id AND state = 'opted_out'
           ) w ON true
     WHERE m.id = ANY(:ids) AND m.scheduled_month = ANY(:months)
    """
)

# What already went out (or may have) to these clients; what is merely waiting does not count here, or two
# waiting messages would forbid each other. A report and its correction count as one.
_ALREADY = text(
    """
    SELECT client_id, id, send_at, CASE WHEN channel = 'sms' THEN address_hash END AS mobile
      FROM message m
     WHERE (client_id = ANY(:clients) OR address_hash = ANY(:mobiles))
       AND state IN ('claimed', 'sent', 'handed_over', 'delivered', 'unknown')
       AND send_at >= CAST(:now AS timestamptz) - interval '32 days'
       AND scheduled_month >= (CAST(:now AS timestamptz) - interval '64 days')::date
       AND NOT EXISTS (SELECT FROM occurrence o JOIN feed_item f ON f.id = o.feed_item_id
                        WHERE o.id = m.occurrence_id AND f.superseded_by IS NOT NULL)
    """
)


def facts_for(
    conn: Connection, messages: Collection[Placed], now: datetime | None = None
) -> dict[UUID, Facts]:
    """What the rules need to know of each message, as it is now."""
    at = now or clock.now()
    months = sorted({one.scheduled_month for one in messages})
    rows = conn.execute(_FACTS, {"ids": [one.id for one in messages], "months": months}).all()
    found = {row.id: _facts(conn, row, at) for row in rows}
    capped = [row for row in rows if found[row.id].cap != Cap()]
    if capped:
        found |= _count_sent(conn, capped, found, at)
    return found


def verdict(facts: Facts, now: datetime | None = None) -> Verdict:
    """What may be done with a message of these facts at ``now``: ``messages.rules.judge``."""
    return judge(facts, now or clock.now())


def _facts(conn: Connection, row: Row[Any], now: datetime) -> Facts:
    return Facts(
        on=now.astimezone(ZoneInfo(row.time_zone)).date(),
        kind=row.kind,
        status=row.status,
        deceased=row.deceased,
        test=row.test,
        birth_date=row.birth_date,
        do_not_contact=row.do_not_contact,
        risk_class=row.risk_class,
        risk_minimum=row.risk_minimum,
        assessed_on=row.assessed_on,
        consents=read_consents(row.consents),
        channel=row.channel,
        has_address=row.has_address,
        category=row.category,
        occasion=_occasion(conn, row),
        risk_level=row.risk_level,
        advice=row.advice,
        urgent=row.urgent,
        signer=signer_of(row) if row.signer_id else None,
        cap=cap_of(conn, row.job_version_id),
        superseded=row.superseded,
        expires_at=row.expires_at,
        send_window=row.send_window,
        time_zone=row.time_zone,
    )


def _occasion(conn: Connection, row: Row[Any]) -> str:
    # Only companies and closed accounts are asked: no other rule looks at the occasion.
    asked = row.kind == "company" or row.status == "closed"
    if not asked or row.template_version_id is None:
        return ""
    return occasion_of_template(conn, row.template_version_id)


def cap_of(conn: Connection, job_version_id: UUID | None) -> Cap:
    """The frequency cap of a job's version; an advisor's request has none."""
    if job_version_id is None:
        return Cap()
    return Cap(*cap_of_job(conn, job_version_id))


def read_consents(stored: Sequence[str] | None) -> tuple[Consent, ...]:
    """The opt-outs in an array of ``channel:category``."""
    pairs = (pair.partition(":") for pair in stored or ())
    return tuple(Consent(channel, category, opted_out=True) for channel, _, category in pairs)


def signer_of(row: Row[Any]) -> Licences:
    """The licences in a row's ``signer_*`` columns; nobody who left the firm holds one here."""
    if row.signer_status != "active":
        return Licences(name=row.signer_name)
    return Licences(
        name=row.signer_name,
        securities=row.securities_licence,
        securities_expires=row.securities_expires,
        advisory=row.advisory_licence,
        advisory_expires=row.advisory_expires,
    )


def _count_sent(
    conn: Connection, rows: Sequence[Row[Any]], found: dict[UUID, Facts], now: datetime
) -> dict[UUID, Facts]:
    clients = sorted({row.client_id for row in rows})
    # A family that shares a mobile is one person who reads: what went to the number counts, whoever was meant.
    mobiles = sorted({bytes(row.address_hash) for row in rows if row.channel == "sms"})
    already: dict[UUID | bytes, dict[UUID, datetime]] = {}
    for sent in conn.execute(_ALREADY, {"clients": clients, "mobiles": mobiles, "now": now}):
        already.setdefault(sent.client_id, {})[sent.id] = sent.send_at
        if sent.mobile is not None:
            already.setdefault(bytes(sent.mobile), {})[sent.id] = sent.send_at
    counted: dict[UUID, Facts] = {}
    for row in rows:
        facts = found[row.id]
        zone = ZoneInfo(row.time_zone)
        others = {**already.get(row.client_id, {})}
        if row.channel == "sms":
            others |= already.get(bytes(row.address_hash), {})
        days = [at.astimezone(zone).date() for other, at in others.items() if other != row.id]
        today, month = count_days(days, facts.on)
        counted[row.id] = replace(facts, sent_today=today, sent_this_month=month)
    return counted


def count_days(days: Iterable[date], on: date) -> tuple[int, int]:
    """How many of ``days`` are ``on``, and how many lie in its month."""
    listed = list(days)
    return listed.count(on), sum((day.year, day.month) == (on.year, on.month) for day in listed)
