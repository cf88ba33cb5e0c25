"""What is looked for in every text before a person sees it: lexicon, unfilled slots, disclosures, length, personal
data. Pure; what needs the database (other clients' names) is in ``other_names``."""

import html
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from outreach.composing.plan import Words
from outreach.content.approval_formats import Disclosure
from outreach.content.cited import cites_source
from outreach.content.links import is_allowed, links_in, targets_in
from outreach.content.matcher import Hit, Matcher
from outreach.content.personal import find_personal_data, is_one_of
from outreach.content.slots import unfilled_slots
from outreach.content.sms import sms_length
from outreach.messages.findings import Finding, Severity
from outreach.messages.reasons import words as in_words

SMS_LIMIT = 10  # segments; more is a letter, and gateways refuse it
_GREETING = 1  # a greeting should fit one segment
_TAGS = re.compile(r"<(?:style|head)\b.*?</(?:style|head)>|<[^>]*>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Requirements:
    """What a text of this kind must satisfy. ``disclosures`` are the ids that must stand in it; ``numbers`` the
    telephone numbers that may (the branch's and the author's), ``links`` the hosts that a link may lead to. ``advice``
    must say who published it and when."""

    matcher: Matcher
    known: Mapping[str, Disclosure]
    disclosures: Sequence[str] = ()
    numbers: Collection[str] = ()
    greeting: bool = False
    locale: str = "zh-CN"
    links: Collection[str] = ()
    advice: bool = False


def required_disclosures(known: Mapping[str, Disclosure], category: str, advice: bool) -> list[str]:
    """The disclosures that a free text of ``category`` must carry (art. 51)."""
    return [name for name, one in known.items() if category in one.categories or (one.advice and advice)]


def check(
    channel: str, language: str, words: Words, wanted: Requirements, *, own: Collection[str] = ()
) -> list[Finding]:
    """Every finding in a rendered text, by field and place. ``own`` are the recipient's own mobiles: they may stand.

    A ``block`` must not go out; a ``flag`` needs a person's eyes; a ``hint`` is advice to the author.
    """
    findings: list[Finding] = []
    fields = {"text": words.text}
    if channel == "email":
        fields["subject"] = words.subject
        if not words.subject.strip():
            findings.append(_of("empty_text", "block", "subject", 0, 0, wanted))
    if not words.text.strip():
        findings.append(_of("empty_text", "block", "text", 0, 0, wanted))
    for field, text in fields.items():
        findings += _in_field(field, text, wanted, own)
    if words.html:
        findings += _in_html(words.html, findings, wanted, own)
    missing = missing_disclosures(words.text, language, wanted)
    if missing:
        said = in_words("disclosure_missing", {"disclosures": missing}, wanted.locale)
        findings.append(Finding("disclosure_missing", said.article, "block", "text", 0, 0, said.reason))
    if wanted.advice and not cites_source(words.text):
        findings.append(_of("source_missing", "block", "text", 0, 0, wanted))
    if channel == "sms":
        findings += _length(words.text, wanted)
    return findings


def missing_disclosures(text: str, language: str, wanted: Requirements) -> list[str]:
    """The required disclosures whose wording does not stand in ``text``."""
    condensed = "".join(text.split())
    missing: list[str] = []
    for name in wanted.disclosures:
        one = wanted.known.get(name)
        if one is None:
            continue
        wording = one.zh if language.startswith("zh") else one.en
        if "".join(wording.split()).rstrip("。.") not in condensed:
            missing.append(wording)
    return missing


def _in_field(field: str, text: str, wanted: Requirements, own: Collection[str]) -> list[Finding]:
    chinese = wanted.locale.startswith("zh")
    findings = [
        Finding(
            hit.rule,
            hit.article,
            hit.severity,
            field,
            hit.start,
            hit.end,
            hit.why_zh if chinese else hit.why_en,
        )
        for hit in longest(wanted.matcher.find(text))
    ]
    for start, end in unfilled_slots(text):
        findings.append(_of("unfilled", "block", field, start, end, wanted, variable="…"))
    for link in links_in(text):
        if not is_allowed(link.host, wanted.links):
            findings.append(
                _of("link_not_allowed", "block", field, link.start, link.end, wanted, host=link.host or "?")
            )
    for place in find_personal_data(text, wanted.numbers):
        if place.kind == "mobile" and is_one_of(text[place.start : place.end], own):
            continue
        kind = "mobile_number" if place.kind == "mobile" else place.kind
        findings.append(_of("personal_data", "block", field, place.start, place.end, wanted, what=[kind]))
    return findings


def longest(hits: Sequence[Hit]) -> list[Hit]:
    """``hits`` without those that lie inside a longer one of the same rule: 稳赚不赔 is said once, not as 稳赚 too."""
    return [
        hit
        for hit in hits
        if not any(
            other is not hit
            and other.rule == hit.rule
            and other.start <= hit.start
            and hit.end <= other.end
            and (other.end - other.start) > (hit.end - hit.start)
            for other in hits
        )
    ]


def _in_html(
    source: str, found: Sequence[Finding], wanted: Requirements, own: Collection[str]
) -> list[Finding]:
    """What only the HTML part says. Its places are those of its source, which the page does not show: none."""
    known = {(finding.rule, finding.severity) for finding in found}
    for host in targets_in(source):
        if not is_allowed(host, wanted.links) and ("link_not_allowed", "block") not in known:
            return [_of("link_not_allowed", "block", "html", 0, 0, wanted, host=host or "?")]
    inside = _in_field("html", html.unescape(_TAGS.sub(" ", source)), wanted, own)
    fresh = {(finding.rule, finding.severity): finding for finding in inside}
    return [
        Finding(one.rule, one.article, one.severity, "html", 0, 0, one.advice)
        for key, one in sorted(fresh.items())
        if key not in known
    ]


def _length(text: str, wanted: Requirements) -> list[Finding]:
    segments = sms_length(text).segments
    if segments > SMS_LIMIT:
        return [_of("too_long", "block", "text", 0, 0, wanted, segments=segments, limit=SMS_LIMIT)]
    if wanted.greeting and segments > _GREETING:
        return [_of("too_long", "hint", "text", 0, 0, wanted, segments=segments, limit=_GREETING)]
    return []


def _of(
    code: str, severity: Severity, field: str, start: int, end: int, wanted: Requirements, **params: object
) -> Finding:
    said = in_words(code, params, wanted.locale)
    return Finding(code, said.article, severity, field, start, end, f"{said.reason}{said.mend}")
