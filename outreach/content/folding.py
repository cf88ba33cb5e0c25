"""One form for characters that are read alike: width, case, accents, traditional characters, look-alikes."""

import unicodedata
from functools import cache
from typing import Any

from opencc import OpenCC

# What nobody can tell from a Latin letter, Cyrillic and Greek, by case (Η looks like H, η like n): of Unicode TR 39 the
# part that words are disguised with.
_LOOK_ALIKE = {
    one: latin
    for latin, many in {
        "a": "АаΑαɑ", "b": "ВвΒβ", "c": "СсϹϲ", "d": "ԀԁđĐ", "e": "ЕеΕε", "g": "Ԍԍɡ", "h": "НнҺһΗ", "i": "ІіıΙι",
        "j": "ЈјϳͿ", "k": "КкΚκ", "l": "ӀӏłŁ", "m": "МмΜ", "n": "Νη", "o": "ОоΟοøØ", "p": "РрΡρ", "q": "Ԛԛ", "r": "г",
        "s": "Ѕѕ", "t": "ТтΤτ", "u": "υ", "v": "Ѵѵν", "w": "Ԝԝω", "x": "ХхΧχ", "y": "УуҮүΥγ", "z": "Ζ",
    }.items()
    for one in many
}  # fmt: skip
# Traditional spellings that the usual table keeps apart.
_SAME = {"帐": "账", "著": "着", "甚": "什"}
# Letters by their category that show nothing.
_UNSEEN = frozenset("\u115f\u1160\u3164\uffa0")


@cache
def _simplified(character: str) -> str:
    return "".join(_SAME.get(one, one) for one in str(_converter().convert(character)))


@cache
def _converter() -> Any:
    return OpenCC("t2s")


def folded(character: str) -> str:
    """One character in the form that is compared; it may become several, or none."""
    apart = unicodedata.normalize("NFKD", character)
    latin = "".join(_LOOK_ALIKE.get(one, one) for one in apart)
    out = []
    for one in unicodedata.normalize("NFKD", latin.casefold()):
        if one in _UNSEEN or unicodedata.category(one) in {"Cf", "Mn", "Me"}:
            continue
        out.append(_simplified(one) if ord(one) > 0x2E7F else one)
    return "".join(out)
