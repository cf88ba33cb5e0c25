"""Material is put up by one person and decided by another, before it has a recipient (art. 63; P2).

What is decided is bound by ``Material.digest`` in the statement that decides; whoever comes second is told who decided
what and when. Every step is a leaf of the record.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Uuid, bindparam, exists, insert, select, update

from outreach.content.formats import CATEGORIES, LANGUAGES
from outreach.core import clock
from outreach.core.access import Permission, Role, in_reach, reach, require
from outreach.core.errors import BadInput, Conflict, Forbidden, NotFound, RuleBroken
from outreach.core.ids import new_id
from outreach.core.together import Question, asked
from outreach.ledger.append import Entry, record, seal_bytes
from outreach.ledger.work import Work
from outreach.messages.attachments import Contents, read_contents, take_attachment
from outreach.messages.material import (
    Material,
    Particulars,
    digest_of,
    list_material,
    material_for,
    material_of,
    what_became_of,
)
from outreach.messages.reasons import words
from outreach.messages.rules import NEEDS_ASSESSMENT, Facts, Licences, qualified
from outreach.messages.tables import material
from outreach.people.tables import staff
from outreach.review.decide import known_reasons

LONGEST_TITLE = 120
LONGEST_NOTE = 2000
OPEN = ("held", "returned", "approved")  # what can still be withdrawn


# ── the author ────────────────────────────────────────────────────────────────────────────────────────────


def put_up(work: Work, said: Particulars, name: str, data: bytes) -> Material:
    """Put a file up for the actor's branch (for the firm, where the actor writes for the firm); it waits then.

    Raises BadInput for what can't be put up, Forbidden for who may not write to clients, RuleBroken without the
    qualification that the material needs, or for a file that was rejected or waits already.
    """
    author = _person(work, Permission.COMPOSE)
    said = checked(said)
    _qualified(work, author, said.advice)
    file = take_attachment(work, name, data)
    for before in material_of(work, [file.sha256]).get(file.sha256, []):
        if before.branch_id == file.branch_id and before.state in ("held", "rejected"):
            raise RuleBroken(
                what_became_of(work, before),
                rule=f"material_{before.state}",
                article="art. 63",
                mend="This very file can't be put up beside it.",
            )
    identifier = new_id()
    work.conn.execute(
        insert(material).values(
            id=identifier,
            **vars(said),
            attachment_id=file.id,
            digest=digest_of(said, file.sha256),
            branch_id=file.branch_id,
            author_id=author,
            created_at=clock.now(),
        )
    )
    made = material_for(work, identifier, Permission.COMPOSE)
    _record(work, made, "put_up")
    return made


def mend_material(
    work: Work, material_id: UUID, said: Particulars, name: str = "", data: bytes = b""
) -> Material:
    """Put returned material up again with other particulars and, with ``name``, another file; it waits anew.

    Raises NotFound unless the actor put it up, Conflict when it is not returned (any more), otherwise as ``put_up``.
    """
    author = _person(work, Permission.COMPOSE)
    before = _own(work, material_id)
    said = checked(said)
    _qualified(work, author, said.advice)
    file = take_attachment(work, name, data) if name else None
    changed = work.conn.execute(
        update(material)
        .where(material.c.id == material_id, material.c.state == "returned")
        .values(
            **vars(said),
            attachment_id=file.id if file else before.attachment_id,
            digest=digest_of(said, file.sha256 if file else before.sha256),
            state="held",
        )
    ).rowcount
    if not changed:
        raise _overtaken(work, material_id)
    made = material_for(work, material_id, Permission.COMPOSE)
    _record(work, made, "put_up")
    return made


def withdraw_material(work: Work, material_id: UUID, note: str = "") -> Material:
    """Take material back: its author at any time; once it is approved, also who may decide on it.

    It can't be newly attached from then on; messages that have it show so. Raises NotFound for material that is not
    the actor's to withdraw, Conflict when it was decided for good meanwhile.
    """
    one = material_for(work, material_id)
    if not may_withdraw(work, one):
        raise NotFound("There is no such material of yours.", mend="Its author withdraws it.")
    return _decide(work, one, "withdraw", "withdrawn", OPEN, one.digest, note=_note(note))


def checked(said: Particulars) -> Particulars:
    """The particulars, tidied. Raises BadInput for what is missing or not one of the list."""
    title = " ".join(said.title.replace("\0", "").split())
    if not title or len(title) > LONGEST_TITLE:
        raise BadInput(
            f"The title is empty or longer than {LONGEST_TITLE} characters.",
            mend="Say in a few words what it is.",
        )
    if said.category not in CATEGORIES:
        raise BadInput("The kind of service is missing.", mend=f"Use one of: {', '.join(CATEGORIES)}.")
    if said.language not in LANGUAGES:
        raise BadInput("The language is missing.", mend=f"Use one of: {', '.join(LANGUAGES)}.")
    if said.risk_level is not None and not 1 <= said.risk_level <= 5:
        raise BadInput("There is no such risk level.", mend="Use R1 to R5.")
    if said.risk_level is None and (said.advice or said.category in NEEDS_ASSESSMENT):
        raise BadInput(
            "Advice and product material has a risk level.",
            mend="Choose R1 to R5; clients are matched by it.",
        )
    return replace(said, title=title)


# ── the second person ─────────────────────────────────────────────────────────────────────────────────────


def approve_material(
    work: Work, material_id: UUID, digest: bytes, *, last_day: date | None = None, note: str = ""
) -> Material:
    """Approve material exactly as it was read (``digest``), for good or to the end of ``last_day`` in the firm's zone.

    Raises NotFound beyond the scope, Forbidden for who may not decide on it, RuleBroken for one's own or an author
    without qualification, Conflict when it was decided or changed meanwhile, BadInput for a day that is past.
    """
    one = _decidable(work, material_id)
    until: datetime | None = None
    if last_day is not None:
        if last_day < clock.today(work.settings.zone):
            raise BadInput("That day is past.", mend="Choose a later one, or leave it empty.")
        until = datetime.combine(last_day + timedelta(days=1), time(), work.settings.zone)
    _qualified(work, one.author_id, one.advice)
    return _decide(work, one, "approve", "approved", ("held",), digest, valid_until=until, note=_note(note))


def return_material(
    work: Work, material_id: UUID, digest: bytes, reasons: Sequence[str] = (), note: str = ""
) -> Material:
    """Give material back to be mended. Raises BadInput without a reason, otherwise as ``approve_material``."""
    return _refuse(work, material_id, digest, reasons, note, "return", "returned")


def reject_material(
    work: Work, material_id: UUID, digest: bytes, reasons: Sequence[str] = (), note: str = ""
) -> Material:
    """Refuse material for good: this file can't be put up again. Raises as ``return_material``."""
    return _refuse(work, material_id, digest, reasons, note, "reject", "rejected")


def may_decide_material(work: Work, one: Material) -> bool:
    """Whether it waits for these eyes: the actor may decide for its branch, and is not its author."""
    return (
        one.state == "held"
        and _reaches(work, one)
        and not work.conn.execute(
            select(exists().where(material.c.id == one.id, ~_other_person(work.actor.staff_id)))
        ).scalar_one()
    )


def may_withdraw(work: Work, one: Material) -> bool:
    """Whether the actor is its author or, of what is approved, may decide on it."""
    person = work.actor.staff_id
    return person is not None and (
        one.author_id == person or (one.state == "approved" and _reaches(work, one))
    )


def material_waiting(work: Work, limit: int = 50) -> list[Material]:
    """What waits for these eyes, the oldest first; nothing for who may not decide."""
    wanted = [row.id for row in asked(work.conn, material_question(work, limit)).rows]
    found = {one.id: one for one in list_material(work, ("held",), limit=500)} if wanted else {}
    return [found[one] for one in wanted if one in found]


def material_question(work: Work, limit: int = 50) -> Question:
    """What ``material_waiting`` asks: the ids."""
    own = work.actor.in_own_right()
    return _TO_READ, {"actor": own.staff_id, "scope": reach(own, Permission.LEAD), "most": limit}


def material_file(work: Work, material_id: UUID) -> Contents:
    """Its file. That compliance read it is recorded. Raises NotFound beyond the scope, or when it was disposed of."""
    one = material_for(work, material_id)
    line = f"{one.sha256.hex()} {one.media_type} {one.file_name}"
    found = read_contents(work, [line]).get(line)
    if found is None:
        raise NotFound(
            "This file is no longer kept.", mend="The record says when and why it was disposed of."
        )
    if Role.COMPLIANCE in work.actor.roles():
        record(work, Entry("view", {"object": "material", "purpose": "review"}, branch_id=one.branch_id))
    return found


# ── how ───────────────────────────────────────────────────────────────────────────────────────────────────


def _refuse(
    work: Work, material_id: UUID, digest: bytes, reasons: Sequence[str], note: str, verb: str, state: str
) -> Material:
    codes = known_reasons(work.conn, reasons)
    if not codes and not note.strip():
        raise BadInput(
            "Material is not refused without a reason.",
            mend="Choose a reason or write one in your own words.",
        )
    one = _decidable(work, material_id)
    return _decide(work, one, verb, state, ("held",), digest, reasons=list(codes), note=_note(note))


def _decidable(work: Work, material_id: UUID) -> Material:
    """The material, if the actor may decide on it and did not put it up."""
    require(work.actor.in_own_right(), Permission.LEAD)
    _person(work, Permission.LEAD)
    one = material_for(work, material_id)
    if not _reaches(work, one):
        raise Forbidden(
            "This is material for the whole firm.",
            mend="Somebody who decides for the whole firm has to read it.",
        )
    if one.state == "held" and not may_decide_material(work, one):
        raise RuleBroken(
            "Whoever put material up does not decide on it.",
            rule="four_eyes",
            article="art. 63",
            mend="Let a second person read it.",
        )
    return one


def _reaches(work: Work, one: Material) -> bool:
    """Whether the actor decides for where it is to be used; in their own right, not as somebody's deputy."""
    own = work.actor.in_own_right()
    if one.branch_id is None:
        return own.scope(Permission.LEAD) is None
    return own.may(Permission.LEAD, one.branch_id)


_ME, _WRITER = staff.alias("me"), staff.alias("writer")


def _other_person(actor_id: Any) -> ColumnElement[bool]:
    """The condition on ``material`` that holds where the actor is another natural person than its author (P2)."""
    same = (
        exists()
        .select_from(_WRITER.join(_ME, _ME.c.person_key == _WRITER.c.person_key))
        .where(_ME.c.id == actor_id, _WRITER.c.id == material.c.author_id)
        .correlate(material)
    )
    return exists().where(staff.c.id == actor_id, staff.c.status == "active") & ~same


_TO_READ = (
    select(material.c.id)
    .where(
        material.c.state == "held",
        in_reach(material.c.branch_id),  # the firm's is head office's, and no branch's
        _other_person(bindparam("actor", type_=Uuid)),
    )
    .order_by(material.c.id)
    .limit(bindparam("most", type_=Integer))
)


def _decide(
    work: Work, one: Material, verb: str, state: str, states: Sequence[str], digest: bytes, **values: Any
) -> Material:
    """One conditional UPDATE: the state, what was read, and four eyes are asked in the statement that decides."""
    statement = update(material).where(
        material.c.id == one.id, material.c.state.in_(states), material.c.digest == digest
    )
    if verb != "withdraw":
        statement = statement.where(_other_person(work.actor.staff_id))
    changed = work.conn.execute(
        statement.values(
            state=state,
            decided_by=work.actor.staff_id,
            decided_at=clock.now(),
            **{"reasons": [], "valid_until": None, **values},
        )
    ).rowcount
    if not changed:
        raise _overtaken(work, one.id)
    made = material_for(work, one.id)
    _record(work, made, verb)
    return made


def _overtaken(work: Work, material_id: UUID) -> Conflict:
    now = material_for(work, material_id)
    said = what_became_of(work, now)
    if now.state == "held":
        said = f"“{now.title}” was put up anew since you read it."
    return Conflict(said, mend="Read it again.", state=now.state, who=now.decider, at=now.decided_at)


def _own(work: Work, material_id: UUID) -> Material:
    one = material_for(work, material_id, Permission.COMPOSE)
    if one.author_id != work.actor.staff_id:
        raise NotFound("There is no such material of yours.", mend="Its author mends it.")
    return one


def _person(work: Work, permission: Permission) -> UUID:
    require(work.actor, permission)
    if work.actor.staff_id is None:
        raise Forbidden("Material is put up and decided by persons.", mend="Sign in as a member of staff.")
    return work.actor.staff_id


def _qualified(work: Work, author: UUID, advice: bool) -> None:
    """Art. 19, 41: nothing by who has no 从业资格, no advice by who has no 投资咨询资格."""
    row = work.conn.execute(select(staff).where(staff.c.id == author)).one()
    licences = Licences(
        row.name, row.securities_licence, row.securities_expires, row.advisory_licence, row.advisory_expires
    )
    today = clock.today(work.settings.zone)
    if (broken := qualified(Facts(on=today, advice=advice, signer=licences))) is not None:
        why = words(broken.code, broken.params, work.settings.locale)
        raise RuleBroken(
            why.reason, rule=broken.code, article=why.article, mend=why.mend, params=dict(broken.params)
        )


def _note(note: str) -> str:
    if len(note) > LONGEST_NOTE:
        raise BadInput("The note is too long.", mend="Shorten it.")
    return note.replace("\0", "").strip()


def _record(work: Work, one: Material, verb: str) -> None:
    """The step as a leaf; the title and the note are sealed with it."""
    said = {"title": one.title, "file": one.file_name} | (
        {"note": one.note} if one.note and verb != "put_up" else {}
    )
    sealed = seal_bytes(work, json.dumps(said, ensure_ascii=False, sort_keys=True).encode())
    fields = {
        "material_id": one.id,
        "author_id": one.author_id,
        "verb": verb,
        "digest": one.digest,
        "file_digest": one.sha256,
        "bytes": one.size,
        "category": one.category,
        "language": one.language,
        "risk_level": one.risk_level,
        "advice": one.advice,
        "reasons": list(one.reasons) if verb in ("return", "reject") else None,
        "expires_at": one.valid_until,
    }
    record(work, Entry("material", fields, sealed=sealed, branch_id=one.branch_id))
