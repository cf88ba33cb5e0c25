"""Links in a text, and whether a client may be led there.

A firm's messages lead only to hosts that it vouches for: a shortened or look-alike address is how clients are robbed
in its name.
"""

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

_STOPS = r"\s<>\"'“”‘’，。；！？、（）【】《》\u3400-\u9fff"
# With a scheme or www., or bare with a path: bit.ly/x. A mail address is no link.
_LINK = re.compile(
    rf"(?:[a-z][a-z0-9+.\-]*://|www\.)[^{_STOPS}]+"
    rf"|(?<![@a-z0-9_.\-/])(?:[a-z0-9\-]+\.)+[a-z]{{2,}}(?::\d+)?/[^{_STOPS}]*",
    re.IGNORECASE,
)
_OTHER_SCHEME = re.compile(
    r"[a-z][a-z0-9+.\-]*:(?!//|\d)", re.IGNORECASE
)  # javascript:, data:, not host:8443
_HREF = re.compile(r"\b(?:href|src|action)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>\"']+))", re.IGNORECASE)


class Link(NamedTuple):
    """A link and where it stands; ``host`` is empty when it can't be told."""

    start: int
    end: int
    host: str


def links_in(text: str) -> list[Link]:
    """Every link in ``text``, in order."""
    found: list[Link] = []
    for match in _LINK.finditer(text):
        said = match.group().rstrip(".,;:!?)]}")
        found.append(Link(match.start(), match.start() + len(said), host_of(said)))
    return found


def targets_in(html: str) -> list[str]:
    """The hosts to which the HTML of a mail leads or from which it loads; ``data:``, ``mailto:``, ``tel:`` and places
    in the page itself lead nowhere."""
    values = [next(part for part in match.groups() if part is not None) for match in _HREF.finditer(html)]
    return [
        host_of(value)
        for value in values
        if not value.lower().startswith(("data:image/", "mailto:", "tel:", "#")) and value.strip()
    ]


def host_of(address: str) -> str:
    """The host that an address leads to, in lower case; empty when it has none that a browser would agree on."""
    if _OTHER_SCHEME.match(address):
        return ""
    whole = address if "://" in address else f"https://{address}"
    try:
        parts = urlsplit(whole)
        host = parts.hostname or ""
    except ValueError:
        return ""
    if parts.scheme.lower() not in ("http", "https") or "\\" in address or "@" in parts.netloc:
        return ""
    return host.lower().rstrip(".")


def is_allowed(host: str, hosts: Collection[str]) -> bool:
    """Whether ``host`` is one of ``hosts`` or lies below one of them."""
    return bool(host) and any(host == one or host.endswith(f".{one}") for one in hosts)


def hosts_of(addresses: Iterable[object]) -> frozenset[str]:
    """The hosts of some addresses, those without one left out."""
    return frozenset(host for one in addresses if one and (host := host_of(str(one))))
