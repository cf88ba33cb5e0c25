"""What an advisor wants to say, and the plan that makes messages of it: the same plan, and the same checks, as a job's.

A free text is dressed like a template: the SMS signature before it, the disclosures that its kind requires (art. 51),
the contacts of a mail (art. 40, 50), and how to opt out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from outreach.composing.audience import Audience
from outreach.composing.authors import advisors_policy, advisors_routes
from outreach.composing.batches import Batch, due_by
from outreach.composing.checks import Requirements, check, required_disclosures
from outreach.composing.context import (
    disclosure_text,
    fixed_context,
    occasion_context,
)
from outreach.composing.dressing import dress, fill
from outreach.composing.load import office_numbers, senders
from outreach.composing.plan import Plan
from outreach.content.approval_formats import Disclosure
from outreach.content.formats import CATEGORIES, TemplateFile
from outreach.content.in_force import (
    TemplateVersion,
    disclosures_in_force,
    lexicons_in_force,
    template_in_force,
    templates_in_force,
)
from outreach.content.render import Rendered
from outreach.core import clock
from outreach.core.errors import BadInput, RuleBroken
from outreach.core.i18n import bilingual
from outreach.core.settings import Settings
from outreach.ledger.work import Work
from outreach.messages.attachments import chosen_attachments
from outreach.messages.material import material_in_use, strictest
from outreach.occasions.festivals import FESTIVALS

WRITTEN = ("sms", "email")  # what a text of one's own goes by, and what is preferred
CHANNELS = (*WRITTEN, "call", "letter")  # by a template with a script or a letter a person carries it out
LARGEST = 500  # clients of one request; more is a job
LONGEST = 5000  # characters of a text
LIFE = timedelta(days=3)  # a request that was not decided and sent by then expires
DEFAULT_WINDOW = "09:00-20:00"
_JUST_NOW = timedelta(minutes=10)  # a form takes a while to fill in
# What only a job can fill: from a feed, or from a date of the client's.
_FROM_JOBS = frozenset({"report", "event", "digest", "due"})


@dataclass(frozen=True)
class RequestDraft:
    """A message in the making. Either ``template`` (its id, with ``values`` for its own text variables) or ``text``
    is given; in a free text ``{称呼}`` and ``{salutation}`` stand for how the client is addressed.

    ``channel``: the one preferred ("": the client's own choice). ``send_at``: not before (None: as soon as it may).
    ``advice`` and ``risk_level`` (1 to 5) say what a free text is, in ``category``. ``attachments`` are ids; with
    one a request goes by mail only.
    """

    client_ids: tuple[UUID, ...]
    text: str = ""
    subject: str = ""
    template: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    channel: str = ""
    category: str = "relationship"
    advice: bool = False
    risk_level: int | None = None
    send_at: datetime | None = None
    attachments: tuple[UUID, ...] = ()


def offered_templates(work: Work) -> list[TemplateVersion]:
    """The templates that an advisor may start from: those that only a job can fill are left out."""
    return [one for one in templates_in_force(work.conn) if not _sources(one.meta) & _FROM_JOBS]


def by_occasion(templates: Iterable[TemplateVersion]) -> list[tuple[str, list[TemplateVersion]]]:
    """(category, its templates) in the order of the categories; within one the festivals as the year brings them,
    then other occasions, then the rest, by name."""
    place = {name: number for number, name in enumerate(FESTIVALS)}
    ordered = sorted(
        templates,
        key=lambda one: (
            place.get(one.meta.occasion or "", len(place) + (one.meta.occasion is None)),
            one.meta.occasion or "",
            one.name,
        ),
    )
    groups = [(name, [one for one in ordered if one.meta.category == name]) for name in CATEGORIES]
    return [(name, found) for name, found in groups if found]


def own_variables(template: TemplateVersion) -> list[str]:
    """The variables of a template that its author fills in."""
    return [name for name, one in template.meta.variables.items() if one.source == "text"]


def asked_for(template: TemplateVersion, locale: str) -> list[tuple[str, str]]:
    """``own_variables`` with what their author reads beside them, in the reader's language."""
    labels = [(name, template.meta.variables[name].label) for name in own_variables(template)]
    chinese = locale.startswith("zh")
    return [(name, (label.zh if chinese else label.en) if label else name) for name, label in labels]


def checked(draft: RequestDraft) -> RequestDraft:
    """The draft itself. Raises BadInput for one that can't be made into messages."""
    if not draft.client_ids:
        raise BadInput("No client is chosen.", mend="Choose at least one.")
    if len(set(draft.client_ids)) > LARGEST:
        raise BadInput(
            f"{len(set(draft.client_ids))} clients are more than one request may have.",
            mend=f"Choose up to {LARGEST}, or ask head office for a job.",
        )
    if bool(draft.template) == bool(draft.text.strip()):
        raise BadInput("There is nothing to say.", mend="Choose a template or write a text.")
    if len(draft.text) > LONGEST or len(draft.subject) > 200:
        raise BadInput(
            "The text is too long.", mend=f"Write up to {LONGEST} characters, a subject up to 200."
        )
    if draft.channel not in ("", *CHANNELS):
        raise BadInput(f"There is no channel {draft.channel!r}.", mend=f"Use one of: {', '.join(CHANNELS)}.")
    if draft.category not in CATEGORIES:
        raise BadInput(
            f"There is no category {draft.category!r}.", mend=f"Use one of: {', '.join(CATEGORIES)}."
        )
    if draft.risk_level is not None and not 1 <= draft.risk_level <= 5:
        raise BadInput(f"R{draft.risk_level} is no risk level.", mend="Use R1 to R5.")
    if draft.send_at is not None and draft.send_at.tzinfo is None:
        raise BadInput("The time to send at has no time zone.", mend="Give one.")
    return draft


def plan_for(work: Work, draft: RequestDraft, occurrence_id: UUID) -> Plan:
    """The plan of a draft. Raises BadInput for an unusable draft, NotFound for an unknown template or a missing
    policy."""
    checked(draft)
    now = clock.now()
    template = template_in_force(work.conn, draft.template) if draft.template else None
    if template is not None:
        _check_values(draft, template)
    category = template.meta.category if template else draft.category
    attached, risk, advice = _carried(work, draft, template, category)
    draft = replace(draft, advice=advice)
    # What was approved for good has no attachment: whoever approves must see this one.
    phrase = bool(template and template.meta.phrase) and not draft.attachments
    policy = advisors_policy(work, category, phrase=phrase)
    if draft.attachments and policy.meta.mode == "standing":
        raise BadInput(
            "What goes out under a standing approval can't have an attachment.",
            mend="Take the attachment out.",
        )
    if draft.send_at is not None and draft.send_at < now - _JUST_NOW:
        raise BadInput("That time is past.", mend="Choose a later one, or leave it empty to send at once.")
    send_at = max(draft.send_at or now, now)
    if send_at > now + timedelta(days=180):
        raise BadInput("That is more than half a year ahead.", mend="Choose an earlier day.")
    send_date = send_at.astimezone(work.settings.zone).date()
    matcher, lexicon_digest = lexicons_in_force(work.conn)
    known = disclosures_in_force(work.conn)
    wanted = (
        list(template.meta.disclosures) if template else required_disclosures(known, draft.category, advice)
    )
    channels = _channels(draft, template)
    if attached:
        if "email" not in channels:
            raise BadInput(
                "Only a mail can have an attachment.", mend="Choose mail, or take the attachment out."
            )
        channels = ("email",)
    title = bilingual(template.meta.title.zh, template.meta.title.en) if template else _OWN_WORDS
    render = template.render if template else partial(free_text, work.settings, draft, known, wanted)
    meta = template.meta if template else None
    return Plan(
        occurrence_id=occurrence_id,
        scheduled_month=send_date.replace(day=1),
        send_date=send_date,
        send_at=send_at,
        expires_at=send_at + LIFE,
        at=None,
        audience=Audience(client_ids=set(draft.client_ids), signer_id=work.actor.staff_id),
        batch=Batch(
            occurrence_id=occurrence_id,
            mode=policy.meta.mode,
            policy_version_id=policy.id,
            template_version_id=template.id if template else None,
            title=title,
            category=category,
            author_id=work.actor.staff_id,
            urgent=False,
            due_by=due_by(now, send_at, policy.meta.time_to_decide),
            send_at=send_at,
            expires_at=send_at + LIFE,
        ),
        routes=advisors_routes(work, policy, category),
        own_characters=sum(map(len, own_words(draft, template))),
        per_branch=policy.meta.scope == "branch",
        channels=channels,
        send_window=work.settings.send_window or DEFAULT_WINDOW,
        category=category,
        occasion=(meta.occasion or "") if meta else "",
        greeting=(meta.occasion or draft.template) if meta and meta.greeting else "",
        risk_level=risk,
        advice=advice,
        urgent=False,
        signed=True,
        attachments=attached,
        languages=_languages(channels, template),
        fallback={"*": meta.fallback_language} if meta and meta.fallback_language else {},
        template_version_id=template.id if template else None,
        author_id=work.actor.staff_id,
        lexicon_digest=lexicon_digest,
        render=render,
        check=partial(
            check,
            wanted=Requirements(
                matcher=matcher,
                known=known,
                disclosures=wanted,
                numbers=office_numbers(work),
                greeting=bool(meta and meta.greeting),
                locale=work.settings.locale,
                links={*work.settings.link_hosts, *(meta.allowed_links if meta else ())},
                advice=advice,
            ),
        ),
        fixed=_fixed(work, draft, template, channels, known, wanted, send_at),
        senders=senders(work),
    )


def _carried(
    work: Work, draft: RequestDraft, template: TemplateVersion | None, category: str
) -> tuple[tuple[str, ...], int | None, bool]:
    """What is attached, and the risk level and advice of the whole: approved material carries its own into the message,
    so suitability and qualification are asked for it (Measures on suitability, art. 22; art. 19, 41)."""
    attached = chosen_attachments(work, draft.attachments)
    risk, advice = draft.risk_level, draft.advice
    if template is not None:
        risk = int(template.meta.risk_level[1]) if template.meta.risk_level else None
        advice = template.meta.advice
    used = material_in_use(work, attached, category)
    risk, carried = strictest(used, risk, advice)
    if template is not None and carried and not advice:
        told = next(one.title for one in used if one.advice)
        raise RuleBroken(
            f"“{told}” is investment advice, and this template is not.",
            rule="material_advice",
            article="art. 51",
            mend="Write in your own words, which then have the disclosures that advice needs, or take it out.",
        )
    return attached, risk, carried


def own_words(draft: RequestDraft, template: TemplateVersion | None) -> list[str]:
    """What of a draft its author wrote: a free text with its subject, or what was filled into a template."""
    if template is None:
        return [draft.text, draft.subject]
    return [draft.values.get(name, "") for name in sorted(own_variables(template))]


def first_words(draft: RequestDraft) -> str:
    """The subject of a mail that has none: the beginning of the text, to nobody."""
    line = " ".join(fill(draft.subject or draft.text, "").split()).lstrip("，,、 ")
    return line if len(line) <= 30 else line[:29] + "…"


def free_text(
    settings: Settings,
    draft: RequestDraft,
    known: Mapping[str, Disclosure],
    wanted: list[str],
    channel: str,
    language: str,
    context: Mapping[str, Any],
) -> Rendered:
    """The author's own words to one client, dressed for the channel."""
    salutation = str(context["client"]["salutation"])
    said = fill(draft.text, salutation)
    subject = fill(draft.subject, salutation) or first_words(draft)
    disclosures = disclosure_text(known, wanted, language)
    text = dress(settings, channel, language, said, disclosures, context, advice=draft.advice)
    return Rendered(subject=subject if channel == "email" else "", text=text, html="")


# A title that says nothing of the text: bodies lie sealed, and nowhere else.
_OWN_WORDS = bilingual("自拟文字", "Own words")


def _sources(meta: TemplateFile) -> set[str]:
    return {one.source for one in meta.variables.values()}


def _channels(draft: RequestDraft, template: TemplateVersion | None) -> tuple[str, ...]:
    possible = [one for one in CHANNELS if one in (template.meta.channels if template else WRITTEN)]
    if draft.channel:
        if draft.channel not in possible:
            said = f"{draft.template} has no text" if template else "A text of your own is not made"
            raise BadInput(f"{said} for {draft.channel}.", mend="Choose another channel.")
        return (draft.channel,)
    # A call or a letter is somebody's work: it is asked for, or all there is.
    return tuple([one for one in possible if one in WRITTEN] or possible)


def _languages(channels: tuple[str, ...], template: TemplateVersion | None) -> dict[str, tuple[str, ...]]:
    return {channel: template.languages(channel) if template else ("zh-CN", "en") for channel in channels}


def _fixed(
    work: Work,
    draft: RequestDraft,
    template: TemplateVersion | None,
    channels: tuple[str, ...],
    known: Mapping[str, Disclosure],
    wanted: list[str],
    send_at: datetime,
) -> dict[tuple[str, str], dict[str, Any]]:
    extra: dict[str, Any] = {}
    names = ("", "")
    if template is not None:
        for name in own_variables(template):
            _place(extra, name, draft.values.get(name, ""))
        festival = FESTIVALS.get(template.meta.occasion or "")
        title = template.meta.title
        names = (festival.zh, festival.en) if festival else (title.zh, title.en)
    on = send_at.astimezone(work.settings.zone).date()
    fixed: dict[tuple[str, str], dict[str, Any]] = {}
    for channel, languages in _languages(channels, template).items():
        for language in languages:
            occasion = {"occasion": occasion_context(*names, on, language)}
            fixed[channel, language] = fixed_context(
                work.settings,
                channel,
                language,
                disclosure_text(known, wanted, language),
                {**occasion, **extra},
            )
    return fixed


def _check_values(draft: RequestDraft, template: TemplateVersion) -> None:
    """Raises BadInput for a template that an advisor can't start from, and for a gap that was not filled in."""
    if _sources(template.meta) & _FROM_JOBS:
        raise BadInput(
            f"{draft.template} is filled by its job, from a feed or from a date of the client's.",
            mend="Choose another template.",
        )
    for name in own_variables(template):
        value = draft.values.get(name, "")
        if not value.strip() or len(value) > LONGEST:
            raise BadInput(f"“{name}” is empty or too long.", mend=f"Write up to {LONGEST} characters.")


def _place(values: dict[str, Any], dotted: str, value: str) -> None:
    *path, last = dotted.split(".")
    for part in path:
        values = values.setdefault(part, {})
    values[last] = value
