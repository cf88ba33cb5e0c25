"""Reading the feeds' files: JSON, one object a line. A bad line is refused with its reason; the rest goes on."""

import json
from collections.abc import Iterator
from datetime import datetime
from difflib import get_close_matches
from typing import Any, BinaryIO, TypeVar

from pydantic import ValidationError

from outreach.feeds.items import FeedItem, MarketEvent, ResearchReport
from outreach.feeds.refusals import FAULT_CODES, Fault, FeedRejected

__all__ = ["FeedRejected", "MarketEvent", "ResearchReport", "parse_market_events", "parse_research"]

MAX_LINE = 1 << 20
_BOM = b"\xef\xbb\xbf"

Item = TypeVar("Item", ResearchReport, MarketEvent)


class _DoubledKey(ValueError):
    """A key comes twice in one object."""


def parse_research(stream: BinaryIO) -> Iterator[ResearchReport | FeedRejected]:
    """The reports of a research feed (UTF-8, one JSON object a line), in order, and what was refused.

    A report without risk text is refused, and advice without publisher, authors and their licence numbers
    (art. 17, 19). The same id with a later ``published_at`` is marked ``correction``. Raises nothing but what
    reading ``stream`` raises.
    """
    return _parse(stream, ResearchReport, "report_id")


def parse_market_events(stream: BinaryIO) -> Iterator[MarketEvent | FeedRejected]:
    """The events of a market feed, by the same rules; ``supersedes`` names the event that one replaces."""
    return _parse(stream, MarketEvent, "event_id")


def _parse(stream: BinaryIO, model: type[Item], id_field: str) -> Iterator[Item | FeedRejected]:
    seen: dict[str, dict[datetime, tuple[int, bytes]]] = {}
    for number, raw in _lines(stream):
        fields = raw if isinstance(raw, Fault) else _object(raw)
        if isinstance(fields, Fault):
            yield FeedRejected(number, "", (fields,))
            continue
        try:
            item = model.model_validate(fields)
        except ValidationError as error:
            given = fields.get(id_field)
            item_id = _shown(given) if isinstance(given, str) else ""
            yield FeedRejected(number, item_id, _faults(error, model))
            continue
        yield _against_earlier(item, number, seen.setdefault(item.item_id, {}), id_field)


def _against_earlier(
    item: Item, number: int, earlier: dict[datetime, tuple[int, bytes]], id_field: str
) -> Item | FeedRejected:
    same_time = earlier.get(item.issued_at)
    if same_time is not None:
        first, digest = same_time
        code = "repeated" if digest == item.sha256 else "conflicting"
        return FeedRejected(number, item.item_id, (Fault(id_field, code, (("first", first),)),))
    version = "first" if not earlier else "correction" if item.issued_at > max(earlier) else "outdated"
    earlier[item.issued_at] = (number, item.sha256)
    return item.placed(number, version)


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | Fault]]:
    number = 0
    while raw := stream.readline(MAX_LINE + 1):
        number += 1
        if len(raw) > MAX_LINE and not raw.endswith(b"\n"):
            while len(raw) > MAX_LINE and not raw.endswith(b"\n"):
                raw = stream.readline(MAX_LINE + 1)
            yield number, Fault("", "too_long")
            continue
        bare = raw.removeprefix(_BOM) if number == 1 else raw
        if bare.strip():
            yield number, bare.rstrip(b"\r\n")


def _object(raw: bytes) -> dict[str, Any] | Fault:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            return Fault("", "cut_off")  # in the middle of a character
        return Fault("", "not_utf8", (("offset", error.start),))
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except _DoubledKey as error:
        return Fault(_shown(str(error)), "doubled_key")
    except json.JSONDecodeError as error:
        # A string that never ends, or a fault at the very end: the rest of the line is missing.
        is_cut_off = error.msg.startswith("Unterminated") or error.pos >= len(text.rstrip())
        return Fault("", "cut_off") if is_cut_off else Fault("", "not_json", (("offset", error.pos + 1),))
    except (ValueError, RecursionError):
        return Fault("", "not_json", (("offset", 1),))
    return value if isinstance(value, dict) else Fault("", "not_object")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, value in pairs:
        if key in fields:
            raise _DoubledKey(key)
        fields[key] = value
    return fields


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _shown(text: str) -> str:
    """What can be stored and shown of a key or an id that may be anything."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text[:80])


def _faults(error: ValidationError, model: type[FeedItem]) -> tuple[Fault, ...]:
    return tuple(_fault(dict(one), model) for one in error.errors(include_url=False, include_input=False))


def _fault(one: dict[str, Any], model: type[FeedItem]) -> Fault:
    kind, context = str(one["type"]), dict(one.get("ctx") or {})
    field = _shown(str(context.pop("field", "") or ".".join(str(part) for part in one["loc"])))
    if kind == "extra_forbidden":
        near = get_close_matches(field, model.model_fields, n=1)
        return Fault(field, "unknown_key_near", (("near", near[0]),)) if near else Fault(field, "unknown_key")
    if kind == "missing":
        return Fault(field, "risk_text" if field == "risk_text" else "missing")
    if kind == "string_too_long":
        return Fault(field, "too_many_characters", (("limit", context["max_length"]),))
    if kind in FAULT_CODES:
        return Fault(field, kind, tuple(context.items()))
    return Fault(field, "wrong_type", (("wanted", "text"),))
