"""What is in force, read from the published versions. A version never changes, so each is read once a process."""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Row, select, text

from outreach.content.approval_formats import (
    Disclosure,
    DisclosuresFile,
    LexiconFile,
    PolicyFile,
    ReasonsFile,
    ReasonWords,
)
from outreach.content.closures import closures_of
from outreach.content.formats import ClosuresFile, JobFile, Strict, TemplateFile
from outreach.content.matcher import Matcher, compile_lexicons
from outreach.content.publish import latest_versions
from outreach.content.render import Rendered
from outreach.content.render import render as render_files
from outreach.content.tables import content_version
from outreach.core.errors import NotFound
from outreach.occasions.trading import NONE_NAMED, Closures

Model = TypeVar("Model", bound=Strict)
Kind = TypeVar("Kind", bound="Version")


@dataclass(frozen=True)
class Version:
    """One published version of a name. Its ``files`` are exactly as they were published."""

    id: UUID
    name: str
    version: int
    last_editor: UUID
    sha256: bytes
    files: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class TemplateVersion(Version):
    """A version of a template."""

    meta: TemplateFile

    def render(self, channel: str, language: str, context: Mapping[str, Any]) -> Rendered:
        """What a client gets on ``channel`` in ``language``. Raises RenderFailed."""
        return render_files(self.files, channel, language, context)

    def languages(self, channel: str) -> tuple[str, ...]:
        """The languages this template has for ``channel``."""
        if channel not in self.meta.channels:
            return ()
        name = "email.{}.txt.j2" if channel == "email" else channel + ".{}.j2"
        return tuple(one for one in self.meta.languages if name.format(one) in self.files)


@dataclass(frozen=True)
class JobVersion(Version):
    """A version of a job."""

    meta: JobFile


@dataclass(frozen=True)
class PolicyVersion(Version):
    """A version of a policy."""

    meta: PolicyFile


@dataclass(frozen=True)
class _InForce:
    """Everything in force after one release; a version is parsed when it is first asked for."""

    rows: Mapping[tuple[str, str], Row[Any]]
    matcher: Matcher
    lexicon_digest: bytes
    closures: Closures

    def named(self, kind: type["Kind"], name: str) -> "Kind":
        """The version of ``name``. Raises NotFound."""
        row = self.rows.get((_KINDS[kind], name))
        if row is None:
            known = ", ".join(sorted(known for of, known in self.rows if of == _KINDS[kind]))
            raise NotFound(
                f"There is no {_KINDS[kind]} {name!r} in force.", mend=f"There are: {known or 'none'}."
            )
        return _keep(row, kind)

    def every(self, kind: type["Kind"]) -> list["Kind"]:
        """Every version of a kind, by name."""
        return [
            _keep(row, kind)
            for (of, _), row in sorted(self.rows.items(), key=lambda pair: pair[0])
            if of == _KINDS[kind]
        ]

    def single(self, kind: str, model: type["Model"]) -> "Model | None":
        """What the only version of ``kind`` says."""
        row = next((row for (of, _), row in self.rows.items() if of == kind), None)
        return None if row is None else _parse(row, model)


def anything_published(conn: Connection) -> bool:
    """Whether there is content in force at all."""
    return conn.execute(_LATEST).first() is not None


def template_in_force(conn: Connection, name: str) -> TemplateVersion:
    """The template's newest version. Raises NotFound."""
    return _in_force(conn).named(TemplateVersion, name)


def templates_in_force(conn: Connection) -> list[TemplateVersion]:
    """Every template, by name."""
    return _in_force(conn).every(TemplateVersion)


def job_in_force(conn: Connection, name: str) -> JobVersion:
    """The job's newest version. Raises NotFound."""
    return _in_force(conn).named(JobVersion, name)


def jobs_in_force(conn: Connection) -> list[JobVersion]:
    """Every job, by name."""
    return _in_force(conn).every(JobVersion)


def policy_in_force(conn: Connection, name: str) -> PolicyVersion:
    """The policy's newest version. Raises NotFound."""
    return _in_force(conn).named(PolicyVersion, name)


def policies_in_force(conn: Connection) -> list[PolicyVersion]:
    """Every policy, by name."""
    return _in_force(conn).every(PolicyVersion)


def lexicons_in_force(conn: Connection) -> tuple[Matcher, bytes]:
    """The compiled lexicons and the digest that messages pin: SHA-256 over the versions' digests in order."""
    now = _in_force(conn)
    return now.matcher, now.lexicon_digest


def disclosures_in_force(conn: Connection) -> Mapping[str, Disclosure]:
    """Every disclosure by its id."""
    stored = _in_force(conn).single("disclosures", DisclosuresFile)
    return stored.disclosures if stored else {}


def reasons_in_force(conn: Connection) -> Mapping[str, ReasonWords]:
    """The reasons for returning and rejecting, by code, in the order in which they are offered."""
    stored = _in_force(conn).single("reasons", ReasonsFile)
    return stored.reasons if stored else {}


def closures_in_force(conn: Connection) -> Closures:
    """The years whose closures the institution has named. Raises NotFound before the first publication."""
    return _in_force(conn).closures


def template_version(conn: Connection, version_id: UUID) -> TemplateVersion:
    """A template's version by its id, in force or not. Raises NotFound."""
    return _typed(conn, version_id, TemplateVersion)


def job_version(conn: Connection, version_id: UUID) -> JobVersion:
    """A job's version by its id, in force or not. Raises NotFound."""
    return _typed(conn, version_id, JobVersion)


def policy_version(conn: Connection, version_id: UUID) -> PolicyVersion:
    """A policy's version by its id, in force or not. Raises NotFound."""
    return _typed(conn, version_id, PolicyVersion)


def name_and_version(conn: Connection, version_id: UUID) -> tuple[str, int]:
    """The name and the number of a version of whatever kind. Raises NotFound."""
    known = _versions.get(version_id)
    if known is not None:
        return known.name, known.version
    row = conn.execute(
        select(content_version.c.name, content_version.c.version).where(content_version.c.id == version_id)
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no version {version_id}.", mend="Publish the content again.")
    return row.name, row.version


def occasion_of_template(conn: Connection, version_id: UUID) -> str:
    """The occasion a template's version is for, "" for none."""
    return template_version(conn, version_id).meta.occasion or ""


def cap_of_job(conn: Connection, version_id: UUID) -> tuple[int | None, int | None]:
    """How many messages a day and a month a job's version allows one client."""
    cap = job_version(conn, version_id).meta.frequency_cap
    return cap.per_day, cap.per_month


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────

# Versions and releases are immutable and their ids unique over all databases, so what was read stays true.
_KEPT_VERSIONS = 2000
_KEPT_RELEASES = 8
_versions: dict[UUID, Version] = {}
_releases: dict[UUID, _InForce] = {}

_LATEST = text("SELECT id FROM content_release ORDER BY number DESC LIMIT 1")


def _in_force(conn: Connection) -> _InForce:
    release_id = conn.execute(_LATEST).scalar_one_or_none()
    if release_id is None:
        raise NotFound("No content is published yet.", mend="Run: outreach content publish")
    known = _releases.get(release_id)
    if known is None:
        known = _read(conn)
        while len(_releases) >= _KEPT_RELEASES:
            _releases.pop(next(iter(_releases)), None)
        _releases[release_id] = known
    return known


def _read(conn: Connection) -> _InForce:
    rows = {key: row for key, row in latest_versions(conn).items() if not row.retired}
    lexicons = [row for (kind, _), row in sorted(rows.items(), key=lambda pair: pair[0]) if kind == "lexicon"]
    named = rows.get(("closures", "closures"))
    running = hashlib.sha256()
    for row in lexicons:
        running.update(f"{row.name} {row.version} {bytes(row.sha256).hex()}\n".encode())
    return _InForce(
        rows=rows,
        matcher=compile_lexicons(_parse(row, LexiconFile) for row in lexicons),
        lexicon_digest=running.digest(),
        closures=closures_of(_parse(named, ClosuresFile)) if named is not None else NONE_NAMED,
    )


def _parse(row: Row[Any], model: type[Model]) -> Model:
    """What a one-file version says (of a template: its template.toml)."""
    files: Mapping[str, str] = row.files
    text_ = files["template.toml"] if row.kind == "template" else next(iter(files.values()))
    return model.model_validate(tomllib.loads(text_))


_MODELS: dict[type[Version], type[Strict]] = {
    TemplateVersion: TemplateFile,
    JobVersion: JobFile,
    PolicyVersion: PolicyFile,
}
_KINDS: dict[type[Version], str] = {TemplateVersion: "template", JobVersion: "job", PolicyVersion: "policy"}


def _keep(row: Row[Any], kind: type[Kind]) -> Kind:
    known = _versions.get(row.id)
    if isinstance(known, kind):
        return known
    made: Any = kind
    version: Kind = made(
        id=row.id,
        name=row.name,
        version=row.version,
        last_editor=row.last_editor,
        sha256=bytes(row.sha256),
        files=row.files,
        meta=_parse(row, _MODELS[kind]),
    )
    while len(_versions) >= _KEPT_VERSIONS:
        _versions.pop(next(iter(_versions)), None)
    _versions[row.id] = version
    return version


def _typed(conn: Connection, version_id: UUID, kind: type[Kind]) -> Kind:
    known = _versions.get(version_id)
    if isinstance(known, kind):
        return known
    row = conn.execute(
        select(content_version).where(
            content_version.c.id == version_id, content_version.c.kind == _KINDS[kind]
        )
    ).one_or_none()
    if row is None or row.retired:
        raise NotFound(f"There is no {_KINDS[kind]} version {version_id}.", mend="Publish the content again.")
    return _keep(row, kind)
