"""The matcher written plainly, without a short cut: what the product's own must agree with, hit for hit.

Two readings of a text are searched. The *close* reading drops everything between characters and serves
Chinese; the *word* reading keeps words apart and serves English. Both fold width (NFKC), case and traditional
characters. Only where something is found is the way back to the original's positions worked out.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import ahocorasick

from outreach.content.approval_formats import LexiconFile
from outreach.content.folding import folded
from outreach.content.matcher import Hit, signs_inside

Severity = Literal["block", "flag"]
_SPELT = re.compile(r"(?<!\S)\w(?: \w(?!\S)){2,}")
_ENDS = frozenset("。！？!?；;\n")


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
        if character in "'’‘`´′‛＇ʼ":
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


def _without(text: str) -> str:
    dropped = signs_inside(text)
    return "".join(one for at, one in enumerate(text) if at not in dropped)


def _is_latin(text: str) -> bool:
    return text.isascii()


class Matcher:
    """Phrases and exceptions of some lexicons, compiled. Made by ``compile_plainly``; safe to share."""

    def __init__(self, phrases: Sequence[_Phrase], exceptions: Sequence[str]) -> None:
        self._close = ahocorasick.Automaton()
        self._word = ahocorasick.Automaton()
        self._spelt: dict[str, list[_Phrase]] = {}
        close: dict[str, list[_Phrase]] = {}
        word: dict[str, list[_Phrase]] = {}
        for phrase in phrases:
            if _is_latin(phrase.text):
                reading = _words(phrase.text)
                word.setdefault(f" {reading} ", []).append(phrase)
                joined = reading.replace(" ", "")
                self._spelt.setdefault(joined, []).append(phrase)
                for other in {joined, _words(_without(phrase.text))} - {reading}:
                    word.setdefault(f" {other} ", []).append(phrase)
            else:
                close.setdefault(_close(phrase.text), []).append(phrase)
        for automaton, table in ((self._close, close), (self._word, word)):
            for key, found in table.items():
                automaton.add_word(key, (len(key), found))
            if table:
                automaton.make_automaton()
        self._has_close, self._has_word = bool(close), bool(word)
        self._close_exceptions = [(_close(one), _pauses(one)) for one in exceptions if not _is_latin(one)]
        self._word_exceptions = [(f" {_words(one)} ", _pauses(one)) for one in exceptions if _is_latin(one)]

    def find(self, text: str) -> list[Hit]:
        """Every phrase in ``text`` that no exception covers, in order of position."""
        hits: list[Hit] = []
        if self._has_close:
            reading = text.translate(_CLOSE)
            found = [(end + 1 - length, end + 1, many) for end, (length, many) in self._close.iter(reading)]
            if found:
                hits += self._in_close(text, reading, found)
        if self._has_word:
            hits += self._in_words(text, list(range(len(text))), [])
            hits += self._in_broken_words(text)
        return sorted(set(hits))

    def _in_close(
        self, text: str, reading: str, found: Sequence[tuple[int, int, list[_Phrase]]]
    ) -> Iterator[Hit]:
        places = [at for at, character in enumerate(text) for _ in _CLOSE[ord(character)]]
        lawful = _lawful(text, reading, places, self._close_exceptions, 1)
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

    def _in_broken_words(self, text: str) -> list[Hit]:
        broken = signs_inside(text)
        kept = [at for at in range(len(text)) if at not in broken]
        letters, places = _worded(text)
        lawful = _lawful(text, f" {letters} ", places, self._word_exceptions, 3)
        return [
            hit
            for hit in self._in_words(text, kept, lawful, spelt=False)
            if not broken.isdisjoint(range(hit.start, hit.end))
        ]

    def _in_words(
        self, text: str, kept: list[int], lawful: list[tuple[int, int]], spelt: bool = True
    ) -> Iterator[Hit]:
        letters, places = _worded("".join(text[at] for at in kept))
        places = [kept[at] for at in places]
        reading = f" {letters} "
        lawful = lawful + _lawful(text, reading, places, self._word_exceptions, 3)
        for end, (length, many) in self._word.iter(reading):
            start = end + 1 - length
            # The spaces at both ends belong to the pattern, not to the phrase.
            first, last = places[start], places[end - 2] + 1
            if any(low <= first and last <= high for low, high in lawful):
                continue
            for phrase in many:
                if not phrase.opening or start == 0:
                    yield _hit(phrase, first, last)
        if not spelt:
            return
        for run in _SPELT.finditer(letters):
            joined = run.group().replace(" ", "")
            for key, many in self._spelt.items():
                at = joined.find(key)
                if at < 0:
                    continue
                first = places[run.start() + 2 * at]
                last = places[run.start() + 2 * (at + len(key) - 1)] + 1
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
    return sum(one in "，,、。．.；;！!？?：:…—" for one in text) + len(re.findall(r"\n\s*\n", text))


def _lawful(
    text: str, reading: str, places: Sequence[int], exceptions: Iterable[tuple[str, int]], ends: int
) -> list[tuple[int, int]]:
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


def compile_plainly(lexicons: Iterable[LexiconFile]) -> Matcher:
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
