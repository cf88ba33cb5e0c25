"""Where a staged client file says something else than a person put right here: what becomes of it.

Set-based, beside ``people.staging``: the verdicts lie in the temporary table ``clash``, and the staged row gets our
value, so that whatever follows (preview, update, addresses) needs to know nothing of corrections.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import text

from outreach.core import clock
from outreach.ledger.append import Entry, record_many
from outreach.ledger.work import Work
from outreach.people.correctable import ADDRESSES, IN_FILES, shown
from outreach.people.masking import masked, sees_addresses

_SHOWN = 200


@dataclass(frozen=True)
class Clash:
    """One field of one client on which the file and a person here differ; addresses are masked where the role asks."""

    row: int
    client_no: str
    field: str
    ours: str
    theirs: str


@dataclass(frozen=True)
class Clashes:
    """What a file says about the fields that were put right here."""

    conflicts: int = 0  # says a third thing: a person decides, ours stands meanwhile
    kept: int = 0  # says what it had said: ours stands
    settled: int = 0  # says what we say
    first: list[Clash] = field(default_factory=list, repr=False)


def find_clashes(work: Work, columns: Mapping[str, str]) -> Clashes:
    """Compare the staged file with what people put right here, and put ours in its place. ``columns``: field -> header.

    An opt-out that the file itself had brought is never taken back by a file: that is a conflict, too.
    """
    conn = work.conn
    conn.execute(text("DROP TABLE IF EXISTS clash"))
    conn.execute(
        text(
            "CREATE TEMPORARY TABLE clash (row int8, client_id uuid, branch_id uuid, client_no text, field text,"
            " ours jsonb, theirs jsonb, verdict text) ON COMMIT DROP"
        )
    )
    listed = [name for name in IN_FILES if name in columns]
    if listed:
        conn.execute(text(_compare(listed)))
        for name in listed:
            conn.execute(text(_ours_into_stage(name)))
    if "opt_out" in columns:
        conn.execute(_LOOSENED)
    conn.execute(text("ANALYZE clash"))
    rows = conn.execute(text("SELECT verdict, count(*) AS number FROM clash GROUP BY verdict"))
    counts = {row.verdict: int(row.number) for row in rows}
    return Clashes(
        conflicts=counts.get("conflict", 0),
        kept=counts.get("kept", 0),
        settled=counts.get("settled", 0),
        first=_first(work),
    )


def _text(expression: str) -> str:
    return f"coalesce(to_jsonb(({expression})::text), 'null')"


def _compare(names: Iterable[str]) -> str:
    values = ", ".join(
        f"('{name}', {_text(IN_FILES[name].theirs)},"
        f" ({IN_FILES[name].theirs}) IS NULL AND '{name}' = ANY(s.kept))"
        for name in names
    )
    # A cell that could not be read says nothing. What we say is the correction, not what became of it since.
    return (
        "INSERT INTO clash SELECT s.row, c.id, c.branch_id, c.client_no, k.field, k.value, v.theirs,"
        " CASE WHEN v.theirs = k.value THEN 'settled' WHEN v.theirs = coalesce(k.file_value, 'null') THEN 'kept'"
        " ELSE 'conflict' END"
        " FROM client_correction k JOIN client c ON c.id = k.client_id JOIN stage s ON s.client_no = c.client_no"
        f" CROSS JOIN LATERAL (VALUES {values}) AS v(field, theirs, unread)"
        " WHERE v.field = k.field AND NOT v.unread"
    )


_STAGED = {"channel": "channel_preference"}


def _ours_into_stage(name: str) -> str:
    if name == "lunar_birthday":
        assigned = "lunar_month = c.lunar_month, lunar_day = c.lunar_day, lunar_leap = c.lunar_leap"
    elif name == "mobile":
        assigned = (
            f"mobile = {IN_FILES[name].ours}, mobile_country = (SELECT p.country FROM contact_point p WHERE"
            " p.client_id = c.id AND p.active AND p.channel = 'sms' ORDER BY p.id LIMIT 1)"
        )
    elif name == "birth_date":
        assigned = "birth_date = c.birth_date"
    else:
        assigned = f"{_STAGED.get(name, name)} = {IN_FILES[name].ours}"
    return (
        f"UPDATE stage s SET {assigned}, kept = array_remove(s.kept, '{name}') FROM clash k"
        " JOIN client c ON c.id = k.client_id"
        f" WHERE k.field = '{name}' AND k.verdict <> 'settled' AND s.client_no = c.client_no"
    )


# Rows that are as they were last time say nothing new; the wish that a file may not take back is its own old one.
_LOOSENED = text(
    """
    INSERT INTO clash
    SELECT s.row, c.id, c.branch_id, c.client_no, 'opt_out', 'true', 'false', 'conflict'
      FROM stage s JOIN client c USING (client_no)
      JOIN consent w ON w.client_id = c.id AND w.channel = '*' AND w.category = '*' AND w.state = 'opted_out'
       AND w.source = 'import'
     WHERE s.opt_out IS FALSE
    """
)


def _first(work: Work) -> list[Clash]:
    rows = work.conn.execute(
        text(
            "SELECT row, client_no, field, ours, theirs, branch_id FROM clash WHERE verdict = 'conflict'"
            " ORDER BY row, field LIMIT :limit"
        ),
        {"limit": _SHOWN},
    )
    return [
        Clash(
            row.row,
            row.client_no,
            row.field,
            as_seen(work, row.branch_id, row.field, row.ours),
            as_seen(work, row.branch_id, row.field, row.theirs),
        )
        for row in rows
    ]


def as_seen(work: Work, branch_id: UUID, name: str, value: Any) -> str:
    """A value in words; an address in full only for whoever needs it."""
    said = shown(value)
    hidden = name in ADDRESSES and said and not sees_addresses(work.actor, branch_id)
    return masked(said) if hidden else said


def store_clashes(work: Work, import_id: UUID, columns: Mapping[str, str]) -> None:
    """Keep the verdicts: what is settled is told and forgotten, what differs waits for a person, once a field."""
    now = clock.now()
    settled = work.conn.execute(
        text(
            "SELECT client_id, branch_id, field FROM clash WHERE verdict = 'settled' ORDER BY client_id, field"
        )
    ).all()
    record_many(
        work,
        [
            Entry(
                "correction",
                {"object": row.field, "action": "settled", "import_id": import_id},
                client_id=row.client_id,
                branch_id=row.branch_id,
            )
            for row in settled
        ],
    )
    for statement in (_FORGET, _GONE, _GONE_WISHES if "opt_out" in columns else None, _OPEN):
        if statement is not None:
            work.conn.execute(statement, {"now": now, "import_id": import_id})


_FORGET = text(
    "DELETE FROM client_correction k USING clash s"
    " WHERE s.verdict = 'settled' AND k.client_id = s.client_id AND k.field = s.field"
)
_GONE = text(
    "UPDATE import_conflict x SET state = 'gone', decided_at = :now FROM clash s"
    " WHERE s.verdict <> 'conflict' AND x.client_id = s.client_id AND x.field = s.field AND x.state = 'open'"
)
_GONE_WISHES = text(
    "UPDATE import_conflict x SET state = 'gone', decided_at = :now FROM stage s JOIN client c USING (client_no)"
    " WHERE s.opt_out AND x.client_id = c.id AND x.field = 'opt_out' AND x.state = 'open'"
)
_OPEN = text(
    """
    INSERT INTO import_conflict (id, client_id, branch_id, field, ours, theirs, import_id, at)
    SELECT gen_random_uuid(), client_id, branch_id, field, ours, theirs, :import_id, :now
      FROM clash WHERE verdict = 'conflict'
    ON CONFLICT (client_id, field) WHERE state = 'open' DO UPDATE
       SET ours = excluded.ours, theirs = excluded.theirs, import_id = excluded.import_id, at = excluded.at
     WHERE (import_conflict.ours, import_conflict.theirs) IS DISTINCT FROM (excluded.ours, excluded.theirs)
    """
)
