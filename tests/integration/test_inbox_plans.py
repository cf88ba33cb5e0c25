"""No question of the inbox reads all messages: each goes by an index, whatever waits in other branches."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import event, text

from outreach.core.database import Database, driver
from outreach.ledger.work import Opener, Work
from outreach.review.batch import sample_of
from outreach.review.claims import claim
from outreach.review.decide import approve
from outreach.review.detail import message_detail
from outreach.review.identical import groups_of, identical_to, unflagged_of
from outreach.review.inbox import Filters, counts, list_messages, list_waiting
from outreach.review.reading import note_reading, readers_of
from outreach.review.remarks import remarks_on
from outreach.review.rest import rest_of
from outreach.review.seen import changed_since, mark_seen
from outreach.review.standing_list import standing_lines
from outreach.review.submissions import submission_for
from tests.support.desk import Desk
from tests.support.review_rows import Held, as_read, hold

Ask = Callable[[Work, Held], object]

QUESTIONS: dict[str, Ask] = {
    "list": lambda work, held: list_waiting(work),
    "list, flagged": lambda work, held: list_waiting(work, Filters(flagged=True)),
    "list, of a tier": lambda work, held: list_waiting(work, Filters(tier="vip")),
    "list, of a channel": lambda work, held: list_waiting(work, Filters(channel="email")),
    "list, by a rule": lambda work, held: list_waiting(work, Filters(rule="insider")),
    "list, by a name": lambda work, held: list_waiting(work, Filters(text="欧阳")),
    "counts": lambda work, held: counts(work),
    "lines": lambda work, held: list_messages(work, held.submission_id),
    "detail": lambda work, held: message_detail(work, held.first),
    "sample": lambda work, held: sample_of(work, held.submission_id),
    "identical": lambda work, held: identical_to(work, message_detail(work, held.first)),
    "groups": lambda work, held: groups_of(work, held.submission_id),
    "unflagged": lambda work, held: unflagged_of(work, submission_for(work, held.submission_id)),
    "rest": lambda work, held: rest_of(work, held.submission_id),
    "reading": lambda work, held: note_reading(work, held.submission_id, held.first),
    "readers": lambda work, held: readers_of(work, submission_for(work, held.submission_id)),
    "remarks": lambda work, held: remarks_on(work, held.submission_id, held.first),
    "seen": lambda work, held: mark_seen(work, [message_detail(work, held.first)]),
    "changed": lambda work, held: changed_since(work, message_detail(work, held.first)),
    "claim": lambda work, held: claim(work, held.submission_id),
    "standing approvals": lambda work, held: standing_lines(work),
    "approve": lambda work, held: approve(work, held.ids[:1], as_read(work, held.ids)),
}

# Other branches' work: 200 submissions of 50 messages each, copied from one message.
_MANY = """
WITH s AS (
    INSERT INTO occurrence SELECT (jsonb_populate_record(NULL::occurrence, to_jsonb(o) || jsonb_build_object(
           'id', gen_random_uuid(), 'occurrence_key', n))).*
      FROM (SELECT * FROM occurrence LIMIT 1) o, generate_series(1, 200) n RETURNING id),
t AS (
    INSERT INTO submission SELECT r.* FROM s, (SELECT * FROM submission LIMIT 1) p,
           LATERAL jsonb_populate_record(NULL::submission, to_jsonb(p) || jsonb_build_object(
               'id', gen_random_uuid(), 'occurrence_id', s.id, 'branch_id', CAST(:branch AS uuid))) r
    RETURNING id, occurrence_id)
INSERT INTO message SELECT r.* FROM t, generate_series(1, 50) n, (SELECT * FROM message LIMIT 1) m,
       LATERAL jsonb_populate_record(NULL::message, to_jsonb(m) || jsonb_build_object(
           'id', gen_random_uuid(), 'attempts', n - n, 'submission_id', t.id, 'occurrence_id', t.occurrence_id,
           'client_id', gen_random_uuid(), 'branch_id', CAST(:branch AS uuid))) r
"""


@pytest.fixture
def held(open_work: Opener, desk: Desk, database: Database) -> Held:
    with open_work() as work:
        made = hold(work, desk.firm, desk.firm.b01, policy=desk.each, count=60, author=desk.firm.b01.advisor)
        work.conn.execute(text(_MANY), {"branch": desk.firm.b02.id})

    with psycopg.connect(database.owner_conninfo, autocommit=True) as conn:
        conn.execute("VACUUM (ANALYZE)")
    return made


def test_no_question_reads_all_messages(
    open_work: Opener, desk: Desk, database: Database, held: Held
) -> None:
    read: dict[str, list[str]] = {}
    for name, ask in QUESTIONS.items():
        statements: list[tuple[str, Any]] = []

        def note(
            conn: Any, cursor: Any, statement: str, parameters: Any, *_: Any, kept: Any = statements
        ) -> None:
            kept.append((statement, parameters))

        event.listen(database.engine, "before_cursor_execute", note)
        try:
            with open_work(desk.firm.b01.manager) as work:
                ask(work, held)
        finally:
            event.remove(database.engine, "before_cursor_execute", note)
        with open_work(desk.firm.b01.manager) as work:
            found = [
                f"{table} by: {statement}"
                for statement, parameters in statements
                if statement.lstrip().startswith(("SELECT", "UPDATE", "INSERT", "WITH", "("))
                for table in scanned(work, statement, parameters)
            ]
        if found:
            read[name] = found
    assert read == {}


def test_a_question_that_reads_all_would_be_noticed(open_work: Opener, desk: Desk, held: Held) -> None:
    with open_work(desk.firm.b01.manager) as work:
        assert scanned(work, "SELECT id FROM message WHERE reason = %(reason)s", {"reason": "x"})


def scanned(work: Work, statement: str, parameters: Any) -> list[str]:
    """The large tables that the statement would read from one end to the other."""
    large = set(
        work.conn.execute(
            text("SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples > 2000")
        ).scalars()
    )
    with work.conn.begin_nested(), driver(work.conn).cursor() as cursor:
        cursor.execute(("EXPLAIN (FORMAT JSON) " + statement).encode(), parameters)
        answer: Any = cursor.fetchone()
    plan = answer[0] if not isinstance(answer[0], str) else json.loads(answer[0])
    return [name for name in _scans(plan[0]["Plan"]) if name in large]


def _scans(node: dict[str, Any]) -> list[str]:
    here = [node["Relation Name"]] if node["Node Type"] == "Seq Scan" else []
    return here + [name for child in node.get("Plans", ()) for name in _scans(child)]


def test_the_others_are_there(open_work: Opener, desk: Desk, held: Held) -> None:
    with open_work(desk.firm.b02.manager) as work:
        assert counts(work).waiting == 10_000
        assert len(list_waiting(work).items) == 50
    with open_work(desk.firm.b01.manager) as work:
        (item,) = list_waiting(work).items
        assert item.waiting == 60
        assert isinstance(item.submission.id, UUID)
