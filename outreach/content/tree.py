"""Where each piece of content lies below templates/, jobs/ and approvals/: the same tree for files, pages and exports.

Every path is made here out of checked names, so none leads elsewhere.
"""

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Connection

from outreach.content.formats import CHANNELS, LANGUAGES, is_slug
from outreach.content.publish import latest_versions
from outreach.core.errors import BadInput

_PATHS = {
    "template": "templates/{}",
    "job": "jobs/{}.toml",
    "closures": "jobs/closures.toml",
    "policy": "approvals/policies/{}.toml",
    "lexicon": "approvals/lexicons/{}.toml",
    "disclosures": "approvals/disclosures.toml",
    "reasons": "approvals/reasons.toml",
}
KINDS = tuple(_PATHS)
SINGLE = frozenset(kind for kind, path in _PATHS.items() if "{}" not in path)  # there is one of each
LARGEST_NAME = 60  # characters; what the record and every file system take
_MAIL = ("subject", "txt", "html")


def template_files() -> tuple[str, ...]:
    """Every file that a template may have, in the order in which one reads them."""
    parts = [
        f"email.{language}.{part}.j2" if channel == "email" else f"{channel}.{language}.j2"
        for channel in CHANNELS
        for language in LANGUAGES
        for part in (_MAIL if channel == "email" else ("",))
    ]
    return ("template.toml", *parts, "samples.toml")


def check_name(kind: str, name: str) -> None:
    """Raise BadInput unless there can be content of ``kind`` with this ``name``."""
    if kind not in _PATHS:
        raise BadInput("There is no such kind of content.", mend=f"Use one of: {', '.join(KINDS)}.")
    if kind in SINGLE:
        if name != kind:
            raise BadInput("There is only one of this kind.", mend=f"Call it {kind}.")
    elif not is_slug(name) or len(name) > LARGEST_NAME or (kind, name) == ("job", "closures"):
        raise BadInput(
            "This name can't be used.",
            mend="Use up to 60 lower-case letters, digits and single hyphens, beginning with a letter.",
        )


def file_names(kind: str, name: str) -> tuple[str, ...]:
    """The files that a piece of content may have, as a version has them. Raises BadInput for a bad name."""
    check_name(kind, name)
    return template_files() if kind == "template" else (_PATHS[kind].format(name),)


def path_of(kind: str, name: str, file: str) -> str:
    """Where a file of a version lies in the tree. Raises BadInput when it has no place there."""
    if file not in file_names(kind, name):
        raise BadInput(
            f"{file[:80]!r} is not a file of a {kind}.",
            mend=f"There may be: {', '.join(file_names(kind, name))}.",
        )
    return f"{_PATHS[kind].format(name)}/{file}" if kind == "template" else file


def tree_of(kind: str, name: str, files: Mapping[str, str]) -> dict[str, str]:
    """path -> text of one piece of content. Raises BadInput for what has no place in the tree."""
    return {path_of(kind, name, file): text for file, text in sorted(files.items())}


def tree_in_force(conn: Connection) -> dict[str, str]:
    """path -> text of everything in force, exactly as it was published."""
    tree: dict[str, str] = {}
    for (kind, name), row in sorted(latest_versions(conn).items(), key=lambda pair: pair[0]):
        if not row.retired:
            tree |= tree_of(kind, name, row.files)
    return tree


def write_tree(root: Path, tree: Mapping[str, str]) -> None:
    """Write the tree below ``root``; its three folders are there afterwards, even empty."""
    for folder in ("templates", "jobs", "approvals"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for path, text in tree.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode())
