"""What is found in content, in the reader's language: its sentences carry names and figures, so they are recognised by
their pattern, and said anew."""

import re
from functools import cache

from outreach.core.i18n import catalogue, translate

_PARAMETER = re.compile(r"%\((\w+)\)s")
_FIGURES = frozenset({"base", "line", "more", "most", "segments", "size", "units", "version"})

# As the rooms say them; a test holds each against the catalogue.
SENTENCES = (
    "The variable `%(name)s` is not declared.",
    "`%(name)s` is no variable's name.",
    "The variable `%(name)s` is declared and used nowhere.",
    "The disclosure `%(name)s` is required (%(article)s).",
    'Add "%(name)s" to disclosures.',
    "There is no sample in %(language)s.",
    "A sample can't be rendered: %(why)s.",
    "A slot stays open: %(slot)s",
    "“%(words)s” is forbidden (%(article)s).",
    "A %(kind)s in the text.",
    "The greeting takes %(segments)s SMS (%(units)s units of %(encoding)s).",
    "Not TOML: %(why)s.",
    "Unknown key `%(key)s`.",
    "Did you mean `%(key)s`?",
    "Did you mean %(key)s?",
    "The key `%(key)s` is missing.",
    "Add `%(key)s = …`.",
    "`%(key)s` can't be %(value)s.",
    "Missing for %(channel)s in %(language)s.",
    "The template has no %(language)s.",
    "There is no %(key)s %(value)s.",
    "There are: %(names)s.",
    "%(template)s has no text for %(channels)s.",
    "%(policy)s does not govern %(category)s.",
    "%(policy)s takes over from other policies; a job can't begin with it.",
    "%(policy)s takes over from no policy: none has its scope, categories and authors.",
    "%(policy)s never has its turn: %(other)s is asked first and always applies.",
    "Give it a higher priority than %(other)s.",
    "%(policy)s would take over from %(other)s and ask for less: %(what)s.",
    "mode %(mode)s, not %(other)s",
    "no approver who is %(roles)s",
    "%(policy)s and %(other)s may both apply to one message, and have the same priority.",
    "%(policy)s and %(other)s both govern what %(authors)s write in %(category)s.",
    "What %(authors)s write has no text of an author's own.",
    "%(kind)s is not allowed here.",
    "`%(name)s` reaches into the program.",
    "there is no filter `%(name)s`.",
    "%(file)s has %(size)s bytes, more than %(most)s.",
    "%(file)s is not text.",
    "%(file)s is not a file of a %(kind)s.",
    "There may be: %(names)s.",
    "There is a %(kind)s %(name)s already.",
    "There is no %(kind)s %(name)s in force.",
    "The note is longer than %(most)s characters.",
    "%(who)s saved this draft at %(at)s.",
    "%(who)s put this draft up at %(at)s.",
    "%(who)s returned this draft at %(at)s.",
    "%(who)s published this draft at %(at)s.",
    "%(who)s discarded this draft at %(at)s.",
    "Version %(version)s is in force by now; this draft was started from %(base)s.",
    "The %(kind)s %(name)s in force can't be read any more.",
    "%(file)s:%(line)s: %(what)s (%(more)s more)",
    "%(file)s:%(line)s: %(what)s",
)


def in_words(locale: str, text: str) -> str:
    """``text`` in the reader's language; as it is where nobody has said it in theirs."""
    if not text or text in catalogue(locale):
        return translate(locale, text) if text else ""
    for sentence, pattern in _patterns():
        found = pattern.fullmatch(text)
        if found:
            values = found.groupdict()
            if "what" in values:
                values["what"] = in_words(locale, values["what"])
            return translate(locale, sentence, **values)
    return text


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((sentence, _pattern(sentence)) for sentence in SENTENCES)


def _pattern(sentence: str) -> re.Pattern[str]:
    parts = _PARAMETER.split(sentence)
    made = (_parameter(part) if at % 2 else re.escape(part) for at, part in enumerate(parts))
    return re.compile("".join(made), re.DOTALL)


def _parameter(name: str) -> str:
    """What may stand for a parameter: figures only where it is a number, for sentences may stand within others."""
    return rf"(?P<{name}>\d+)" if name in _FIGURES else f"(?P<{name}>.+?)"
