"""A message, or an entry of no message, as the dossier shows it.

What was recorded is shown from the recorded bytes: an element with ``data-of="0.body.text"`` holds the field
``text`` of the body of the card's first record, and the page's check compares the two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from outreach.archive.dossier.facts import Facts
from outreach.archive.dossier.html import both, data, el, words
from outreach.archive.dossier.wording import (
    ACTIONS,
    ATTEMPTS,
    CATEGORIES,
    CHANNELS,
    KINDS,
    OBJECTS,
    PURPOSES,
    RECEIPTS,
    REPLIES,
    STATES,
    VERBS,
    Pair,
    say,
)
from outreach.archive.names import Names
from outreach.archive.opening import Evidence, commits_to_payload
from outreach.archive.records import WHY
from outreach.core.database import AnyRow
from outreach.core.i18n import in_language
from outreach.messages import reasons
from outreach.messages.payload import Payload, from_bytes

_TOLD_BY_TABLES = frozenset({"decision", "release", "receipt", "reply"})


@dataclass(frozen=True)
class Line:
    """One thing that happened: when, what, by whom or with what result, and the record that proves it."""

    at: datetime
    what: str
    detail: str
    leaf: int | None = None


def message_card(
    number: int,
    message_id: UUID,
    items: Sequence[Evidence],
    replies: Sequence[Evidence],
    facts: Facts,
    names: Names,
    zone: ZoneInfo,
) -> str:
    """One message with its text, its life, the replies to it, and its evidence."""
    row = facts.message.get(message_id)
    source, payload = _payload(items)
    lines = _life(message_id, items, facts, names)
    everything = [*items, *replies]
    return el(
        "article",
        _head(number, row),
        _facts(row, payload, source, names),
        _paper(payload, source, items),
        _timeline(lines, zone),
        _replies(replies, len(items), zone),
        _evidence(everything),
        data([_record(item) for item in everything]),
        cls="card",
        id=f"card-{number}",
        data_card=number,
    )


def other_card(number: int, item: Evidence, names: Names, zone: ZoneInfo) -> str:
    """An entry that belongs to no message."""
    said, row = item.envelope, item.row
    told = [both(*words_of) for words_of in _told(item, names)]
    return el(
        "article",
        el(
            "header",
            el("span", words(f"№ {number}"), cls="number"),
            el("strong", both(*say(KINDS, row.kind))),
            _when(said["at"], zone, "0.envelope.at"),
            el("span", words(row.leaf_index), cls="leaf"),
        ),
        el("p", words(" · ").join(told), cls="brief"),
        _text(item, 0),
        _missing(item.why_missing),
        _evidence([item]),
        data([_record(item)]),
        cls="card other",
        id=f"card-{number}",
        data_card=number,
    )


def _told(item: Evidence, names: Names) -> list[Pair]:
    """The facts of an entry in a line."""
    said, told = item.envelope, list[Pair]()
    client_no, client_name = names.client(item.row.client_id)
    if item.row.kind not in {"reply", "receipt"}:
        told.append(names.person(said.get("actor")))
    if client_no:
        told.append((f"{client_no} {client_name}", f"{client_no} {client_name}"))
    tables = {"object": OBJECTS, "verb": VERBS, "action": ACTIONS, "intent": REPLIES, "channel": CHANNELS}
    tables |= {"purpose": PURPOSES, "outcome": RECEIPTS}
    told += [say(table, str(said[name])) for name, table in tables.items() if name in said]
    if "count" in said:
        told.append((f"共 {said['count']} 条", f"{said['count']} in all"))
    return told


def _record(item: Evidence) -> dict[str, Any]:
    record: dict[str, Any] = {
        "leaf": item.row.leaf_index,
        "envelope": bytes(item.row.envelope).decode(),
        "proof": [step.hex() for step in item.proof],
    }
    if item.body is not None:
        record |= {"body": item.body.data.decode(), "salt": item.body.salt.hex()}
    if item.payload is not None:
        record["payload"] = item.payload.decode()
    return record


def _text(item: Evidence, at: int) -> str:
    """The note or reply that the card's record ``at`` commits to."""
    if item.body is None or commits_to_payload(item.row.kind):
        return ""
    return el("div", words(item.body.data.decode()), cls="text", data_of=f"{at}.text")


def _missing(why: str) -> str:
    return el("p", both(*WHY[why]), cls="missing") if why else ""


def _payload(items: Sequence[Evidence]) -> tuple[str, Payload | None]:
    """What was sent, or else what was last decided: where the card's data has it, and the payload."""
    for kinds in (("message.sent", "message.handed_over"), ()):
        for at in range(len(items) - 1, -1, -1):
            item = items[at]
            if item.message_bytes is not None and (not kinds or item.row.kind in kinds):
                part = "body" if commits_to_payload(item.row.kind) and item.body else "payload"
                return f"{at}.{part}", from_bytes(item.message_bytes)
    return "", None


def _when(instant: str, zone: ZoneInfo, source: str | None = None) -> str:
    local = datetime.fromisoformat(instant).astimezone(zone)
    return el("time", words(f"{local:%Y-%m-%d %H:%M:%S}"), datetime=instant, data_of=source)


def _head(number: int, row: AnyRow | None) -> str:
    title = (row.title if row else "") or ""
    return el(
        "header",
        el("span", words(f"№ {number}"), cls="number"),
        el("strong", both(in_language(title, "zh-CN"), in_language(title, "en"))) if title else "",
        el("span", both(*say(CHANNELS, row.channel)), cls="tag") if row else "",
        el("span", both(*say(STATES, row.state)), cls=f"tag state {row.state}") if row else "",
    )


def _facts(row: AnyRow | None, payload: Payload | None, source: str, names: Names) -> str:
    pairs: list[tuple[str, str]] = []
    if payload is not None:
        recipient = el("span", words(payload.recipient_name), data_of=f"{source}.recipient_name")
        address = el("span", words(payload.to), cls="address", data_of=f"{source}.to")
        pairs.append((both("收件人", "Recipient"), f"{recipient} {address}"))
        if payload.sender:
            pairs.append(
                (both("发件人", "Sender"), el("span", words(payload.sender), data_of=f"{source}.sender"))
            )
    if row is not None:
        client_no, client_name = names.client(row.client_id)
        pairs.append((both("客户", "Client"), words(f"{client_no} {client_name}".strip())))
        pairs.append((both("营业部", "Branch"), both(*names.place(row.branch_id))))
        pairs.append((both("类别", "Category"), both(*say(CATEGORIES, row.category))))
        if row.template:
            pairs.append((both("模板", "Template"), words(f"{row.template} v{row.template_version}")))
        pairs.append((both("撰写人", "Written by"), both(*_author(row, names))))
    return el("dl", *(el("div", el("dt", name), el("dd", value)) for name, value in pairs))


def _author(row: AnyRow, names: Names) -> tuple[str, str]:
    if row.author_id is None and row.last_editor_id is None:
        return "按模板自动生成", "composed from the template"
    written = names.person(row.author_id or row.last_editor_id)
    if row.last_editor_id in (None, row.author_id):
        return written
    edited = names.person(row.last_editor_id)
    return f"{written[0]},末次修改 {edited[0]}", f"{written[1]}, last edited by {edited[1]}"


def _paper(payload: Payload | None, source: str, items: Sequence[Evidence]) -> str:
    if payload is None:
        why = next((item.why_missing for item in items if item.why_missing), "")
        none = both("所选记录不含本消息的原文。", "The chosen records carry no text of this message.")
        return _missing(why) or el("p", none, cls="missing")
    parts: list[str] = []
    if payload.subject:
        parts.append(el("div", words(payload.subject), cls="subject", data_of=f"{source}.subject"))
    parts.append(el("div", words(payload.text), cls="text", data_of=f"{source}.text"))
    if payload.html:
        written = el("div", words(payload.html), cls="source", data_of=f"{source}.html")
        parts.append(
            el("details", el("summary", both("HTML 版本的源码", "Source of the HTML version")), written)
        )
    if payload.attachments:
        lines = [
            el("li", words(line), data_of=f"{source}.attachments.{at}", cls="text")
            for at, line in enumerate(payload.attachments)
        ]
        parts.append(el("div", el("strong", both("附件", "Attachments")), el("ul", *lines), cls="attached"))
    return el("section", *parts, cls=f"paper {payload.channel}" if payload.channel.isalpha() else "paper")


def _life(message_id: UUID, items: Sequence[Evidence], facts: Facts, names: Names) -> list[Line]:
    leaves: dict[str, int] = {}
    for item in items:
        for name in ("attempt_id", "receipt_id"):
            if name in item.envelope:
                leaves.setdefault(item.envelope[name], item.row.leaf_index)
    row = facts.message.get(message_id)
    lines: list[Line] = []
    for made in facts.revisions.get(message_id, []):
        first = made.revision == 1
        who = (
            names.person(made.editor_id)
            if made.editor_id
            else ("按模板自动生成", "composed from the template")
        )
        lines.append(Line(made.at, both("拟稿", "Drafted") if first else both("修改", "Edited"), both(*who)))
    for decided in facts.decisions.get(message_id, []):
        lines += _decided(decided, names)
    for tried in facts.attempts.get(message_id, []):
        lines.append(_tried(tried, leaves.get(str(tried.id))))
    for receipt in facts.receipts.get(message_id, []):
        detail = words(f"{receipt.provider} · {receipt.provider_status}")
        zh, en = say(RECEIPTS, receipt.status)
        what = both(f"回执:{zh}", f"Receipt: {en}")
        lines.append(Line(receipt.received_at, what, detail, leaves.get(str(receipt.id))))
    shown = {line.leaf for line in lines}
    for item in items:
        if item.row.kind not in _TOLD_BY_TABLES and item.row.leaf_index not in shown:
            lines.append(
                Line(
                    item.row.at,
                    both(*say(KINDS, item.row.kind)),
                    _reason(item, row, names),
                    item.row.leaf_index,
                )
            )
    return sorted(lines, key=lambda line: line.at)


def _decided(row: AnyRow, names: Names) -> list[Line]:
    who = names.person(row.granted_by if row.verb == "release" else row.actor_id)
    if row.together > 1:
        who = (f"{who[0]},与同批共 {row.together} 条", f"{who[1]}, one of a batch of {row.together}")
    because = ("".join(f" · {reason}" for reason in row.reasons)) + (f" · {row.note}" if row.note else "")
    lines = [Line(row.at, both(*say(VERBS, row.verb)), both(*who) + words(because), row.leaf_index)]
    if row.undone_at is not None:
        lines.append(Line(row.undone_at, both(*VERBS["undo"]), both(*names.person(row.undone_by))))
    return lines


def _tried(row: AnyRow, leaf: int | None) -> Line:
    told = [row.provider, row.provider_ref, row.error_code, row.error_text]
    zh, en = say(ATTEMPTS, row.state)
    what = both(f"发送:{zh}", f"Sending: {en}")
    return Line(
        row.finished_at or row.started_at or row.claimed_at,
        what,
        words(" · ".join(part for part in told if part)),
        leaf,
    )


def _reason(item: Evidence, row: AnyRow | None, names: Names) -> str:
    said = item.envelope
    code = said.get("rule") or said.get("reason")
    if isinstance(code, str):
        params = row.reason_params if row is not None and row.reason == code else None
        return both(reasons.words(code, params, "zh-CN").reason, reasons.words(code, params, "en").reason)
    told = [str(said[name]) for name in ("outcome", "basis", "purpose") if name in said]
    return both(*names.person(said.get("actor"))) + words("".join(f" · {part}" for part in told))


def _timeline(lines: Sequence[Line], zone: ZoneInfo) -> str:
    rows = [
        el(
            "tr",
            el("td", words(f"{line.at.astimezone(zone):%Y-%m-%d %H:%M:%S}")),
            el("td", line.what),
            el("td", line.detail),
            el("td", words(line.leaf) if line.leaf is not None else "", cls="leaf"),
        )
        for line in lines
    ]
    head = el(
        "tr",
        el("th", both("时间", "When"), scope="col"),
        el("th", both("事项", "What"), scope="col"),
        el("th", both("经过", "By whom, with what result"), scope="col"),
        el("th", both("记录号", "Record"), scope="col", cls="leaf"),
    )
    return el("table", el("thead", head), el("tbody", *rows))


def _replies(replies: Sequence[Evidence], first: int, zone: ZoneInfo) -> str:
    shown = [
        el(
            "li",
            _when(item.envelope["at"], zone, f"{at}.envelope.at"),
            el("span", both(*say(REPLIES, item.envelope.get("intent", "reply"))), cls="tag"),
            _text(item, at),
            _missing(item.why_missing),
        )
        for at, item in enumerate(replies, start=first)
    ]
    if not shown:
        return ""
    return el("section", el("h3", both("客户回复", "Replies")), el("ul", *shown), cls="replies")


def _evidence(items: Sequence[Evidence]) -> str:
    rows = [
        el(
            "li",
            el("b", words(f"{item.row.leaf_index} {item.row.kind}")),
            el("code", words(bytes(item.row.envelope).decode())),
        )
        for item in items
    ]
    title = both(f"登记原文(台账记录 {len(rows)} 条)", f"As recorded ({len(rows)} ledger records)")
    return el("details", el("summary", title), el("ol", *rows), cls="evidence")
