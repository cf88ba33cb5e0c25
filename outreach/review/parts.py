"""Where each stretch of a text comes from: the template, a slot that was filled in, what was added around it
(signature, disclosures), or an advisor's own words. Pure functions."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby
from typing import Literal

Origin = Literal["template", "slot", "added", "advisor"]
Change = Literal["kept", "added", "removed"]

_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_TOKEN = re.compile(r"[A-Za-z0-9]+|\s+|.", re.DOTALL)
_SLOT = "\x00"


@dataclass(frozen=True)
class Part:
    """One stretch of text and its origin."""

    text: str
    origin: Origin


def parts_of(current: str, source: str | None, first: str | None = None) -> tuple[Part, ...]:
    """The stretches of ``current``, which together are exactly it.

    ``source``: the template's text (None: there is none, all words are the author's); ``first``: the text of the
    first revision, where ``current`` was edited since.
    """
    original = current if first is None else first
    origins = _origins(original, source)
    if original != current:
        origins = _edited(original, origins, current)
    stretches = groupby(zip(current, origins, strict=True), key=lambda pair: pair[1])
    return tuple(Part("".join(letter for letter, _ in group), origin) for origin, group in stretches)


@dataclass(frozen=True)
class Stretch:
    """One stretch of two texts laid side by side: in both, only in the later one, or only in the earlier."""

    text: str
    change: Change


def difference(before: str, after: str) -> tuple[Stretch, ...]:
    """The stretches of both texts, word by word (Chinese: sign by sign): kept and added ones are exactly ``after``,
    kept and removed ones exactly ``before``."""
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    found: list[Stretch] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            found.append(Stretch("".join(new[j1:j2]), "kept"))
            continue
        if i2 > i1:
            found.append(Stretch("".join(old[i1:i2]), "removed"))
        if j2 > j1:
            found.append(Stretch("".join(new[j1:j2]), "added"))
    return tuple(found)


def _origins(text: str, source: str | None) -> list[Origin]:
    """One origin for each character of a text as it was first rendered."""
    if source is None:
        return ["advisor"] * len(text)
    source = source.strip()
    if "{%" not in source and (exact := _by_pattern(text, source)) is not None:
        return exact
    return _by_likeness(text, _TAG.sub(_SLOT, source))


def _by_pattern(text: str, source: str) -> list[Origin] | None:
    """Exact, where the template has no conditions: its literals in order, slots between them."""
    pieces = _TAG.split(source)
    found = re.search("(.*?)".join(f"({re.escape(piece)})" for piece in pieces), text, re.DOTALL)
    if found is None:
        return None
    if not pieces[-1]:  # a slot at the very end: a lazy group would leave it empty
        return _by_likeness(text, _TAG.sub(_SLOT, source))
    origins: list[Origin] = ["added"] * len(text)
    for group in range(1, len(found.groups()) + 1):
        start, end = found.span(group)
        origin: Origin = "template" if group % 2 else "slot"
        origins[start:end] = [origin] * (end - start)
    return origins


def _by_likeness(text: str, source: str) -> list[Origin]:
    """By the longest common stretches, word by word; what differs where the source has a slot is the slot's."""
    wanted, given = _TOKEN.findall(source), _TOKEN.findall(text)
    origins: list[Origin] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, wanted, given, autojunk=False).get_opcodes():
        origin: Origin
        if tag == "equal":
            origin = "template"
        else:
            origin = "slot" if _SLOT in wanted[i1:i2] else "added"
        origins += [origin] * sum(map(len, given[j1:j2]))
    return origins


def _edited(original: str, origins: list[Origin], current: str) -> list[Origin]:
    """The origins of the edited text: what is still there keeps its own, what is new is the advisor's."""
    before, after = _TOKEN.findall(original), _TOKEN.findall(current)
    starts = list(_starts(before))
    edited: list[Origin] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            edited += origins[starts[i1] : starts[i2]]
        else:
            edited += ["advisor"] * sum(map(len, after[j1:j2]))
    return edited


def _starts(tokens: list[str]) -> Iterator[int]:
    position = 0
    yield position
    for token in tokens:
        position += len(token)
        yield position
