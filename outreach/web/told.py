"""An error in the reader's language, whatever language the firm speaks."""

import re
from functools import cache

from outreach.core.errors import OutreachError, RuleBroken
from outreach.core.i18n import translate
from outreach.messages.reasons import REASONS, words

# Sentences with names and figures in them, as the rooms say them; a test holds each against the catalogue.
SENTENCES = (
    "“%(title)s” waits for approval.",
    "“%(title)s” was approved by %(who)s at %(at)s.",
    "“%(title)s” was returned by %(who)s at %(at)s.",
    "“%(title)s” was rejected by %(who)s at %(at)s.",
    "“%(title)s” was withdrawn by %(who)s at %(at)s.",
    "“%(title)s” was put up anew since you read it.",
    "The approval of “%(title)s” ended at %(at)s.",
    "“%(title)s” is material of another kind of service (%(kind)s).",
    "“%(title)s” is investment advice, and this template is not.",
    "The title is empty or longer than %(most)s characters.",
    "A message has up to %(most)s attachments.",
    "%(who)s is away from %(since)s until %(until)s already.",
    "%(deputy)s may not read what %(who)s decides on.",
    "The PDF holds something that acts by itself (%(what)s).",
    "%(who)s is working through this until %(until)s.",
    "A remark has 1 to %(most)s characters.",
    "These are not the messages that you saw: there are %(count)s now.",
    "This is not what you saw: %(count)s messages wait in it now.",
    "This batch is not what you saw: %(count)s messages wait in it now.",
    "This decides %(count)s messages at once.",
    "This approves %(count)s messages at once.",
    "Confirm that it is %(count)s.",
    "%(unread)s of these %(count)s messages were not read.",
    "%(unread)s of the %(count)s messages of the sample were not read.",
)
_PARAMETER = re.compile(r"%\((\w+)\)s")
_KINDS = {
    "channel": "Service notice",
    "information": "Information",
    "consulting": "Advice",
    "product": "Product",
    "relationship": "Relationship",
}


def told(locale: str, error: OutreachError) -> tuple[str, str]:
    """What happened, and what to do about it."""
    if isinstance(error, RuleBroken) and error.rule in REASONS and "params" in error.details:
        why = words(error.rule, error.details["params"], locale)
        return why.reason, why.mend
    return said_in(locale, error.message), said_in(locale, error.mend) if error.mend else ""


def said_in(locale: str, text: str) -> str:
    """``text`` in the reader's language; as it is where nobody has said it in theirs."""
    for sentence, pattern in _patterns():
        found = pattern.fullmatch(text)
        if found:
            values = found.groupdict()
            if "kind" in values:
                values["kind"] = translate(locale, _KINDS.get(values["kind"], values["kind"]))
            return translate(locale, sentence, **values)
    return translate(locale, text)


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((sentence, _pattern(sentence)) for sentence in SENTENCES)


def _pattern(sentence: str) -> re.Pattern[str]:
    parts = _PARAMETER.split(sentence)
    made = "".join(f"(?P<{part}>.+?)" if at % 2 else re.escape(part) for at, part in enumerate(parts))
    return re.compile(made, re.DOTALL)
