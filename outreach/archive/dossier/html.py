"""HTML written exactly as a browser would write it back, so that a page can hash itself.

The check on the page compares the SHA-256 of ``outerHTML`` (HTML standard, §13.3, serialising) with the digest of
the text made here. So: attributes in double quotes, text with only &, < and > escaped (and U+00A0 named), no
void element closed, no line break that the parser would drop, and no angle bracket in an attribute, about which
browsers differ.
"""

import json
from typing import Any

_VOID = frozenset({"meta", "br", "input"})


def shown(value: str) -> str:
    """``value`` as a page can hold it: the parser turns CR into LF and can't keep NUL."""
    return value.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "␀")


def words(value: object) -> str:
    """Escaped text."""
    escaped = shown(str(value)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("\u00a0", "&nbsp;")


def el(tag: str, /, *children: str, **attributes: object) -> str:
    """An element. ``cls`` stands for class, an underscore for a dash; None leaves an attribute out.

    ``children`` are HTML already. Raises ValueError for an angle bracket in an attribute.
    """
    opening = [tag]
    for key, value in attributes.items():
        if value is None:
            continue
        text = str(value)
        if "<" in text or ">" in text:
            raise ValueError(f"no angle brackets in the attribute {key}")
        escaped = text.replace("&", "&amp;").replace("\u00a0", "&nbsp;").replace('"', "&quot;")
        label = "class" if key == "cls" else key.replace("_", "-")
        opening.append(f'{label}="{escaped}"')
    if tag in _VOID:
        return f"<{' '.join(opening)}>"
    return f"<{' '.join(opening)}>{''.join(children)}</{tag}>"


def both(zh: object, en: object) -> str:
    """A phrase in both languages; the page shows one."""
    return el("span", words(zh), cls="zh", lang="zh-CN") + el("span", words(en), cls="en", lang="en")


def data(value: Any, **attributes: object) -> str:
    """A data block. ``<`` is escaped, so nothing in it can end the block."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return el("script", text, type="application/json", **attributes)
