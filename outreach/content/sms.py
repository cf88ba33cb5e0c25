"""How long an SMS is (3GPP TS 23.038): GSM-7 160, then 153 septets; UCS-2 70, then 67 UTF-16 units."""

from typing import Literal, NamedTuple

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")


class SmsLength(NamedTuple):
    """``units`` are septets or UTF-16 units; ``segments`` is what is paid for."""

    encoding: Literal["GSM-7", "UCS-2"]
    units: int
    segments: int


def sms_length(text: str) -> SmsLength:
    """The length of ``text`` as an SMS, signature and opt-out words included, for they count as text."""
    if all(character in _BASIC or character in _EXTENSION for character in text):
        units = sum(2 if character in _EXTENSION else 1 for character in text)
        return SmsLength("GSM-7", units, _segments(units, 160, 153))
    units = len(text.encode("utf-16-le")) // 2
    return SmsLength("UCS-2", units, _segments(units, 70, 67))


def _segments(units: int, single: int, joined: int) -> int:
    return 1 if units <= single else -(-units // joined)
