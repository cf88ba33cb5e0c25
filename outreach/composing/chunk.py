"""One chunk of clients: each becomes a message or a reason why not. A bad client never stops a batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from jinja2 import TemplateError
from sqlalchemy import Connection, Row, text

from outreach.composing.context import client_context, due_of
from outreach.composing.corrections import with_correction
from outreach.composing.plan import Plan, Words, expiry_of, language_for
from outreach.core.errors import BadInput, OutreachError
from outreach.core.ids import new_id
from outreach.ledger.seal import KeyRing
from outreach.messages.chains import WAITS
from outreach.messages.copying import NewMessage
from outreach.messages.findings import Finding
from outreach.messages.leftout import LeftOut
from outreach.messages.payload import Payload
from outreach.messages.recheck import count_days, read_consents, signer_of
from outreach.messages.rules import (
    CHANNEL_RULES,
    CLIENT_RULES,
    CONTENT_RULES,
    Broken,
    Cap,
    Facts,
    first_broken,
)
from outreach.occasions.windows import Window, at_local, next_open, parse_window, parse_zone

_FAULTS = (OutreachError, TemplateError, ArithmeticError, LookupError, TypeError, ValueError)
Place = tuple[UUID | None, str]  # contact point, address
Reached = tuple[str, UUID | None, str, str]  # channel, contact point, address, language
NOT_YET = UUID(int=0)  # the submission is known once it is known that there is something to put into it


@dataclass
class Composer:
    """Composes clients of one plan; keeps what is the same for many of them."""

    plan: Plan
    keys: KeyRing
    now: datetime
    home_zone: ZoneInfo
    window: Window
    _sending: dict[str, tuple[datetime, date, datetime]]

    @classmethod
    def of(cls, plan: Plan, keys: KeyRing, now: datetime, home_zone: ZoneInfo) -> "Composer":
        """A Composer as of the instant ``now``."""
        return cls(plan, keys, now, home_zone, parse_window(plan.send_window), {})

    def compose(
        self,
        rows: Sequence[Row[Any]],
        already: Mapping[UUID, Sequence[datetime]],
        told: Mapping[UUID, str] | None = None,
    ) -> tuple[list[NewMessage], list[LeftOut]]:
        """Messages and left-out clients of ``rows``; ``already`` has the instants of other messages to them, ``told``
        the title of the earlier item of which they are told the correction."""
        messages: list[NewMessage] = []
        left: list[LeftOut] = []
        for row in rows:
            try:
                made = self._one(row, already.get(row.id, ()), (told or {}).get(row.id, ""))
            except _FAULTS as error:
                # What a template does with one client's data must not stop the others. The error's text may
                # quote the data, so only its kind is kept.
                made = LeftOut(row.id, row.branch_id, "render_failed", {"error": type(error).__name__})
            if isinstance(made, LeftOut):
                left.append(made)
                continue
            messages.append(made)
            if self.plan.falls_through:
                self._alternatives(row, made, (told or {}).get(row.id, ""), messages, left)
        return messages, left

    def _alternatives(
        self, row: Row[Any], first: NewMessage, corrects: str, messages: list[NewMessage], left: list[LeftOut]
    ) -> None:
        """Add, after ``first``, what the client gets by the other channels, one after the other, should the one before
        not reach them. A channel whose text may not go out is left out by itself."""
        facts = Facts(
            on=first.send_at.date(), consents=read_consents(row.consents), category=self.plan.category
        )
        before = first
        for channel in self._order(row):
            chosen = None if channel == first.channel else self._by(channel, row, facts)
            if chosen is None or isinstance(chosen, Broken):
                continue
            try:
                payload, findings = self._written(row, chosen, corrects)
            except _FAULTS as error:
                left.append(
                    LeftOut(row.id, row.branch_id, "render_failed", {"error": type(error).__name__}, channel)
                )
                continue
            if any(finding.severity == "block" for finding in findings):
                left.append(stopped_by(row, findings, channel))
                continue
            _, point_id, address, language = chosen
            before = replace(
                first,
                id=new_id(),
                channel=channel,
                contact_point_id=point_id,
                address_hash=self.keys.keyed_hash(address),
                language=language,
                findings=tuple(findings),
                payload=payload,
                reason=WAITS,
                fallback_of=before.id,
            )
            messages.append(before)

    def _one(self, row: Row[Any], already: Sequence[datetime], corrects: str) -> NewMessage | LeftOut:
        plan = self.plan
        zone_name, send_at, on, expires_at = self._when(row.time_zone)
        if send_at >= expires_at:
            return LeftOut(row.id, row.branch_id, "expired", {"send_at": send_at.isoformat()})
        today, month = (0, 0)
        if plan.cap != Cap() and already:
            zone = ZoneInfo(zone_name)
            today, month = count_days([at.astimezone(zone).date() for at in already], on)
        facts = Facts(
            on=on,
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
            category=plan.category,
            occasion=plan.occasion,
            risk_level=plan.risk_level,
            advice=plan.advice,
            urgent=plan.urgent,
            signer=signer_of(row) if plan.signed and row.signer_id else None,
            sent_today=today,
            sent_this_month=month,
            cap=plan.cap,
        )
        broken = first_broken(facts, CLIENT_RULES)
        if broken is not None:
            return _left(row, broken)
        chosen = self._channel(row, facts)
        if isinstance(chosen, Broken):
            return _left(row, chosen)
        broken = first_broken(facts, CONTENT_RULES)
        if broken is not None:
            return _left(row, broken)
        channel, point_id, address, language = chosen
        payload, findings = self._written(row, chosen, corrects)
        if any(finding.severity == "block" for finding in findings):
            return stopped_by(row, findings, channel)
        return NewMessage(
            id=new_id(),
            scheduled_month=plan.scheduled_month,
            occurrence_id=plan.occurrence_id,
            submission_id=NOT_YET,
            branch_id=row.branch_id,
            client_id=row.id,
            advisor_id=row.signer_id if plan.signed else None,
            author_id=plan.author_id,
            channel=channel,
            contact_point_id=point_id,
            address_hash=self.keys.keyed_hash(address),
            category=plan.category,
            language=language,
            template_version_id=plan.template_version_id,
            lexicon_digest=plan.lexicon_digest,
            risk_level=plan.risk_level,
            product_codes=list(plan.product_codes),
            advice=plan.advice,
            findings=tuple(findings),
            urgent=plan.urgent,
            send_at=send_at,
            send_window=plan.send_window,
            time_zone=zone_name,
            expires_at=expires_at,
            payload=payload,
        )

    def _written(self, row: Row[Any], chosen: Reached, corrects: str) -> tuple[Payload, list[Finding]]:
        """What the client would get on a channel, and what is found in it."""
        plan, (channel, _, address, language) = self.plan, chosen
        context = context_for(plan, row, channel, language)
        words = plan.render(channel, language, with_correction(context, corrects) if corrects else context)
        findings = plan.check(channel, language, words, own=mobiles_of(row))
        return payload_for(plan, channel, address, language, words, row.name), findings

    def _when(self, zone_name: str) -> tuple[str, datetime, date, datetime]:
        """The client's zone (the firm's where it is unknown), when the message may leave, which date that is there,
        and when it expires."""
        known = self._sending.get(zone_name)
        if known is None:
            try:
                zone = parse_zone(zone_name)
            except BadInput:
                return self._when(str(self.home_zone))
            plan = self.plan
            start = plan.send_at
            if plan.send_date is not None and plan.at is not None:
                start = at_local(plan.send_date, plan.at, zone)
            expires_at = expiry_of(plan, start)
            start = max(start, self.now)
            send_at = start if plan.urgent else next_open(start, self.window, zone)
            known = self._sending[zone_name] = (send_at, send_at.astimezone(zone).date(), expires_at)
        return zone_name, *known

    def _order(self, row: Row[Any]) -> tuple[str, ...]:
        """The plan's channels, the client's own preference first."""
        channels = self.plan.channels
        if row.channel_preference in channels:
            return (row.channel_preference, *(c for c in channels if c != row.channel_preference))
        return channels

    def _channel(self, row: Row[Any], facts: Facts) -> Reached | Broken:
        """The first channel, by the client's and the job's preference, on which the client may and can be reached."""
        channels = self._order(row)
        points = places_of(row)
        reason: Broken | None = None
        for channel in channels:
            found = self._by(channel, row, facts, points)
            if not isinstance(found, Broken):
                return found
            if reason is None or found.code == "opted_out":
                reason = found
        if reason is None or reason.code == "no_contact_point":
            return Broken("no_contact_point", {"channels": list(channels)})
        return reason

    def _by(
        self, channel: str, row: Row[Any], facts: Facts, points: Mapping[str, Place] | None = None
    ) -> Reached | Broken:
        """Where and in which language the client is reached on ``channel``, or why not."""
        there = (places_of(row) if points is None else points).get(channel)
        broken = first_broken(replace(facts, channel=channel, has_address=there is not None), CHANNEL_RULES)
        if broken is not None:
            return broken
        language = language_for(self.plan, channel, row.language)
        if language is None:
            return Broken("language_missing", {"channel": channel, "language": row.language})
        if there is None:
            return Broken("no_contact_point", {"channels": [channel]})
        return channel, *there, language


def context_for(plan: Plan, row: Row[Any], channel: str, language: str) -> dict[str, Any]:
    """Everything a template may use for one client."""
    context = {**plan.fixed[channel, language], **client_context(row, language)}
    if plan.due_on is not None:
        context["due"] = {**context["due"], **due_of(row, plan.due_field, plan.due_on, language)}
    return context


def places_of(row: Row[Any]) -> dict[str, Place]:
    """channel -> (contact point, address) of a client. A call goes to the mobile; a letter to the postal address,
    which is part of the client's file and no contact point."""
    places: dict[str, Place] = {
        channel: (UUID(point), address) for channel, point, address in row.points or ()
    }
    if "sms" in places:
        places.setdefault("call", places["sms"])
    if row.address and row.address.strip():
        places.setdefault("letter", (None, " ".join(f"{row.postcode or ''} {row.address}".split())))
    return places


def mobiles_of(row: Row[Any]) -> list[str]:
    """A client's own mobiles, which may stand in a text to them."""
    return [address for channel, _, address in row.points or () if channel == "sms"]


def payload_for(plan: Plan, channel: str, address: str, language: str, words: Words, name: str) -> Payload:
    """Exactly what the client gets."""
    if channel == "email":
        return Payload(
            channel=channel,
            to=address,
            text=words.text,
            sender=plan.senders.get(language, plan.senders["*"]),
            subject=" ".join(words.subject.split()),
            html=words.html,
            recipient_name=name,
            attachments=plan.attachments,
        )
    return Payload(channel=channel, to=address, text=words.text.strip(), recipient_name=name)


def stopped_by(row: Row[Any], findings: Sequence[Finding], channel: str) -> LeftOut:
    """Left out for what was found in the text; the first blocking finding is the reason."""
    stopping = next(finding for finding in findings if finding.severity == "block")
    return _left(row, _as_broken(stopping, findings), channel)


def _left(row: Row[Any], broken: Broken, channel: str = "") -> LeftOut:
    return LeftOut(row.id, row.branch_id, broken.code, broken.params, channel)


def _as_broken(stopping: Finding, findings: Sequence[Finding]) -> Broken:
    """A blocking finding as a reason of messages/reasons.py."""
    rules = sorted({finding.rule for finding in findings if finding.severity == "block"})
    if stopping.rule in _FINDING_REASONS:
        return Broken(stopping.rule, {"rules": rules, "what": [stopping.advice], "host": "…"})
    return Broken("lexicon", {"rules": rules})


_FINDING_REASONS = frozenset(
    {
        "link_not_allowed",
        "personal_data",
        "names_other_client",
        "unfilled",
        "empty_text",
        "too_long",
        "disclosure_missing",
        "source_missing",
    }
)

# Everything that is on its way to a client or arrived there, waiting messages included: a batch must not add
# to them beyond the cap. A report and its correction count as one.
_ALREADY = text(
    """
    WITH counted AS (
        SELECT c.id AS client_id, c.id AS whose, false AS shared FROM unnest(CAST(:clients AS uuid[])) AS c(id)
        UNION ALL
        -- a family that shares a mobile is one person who reads
        SELECT p.client_id, other.client_id, true
          FROM contact_point p
          JOIN contact_point other ON other.address = p.address AND other.channel = p.channel
                                  AND other.active AND other.client_id <> p.client_id
         WHERE p.client_id = ANY(:clients) AND p.channel = 'sms' AND p.active
    )
    SELECT counted.client_id, m.send_at
      FROM counted JOIN message m ON m.client_id = counted.whose
     WHERE m.occurrence_id <> :occurrence AND (NOT counted.shared OR m.channel = 'sms')
       AND m.state NOT IN ('rejected', 'suppressed', 'expired', 'cancelled', 'failed', 'undelivered')
       -- an alternative counts from when it goes
       AND (m.fallback_of IS NULL OR m.state NOT IN ('held', 'returned', 'approved'))
       AND m.scheduled_month BETWEEN CAST(:month AS date) - interval '1 month'
                                 AND CAST(:month AS date) + interval '1 month'
       AND NOT EXISTS (SELECT FROM occurrence o JOIN feed_item f ON f.id = o.feed_item_id
                        WHERE o.id = m.occurrence_id AND f.superseded_by IS NOT NULL)
    """
)


def other_messages(conn: Connection, plan: Plan, clients: Sequence[UUID]) -> dict[UUID, list[datetime]]:
    """The instants of these clients' other messages around the plan's month, those to whom else reads the same mobile
    included; not asked when there is no cap."""
    found: dict[UUID, list[datetime]] = {}
    if plan.cap == Cap():
        return found
    rows = conn.execute(
        _ALREADY,
        {"clients": list(clients), "occurrence": plan.occurrence_id, "month": plan.scheduled_month},
    )
    for row in rows:
        found.setdefault(row.client_id, []).append(row.send_at)
    return found
