"""A draft's files as the editor shows them: each text of a channel and language beside what comes of it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from outreach.content.formats import CHANNELS, LANGUAGES
from outreach.content.tree import file_names


@dataclass(frozen=True)
class FileField:
    """One file. ``part`` is subject, txt or html of a mail, settings or samples, else empty."""

    name: str
    part: str
    text: str

    @property
    def rows(self) -> int:
        """How tall its field is before anybody types."""
        least = 1 if self.part == "subject" else 3
        return min(max(self.text.count("\n") + len(self.text) // 60 + 1, least), 24)


@dataclass(frozen=True)
class Group:
    """Files that make one message, or one file of settings. ``used``: something is written."""

    key: str
    channel: str
    language: str
    files: tuple[FileField, ...]

    @property
    def used(self) -> bool:
        """Whether something is written in one of its files."""
        return any(one.text.strip() for one in self.files)


def groups_of(kind: str, name: str, files: Mapping[str, str]) -> list[Group]:
    """Every file that this content may have, in the order in which one reads them. A file that it may not have is
    left out: saving told so."""
    names = file_names(kind, name)
    if kind != "template":
        return [Group("file", "", "", (FileField(names[0], "", files.get(names[0], "")),))]
    found: list[Group] = []
    for channel in CHANNELS:
        for language in LANGUAGES:
            start = f"{channel}.{language}."
            fields = tuple(
                FileField(one, _part(one, start), files.get(one, ""))
                for one in names
                if one.startswith(start)
            )
            found.append(Group(f"{channel}-{language}", channel, language, fields))
    for part, one in (("settings", "template.toml"), ("samples", "samples.toml")):
        found.append(Group(part, "", "", (FileField(one, part, files.get(one, "")),)))
    return found


def title_of(kind: str, name: str, files: Mapping[str, str], locale: str) -> str:
    """What people call it, as its own file says; its name where the file says nothing or can't be read."""
    try:
        said = tomllib.loads(
            files.get("template.toml" if kind == "template" else file_names(kind, name)[0], "")
        )
    except tomllib.TOMLDecodeError:
        return name
    titles = said.get("title")
    found = titles.get("zh" if locale.startswith("zh") else "en") if isinstance(titles, dict) else None
    return found if isinstance(found, str) and found.strip() else name


def _part(name: str, start: str) -> str:
    return name.removeprefix(start).removesuffix("j2").rstrip(".")
