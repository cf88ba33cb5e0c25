"""Loading an occurrence's plan: every version that is pinned to it, and what of them all its clients share."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from outreach.composing.audience import Audience, BirthdayKind
from outreach.composing.batches import Batch, due_by
from outreach.composing.checks import Requirements, check
from outreach.composing.context import (
    disclosure_text,
    due_context,
    feed_context,
    firm_name,
    fixed_context,
    occasion_context,
)
from outreach.composing.corrections import Corrected, corrected_by, titles_corrected
from outreach.composing.digest import digest_context, items_of, made_before
from outreach.composing.plan import Plan
from outreach.composing.routing import routes_for
from outreach.composing.same_text import template_source, text_key
from outreach.content.approval_formats import Disclosure
from outreach.content.formats import ClientDateTrigger, FeedTrigger, JobFile, Title
from outreach.content.in_force import (
    TemplateVersion,
    disclosures_in_force,
    job_version,
    lexicons_in_force,
    policies_in_force,
    policy_version,
    template_version,
)
from outreach.content.links import hosts_of
from outreach.core import clock
from outreach.core.errors import NotFound
from outreach.core.i18n import bilingual
from outreach.ledger.work import Work
from outreach.messages.rules import Cap
from outreach.occasions.dues import sources_of
from outreach.occasions.festivals import FESTIVALS

_OCCURRENCE = text(
    """
    SELECT o.*, f.kind AS feed_kind, f.code AS feed_code, f.item_type AS feed_type, f.risk_level AS feed_risk,
           f.data AS feed_data
      FROM occurrence o LEFT JOIN feed_item f ON f.id = o.feed_item_id
     WHERE o.id = :id
    """
)
_BRANCH_NUMBERS = text("SELECT phone FROM branch UNION SELECT complaint_phone FROM branch")
_STAFF_NUMBERS = text("SELECT phone FROM staff WHERE status = 'active' AND phone <> ''")


def load_plan(work: Work, occurrence_id: UUID) -> Plan:
    """The plan of a job's occurrence. Raises NotFound when the occurrence or a pinned version is missing."""
    row = work.conn.execute(_OCCURRENCE, {"id": occurrence_id}).one_or_none()
    if row is None or row.job_version_id is None:
        raise NotFound("There is no such occurrence of a job.", mend="Look at the list of occurrences.")
    job = job_version(work.conn, row.job_version_id).meta
    template = template_version(work.conn, row.template_version_id)
    policy = policy_version(work.conn, row.policy_version_id)
    meta = template.meta
    now = clock.now()
    matcher, lexicon_digest = lexicons_in_force(work.conn)
    known = disclosures_in_force(work.conn)
    items = items_of(work.conn, row.id) if job.digest else []
    wanted = Requirements(
        matcher=matcher,
        known=known,
        disclosures=meta.disclosures,
        numbers=office_numbers(work),
        greeting=meta.greeting,
        locale=work.settings.locale,
        links=item_hosts(work, row.id) | set(work.settings.link_hosts) | set(meta.allowed_links),
        advice=meta.advice,
    )
    extra: Mapping[str, Any] = {}
    codes = {row.feed_code} if row.feed_code else {item.code for item in items if item.code}
    if job.digest is not None:
        earlier = titles_corrected(work.conn, [item.id for item in items])
        extra = digest_context(job.digest, row.send_at, items, work.settings.zone, earlier)
    corrected = Corrected()
    if row.feed_item_id is not None:
        corrected = corrected_by(work.conn, row.feed_item_id, row.job_name)
    if row.feed_data is not None:
        extra = feed_context(row.feed_kind, row.feed_data, work.settings.zone)
    risk = _risk_level(meta.risk_level, row.feed_risk, items)
    about = [
        row.feed_item_id,
        *(item.id for item in items),
    ]  # the same template about something else says other words
    return Plan(
        occurrence_id=row.id,
        scheduled_month=row.scheduled_month,
        send_date=row.send_date,
        send_at=row.send_at,
        expires_at=row.expires_at,
        at=None if row.feed_item_id else job.at,
        audience=replace(_audience(work.conn, job, row, codes), corrected=corrected),
        batch=Batch(
            occurrence_id=row.id,
            mode=policy.meta.mode,
            policy_version_id=policy.id,
            template_version_id=template.id,
            title=_title(meta.title, row),
            category=meta.category,
            author_id=template.last_editor,
            urgent=job.urgent,
            due_by=due_by(now, row.send_at, policy.meta.time_to_decide),
            send_at=max(row.send_at, now),
            expires_at=row.expires_at,
            text_hash=text_key(
                work.keys, template_source(template), *sorted(str(one) for one in about if one)
            ),
        ),
        routes=routes_for(policies_in_force(work.conn), policy, meta.category, "jobs"),
        per_branch=policy.meta.scope == "branch",
        channels=job.reach,
        falls_through=job.falls_through,
        send_window=work.settings.send_window or job.window,
        category=meta.category,
        occasion=meta.occasion or "",
        greeting=meta.occasion or template.name if meta.greeting else "",
        risk_level=risk,
        advice=meta.advice,
        urgent=job.urgent,
        signed=job.in_name_of == "advisor",
        languages={channel: template.languages(channel) for channel in job.reach},
        fallback={"*": meta.fallback_language} if meta.fallback_language else {},
        template_version_id=template.id,
        author_id=template.last_editor,
        lexicon_digest=lexicon_digest,
        render=template.render,
        check=partial(check, wanted=wanted),
        fixed=_fixed(work, template, known, job, row, extra),
        senders=senders(work),
        cap=Cap(job.frequency_cap.per_day, job.frequency_cap.per_month),
        life=None if row.feed_item_id else job.expiry,
        product_codes=tuple(sorted(codes)),
        feed_item_id=row.feed_item_id,
        due_on=_due_on(job, row.send_date),
        due_field=job.trigger.field if isinstance(job.trigger, ClientDateTrigger) else "",
    )


def _risk_level(of_template: str | None, of_item: int | None, items: Sequence[Row[Any]]) -> int | None:
    """The item's risk; of a digest the highest of its items'; else the template's own. 1 to 5."""
    levels = [item.risk_level for item in items if item.risk_level is not None]
    if of_item is not None or levels:
        return max(levels, default=of_item)
    return int(of_template[1]) if of_template else None


def office_numbers(work: Work) -> frozenset[str]:
    """The numbers that may stand in a text: the branches' and the staff's own."""
    numbers = set(work.conn.execute(_BRANCH_NUMBERS).scalars()) | set(
        work.conn.execute(_STAFF_NUMBERS).scalars()
    )
    return frozenset(number for number in numbers if number)


def senders(work: Work) -> dict[str, str]:
    """The name a mail goes out under, by language."""
    names = {language: firm_name(work.settings, language) for language in ("zh-CN", "en")}
    return names | {"*": names["zh-CN"]}


def _fixed(
    work: Work,
    template: TemplateVersion,
    known: Mapping[str, Disclosure],
    job: JobFile,
    row: Row[Any],
    extra: Mapping[str, Any],
) -> dict[tuple[str, str], dict[str, Any]]:
    """What is the same for every client, by channel and language."""
    festival = FESTIVALS.get(template.meta.occasion or "")
    fixed: dict[tuple[str, str], dict[str, Any]] = {}
    for channel in job.reach:
        for language in template.languages(channel):
            disclosures = disclosure_text(known, template.meta.disclosures, language)
            names = (
                (festival.zh, festival.en) if festival else (template.meta.title.zh, template.meta.title.en)
            )
            occasion = {"occasion": occasion_context(*names, row.send_date, language)}
            about = _due_on(job, row.send_date)
            if about is not None:
                occasion["due"] = due_context(about, row.send_date, language)
            fixed[channel, language] = fixed_context(
                work.settings, channel, language, disclosures, {**occasion, **extra}
            )
    return fixed


_ITEM_LINKS = text(
    """
    SELECT f.data ->> 'url' AS url, f.data ->> 'source_url' AS source_url
      FROM feed_item f
     WHERE f.id = (SELECT feed_item_id FROM occurrence WHERE id = :id)
        OR f.id IN (SELECT feed_item_id FROM occurrence_item WHERE occurrence_id = :id)
    """
)


def item_hosts(work: Work, occurrence_id: UUID) -> frozenset[str]:
    """The hosts that the feed items of an occurrence lead to: they were looked at when the items came in."""
    return hosts_of(
        address for row in work.conn.execute(_ITEM_LINKS, {"id": occurrence_id}) for address in row
    )


def _title(title: Title, row: Row[Any]) -> str:
    """What the submission is about in both languages: an item by its headline, a dated occasion by its day."""
    zh, en = title.zh, title.en
    headline = _headline(row.feed_data) if row.feed_data is not None else ""
    if headline:
        zh, en = f"{zh}：{headline}", f"{en}: {headline}"
    elif row.feed_data is None and row.send_date is not None:
        zh, en = (f"{one} {row.send_date.isoformat()}" for one in (zh, en))
    return bilingual(zh[:200], en[:200])


def _headline(data: Mapping[str, Any]) -> str:
    return str(data.get("title") or data.get("headline") or "")


def _audience(conn: Connection, job: JobFile, row: Row[Any], codes: Collection[str]) -> Audience:
    """Whom the job is for on this occasion: its own narrowing, the item's holders, the day's birthdays."""
    wanted = job.audience
    holders = set(wanted.holders_of)
    if wanted.holders:
        holders |= set(codes)
    feed, types = row.feed_kind or (job.digest.feed if job.digest else ""), (row.feed_type, "*")
    audience = Audience(
        tiers=wanted.tiers,
        branches=wanted.branches,
        risk_classes=wanted.risk_classes,
        tags=wanted.tags,
        languages=wanted.languages,
        kinds=(wanted.kind,) if wanted.kind else (),
        holders_of=holders,
        subscribed_to=feed if wanted.subscribers else "",
        subscribed_types=types if row.feed_kind else (),
    )
    trigger = job.trigger
    if isinstance(trigger, FeedTrigger) and not trigger.takes(row.feed_type):
        # The type itself was corrected to one that this job does not listen to: only whom it told wrongly.
        return replace(audience, only_corrected=True)
    if wanted.by_code_only and not holders:
        # Nobody holds a code that there is not; only whom an earlier version told.
        audience = replace(audience, only_corrected=True)
    if job.digest is not None:
        return replace(audience, redone=made_before(conn, row.job_name, row.occurrence_key))
    if not isinstance(trigger, ClientDateTrigger) or row.send_date is None:
        return audience
    day = due_on(trigger, row.send_date)
    if trigger.field in _BIRTHDAYS:
        return replace(audience, birthday_on=day, birthdays=_BIRTHDAYS[trigger.field])
    days = [day] if trigger.yearly else sources_of(day, years=trigger.years, months=trigger.months)
    if trigger.fact is not None:
        return replace(audience, fact=trigger.fact, dated_on=days)
    return replace(audience, dated_field=trigger.field, dated_on=days, yearly=trigger.yearly)


def due_on(trigger: ClientDateTrigger, send_date: date) -> date:
    """The date that messages sent on ``send_date`` are about: so many days before it (after it when negative)."""
    return send_date - timedelta(days=trigger.offset_days)


def _due_on(job: JobFile, send_date: date | None) -> date | None:
    trigger = job.trigger
    return due_on(trigger, send_date) if isinstance(trigger, ClientDateTrigger) and send_date else None


_BIRTHDAYS: dict[str, BirthdayKind] = {
    "birthday": "any",
    "birth_date": "solar",
    "lunar_birthday": "lunar",
}
