"""The lexicon's matcher: finds phrases however they are disguised, and leaves lawful wording alone (DOMAIN.md §3).

Two readings of a text are searched. The *close* reading drops everything between characters and serves
Chinese; the *word* reading keeps words apart and serves English; where a sign stands inside a word, the text is read
once more without such signs. All fold width, case, accents, traditional characters and look-alikes (``folding``).
Only where something is found is the way back to the original's positions worked out.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import add
from typing import Literal

import ahocorasick

from outreach.content.approval_formats import LexiconFile
from outreach.content.folding import folded

Severity = Literal["block", "flag"]
_LETTER = r"A-Za-z\u00c0-\u052f\u1d00-\u1fff\u2100-\u214f\u2460-\u24ff\uff21-\uff5a\U0001d400-\U0001f1ff"
_LATIN = re.compile(f"[{_LETTER}]")
_APOSTROPHES = frozenset("'’‘`´′‛＇ʼ")
# What stands between two letters of a word: a full stop, a hyphen, an asterisk, a picture. Each begins with what it
# looks for, so that the letters before are passed over quickly.
_INSIDE = re.compile(rf"[^\w\s](?<=[{_LETTER}].)(?:[^\w\s]|_)*(?=[{_LETTER}])")
_UNDERSCORED = re.compile(rf"_(?<=[{_LETTER}]_)(?:[^\w\s]|_)*(?=[{_LETTER}])")
_SPELT = re.compile(r"(?<!\S)\w(?: \w(?!\S)){2,}")
_SPACED = re.compile(r" \w \w \w ")  # somebody spells something: dear at every place, so looked for first
_PAUSE = re.compile("[，,、。．.；;！!？?：:…—]|\\n\\s*\\n")
_ENDS = frozenset("。！？!?；;\n")


@dataclass(frozen=True, order=True)
class Hit:
    """A phrase found: ``start`` and ``end`` are positions in the original text."""

    start: int
    end: int
    rule: str
    article: str
    severity: Severity
    phrase: str
    why_zh: str
    why_en: str


@dataclass(frozen=True)
class _Phrase:
    rule: str
    article: str
    severity: Severity
    text: str
    why_zh: str
    why_en: str
    opening: bool


class _Close(dict[int, str]):
    """For str.translate: folds, and drops whatever is neither letter nor digit."""

    def __missing__(self, code: int) -> str:
        kept = "".join(one for one in folded(chr(code)) if one.isalnum())
        self[code] = kept
        return kept


class _Words(dict[int, str]):
    """For str.translate: folds, drops apostrophes, and turns what separates words into a space."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character in _APOSTROPHES:
            kept = ""
        else:
            plain = folded(character)
            kept = "".join(one if one.isalnum() else " " for one in plain)
            if not plain and unicodedata.category(character) not in {"Cf", "Mn", "Me"}:
                kept = " "
        self[code] = kept
        return kept


_CLOSE, _WORDS = _Close(), _Words()


def _close(text: str) -> str:
    return text.translate(_CLOSE)


def _words(text: str) -> str:
    return " ".join(text.translate(_WORDS).split())


def signs_inside(text: str) -> frozenset[int]:
    """Where signs stand inside words of ``text``; an apostrophe alone belongs there."""
    found = list(_INSIDE.finditer(text))
    if "_" in text:
        found += _UNDERSCORED.finditer(text)
    return frozenset(
        at
        for one in found
        if not _APOSTROPHES.issuperset(one.group())
        for at in range(one.start(), one.end())
    )


def _without(text: str, dropped: Collection[int]) -> str:
    return "".join(one for at, one in enumerate(text) if at not in dropped)


def _is_latin(text: str) -> bool:
    return text.isascii()


class Matcher:
    """Phrases and exceptions of some lexicons, compiled. Made by ``compile_lexicons``; safe to share."""

    def __init__(self, phrases: Sequence[_Phrase], exceptions: Sequence[str]) -> None:
        self._close = ahocorasick.Automaton()
        self._word = ahocorasick.Automaton()
        self._spelt = ahocorasick.Automaton()
        spelt: dict[str, list[_Phrase]] = {}
        close: dict[str, list[_Phrase]] = {}
        word: dict[str, list[_Phrase]] = {}
        for phrase in phrases:
            if _is_latin(phrase.text):
                reading = _words(phrase.text)
                word.setdefault(f" {reading} ", []).append(phrase)
                joined = reading.replace(" ", "")
                spelt.setdefault(joined, []).append(phrase)
                for other in {joined, _words(_without(phrase.text, signs_inside(phrase.text)))} - {reading}:
                    word.setdefault(f" {other} ", []).append(phrase)
            else:
                close.setdefault(_close(phrase.text), []).append(phrase)
        for automaton, table in ((self._close, close), (self._word, word), (self._spelt, spelt)):
            for key, found in table.items():
                automaton.add_word(key, (len(key), found))
            if table:
                automaton.make_automaton()
        self._has_close, self._has_word = bool(close), bool(word)
        # Most texts hold no phrase, and the automaton's first step searches hundreds of characters one by one. How a
        # phrase begins is looked up first: two characters, or one for a phrase that has no more.
        self._pairs = frozenset(key[:2] for key in close if len(key) > 1)
        self._singles = frozenset(key for key in close if len(key) == 1)
        self._ascii_too = any(key.isascii() for key in close)
        self._close_exceptions = [(_close(one), _pauses(one)) for one in exceptions if not _is_latin(one)]
        self._word_exceptions = [(f" {_words(one)} ", _pauses(one)) for one in exceptions if _is_latin(one)]

    def find(self, text: str) -> list[Hit]:
        """Every phrase in ``text`` that no exception covers, in order of position."""
        hits: list[Hit] = []
        if self._has_close and (self._ascii_too or not text.isascii()):
            reading = text.translate(_CLOSE)
            if self._may_begin(reading):
                found = [
                    (end + 1 - length, end + 1, many) for end, (length, many) in self._close.iter(reading)
                ]
                if found:
                    hits += self._in_close(text, reading, found)
        if self._has_word and _LATIN.search(text) is not None:
            hits += self._in_words(text)
        return sorted(set(hits))

    def _may_begin(self, reading: str) -> bool:
        """Whether a phrase may stand in a close reading: false is certain."""
        if not self._pairs.isdisjoint(map(add, reading, reading[1:])):
            return True
        return bool(self._singles) and not self._singles.isdisjoint(reading)

    def _in_close(
        self, text: str, reading: str, found: Sequence[tuple[int, int, list[_Phrase]]]
    ) -> Iterator[Hit]:
        places = [at for at, character in enumerate(text) for _ in _CLOSE[ord(character)]]
        lawful = _lawful(text, reading, places, self._close_exceptions, ends=1)
        for start, end, many in found:
            first, last = places[start], places[end - 1] + 1
            if any(low <= first and last <= high for low, high in lawful):
                continue
            for phrase in many:
                if phrase.opening and start != 0:
                    continue
                if _spans_sentences(text[first:last]) and not any(one in _ENDS for one in phrase.text):
                    continue
                yield _hit(phrase, first, last)

    def _in_words(self, text: str) -> Iterator[Hit]:
        # The reading alone is made by C; the way back to the original's places only where something is found.
        reading = f" {_words(text)} "
        found = [(end + 1 - length, end + 1, many) for end, (length, many) in self._word.iter(reading)]
        runs = list(_SPELT.finditer(reading, 1, len(reading) - 1)) if _SPACED.search(reading) else []
        broken = signs_inside(text)
        if broken:
            yield from self._in_broken_words(text, broken)
        if not found and not runs:
            return
        _, places = _worded(text)
        lawful = _lawful(text, reading, places, self._word_exceptions, ends=3)
        for start, end, many in found:
            # The spaces at both ends belong to the pattern, not to the phrase.
            first, last = places[start], places[end - 3] + 1
            if any(low <= first and last <= high for low, high in lawful):
                continue
            for phrase in many:
                if not phrase.opening or start == 0:
                    yield _hit(phrase, first, last)
        for run in runs:
            yield from self._spelt_out(run.start() - 1, run.group().replace(" ", ""), places)

    def _in_broken_words(self, text: str, dropped: Collection[int]) -> Iterator[Hit]:
        """Phrases with a sign inside a word (``guar.antee``); the signs are ``dropped``."""
        kept = [at for at in range(len(text)) if at not in dropped]
        whole = _without(text, dropped)
        reading = f" {_words(whole)} "
        found = [(end + 1 - length, end + 1, many) for end, (length, many) in self._word.iter(reading)]
        if not found:
            return
        _, places = _worded(text)
        lawful = _lawful(text, f" {_words(text)} ", places, self._word_exceptions, ends=3)
        _, places = _worded(whole)
        places = [kept[at] for at in places]
        lawful += _lawful(text, reading, places, self._word_exceptions, ends=3)
        for start, end, many in found:
            first, last = places[start], places[end - 3] + 1
            if not any(at in dropped for at in range(first, last)):
                continue
            if any(low <= first and last <= high for low, high in lawful):
                continue
            for phrase in many:
                if not phrase.opening or start == 0:
                    yield _hit(phrase, first, last)

    def _spelt_out(self, begin: int, joined: str, places: Sequence[int]) -> Iterator[Hit]:
        """Phrases in a run of single letters, each by its first place; ``begin`` is where the run begins in the word
        reading."""
        seen: set[int] = set()
        for end, (length, many) in self._spelt.iter(joined):
            at = end + 1 - length
            if id(many) in seen:
                continue
            seen.add(id(many))
            first = places[begin + 2 * at]
            last = places[begin + 2 * (at + length - 1)] + 1
            for phrase in many:
                yield _hit(phrase, first, last)


def _worded(text: str) -> tuple[str, list[int]]:
    """The word reading, and for each of its characters the position in ``text`` it comes from."""
    letters: list[str] = []
    places: list[int] = []
    for at, character in enumerate(text):
        for one in _WORDS[ord(character)]:
            if one == " " and (not letters or letters[-1] == " "):
                continue
            letters.append(one)
            places.append(at)
    if letters and letters[-1] == " ":
        letters.pop()
        places.pop()
    return "".join(letters), places


def _pauses(text: str) -> int:
    """How often a reader pauses in ``text``: two clauses are not one."""
    return len(_PAUSE.findall(text))


def _lawful(
    text: str, reading: str, places: Sequence[int], exceptions: Iterable[tuple[str, int]], *, ends: int
) -> list[tuple[int, int]]:
    """Where exceptions stand in ``text``, of which ``reading`` is a reading; ``ends`` is how far behind an exception's
    end its last letter stands. An exception covers one clause: 无风险。利率… is not 无风险利率."""
    spans: list[tuple[int, int]] = []
    for exception, pauses in exceptions:
        at = reading.find(exception)
        while at >= 0:
            first, last = places[at], places[at + len(exception) - ends] + 1
            if _pauses(text[first:last]) <= pauses:
                spans.append((first, last))
            at = reading.find(exception, at + 1)
    return spans


def _spans_sentences(span: str) -> bool:
    """Whether a phrase would reach over the end of a sentence; single characters taken apart are a disguise."""
    if not any(one in _ENDS for one in span):
        return False
    pieces = re.split(r"[^\w]+", span)
    return any(len(piece) > 1 for piece in pieces)


def _hit(phrase: _Phrase, start: int, end: int) -> Hit:
    return Hit(
        start, end, phrase.rule, phrase.article, phrase.severity, phrase.text, phrase.why_zh, phrase.why_en
    )


def compile_lexicons(lexicons: Iterable[LexiconFile]) -> Matcher:
    """A Matcher over all rules of ``lexicons``; an exception of one rule holds for all."""
    phrases: list[_Phrase] = []
    exceptions: list[str] = []
    for lexicon in lexicons:
        for rule in lexicon.rules:
            exceptions += rule.exceptions
            phrases += [
                _Phrase(rule.id, rule.article, rule.severity, text, rule.why.zh, rule.why.en, rule.openings)
                for text in rule.phrases
            ]
    return Matcher(phrases, exceptions)
