"""``outreach content check``: everything that can be known of a folder before it is published."""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any

from jinja2 import TemplateSyntaxError
from pydantic import Field

from outreach.content.approval_formats import Disclosure
from outreach.content.cited import cites_source
from outreach.content.faults import Fault, line_of
from outreach.content.formats import Language, Strict, TemplateFile
from outreach.content.loader import ContentSet, Source, load_folder, parse_file
from outreach.content.matcher import Matcher, compile_lexicons
from outreach.content.personal import find_personal_data
from outreach.content.render import inspect
from outreach.content.slots import unfilled_slots
from outreach.content.sms import sms_length
from outreach.content.trial import Renderer, Try, trials, try_out

_DIRTY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)?")


class Sample(Strict):
    """A context to try a template with."""

    name: str
    language: Language
    context: dict[str, Any]


class SamplesFile(Strict):
    """samples.toml."""

    sample: Annotated[tuple[Sample, ...], Field(min_length=1)]


def check_folder(root: Path) -> tuple[ContentSet, list[Fault]]:
    """Read and try everything below ``root``; the content, and every fault with file, line and mend."""
    content, faults = load_folder(root)
    matcher = compile_lexicons([source.meta for source in content.lexicons.values()])
    disclosures: dict[str, Disclosure] = (
        dict(content.disclosures.meta.disclosures) if content.disclosures else {}
    )
    with trials() as tried:
        for name, source in sorted(content.templates.items()):
            faults += check_template(f"templates/{name}", source, matcher, disclosures, tried)
    return content, sorted(faults)


def check_template(
    base: str,
    source: Source,
    matcher: Matcher,
    disclosures: dict[str, Disclosure],
    tried: Renderer = try_out,
) -> list[Fault]:
    """The faults of one template: its text, its variables, and what comes of its samples. ``tried`` renders them:
    what is published already needs no process of its own."""
    meta: TemplateFile = source.meta
    faults = _variables(base, source, meta)
    faults += _disclosures(base, source, meta, disclosures)
    if not any(fault.file.endswith(".j2") for fault in faults):
        faults += _samples(base, source, meta, matcher, tried)
    return faults


def _variables(base: str, source: Source, meta: TemplateFile) -> list[Fault]:
    faults: list[Fault] = []
    declared, used_anywhere = set(meta.variables), set()
    for name, text in source.files.items():
        if not name.endswith(".j2"):
            continue
        try:
            used, wrong = inspect(text, html=name.endswith(".html.j2"))
        except TemplateSyntaxError as error:
            faults.append(Fault(f"{base}/{name}", error.lineno, f"{error.message}.", "Correct the template."))
            continue
        faults += [
            Fault(f"{base}/{name}", line, f"{what}.", "Write it without that.") for line, what in wrong
        ]
        whole = {one for one in used if "." not in one and not any(two.startswith(f"{one}.") for two in used)}
        dotted = {one for one in used if "." in one}
        used_anywhere |= whole | dotted
        for unknown in sorted((whole | dotted) - declared):
            line = next((at for at, row in enumerate(text.splitlines(), 1) if unknown in row), 1)
            faults.append(
                Fault(
                    f"{base}/{name}",
                    line,
                    f"The variable `{unknown}` is not declared.",
                    "Declare it in template.toml, or correct its name.",
                )
            )
    text = source.files["template.toml"]
    for name in sorted(declared - used_anywhere):
        if not _DIRTY.fullmatch(name):
            faults.append(Fault(f"{base}/template.toml", 1, f"`{name}` is no variable's name.", "Rename it."))
        else:
            faults.append(
                Fault(
                    f"{base}/template.toml",
                    line_of(text, [name]),
                    f"The variable `{name}` is declared and used nowhere.",
                    "Take it out.",
                )
            )
    return faults


def _disclosures(
    base: str, source: Source, meta: TemplateFile, disclosures: dict[str, Disclosure]
) -> list[Fault]:
    """Advice and what its category asks for can't leave without its disclosures (art. 51)."""
    wanted = {
        name
        for name, one in disclosures.items()
        if meta.category in one.categories or (one.advice and meta.advice)
    }
    text = source.files["template.toml"]
    faults = [
        Fault(
            f"{base}/template.toml",
            line_of(text, ["disclosures"]),
            f"The disclosure `{name}` is required ({disclosures[name].article}).",
            f'Add "{name}" to disclosures.',
        )
        for name in sorted(wanted - set(meta.disclosures))
    ]
    if meta.disclosures and "disclosures" not in meta.variables:
        faults.append(
            Fault(
                f"{base}/template.toml",
                line_of(text, ["disclosures"]),
                "The disclosures have no place in the text.",
                "Declare the variable `disclosures` and write {{ disclosures }} into every part.",
            )
        )
    return faults


def _samples(base: str, source: Source, meta: TemplateFile, matcher: Matcher, tried: Renderer) -> list[Fault]:
    faults: list[Fault] = []
    text = source.files.get("samples.toml")
    if text is None:
        return []  # told by the loader
    samples = parse_file(f"{base}/samples.toml", text, SamplesFile, faults)
    if samples is None:
        return faults
    missing = sorted(set(meta.languages) - {one.language for one in samples.sample})
    faults += [
        Fault(f"{base}/samples.toml", 1, f"There is no sample in {language}.", "Add one.")
        for language in missing
    ]
    tries = [
        Try(channel, one.language, one.context)
        for one in samples.sample
        for channel in meta.channels
        if one.language in meta.languages
    ]
    for wish, result in zip(tries, tried(source.files, tries), strict=True):
        file = f"{base}/{'email' if wish.channel == 'email' else wish.channel}.{wish.language}"
        file += ".txt.j2" if wish.channel == "email" else ".j2"
        if result.error:
            faults.append(
                Fault(file, 1, f"A sample can't be rendered: {result.error}.", "Correct it or the sample.")
            )
            continue
        faults += _rendered(file, wish, result.parts, meta, matcher)
    return faults


def _rendered(file: str, wish: Try, parts: Any, meta: TemplateFile, matcher: Matcher) -> list[Fault]:
    faults: list[Fault] = []
    for part in (parts["subject"], parts["text"]):
        for start, end in unfilled_slots(part):
            faults.append(Fault(file, 1, f"A slot stays open: {part[start:end]}", "Fill it from a variable."))
        for hit in matcher.find(part):
            if hit.severity == "block":
                words = part[hit.start : hit.end]
                said = f"“{words}” is forbidden ({hit.article})."
                faults.append(Fault(file, 1, said, hit.why_en, hit.why_zh))
        for found in find_personal_data(part):
            if found.kind != "mobile":
                faults.append(
                    Fault(file, 1, f"A {found.kind.replace('_', ' ')} in the text.", "Take it out.")
                )
    if meta.advice and not cites_source(parts["text"]):
        said = "Advice without its source: who published it, and when (source_missing, art. 17, 79(7))."
        faults.append(
            Fault(file, 1, said, "Name publisher and date in one line, from the report or in words.")
        )
    if wish.channel == "sms" and meta.greeting:
        length = sms_length(parts["text"])
        if length.segments > 1:
            faults.append(
                Fault(
                    file,
                    1,
                    f"The greeting takes {length.segments} SMS ({length.units} units of {length.encoding}).",
                    "Shorten it to one, with signature and opt-out words.",
                )
            )
    return faults


def read_samples(text: str) -> SamplesFile:
    """samples.toml of a published template."""
    return SamplesFile.model_validate(tomllib.loads(text))
