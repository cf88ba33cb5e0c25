"""What would be in force with a draft in it, and every fault that the draft brings.

The whole is laid out as files and read by what reads an institution's folder, so that a page and a folder are judged
by the same rules and make the same versions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection

from outreach.content.check import check_template
from outreach.content.faults import Fault
from outreach.content.loader import ContentSet, load_folder
from outreach.content.matcher import compile_lexicons
from outreach.content.publish import latest_versions
from outreach.content.tree import tree_in_force, tree_of, write_tree
from outreach.content.trial import Renderer, Tried, Try, try_here, try_out
from outreach.core.errors import Misconfigured


@dataclass(frozen=True)
class Proof:
    """``content`` is everything as it would be in force, the draft left out when it can't be read. ``own`` are the
    faults in the draft's files (paths of the tree), ``elsewhere`` those that it brings about in other files."""

    content: ContentSet
    own: tuple[Fault, ...]
    elsewhere: tuple[Fault, ...]
    tried: tuple[tuple[Try, Tried], ...] = ()

    @property
    def faults(self) -> tuple[Fault, ...]:
        """All of them, the draft's own first."""
        return self.own + self.elsewhere


def proof_of(conn: Connection, kind: str, name: str, files: Mapping[str, str]) -> Proof:
    """Judge ``files`` as the next version of (kind, name). What is wrong already is not the draft's fault.

    Raises BadInput for a name or file that there can't be.
    """
    here = tree_of(kind, name, files)
    standing = tree_in_force(conn)
    before = {path: text for path, text in standing.items() if not _belongs(path, here, kind, name)}
    tried: list[tuple[Try, Tried]] = []

    def try_and_keep(files: Mapping[str, str], tries: list[Try]) -> list[Tried]:
        found = try_out(files, tries)
        tried.extend(zip(tries, found, strict=True))
        return found

    content, faults = _read(before | here, kind, name, try_and_keep if kind == "template" else try_here)
    own = tuple(fault for fault in faults if _belongs(fault.file, here, kind, name))
    others = [fault for fault in faults if fault not in own]
    if others:
        known = {(fault.file, fault.message) for fault in _read(standing, kind, name, try_here)[1]}
        others = [fault for fault in others if (fault.file, fault.message) not in known]
    return Proof(content, own, tuple(others), tuple(tried))


def nothing_lost(conn: Connection, content: ContentSet) -> None:
    """Raise Misconfigured when something in force is missing from ``content``: publishing would end it unasked."""
    there = {(source.kind, source.name) for source in content.sources()}
    lost = sorted(key for key, row in latest_versions(conn).items() if not row.retired and key not in there)
    if lost:
        raise Misconfigured(
            f"The {lost[0][0]} {lost[0][1]} in force can't be read any more.",
            mend="Mend it in the files and publish them with: outreach content publish",
        )


def _belongs(path: str, here: Mapping[str, str], kind: str, name: str) -> bool:
    return path in here or (kind == "template" and path.startswith(f"templates/{name}/"))


def _read(tree: Mapping[str, str], kind: str, name: str, tried: Renderer) -> tuple[ContentSet, list[Fault]]:
    """The tree and its faults. Only what depends on (kind, name) is tried, by ``tried``."""
    with TemporaryDirectory(prefix="outreach-content-") as folder:
        write_tree(Path(folder), tree)
        content, faults = load_folder(Path(folder))
    matcher = compile_lexicons([source.meta for source in content.lexicons.values()])
    disclosures = dict(content.disclosures.meta.disclosures) if content.disclosures else {}
    touched = {name} if kind == "template" else set()
    if kind in ("lexicon", "disclosures"):
        touched = set(content.templates)
    for one in sorted(touched & set(content.templates)):
        faults += check_template(f"templates/{one}", content.templates[one], matcher, disclosures, tried)
    return content, sorted(faults)
