"""A draft of content as its readers would get it: the template's samples rendered and checked, its faults, and what a
drafted lexicon finds in a sentence. Nothing is stored."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from outreach.composing.checks import Requirements, check, longest
from outreach.composing.load import office_numbers
from outreach.content.check import read_samples
from outreach.content.faults import Fault
from outreach.content.formats import TemplateFile
from outreach.content.links import hosts_of
from outreach.content.loader import Source
from outreach.content.matcher import Hit, Matcher, compile_lexicons
from outreach.content.proof import Proof, proof_of
from outreach.content.render import Rendered
from outreach.content.sms import SmsLength, sms_length
from outreach.content.tree import path_of
from outreach.content.trial import Tried, Try, try_out
from outreach.core.access import Permission, require
from outreach.ledger.work import Work
from outreach.messages.findings import Finding

LONGEST_SENTENCE = 2000  # characters


@dataclass(frozen=True)
class Rendering:
    """A sample as a client would get it on ``channel`` in ``language``; with ``error`` it could not be rendered."""

    channel: str
    language: str
    sample: str
    subject: str = ""
    text: str = ""
    html: str = ""
    length: SmsLength | None = None
    findings: tuple[Finding, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Proofread:
    """``faults`` by the file's name in the draft, ``elsewhere`` those that the draft brings about in other files;
    ``hits`` are places of ``sentence`` that the lexicons find, the draft's among them."""

    faults: Mapping[str, tuple[Fault, ...]]
    elsewhere: tuple[Fault, ...]
    renderings: tuple[Rendering, ...] = ()
    sentence: str = ""
    hits: tuple[Hit, ...] = ()

    @property
    def to_mend(self) -> int:
        """How many faults must be mended before it can be put up."""
        return sum(len(found) for found in self.faults.values()) + len(self.elsewhere)

    @property
    def to_look_at(self) -> int:
        """How many findings there are in the renderings, each rule counted once a rendering."""
        return sum(len({one.rule for one in made.findings}) for made in self.renderings)


def proofread(
    work: Work, kind: str, name: str, files: Mapping[str, str], locale: str, *, sentence: str = ""
) -> Proofread:
    """Judge ``files`` as the next version of (kind, name), in the reader's language.

    Raises Forbidden without the permission to publish, BadInput for a file that there can't be.
    """
    require(work.actor, Permission.PUBLISH)
    proof = proof_of(work.conn, kind, name, files)
    matcher = compile_lexicons([source.meta for source in proof.content.lexicons.values()])
    names = {path_of(kind, name, file): file for file in files}
    faults: dict[str, tuple[Fault, ...]] = {}
    for fault in proof.own:
        # A file that is missing is named by its path below the template's folder.
        file = names.get(fault.file, fault.file.removeprefix(f"templates/{name}/"))
        faults[file] = (*faults.get(file, ()), fault)
    source = proof.content.templates.get(name) if kind == "template" else None
    said = sentence[:LONGEST_SENTENCE]
    return Proofread(
        faults=faults,
        elsewhere=proof.elsewhere,
        renderings=tuple(_renderings(work, proof, source, matcher, locale)) if source else (),
        sentence=said,
        hits=tuple(_apart(longest(matcher.find(said)))) if said else (),
    )


def _renderings(
    work: Work, proof: Proof, source: Source, matcher: Matcher, locale: str
) -> Iterator[Rendering]:
    meta: TemplateFile = source.meta
    known = proof.content.disclosures.meta.disclosures if proof.content.disclosures else {}
    numbers = office_numbers(work)
    links = set(work.settings.link_hosts) | set(meta.allowed_links)
    for sample, wish, tried in _tried(proof, source):
        if tried.error:
            yield Rendering(wish.channel, wish.language, sample, error=tried.error)
            continue
        made = Rendered(**tried.parts)
        values = list(_values(wish.context))
        wanted = Requirements(
            matcher=matcher,
            known=known,
            disclosures=meta.disclosures,
            numbers=numbers | {value for key, value in values if key.endswith("phone")},
            greeting=meta.greeting,
            locale=locale,
            links=links | hosts_of(value for key, value in values if key.endswith("url")),
            advice=meta.advice,
        )
        yield Rendering(
            wish.channel,
            wish.language,
            sample,
            made.subject,
            made.text,
            made.html,
            sms_length(made.text) if wish.channel == "sms" else None,
            tuple(check(wish.channel, wish.language, made, wanted)),
        )


def _tried(proof: Proof, source: Source) -> list[tuple[str, Try, Tried]]:
    """Each sample by channel. A fault in one file does not keep the others from being shown."""
    try:
        samples = read_samples(source.files.get("samples.toml", "")).sample
    except (tomllib.TOMLDecodeError, ValidationError):
        return []
    meta: TemplateFile = source.meta
    wishes = [
        (one.name, Try(channel, one.language, one.context))
        for one in samples
        for channel in meta.channels
        if one.language in meta.languages
    ]
    done = [tried for _, tried in proof.tried] or try_out(source.files, [wish for _, wish in wishes])
    order = {"zh-CN": 0, "en": 1}
    found = [(name, wish, tried) for (name, wish), tried in zip(wishes, done, strict=True)]
    return sorted(found, key=lambda one: (meta.channels.index(one[1].channel), order[one[1].language]))


def _values(context: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a sample with the name it stands under."""
    if isinstance(context, Mapping):
        for name, value in context.items():
            yield from _values(value, str(name))
    elif isinstance(context, list):
        for value in context:
            yield from _values(value, key)
    else:
        yield key, str(context)


def _apart(hits: list[Hit]) -> Iterator[Hit]:
    """Those that begin after the one before has ended: what can be marked in a line of text."""
    end = 0
    for hit in sorted(hits):
        if hit.start >= end:
            end = hit.end
            yield hit
