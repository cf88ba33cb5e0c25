"""Reading an institution's three folders: everything that is wrong is found, each with file, line and mend."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from outreach.content.approval_formats import DisclosuresFile, LexiconFile, PolicyFile, ReasonsFile
from outreach.content.closures import FILE as CLOSURES
from outreach.content.closures import closure_faults
from outreach.content.faults import Fault, line_of
from outreach.content.formats import ClosuresFile, JobFile, TemplateFile
from outreach.content.policy_check import policy_faults

Model = TypeVar("Model", bound=BaseModel)
_PART = re.compile(r"(sms|letter|call)\.(zh-CN|en)\.j2|email\.(zh-CN|en)\.(subject|txt|html)\.j2")
_LARGEST = 256 * 1024


@dataclass(frozen=True)
class Source:
    """One named piece of content: the files as they are, and what they say."""

    kind: str  # template | job | closures | policy | lexicon | disclosures | reasons
    name: str
    files: Mapping[str, str]
    meta: Any


@dataclass
class ContentSet:
    """Everything an institution says, by kind and name."""

    templates: dict[str, Source] = field(default_factory=dict)
    jobs: dict[str, Source] = field(default_factory=dict)
    policies: dict[str, Source] = field(default_factory=dict)
    lexicons: dict[str, Source] = field(default_factory=dict)
    disclosures: Source | None = None
    reasons: Source | None = None
    closures: Source | None = None

    def sources(self) -> list[Source]:
        """All of it, in a stable order."""
        groups = (self.templates, self.jobs, self.policies, self.lexicons)
        found = [source for group in groups for _, source in sorted(group.items())]
        singles = (self.closures, self.disclosures, self.reasons)
        return found + [source for source in singles if source is not None]


def load_folder(root: Path) -> tuple[ContentSet, list[Fault]]:
    """Read ``templates/``, ``jobs/`` and ``approvals/`` below ``root``. Nothing is raised: faults are told."""
    content, faults = ContentSet(), []
    for folder in ("templates", "jobs", "approvals"):
        if not (root / folder).is_dir():
            faults.append(
                Fault(folder, 1, "The folder is missing.", f"Make it, or run: outreach init {root}")
            )
    for path in sorted(p for p in (root / "templates").glob("*") if p.is_dir()):
        _template(root, path, content, faults)
    singles: dict[str, Source] = {}
    for path in sorted((root / "jobs").glob("*.toml")):
        if path == root / CLOSURES:
            _one(root, path, "closures", ClosuresFile, singles, faults)
        else:
            _one(root, path, "job", JobFile, content.jobs, faults)
    for path in sorted((root / "approvals" / "policies").glob("*.toml")):
        _one(root, path, "policy", PolicyFile, content.policies, faults)
    for path in sorted((root / "approvals" / "lexicons").glob("*.toml")):
        _one(root, path, "lexicon", LexiconFile, content.lexicons, faults)
    for name, model in (("disclosures", DisclosuresFile), ("reasons", ReasonsFile)):
        path = root / "approvals" / f"{name}.toml"
        if path.is_file():
            _one(root, path, name, model, singles, faults)
        elif (root / "approvals").is_dir():
            faults.append(
                Fault(f"approvals/{name}.toml", 1, "The file is missing.", "Copy it from the starter set.")
            )
    content.disclosures, content.reasons = singles.get("disclosures"), singles.get("reasons")
    content.closures = singles.get("closures")
    faults += _stray(root)
    faults += cross_faults(content)
    return content, sorted(faults)


def _stray(root: Path) -> list[Fault]:
    found = []
    for path in sorted((root / "jobs").glob("*")):
        if path.suffix != ".toml" and path.name != "README.md":
            found.append(
                Fault(str(path.relative_to(root)), 1, "Not a job file.", "Jobs are <id>.toml; move it away.")
            )
    return found


def read_text(path: Path) -> str:
    """A file's text. Raises ValueError when it is too large or not UTF-8."""
    data = path.read_bytes()
    if len(data) > _LARGEST:
        raise ValueError(f"the file has {len(data)} bytes, more than {_LARGEST}")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"the file is not UTF-8 (byte {error.start})") from None


def parse_file(file: str, text: str, model: type[Model], faults: list[Fault]) -> Model | None:
    """What ``text`` says as a ``model``, or None with its faults added."""
    try:
        fields = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        faults.append(Fault(file, int(line[1]) if line else 1, f"Not TOML: {error}.", "Correct the line."))
        return None
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        for one in error.errors(include_url=False):
            faults.append(_fault(file, text, model, dict(one)))
        return None


def _one(
    root: Path,
    path: Path,
    kind: str,
    model: type[Model],
    into: dict[str, Source],
    faults: list[Fault],
) -> None:
    file = path.relative_to(root).as_posix()
    try:
        text = read_text(path)
    except (ValueError, OSError) as error:
        faults.append(Fault(file, 1, str(error), "Save it again as UTF-8 text."))
        return
    meta = parse_file(file, text, model, faults)
    if meta is not None:
        into[path.stem] = Source(kind, path.stem, {file: text}, meta)


def _template(root: Path, folder: Path, content: ContentSet, faults: list[Fault]) -> None:
    base = folder.relative_to(root).as_posix()
    files: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        file = f"{base}/{path.name}"
        known = path.name in {"template.toml", "samples.toml"} or _PART.fullmatch(path.name)
        if not known:
            near = get_close_matches(
                path.name, ["template.toml", "samples.toml", "sms.zh-CN.j2", "email.en.txt.j2"], 1
            )
            faults.append(
                Fault(
                    file,
                    1,
                    "Not a file of a template.",
                    f"Did you mean {near[0]}?" if near else "Move it away.",
                )
            )
            continue
        try:
            files[path.name] = read_text(path)
        except (ValueError, OSError) as error:
            faults.append(Fault(file, 1, str(error), "Save it again as UTF-8 text."))
    if "template.toml" not in files:
        faults.append(Fault(f"{base}/template.toml", 1, "The file is missing.", "Every template has one."))
        return
    meta = parse_file(f"{base}/template.toml", files["template.toml"], TemplateFile, faults)
    if meta is None:
        return
    if "samples.toml" not in files:
        faults.append(
            Fault(f"{base}/samples.toml", 1, "The file is missing.", "Add contexts to try it with.")
        )
    for channel in meta.channels:
        for language in meta.languages:
            names = (
                [f"email.{language}.{part}.j2" for part in ("subject", "txt")]
                if channel == "email"
                else [f"{channel}.{language}.j2"]
            )
            faults += [
                Fault(
                    f"{base}/{name}",
                    1,
                    f"Missing for {channel} in {language}.",
                    "Write it, or take the language out.",
                )
                for name in names
                if name not in files
            ]
    content.templates[folder.name] = Source("template", folder.name, files, meta)


def _fault(file: str, text: str, model: type[BaseModel], one: dict[str, Any]) -> Fault:
    path = [str(part) for part in one["loc"]]
    key = path[-1] if path else ""
    line = line_of(text, path)
    where = ".".join(path)
    if one["type"] == "extra_forbidden":
        near = get_close_matches(key, sorted(_keys(model)), n=1, cutoff=0.6)
        mend = f"Did you mean `{near[0]}`?" if near else "Take it out."
        return Fault(file, line, f"Unknown key `{where}`.", mend)
    if one["type"] == "missing":
        return Fault(file, line, f"The key `{where}` is missing.", f"Add `{key} = …`.")
    said = str(one["msg"]).removeprefix("Value error, ")
    return Fault(file, line, f"`{where}` can't be {one.get('input')!r}.", f"{said[:1].upper()}{said[1:]}.")


def _keys(model: type[BaseModel]) -> set[str]:
    """Every key that may stand in such a file, at any depth: suggestions come from here."""
    found: set[str] = set()
    todo: list[Any] = [model]
    seen: set[Any] = set()
    while todo:
        here = todo.pop()
        if here in seen:
            continue
        seen.add(here)
        if isinstance(here, type) and issubclass(here, BaseModel):
            for name, info in here.model_fields.items():
                found.add(info.alias or name)
                todo.append(info.annotation)
        else:
            todo.extend(getattr(here, "__args__", ()))
    return found


def cross_faults(content: ContentSet) -> list[Fault]:
    """Whether what the files name is there, and fits."""
    faults = policy_faults(content.policies, content.lexicons)
    if content.closures:
        faults += closure_faults(content.closures.meta, *content.closures.files.values())
    disclosures = set(content.disclosures.meta.disclosures) if content.disclosures else set()
    for name, source in sorted(content.templates.items()):
        file = f"templates/{name}/template.toml"
        text = source.files["template.toml"]
        for wanted in source.meta.disclosures:
            if wanted not in disclosures:
                faults.append(_unknown(file, text, "disclosures", wanted, disclosures))
        fallback = source.meta.fallback_language
        if fallback and fallback not in source.meta.languages:
            faults.append(
                Fault(
                    file,
                    line_of(text, ["fallback_language"]),
                    f"The template has no {fallback}.",
                    "Name a language it has.",
                )
            )
    for name, source in sorted(content.jobs.items()):
        file, (text,) = f"jobs/{name}.toml", source.files.values()
        job: JobFile = source.meta
        template, policy = content.templates.get(job.template), content.policies.get(job.policy)
        if template is None:
            faults.append(_unknown(file, text, "template", job.template, content.templates))
        else:
            missing = sorted(set(job.reach) - set(template.meta.channels))
            if missing:
                line = line_of(text, ["channels" if set(missing) & set(job.channels) else "fall_through"])
                faults.append(
                    Fault(
                        file,
                        line,
                        f"{job.template} has no text for {', '.join(missing)}.",
                        "Write it, or drop the channel.",
                    )
                )
        if policy is None:
            faults.append(_unknown(file, text, "policy", job.policy, content.policies))
        elif policy.meta.governs.conditional:
            said = f"{job.policy} takes over from other policies; a job can't begin with it."
            faults.append(
                Fault(file, line_of(text, ["policy"]), said, "Choose a policy without a condition.")
            )
        elif template is not None and template.meta.category not in policy.meta.governs.categories:
            line = line_of(text, ["policy"])
            faults.append(
                Fault(
                    file,
                    line,
                    f"{job.policy} does not govern {template.meta.category}.",
                    "Choose the policy of that category.",
                )
            )
    return faults


def _unknown(file: str, text: str, key: str, value: str, known: Any) -> Fault:
    near = get_close_matches(value, sorted(known), n=1)
    mend = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(sorted(known)) or 'none'}."
    return Fault(file, line_of(text, [key]), f"There is no {key} {value!r}.", mend)
