"""Material: a proposal or a leaflet that is approved before it has a recipient, and is attached then (art. 63).

A decision binds ``Material.digest``: the file's SHA-256 with the title, category, language, risk and advice it was put
up with. So wherever the same bytes are attached, by whatever way they came in, what was decided on them holds.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, or_, select

from outreach.core import clock
from outreach.core.access import Permission, require, visible
from outreach.core.database import AnyRow
from outreach.core.errors import BadInput, NotFound, RuleBroken
from outreach.ledger.work import Work
from outreach.messages.attachments import named
from outreach.messages.rules import NEEDS_ASSESSMENT
from outreach.messages.tables import attachment, material
from outreach.people.tables import staff

STATES = ("held", "approved", "returned", "rejected", "withdrawn")


@dataclass(frozen=True)
class Material:
    """Material as its readers see it. ``branch_id`` None: the whole firm's.

    ``decider``, ``decided_at``, ``reasons`` and ``note`` are those of the last decision; ``valid_until`` is the instant
    from which it may not be used any more."""

    id: UUID
    title: str
    category: str
    language: str
    risk_level: int | None
    advice: bool
    attachment_id: UUID
    sha256: bytes
    media_type: str
    file_name: str
    size: int
    digest: bytes
    branch_id: UUID | None
    author_id: UUID
    author: str
    state: str
    created_at: datetime
    decided_by: UUID | None
    decider: str
    decided_at: datetime | None
    reasons: tuple[str, ...]
    note: str
    valid_until: datetime | None

    @property
    def standing(self) -> str:
        """Its state, or ``expired`` when its approval has ended."""
        past = self.valid_until is not None and clock.now() >= self.valid_until
        return "expired" if self.state == "approved" and past else self.state

    @property
    def usable(self) -> bool:
        """Whether it may be attached now."""
        return self.standing == "approved"

    @property
    def last_day(self) -> datetime | None:
        """An instant of the last day on which it may be used."""
        return self.valid_until - timedelta(seconds=1) if self.valid_until else None


@dataclass(frozen=True)
class Particulars:
    """What an author says of material. ``risk_level`` 1 to 5."""

    title: str
    category: str
    language: str
    risk_level: int | None = None
    advice: bool = False


def digest_of(said: Particulars, sha256: bytes) -> bytes:
    """What a decision on material binds: SHA-256 over the file's and the particulars, as JSON with sorted keys."""
    fields = {**vars(said), "sha256": sha256.hex()}
    text = json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────


def material_for(
    work: Work, material_id: UUID, permission: Permission = Permission.READ_MESSAGES
) -> Material:
    """The material. Raises Forbidden without the permission, NotFound beyond the actor's branches."""
    require(work.actor, permission)
    row = work.conn.execute(_query(work, permission).where(material.c.id == material_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such material that you may see.", mend="Look at the list.")
    return _material(row)


def list_material(
    work: Work,
    states: Collection[str] = STATES,
    *,
    mine: bool = False,
    after: UUID | None = None,
    limit: int = 50,
) -> list[Material]:
    """The branch's and the firm's material in these states, newest first; ``mine``: what the actor put up.

    ``after`` is the last one's id of the page before. Raises BadInput for an unknown state.
    """
    require(work.actor, Permission.READ_MESSAGES)
    if unknown := set(states) - set(STATES):
        raise BadInput(f"There is no state {min(unknown)!r}.", mend=f"Use {', '.join(STATES)}.")
    query = _query(work, Permission.READ_MESSAGES).where(material.c.state.in_(states))
    if mine:
        query = query.where(material.c.author_id == work.actor.staff_id)
    if after is not None:
        query = query.where(material.c.id < after)
    rows = work.conn.execute(query.order_by(material.c.id.desc()).limit(limit))
    return [_material(row) for row in rows]


def offered_material(work: Work, limit: int = 200) -> list[Material]:
    """What the actor may attach now, newest first."""
    require(work.actor, Permission.COMPOSE)
    query = _query(work, Permission.COMPOSE).where(_usable())
    return [_material(row) for row in work.conn.execute(query.order_by(material.c.id.desc()).limit(limit))]


def material_of(
    work: Work, digests: Iterable[bytes], permission: Permission = Permission.READ_MESSAGES
) -> dict[bytes, list[Material]]:
    """SHA-256 of a file -> the material it is: what may be used first, then the newest."""
    query = _query(work, permission).where(attachment.c.sha256.in_(set(digests)))
    found: dict[bytes, list[Material]] = {}
    for row in work.conn.execute(query.order_by(_usable().desc(), material.c.id.desc())):
        found.setdefault(bytes(row.sha256), []).append(_material(row))
    return found


# ── using ─────────────────────────────────────────────────────────────────────────────────────────────────


def material_in_use(work: Work, lines: Sequence[str], category: str) -> tuple[Material, ...]:
    """The approved material among what a message of ``category`` is to have attached.

    Raises RuleBroken for material that is not approved or not any more, and for consulting or product material in a
    message of another kind: it would pass by the client's wishes for that kind (PIPL art. 15).
    """
    used: list[Material] = []
    digests = [bytes.fromhex(named(line).sha256) for line in lines]
    for all_of_it in material_of(work, digests, Permission.COMPOSE).values():
        approved = [one for one in all_of_it if one.usable]
        if not approved:
            raise unusable(work, all_of_it[0])
        fitting = [one for one in approved if fits(one.category, category)]
        if not fitting:
            raise RuleBroken(
                f"“{approved[0].title}” is material of another kind of service ({approved[0].category}).",
                rule="material_category",
                article="art. 5",
                mend="Choose that kind of service for the message, or take the material out.",
            )
        used += fitting
    return tuple(used)


def fits(of_material: str, of_message: str) -> bool:
    """Whether material of one category may go with a message of another: advice and products only with their own."""
    return of_material not in NEEDS_ASSESSMENT or of_material == of_message


def strictest(used: Iterable[Material], risk_level: int | None, advice: bool) -> tuple[int | None, bool]:
    """A message's risk level, and whether it is advice, with this material attached: never less than without."""
    together = list(used)
    levels = [one.risk_level for one in together if one.risk_level is not None]
    if risk_level is not None:
        levels.append(risk_level)
    return max(levels, default=None), advice or any(one.advice for one in together)


def unusable(work: Work, one: Material) -> RuleBroken:
    """Why this can't be attached, with who decided it and when."""
    return RuleBroken(
        what_became_of(work, one),
        rule=f"material_{one.standing}",
        article="art. 63",
        mend={
            "held": "Attach it when it is approved.",
            "returned": "Its author mends it and puts it up again.",
            "expired": "Put it up again, or choose other material.",
        }.get(one.standing, "Choose other material."),
    )


def what_became_of(work: Work, one: Material) -> str:
    """A sentence: who decided what, and when."""
    at = one.valid_until if one.standing == "expired" else one.decided_at
    said = {
        "held": "“{title}” waits for approval.",
        "approved": "“{title}” was approved by {who} at {at}.",
        "returned": "“{title}” was returned by {who} at {at}.",
        "rejected": "“{title}” was rejected by {who} at {at}.",
        "withdrawn": "“{title}” was withdrawn by {who} at {at}.",
        "expired": "The approval of “{title}” ended at {at}.",
    }[one.standing]
    local = f"{at.astimezone(work.settings.zone):%Y-%m-%d %H:%M:%S}" if at else ""
    return said.format(title=one.title, who=one.decider, at=local)


# ── rows ──────────────────────────────────────────────────────────────────────────────────────────────────

_author = staff.alias("author")
_decider = staff.alias("decider")


def _usable() -> ColumnElement[bool]:
    lasting = or_(material.c.valid_until.is_(None), material.c.valid_until > clock.now())
    return and_(material.c.state == "approved", lasting)


def _query(work: Work, permission: Permission) -> Select[Any]:
    """Within the actor's branches, and what is the whole firm's."""
    scope = work.actor.scope(permission)
    seen = visible(work.actor, permission, material.c.branch_id)
    return (
        select(
            material,
            attachment.c.sha256,
            attachment.c.media_type,
            attachment.c.file_name,
            attachment.c.size,
            _author.c.name.label("author"),
            _decider.c.name.label("decider"),
        )
        .join(attachment, attachment.c.id == material.c.attachment_id)
        .join(_author, _author.c.id == material.c.author_id)
        .outerjoin(_decider, _decider.c.id == material.c.decided_by)
        .where(or_(seen, material.c.branch_id.is_(None)) if scope else seen)
    )


def _material(row: AnyRow) -> Material:
    fields = {name: getattr(row, name) for name in Material.__dataclass_fields__}
    fields |= {
        "sha256": bytes(row.sha256),
        "digest": bytes(row.digest),
        "decider": row.decider or "",
        "reasons": tuple(row.reasons),
    }
    return Material(**fields)
