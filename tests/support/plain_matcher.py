"""The matcher written plainly, without a short cut: what the product's own must agree with, hit for hit.

Two readings of a text are searched. The *close* reading drops everything between characters and serves
Chinese; the *word* reading keeps words apart and serves English. Both fold width (NFKC), case and traditional
characters. Only where something is found is the way back to the original's positions worked out.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import ahocorasick
from opencc import OpenCC

from outreach.content.formats import LexiconFile
from outreach.content.matcher import Hit

Severity = Literal["block", "flag"]
_LATIN = re.compile(r"[A-Za-z\uff21-\uff5a]")
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


@cache
def _simplified(character: str) -> str:
    return str(_converter().convert(character))


@cache
def _converter() -> Any:
    return OpenCC("t2s")


def _folded(character: str) -> str:
    """One character in the form that is compared; it may become several, or none."""
    out = []
    for one in unicodedata.normalize("NFKC", character).casefold():
        if unicodedata.category(one) in {"Cf", "Mn", "Me"}:
            continue
        out.append(_simplified(one) if ord(one) > 0x2E7F else one)
    return "".join(out)


class _Close(dict[int, str]):
    """For str.translate: folds, and drops whatever is neither letter nor digit."""

    def __missing__(self, code: int) -> str:
        kept = "".join(one for one in _folded(chr(code)) if one.isalnum())
        self[code] = kept
        return kept


class _Words(dict[int, str]):
    """For str.translate: folds, drops apostrophes, and turns what separates words into a space."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character in "'’‘＇ʼ":
            kept = ""
        else:
            folded = _folded(character)
            kept = "".join(one if one.isalnum() else " " for one in folded)
            if not folded and unicodedata.category(character) not in {"Cf", "Mn", "Me"}:
                kept = " "
        self[code] = kept
        return kept


_CLOSE, _WORDS = _Close(), _Words()


def _close(text: str) -> str:
    return text.translate(_CLOSE)


def _words(text: str) -> str:
    return " ".join(text.translate(_WORDS).split())


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
                if joined != reading:
                    word.setdefault(f" {joined} ", []).append(phrase)
            else:
                close.setdefault(_close(phrase.text), []).append(phrase)
        for automaton, table in ((self._close, close), (self._word, word)):
            for key, found in table.items():
                automaton.add_word(key, (len(key), found))
            if table:
                automaton.make_automaton()
        self._has_close, self._has_word = bool(close), bool(word)
        self._close_exceptions = [_close(one) for one in exceptions if not _is_latin(one)]
        self._word_exceptions = [f" {_words(one)} " for one in exceptions if _is_latin(one)]

    def find(self, text: str) -> list[Hit]:
        """Every phrase in ``text`` that no exception covers, in order of position."""
        hits: list[Hit] = []
        if self._has_close:
            reading = text.translate(_CLOSE)
            found = [(end + 1 - length, end + 1, many) for end, (length, many) in self._close.iter(reading)]
            if found:
                hits += self._in_close(text, reading, found)
        if self._has_word and _LATIN.search(text):
            hits += self._in_words(text)
        return sorted(set(hits))

    def _in_close(
        self, text: str, reading: str, found: Sequence[tuple[int, int, list[_Phrase]]]
    ) -> Iterator[Hit]:
        covered = _covered(reading, self._close_exceptions)
        places = [at for at, character in enumerate(text) for _ in _CLOSE[ord(character)]]
        for start, end, many in found:
            if any(low <= start and end <= high for low, high in covered):
                continue
            first, last = places[start], places[end - 1] + 1
            for phrase in many:
                if phrase.opening and start != 0:
                    continue
                if _spans_sentences(text[first:last]) and not any(one in _ENDS for one in phrase.text):
                    continue
                yield _hit(phrase, first, last)

    def _in_words(self, text: str) -> Iterator[Hit]:
        letters, places = _worded(text)
        reading = f" {letters} "
        covered = _covered(reading, self._word_exceptions)
        for end, (length, many) in self._word.iter(reading):
            start = end + 1 - length
            if any(low <= start and end + 1 <= high for low, high in covered):
                continue
            # The spaces at both ends belong to the pattern, not to the phrase.
            first, last = places[start], places[end - 2] + 1
            for phrase in many:
                if not phrase.opening or start == 0:
                    yield _hit(phrase, first, last)
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


def _covered(reading: str, exceptions: Iterable[str]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for exception in exceptions:
        at = reading.find(exception)
        while at >= 0:
            spans.append((at, at + len(exception)))
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
