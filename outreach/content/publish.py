"""Publishing: files become immutable versions, under a record of two persons. Files are never read at send time."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class Item:
    """One named thing of the content: the files it is made of, by their path relative to its folder."""

    kind: str  # template | job | policy | lexicon | disclosures | reasons
    name: str
    files: Mapping[str, str]


@dataclass(frozen=True)
class Release:
    """One publication. ``versions`` has (kind, name, version) of what is new; empty when nothing had changed."""

    id: UUID | None
    number: int
    versions: tuple[tuple[str, str, int], ...]
    retired: tuple[tuple[str, str], ...] = ()


def digest_of(files: Mapping[str, str]) -> bytes:
    """SHA-256 over the files in the order of their paths: what makes two versions the same."""
    ordered = json.dumps(sorted(files.items()), ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(ordered.encode()).digest()
