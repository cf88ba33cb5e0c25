"""Rehearsing a job: what it would say on a date to chosen or random clients, in each language and channel.

The occurrence is made and loaded by the code that makes a real one, inside a savepoint that is always taken back:
nothing of it is stored, and nothing is different from the day itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from jinja2 import TemplateError
from sqlalchemy import Row, text

from outreach.composing.audience import LEAST, Audience, draw, read_chunk
from outreach.composing.chunk import Composer, context_for, mobiles_of, other_messages
from outreach.composing.corrections import Corrected
from outreach.composing.digest import choose_items
from outreach.composing.load import load_plan
from outreach.composing.plan import Plan
from outreach.composing.requests import masked
from outreach.content.in_force import JobVersion, job_in_force
from outreach.content.sms import sms_length
from outreach.core import clock
from outreach.core.access import Permission, Role, require
from outreach.core.database import taken_back
from outreach.core.errors import BadInput, NotFound
from outreach.core.ids import new_id
from outreach.ledger.work import Work
from outreach.messages.copying import NewMessage
from outreach.messages.findings import Finding
from outreach.messages.reasons import Words as Reason
from outreach.messages.reasons import words as in_words
from outreach.occasions.triggers import Firing, next_firing
from outreach.occasions.windows import at_local
from outreach.scheduling.jobs import plan_of
from outreach.scheduling.occurrences import add_occurrence
from outreach.scheduling.plan import Plan as Schedule

MOST = 50  # clients of one rehearsal
_YEARS = timedelta(days=800)


@dataclass(frozen=True)
class Variant:
    """One rendering: a channel and a language. ``segments`` is of an SMS, 0 elsewhere; ``error`` says why there is
    no text."""

    channel: str
    language: str
    subject: str = ""
    text: str = ""
    html: str = ""
    segments: int = 0
    findings: tuple[Finding, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Rehearsed:
    """One client: what would go out (``channel``, ``language``, masked ``to``, ``send_at``), or why nothing would
    (``stopped``); and every variant of the text."""

    client_id: UUID
    client_no: str
    client_name: str
    channel: str
    language: str
    to: str
    send_at: datetime | None
    stopped: Reason | None
    variants: tuple[Variant, ...]


@dataclass(frozen=True)
class Rehearsal:
    """A job on a date. ``fires`` is false when the job has no firing on it; ``next_on`` is its next one then.
    ``audience`` counts whom it is for within the actor's scope, before consent and limits; ``item`` is the feed's
    item it was rehearsed with."""

    job: str
    title_zh: str
    title_en: str
    on: date
    fires: bool
    next_on: date | None
    audience: int
    item: str
    seed: str
    clients: tuple[Rehearsed, ...]


def rehearse(
    work: Work,
    job_name: str,
    on: date,
    *,
    client_nos: Sequence[str] = (),
    size: int = 5,
    seed: str = "",
    item_key: str = "",
    locale: str | None = None,
) -> Rehearsal:
    """What ``job_name`` would say on ``on``, to the clients of ``client_nos`` or to ``size`` drawn by ``seed``.

    Stores nothing. A feed's job is rehearsed with its newest item, or with the one named. Raises Forbidden
    without the permission to read messages, NotFound for an unknown job, item or client beyond the scope,
    BadInput for an unusable date or number.
    """
    require(work.actor, Permission.READ_MESSAGES)
    if not 1 <= size <= MOST or len(client_nos) > MOST:
        raise BadInput(f"A rehearsal shows 1 to {MOST} clients.", mend="Ask for fewer.")
    today = clock.today(work.settings.zone)
    if abs((on - today).days) > _YEARS.days:
        raise BadInput(f"{on.isoformat()} is too far away.", mend="Choose a day within two years.")
    job = job_in_force(work.conn, job_name)
    schedule = plan_of(work.conn, job)
    tongue = locale or work.settings.locale
    item_id, item = _item(work, job, item_key)
    firing = _firing_on(schedule, on, job, work.settings.zone)
    fires = schedule.feed is not None or firing is not None
    with taken_back(work.conn):
        plan = _plan(work, schedule, job, firing, on, item_id)
        only = _only(work, plan.audience)
        wanted = _by_number(work, client_nos)
        ids, total = draw(work.conn, only, seed=seed, size=size)
        if wanted:
            ids = list(wanted)
        clients = _clients(work, plan, only, ids, tongue)
    return Rehearsal(
        job=job_name,
        title_zh=job.meta.title.zh,
        title_en=job.meta.title.en,
        on=on,
        fires=fires,
        next_on=None if fires else _next_on(schedule, on, work.settings.zone),
        audience=total,
        item=item,
        seed=seed,
        clients=tuple(sorted(clients, key=lambda one: one.client_no)),
    )


_ITEM = text(
    """
    SELECT id, item_key, coalesce(data ->> 'title', data ->> 'headline', item_key) AS said FROM feed_item
     WHERE kind = :kind AND superseded_by IS NULL AND (:key = '' OR item_key = :key)
       AND (cardinality(CAST(:types AS text[])) = 0 OR item_type = ANY(:types))
       AND NOT item_type = ANY(CAST(:others AS text[]))
     ORDER BY issued_at DESC, id DESC LIMIT 1
    """
)


def _item(work: Work, job: JobVersion, key: str) -> tuple[UUID | None, str]:
    trigger = job.meta.trigger
    if trigger.kind != "feed":
        if key:
            raise BadInput(f"{job.name} is not fired by a feed's item.", mend="Leave the item out.")
        return None, ""
    row = work.conn.execute(
        _ITEM,
        {
            "kind": trigger.feed,
            "key": key,
            "types": list(trigger.types),
            "others": list(trigger.except_types),
        },
    ).one_or_none()
    if row is None:
        raise NotFound(
            f"There is no such item of the feed {trigger.feed}."
            if key
            else f"{trigger.feed} has no item yet.",
            mend="Import one, or name another.",
        )
    return row.id, f"{row.item_key} {row.said}"


def _firing_on(schedule: Schedule, on: date, job: JobVersion, zone: ZoneInfo) -> Firing | None:
    """The job's firing whose messages are sent on ``on``, if it has one."""
    if schedule.feed is not None:
        return None
    start = at_local(on, time(0, 0), zone)
    for firing in schedule.due(start - timedelta(days=100), start + timedelta(days=2)):
        if (firing.send_date or firing.send_at.astimezone(ZoneInfo(job.meta.zone)).date()) == on:
            return firing
    return None


def _next_on(schedule: Schedule, on: date, zone: ZoneInfo) -> date | None:
    firing = next_firing(schedule.trigger, at_local(on, time(0, 0), zone), _YEARS)
    return firing.send_date or firing.send_at.astimezone(zone).date() if firing else None


def _plan(
    work: Work, schedule: Schedule, job: JobVersion, firing: Firing | None, on: date, item_id: UUID | None
) -> Plan:
    """The plan of an occurrence that is made for this rehearsal only."""
    if firing is None:
        send_at = at_local(on, job.meta.at, ZoneInfo(job.meta.zone))
        firing = Firing(send_at, send_at, on.isoformat(), on)
    occurrence_id = add_occurrence(
        work,
        schedule,
        f"rehearsal {new_id()}",
        send_date=firing.send_date,
        send_at=firing.send_at,
        expires_at=schedule.expires_at(firing),
        feed_item_id=item_id,
    )
    if occurrence_id is None:  # the key is new: there can't be another
        raise NotFound("The rehearsal could not be prepared.", mend="Try again.")
    if job.meta.digest is not None:
        choose_items(work.conn, occurrence_id, job.meta.digest)
    plan = load_plan(work, occurrence_id)
    # Whom an item's earlier version reached belongs to the real occurrence only.
    return replace(plan, audience=replace(plan.audience, corrected=Corrected()))


def _only(work: Work, audience: Audience) -> Audience:
    """The audience within the branch walls; an advisor's own clients (P7)."""
    scope = work.actor.scope(Permission.READ_MESSAGES)
    narrowed = replace(audience, branch_ids=scope)
    if work.actor.roles() == {Role.ADVISOR}:
        narrowed = replace(narrowed, advisor_id=work.actor.staff_id)
    return narrowed


_BY_NUMBER = text("SELECT id, client_no FROM client WHERE client_no = ANY(:numbers)")


def _by_number(work: Work, numbers: Sequence[str]) -> list[UUID]:
    wanted = sorted({one.strip() for one in numbers if one.strip()})
    if not wanted:
        return []
    found = {row.client_no: row.id for row in work.conn.execute(_BY_NUMBER, {"numbers": wanted})}
    missing = [one for one in wanted if one not in found]
    if not missing:
        mine, _ = draw(
            work.conn, replace(_only(work, Audience()), client_ids=list(found.values())), seed="", size=MOST
        )
        missing = [number for number, one in found.items() if one not in set(mine)]
    if missing:
        raise NotFound(
            f"There is no client {', '.join(missing)} among yours.", mend="Check the client number."
        )
    return list(found.values())


def _clients(work: Work, plan: Plan, only: Audience, ids: Sequence[UUID], locale: str) -> list[Rehearsed]:
    """Each client as the job would treat them, and, whether or not it is for them, every variant."""
    if not ids:
        return []
    chosen = Audience(client_ids=list(ids), signer_id=plan.audience.signer_id)
    in_it = {row.id: row for row in _read(work, plan, replace(only, client_ids=list(ids)))}
    others = {row.id: row for row in _read(work, plan, chosen) if row.id not in in_it}
    composer = Composer.of(plan, work.keys, min(clock.now(), plan.send_at), work.settings.zone)
    already = other_messages(work.conn, plan, list(in_it))
    found: list[Rehearsed] = []
    for row in [*in_it.values(), *others.values()]:
        messages, left = composer.compose([row], already) if row.id in in_it else ([], [])
        stopped = None
        if row.id not in in_it:
            stopped = in_words("not_in_audience", {}, locale)
        elif left and not messages:
            stopped = in_words(left[0].code, left[0].params, locale)
        found.append(_rehearsed(plan, row, messages[0] if messages else None, stopped))
    return found


def _read(work: Work, plan: Plan, audience: Audience) -> Sequence[Row[Any]]:
    return read_chunk(
        work.conn,
        audience,
        occurrence_id=plan.occurrence_id,
        month=plan.scheduled_month,
        after=LEAST,
        size=MOST,
    )


def _rehearsed(plan: Plan, row: Row[Any], message: NewMessage | None, stopped: Reason | None) -> Rehearsed:
    return Rehearsed(
        client_id=row.id,
        client_no=row.client_no,
        client_name=row.name,
        channel=message.channel if message else "",
        language=message.language if message else "",
        to=masked(message.channel, message.payload.to) if message else "",
        send_at=message.send_at if message else None,
        stopped=stopped,
        variants=tuple(_variant(plan, row, *key) for key in sorted(plan.fixed)),
    )


def _variant(plan: Plan, row: Row[Any], channel: str, language: str) -> Variant:
    try:
        words = plan.render(channel, language, context_for(plan, row, channel, language))
    except (BadInput, TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        return Variant(channel, language, error=str(error))
    return Variant(
        channel=channel,
        language=language,
        subject=words.subject,
        text=words.text,
        html=words.html,
        segments=sms_length(words.text).segments if channel == "sms" else 0,
        findings=tuple(plan.check(channel, language, words, own=mobiles_of(row))),
    )
