"""What an SMS is to a provider: segments, numbers, and the words that opt out and in."""

import re
import unicodedata
from uuid import UUID

E164 = re.compile(r"\+[1-9]\d{7,14}")

# GSM 03.38: the basic set, and the extension whose characters take two septets.
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")

STOP_WORDS = frozenset(
    ["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT", "退订"]
)
START_WORDS = frozenset(["START", "YES", "UNSTOP", "开通"])
HELP_WORDS = frozenset(["HELP", "INFO"])
PLATFORM_STOP_WORDS = STOP_WORDS | frozenset(["T", "TD", "R"])
"""A mainland platform knows these as well."""

_UUID = re.compile(r"(?<![0-9a-z])[0-9a-f]{8}(-?)(?:[0-9a-f]{4}\1){3}[0-9a-f]{12}(?![0-9a-z])", re.IGNORECASE)


def segments(text: str) -> int:
    """How many SMS carry ``text``: GSM-7 160 then 153 septets, else UCS-2 70 then 67 UTF-16 units."""
    if all(character in _BASIC or character in _EXTENSION for character in text):
        units, single, joined = sum(2 if c in _EXTENSION else 1 for c in text), 160, 153
    else:
        units, single, joined = len(text.encode("utf-16-le")) // 2, 70, 67
    return 1 if units <= single else -(-units // joined)


def keyword(text: str, stop_words: frozenset[str] = STOP_WORDS) -> str:
    """STOP, START or HELP when the whole text is such a word, else ''."""
    word = unicodedata.normalize("NFKC", text).strip().upper()
    if word in stop_words:
        return "STOP"
    if word in START_WORDS:
        return "START"
    return "HELP" if word in HELP_WORDS else ""


def message_id_in(text: str) -> str:
    """The first UUID in an address or header (with or without hyphens), written with hyphens; '' for none.

    It is the firm's own message id: in Twilio's StatusCallback address, in a mail's Message-ID.
    """
    found = _UUID.search(text)
    return str(UUID(found.group())) if found else ""
