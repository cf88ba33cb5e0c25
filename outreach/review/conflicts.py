"""What somebody else did meanwhile, so that whoever came second is told who, what and when."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from outreach.core import clock
from outreach.core.errors import Conflict
from outreach.core.i18n import instant_text
from outreach.ledger.tables import ledger_entry
from outreach.messages.reasons import REASONS, words
from outreach.messages.tables import message, message_revision
from outreach.people.tables import staff
from outreach.review.tables import decision, decision_digest

# Reached without a decision: the state itself is what happened.
_NOBODYS = frozenset({"suppressed", "expired", "cancelled"})


@dataclass(frozen=True)
class Happened:
    """The last thing that happened to a message. ``what`` is a decision's verb, ``undo``, ``edit`` or a state.

    ``reason`` and ``params``: of a state that nobody decided, a code of messages.reasons and what fills its words.
    """

    message_id: UUID
    who: str
    what: str
    at: datetime
    state: str
    revision: int
    reason: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """For ``Conflict.details`` and the web's 409."""
        return {
            "message_id": str(self.message_id),
            "who": self.who,
            "what": self.what,
            "at": self.at.isoformat(),
            "state": self.state,
            "revision": self.revision,
            "reason": self.reason,
            "params": dict(self.params),
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "Happened":
        """What ``to_json`` wrote."""
        return cls(
            UUID(said["message_id"]),
            said["who"],
            said["what"],
            datetime.fromisoformat(said["at"]),
            said["state"],
            said["revision"],
            said["reason"],
            said["params"],
        )


_SENTENCES: dict[str, tuple[str, str]] = {
    "approve": ("{who}已于 {at} 批准。", "{who} approved it on {at}."),
    "endorse": (
        "{who}已于 {at} 同意，转下一审批人。",
        "{who} endorsed it on {at}; the next approver has it.",
    ),
    "return": ("{who}已于 {at} 退回修改。", "{who} returned it on {at}."),
    "reject": ("{who}已于 {at} 否决。", "{who} rejected it on {at}."),
    "release": (
        "已于 {at} 按常设审批自动放行。",
        "It was released under a standing approval on {at}.",
    ),
    "undo": ("{who}已于 {at} 撤销审批，请重新审阅。", "{who} took the approval back on {at}; read it again."),
    "edit": (
        "{who}已于 {at} 修改内容，现为第 {revision} 版。",
        "{who} changed the words on {at}; it is revision {revision} now.",
    ),
    "skipped": ("{who}已于 {at} 跳过这位客户。", "{who} skipped this client on {at}."),
    "withdrawn": ("{who}已于 {at} 撤回。", "{who} took it back on {at}."),
    "cancelled": ("已于 {at} 取消：{why}", "It was cancelled on {at}: {why}"),
    "expired": ("已于 {at} 过有效期，不再发送。", "It expired on {at}; it is not sent any more."),
    "suppressed": ("已于 {at} 停发：{why}", "It was stopped on {at}: {why}"),
}
_OTHERWISE = ("已于 {at} 发生变化。", "It changed on {at}.")
_SOMEBODY = ("系统", "The system")


def in_words(item: Happened, locale: str, zone: ZoneInfo) -> str:
    """Who did what, when, and where nobody decided why, in the reader's language; times in ``zone``."""
    zh = locale.startswith("zh")
    what = item.reason if item.what == "cancelled" and item.reason in _SENTENCES else item.what
    sentence = _SENTENCES.get(what, _OTHERWISE)[0 if zh else 1]
    why = words(item.reason, item.params, locale).reason if item.reason in REASONS else item.reason
    return sentence.format(
        who=item.who or _SOMEBODY[0 if zh else 1],
        at=instant_text(locale, item.at, zone, clock.now()),
        why=why,
        revision=item.revision,
    )


def what_happened(conn: Connection, message_ids: Iterable[UUID]) -> list[Happened]:
    """The last decision, edit or move of each message."""
    wanted = sorted(set(message_ids))
    decided = _decisions(conn, wanted)
    edited = _edits(conn, wanted)
    found: list[Happened] = []
    rows = conn.execute(
        select(
            message.c.id,
            message.c.state,
            message.c.state_at,
            message.c.revision,
            message.c.reason,
            message.c.reason_params,
        )
        .where(message.c.id.in_(wanted))
        .order_by(message.c.id)
    ).all()
    movers = _movers(conn, [row.id for row in rows if row.state in _NOBODYS])
    for row in rows:
        acts = [source[row.id] for source in (edited, decided) if row.id in source]
        if not acts or row.state in _NOBODYS:
            at, who, what = row.state_at, movers.get((row.id, row.state), ""), row.state
            reason, params = row.reason or "", row.reason_params or {}
        else:
            (at, who, what), reason, params = max(acts), "", {}
        found.append(Happened(row.id, who, what, at, row.state, row.revision, reason, params))
    return found


def lost(conn: Connection, message_ids: Sequence[UUID]) -> Conflict:
    """The Conflict for those who came second; ``details['messages']`` has who did what and when, for each
    (``Happened.from_json``, ``in_words``)."""
    happened = what_happened(conn, message_ids)
    first = happened[0]
    more = f" and {len(happened) - 1} more" if len(happened) > 1 else ""
    by = f" by {first.who}" if first.who else ""
    return Conflict(
        f"Message {first.message_id}{more} changed before you: {first.what}{by} at {first.at.isoformat()}. "
        "Nothing was decided.",
        mend="Read again what still waits and decide on that.",
        messages=[item.to_json() for item in happened],
    )


def _movers(conn: Connection, message_ids: list[UUID]) -> dict[tuple[UUID, str], str]:
    """Who stopped a message without a decision, as the record has it; the machine's own doing is nobody's."""
    if not message_ids:
        return {}
    entries = conn.execute(
        select(ledger_entry.c.message_id, ledger_entry.c.kind, ledger_entry.c.envelope)
        .where(
            ledger_entry.c.message_id.in_(message_ids),
            ledger_entry.c.kind.in_([f"message.{state}" for state in sorted(_NOBODYS)]),
        )
        .order_by(ledger_entry.c.at)
    ).all()
    actors = {
        (row.message_id, row.kind.removeprefix("message.")): json.loads(bytes(row.envelope))["actor"]
        for row in entries
    }
    people = {UUID(actor) for actor in actors.values() if len(actor) == _UUID}
    names = {
        row.id: row.name
        for row in conn.execute(select(staff.c.id, staff.c.name).where(staff.c.id.in_(people)))
    }
    return {key: names.get(UUID(actor), "") for key, actor in actors.items() if len(actor) == _UUID}


_UUID = 36  # characters; anything else is no person


def _decisions(conn: Connection, message_ids: list[UUID]) -> dict[UUID, tuple[datetime, str, str]]:
    undoer = staff.alias("undoer")
    rows = conn.execute(
        select(
            decision_digest.c.message_id,
            decision.c.at,
            decision.c.verb,
            decision.c.undone_at,
            staff.c.name,
            undoer.c.name.label("undone_name"),
        )
        .select_from(decision_digest.join(decision, decision.c.id == decision_digest.c.decision_id))
        .outerjoin(staff, staff.c.id == decision.c.actor_id)
        .outerjoin(undoer, undoer.c.id == decision.c.undone_by)
        .where(decision_digest.c.message_id.in_(message_ids))
        .order_by(decision_digest.c.message_id, decision.c.at)
    )
    found: dict[UUID, tuple[datetime, str, str]] = {}
    for row in rows:
        if row.undone_at is not None:
            found[row.message_id] = (row.undone_at, row.undone_name or "", "undo")
        else:
            found[row.message_id] = (row.at, row.name or "standing approval", row.verb)
    return found


def _edits(conn: Connection, message_ids: list[UUID]) -> dict[UUID, tuple[datetime, str, str]]:
    rows = conn.execute(
        select(message_revision.c.message_id, message_revision.c.at, staff.c.name)
        .outerjoin(staff, staff.c.id == message_revision.c.editor_id)
        .where(message_revision.c.message_id.in_(message_ids), message_revision.c.revision > 1)
        .order_by(message_revision.c.message_id, message_revision.c.revision)
    )
    return {row.message_id: (row.at, row.name or "", "edit") for row in rows}
