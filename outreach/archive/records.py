"""The records of a bag: every entry in files that common tools can check, with a line in two indexes.

``data/records/<thousand>/<leaf>`` is the stem of an entry's files: ``.envelope.json`` (the leaf's exact bytes),
``.proof`` (the inclusion path, a hash a line); the bytes that it commits to as ``.payload.json``, ``.reply.txt`` or
``.note.txt``, with the ``.salt``; the payload that it names by its digest only, as ``.payload.json``; and ``.eml`` for
mail as it went over the wire.
"""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from outreach.archive.bag import BagWriter, HashedFile
from outreach.archive.names import Names
from outreach.archive.opening import Evidence, commits_to_payload, evidence
from outreach.archive.selection import records
from outreach.core.errors import BadInput
from outreach.delivery.channels.smtp import eml
from outreach.ledger.work import Work
from outreach.messages.attachments import Contents, ending, lines_of, named, read_contents
from outreach.messages.payload import from_bytes

_HEADINGS = (
    "叶序号 leaf",
    "时间 at",
    "类别 kind",
    "经办 actor",
    "客户号 client_no",
    "客户 client",
    "营业部 branch",
    "渠道 channel",
    "消息 message_id",
    "收件地址 to",
    "结果 outcome",
    "文件 file",
)
PAYLOAD = ".payload.json"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

WHY = {
    "disposed": (
        "原文已依规处置,台账载明时间与依据。",
        "The bytes were disposed of; the record says when and why.",
    ),
    "altered": (
        "现存原文与当时登记不符,不予出具。",
        "The stored bytes are not those that were recorded.",
    ),
    "beyond_scope": (
        "导出人权限范围以外的营业部记录。",
        "Entries of branches beyond the scope of whoever exported.",
    ),
    "attachment_gone": (
        "附件原文已依规处置,或与当时登记不符。",
        "An attachment was disposed of, or is not what was recorded.",
    ),
    "eml_not_rebuilt": (
        "无法以现行发件地址重建邮件的线上字节;原文已收录。",
        "With today's sender address the mail's wire bytes can't be built again; its payload is here.",
    ),
}


@dataclass
class Written:
    """What the pass over the records has written."""

    records: int = 0
    withheld: int = 0


def stem(leaf_index: int) -> str:
    """The path, without its ending, of an entry's files: a folder for each thousand leaves."""
    return f"data/records/{leaf_index // 1000:09d}/{leaf_index:012d}"


def ending_of(kind: str) -> str:
    """The ending of the file with the bytes that an entry of ``kind`` commits to."""
    if commits_to_payload(kind):
        return PAYLOAD
    return ".reply.txt" if kind == "reply" else ".note.txt"


def safe_cell(value: str) -> str:
    """``value`` so that no spreadsheet takes it for a formula."""
    return f"'{value}" if value.startswith(_FORMULA) else value


class _Lists:
    """The three lists that grow with the records: leaves, index, and what is withheld."""

    def __init__(self, leaves: HashedFile, index: HashedFile, withheld: HashedFile) -> None:
        self.leaves, self.index, self.withheld = leaves, index, withheld
        self.count = 0
        self.attached: set[str] = set()
        index.write(b"\xef\xbb\xbf")
        self.add_row(_HEADINGS)
        withheld.write(b'{"withheld":[')

    def add_row(self, cells: tuple[str, ...]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="\r\n").writerow([safe_cell(cell) for cell in cells])
        self.index.write(line.getvalue().encode())

    def add_leaf(self, fields: dict[str, Any]) -> None:
        self.leaves.write(json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")

    def withhold(self, reason: str, **fields: Any) -> None:
        line = json.dumps(
            {"reason": reason, "words": " ".join(WHY[reason]), **fields}, ensure_ascii=False
        ).encode()
        self.withheld.write((b",\n" if self.count else b"\n") + line)
        self.count += 1

    def withhold_of(self, item: Evidence, reason: str) -> None:
        row = item.row
        self.withhold(reason, leaf_index=row.leaf_index, entry_id=str(row.id), kind=row.kind)

    def end(self) -> None:
        self.withheld.write(b"\n]}\n")


def write_records(
    work: Work, bag: BagWriter, names: Names, size: int, beyond: int, progress: Callable[[int], None]
) -> Written:
    """Write every chosen entry; ``progress`` is told how many are done."""
    written = Written()
    with ExitStack() as stack:
        lists = _Lists(
            stack.enter_context(bag.stream("data/ledger/leaves.jsonl")),
            stack.enter_context(bag.stream("data/index.csv")),
            stack.enter_context(bag.stream("data/withheld.json")),
        )
        if beyond:
            lists.withhold("beyond_scope", count=beyond)
        for rows in records(work):
            names.meet(work, (row.client_id for row in rows))
            for item in evidence(work, rows, size):
                _write_one(work, bag, names, lists, item)
            written.records += len(rows)
            progress(written.records)
        lists.end()
        written.withheld = lists.count
    return written


def _write_one(work: Work, bag: BagWriter, names: Names, lists: _Lists, item: Evidence) -> None:
    row, body = item.row, item.body
    base = stem(row.leaf_index)
    files: dict[str, str] = {"envelope": f"{base}.envelope.json", "proof": f"{base}.proof"}
    bag.write(files["envelope"], bytes(row.envelope))
    bag.write(files["proof"], "".join(f"{step.hex()}\n" for step in item.proof).encode())
    if body is not None:
        files["body"], files["salt"] = base + ending_of(row.kind), f"{base}.salt"
        bag.write(files["body"], body.data)
        bag.write(files["salt"], body.salt)
    if item.payload is not None:
        files["payload"] = base + PAYLOAD
        bag.write(files["payload"], item.payload)
    _write_attached(work, bag, lists, item)
    if item.why_missing:
        lists.withhold_of(item, item.why_missing)
    mail = as_sent(work, item)
    if mail is not None:
        files["eml"] = f"{base}.eml"
        bag.write(files["eml"], mail)
    elif body is not None and item.envelope.get("provider") == "smtp" and "wire_digest" in item.envelope:
        lists.withhold_of(item, "eml_not_rebuilt")
    lists.add_leaf(
        {
            "leaf_index": row.leaf_index,
            "entry_id": str(row.id),
            "kind": row.kind,
            "leaf_hash": bytes(row.leaf_hash).hex(),
            **files,
        }
    )
    shown = files.get("body") or files.get("payload") or files["envelope"]
    lists.add_row(_index_row(work, names, item, shown))


def _write_attached(work: Work, bag: BagWriter, lists: _Lists, item: Evidence) -> None:
    """What the message has attached, or the material that was decided on, each file once under its own SHA-256."""
    lines: Sequence[str] = ()
    if item.message_bytes is not None:
        lines = from_bytes(item.message_bytes).attachments
    elif item.row.kind == "material":
        lines = lines_of(work, [item.envelope["file_digest"]])
    for line in lines:
        one = named(line)
        if one.sha256 in lists.attached:
            continue
        found = read_contents(work, [line]).get(line)
        if found is None:
            lists.withhold_of(item, "attachment_gone")
            continue
        lists.attached.add(one.sha256)
        bag.write(attachment_path(one.sha256, one.media_type), found.data)


def attachment_path(sha256: str, media_type: str) -> str:
    """Where a bag has an attachment."""
    return f"data/attachments/{sha256}{ending(media_type)}"


def as_sent(work: Work, item: Evidence) -> bytes | None:
    """The mail as it went over the wire, built again from payload and attempt; None unless its SHA-256 is the one
    that was recorded when it was sent."""
    said, smtp = item.envelope, work.settings.smtp
    needed = {"wire_digest", "started_at", "attempt_id", "message_id"}
    payload = item.message_bytes
    if payload is None or smtp is None or said.get("provider") != "smtp" or not needed <= said.keys():
        return None
    try:
        mail = eml(
            from_bytes(payload),
            UUID(said["message_id"]),
            UUID(said["attempt_id"]),
            datetime.fromisoformat(said["started_at"]),
            smtp.sender,
            attached(work, payload),
        )
    except (ValueError, TypeError, BadInput):
        return None  # not a payload that today's program can write as a mail
    return mail if hashlib.sha256(mail).hexdigest() == said["wire_digest"] else None


def attached(work: Work, payload: bytes) -> tuple[Contents, ...]:
    """What a payload names as attached, with its bytes. Raises ValueError when one is no longer kept."""
    lines = from_bytes(payload).attachments
    found = read_contents(work, lines)
    if any(line not in found for line in lines):
        raise ValueError("an attachment is no longer kept")
    return tuple(found[line] for line in lines)


def _index_row(work: Work, names: Names, item: Evidence, path: str) -> tuple[str, ...]:
    row, said = item.row, item.envelope
    client_no, client_name = names.client(row.client_id)
    address = ""
    if item.message_bytes is not None:
        address = str(json.loads(item.message_bytes).get("to", ""))
    return (
        str(row.leaf_index),
        row.at.astimezone(work.settings.zone).isoformat(timespec="seconds"),
        row.kind,
        names.person(said.get("actor"))[0],
        client_no,
        client_name,
        names.place(row.branch_id)[0],
        said.get("channel", ""),
        str(row.message_id or ""),
        address,
        said.get("outcome") or said.get("verb") or said.get("rule") or said.get("action") or "",
        path.removeprefix("data/"),
    )
