"""Choosing clients: by filters, or from a pasted list with an answer for each line that fits nobody."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, or_, select

from outreach.core.errors import BadInput
from outreach.ledger.work import Work
from outreach.people.clients import ClientLine, in_scope, lines_of
from outreach.people.importing.phones import parse_mobile
from outreach.people.tables import client, contact_point, holding

LONGEST_LIST = 1000  # lines
_APART = re.compile(r"[\s,，;；、|]+")
_HEADING = frozenset({"客户号", "客户姓名", "姓名", "手机", "邮箱", "client_no", "name", "mobile", "email"})


@dataclass(frozen=True)
class Pick:
    """What the chosen clients have in common; an empty part narrows nothing. ``holding`` is a security's code,
    ``risk_at_least`` a class from 1 to 5, ``statuses`` the account's."""

    search: str = ""
    tiers: tuple[str, ...] = ()
    holding: str = ""
    tags: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    risk_at_least: int | None = None
    statuses: tuple[str, ...] = ()

    @property
    def narrows(self) -> bool:
        """Whether it leaves anybody out."""
        return self != Pick()


@dataclass(frozen=True)
class Unmatched:
    """A pasted line that names nobody, or several: ``why`` is ``unknown``, ``several``, ``disagree`` (what stands in
    the line belongs to different clients) or ``twice`` (the same client stood in an earlier line). ``candidates``
    are the numbers and names of whom it may mean."""

    line: int
    text: str
    why: str
    candidates: tuple[ClientLine, ...] = ()


def pick_clients(work: Work, pick: Pick, *, after: str = "", limit: int = 50) -> list[ClientLine]:
    """Clients in the actor's scope that fit ``pick``, by client number, after the number ``after``.

    Raises BadInput for a risk class that there is not.
    """
    statement = lines_of().where(*_fitting(work, pick), client.c.client_no > after)
    rows = work.conn.execute(statement.order_by(client.c.client_no).limit(limit))
    return [ClientLine(**row._mapping) for row in rows]


def count_picked(work: Work, pick: Pick) -> int:
    """How many clients in the actor's scope fit ``pick``."""
    return work.conn.execute(
        select(func.count()).select_from(client).where(*_fitting(work, pick))
    ).scalar_one()


def picked_ids(work: Work, pick: Pick, *, limit: int) -> list[UUID]:
    """Their ids, by client number.

    Raises BadInput when there are more than ``limit``: a choice is never cut off silently.
    """
    ids = list(
        work.conn.execute(
            select(client.c.id).where(*_fitting(work, pick)).order_by(client.c.client_no).limit(limit + 1)
        ).scalars()
    )
    if len(ids) > limit:
        raise BadInput(
            f"More than {limit} clients fit.", mend="Narrow the filters, or ask head office for a job."
        )
    return ids


def tags_in_use(work: Work, limit: int = 60) -> list[str]:
    """The tags of the clients in scope, by name."""
    tag = func.unnest(client.c.tags).label("tag")
    rows = work.conn.execute(select(tag).where(in_scope(work)).distinct().order_by("tag").limit(limit))
    return [row.tag for row in rows]


def lines_by_id(work: Work, ids: Iterable[UUID]) -> list[ClientLine]:
    """These clients as far as they are in scope, by client number."""
    wanted = sorted(set(ids))
    if not wanted:
        return []
    statement = lines_of().where(in_scope(work), client.c.id.in_(wanted)).order_by(client.c.client_no)
    return [ClientLine(**row._mapping) for row in work.conn.execute(statement)]


def match_lines(work: Work, pasted: str) -> tuple[list[ClientLine], list[Unmatched]]:
    """The clients in scope that the lines of a pasted list name, and every line that does not name exactly one.

    A line may hold a client number, a name, a mobile, a mail address, or several of these; what stands in one line
    must belong to one client. Heading and empty lines are passed over. Raises BadInput for more than 1,000 lines.
    """
    lines = [(number, line.strip()) for number, line in enumerate(pasted.splitlines(), 1) if line.strip()]
    if len(lines) > LONGEST_LIST:
        raise BadInput(
            f"The list has {len(lines)} lines, more than {LONGEST_LIST}.", mend="Paste it in parts."
        )
    parts = {number: [part for part in _APART.split(line) if part] for number, line in lines}
    # A Western name stands in one cell, and its words are no names of their own.
    for number, line in lines:
        parts[number] += [cell.strip() for cell in re.split(r"[\t,，;；|]", line) if " " in cell.strip()]
    known = _Known(work, {part for every in parts.values() for part in every})
    found: dict[UUID, ClientLine] = {}
    unmatched: list[Unmatched] = []
    for number, line in lines:
        if set(parts[number]) <= _HEADING:
            continue
        why, candidates = known.of(parts[number])
        if why:
            unmatched.append(Unmatched(number, line[:120], why, candidates[:5]))
        elif candidates[0].id in found:
            unmatched.append(Unmatched(number, line[:120], "twice", candidates))
        else:
            found[candidates[0].id] = candidates[0]
    return list(found.values()), unmatched


class _Known:
    """Everybody whom the parts of a list may mean, read with one query for each kind of part."""

    def __init__(self, work: Work, parts: set[str]) -> None:
        self.addresses = {part: address for part in parts if (address := _address(part))}
        statement = lines_of().where(in_scope(work))
        self.by_no = _by(work, statement.where(client.c.client_no.in_(sorted(parts))), "client_no")
        self.by_name = _by(work, statement.where(client.c.name.in_(sorted(parts))), "name")
        self.by_address: dict[str, list[ClientLine]] = {}
        wanted = sorted(set(self.addresses.values()))
        if wanted:
            pairs = work.conn.execute(
                select(contact_point.c.address, contact_point.c.client_id).where(
                    contact_point.c.address.in_(wanted), contact_point.c.active
                )
            ).all()
            people = {one.id: one for one in lines_by_id(work, [row.client_id for row in pairs])}
            for row in pairs:
                if row.client_id in people:
                    self.by_address.setdefault(row.address, []).append(people[row.client_id])

    def of(self, parts: list[str]) -> tuple[str, tuple[ClientLine, ...]]:
        """(why the parts name nobody or several, "" when they name one; whom they may mean)."""
        sets: list[dict[UUID, ClientLine]] = []
        for part in parts:
            meant = (
                self.by_no.get(part)
                or self.by_address.get(self.addresses.get(part, ""))
                or self.by_name.get(part)
            )
            if meant:
                sets.append({one.id: one for one in meant})
        if not sets:
            return "unknown", ()
        common = set(sets[0]).intersection(*sets[1:])
        everybody = {key: one for one_set in sets for key, one in one_set.items()}
        if not common:
            return "disagree", tuple(everybody.values())
        if len(common) > 1:
            return "several", tuple(everybody[key] for key in sorted(common))
        return "", (everybody[common.pop()],)


def _by(work: Work, statement: Select[tuple[object, ...]], key: str) -> dict[str, list[ClientLine]]:
    found: dict[str, list[ClientLine]] = {}
    for row in work.conn.execute(statement):
        line = ClientLine(**row._mapping)
        found.setdefault(getattr(line, key), []).append(line)
    return found


def _address(part: str) -> str | None:
    if "@" in part:
        return part.lower()
    number, _, _ = parse_mobile(part)
    return number


def _fitting(work: Work, pick: Pick) -> list[ColumnElement[bool]]:
    conditions = [in_scope(work)]
    wanted = pick.search.strip()
    if wanted:
        same = select(contact_point.c.client_id).where(
            contact_point.c.address == (_address(wanted) or wanted)
        )
        conditions.append(
            or_(
                client.c.client_no == wanted,
                client.c.name.contains(wanted, autoescape=True),
                client.c.id.in_(same),
            )
        )
    if pick.tiers:
        conditions.append(client.c.tier.in_(pick.tiers))
    if pick.languages:
        conditions.append(client.c.language.in_(pick.languages))
    if pick.tags:
        conditions.append(client.c.tags.overlap(list(pick.tags)))
    if pick.holding.strip():
        holders = select(holding.c.client_id).where(
            holding.c.code == pick.holding.strip().upper(), holding.c.quantity > 0
        )
        conditions.append(client.c.id.in_(holders))
    if pick.statuses:
        conditions.append(client.c.status.in_(pick.statuses))
    if pick.risk_at_least is not None:
        if not 1 <= pick.risk_at_least <= 5:
            raise BadInput(f"C{pick.risk_at_least} is no risk class.", mend="Use C1 to C5.")
        conditions.append(client.c.risk_class >= pick.risk_at_least)
    return conditions
