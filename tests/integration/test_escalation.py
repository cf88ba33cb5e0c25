"""When nobody decides in time: those whose turn it is are told, then the next in line may decide, too."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from freezegun import freeze_time
from sqlalchemy import select, text, update

from outreach.core import clock, events
from outreach.core.database import Database
from outreach.core.errors import Forbidden
from outreach.core.events import SubmissionEscalated
from outreach.core.settings import Settings
from outreach.ledger.seal import KeyRing
from outreach.ledger.tables import ledger_entry
from outreach.ledger.work import Opener, Work, opener
from outreach.notices.audience import on_submission_escalated
from outreach.notices.tables import notice
from outreach.people.absence import end_absence
from outreach.review.escalation import escalate_due
from outreach.review.tables import submission
from tests.support.desk import Desk
from tests.support.review_rows import Held, hold
from tests.support.steps import BRANCH, THEN_COMPLIANCE, approve_as_read, as_now, away, policy_of

MINUTES = timedelta(minutes=1)
STEPS = (("5m", ("head_office",)), ("15m", ("compliance",)))
Told = list[tuple[int, tuple[str, ...], str]]


@pytest.fixture
def told() -> Iterator[Told]:
    """What was told, in order."""
    heard: Told = []

    def hear(_: Work, event: SubmissionEscalated) -> None:
        heard.append((event.stage, event.roles, event.basis))

    with events.apart(), events.listening(SubmissionEscalated, hear):
        yield heard


def alert(work: Work, desk: Desk, *approvers: tuple[str, ...], due: datetime | None = None) -> Held:
    policy = policy_of(work, desk, *(approvers or (BRANCH,)), escalation=STEPS)
    when = due or clock.now() + 15 * MINUTES
    return hold(work, desk.firm, desk.firm.b01, policy=policy, count=2, urgent=True, due_by=when)


def stage(work: Work, held: Held) -> tuple[int, datetime | None]:
    row = work.conn.execute(select(submission).where(submission.c.id == held.submission_id)).one()
    return row.escalation, row.escalate_at


def test_the_clock_of_an_alert_is_minutes(open_work: Opener, desk: Desk, told: Told) -> None:
    with freeze_time(clock.now()) as time:
        with open_work() as work:
            held = alert(work, desk)
            due = clock.now() + 15 * MINUTES
            assert escalate_due(work) == 0
        seen = []
        for _ in range(8):
            time.tick(5 * MINUTES)
            with open_work() as work:
                escalate_due(work)
                seen.append(stage(work, held))
        assert seen == [
            (0, due),
            (0, due),
            (1, due + 5 * MINUTES),
            (2, due + 15 * MINUTES),
            (2, due + 15 * MINUTES),
            (3, None),
            (3, None),
            (3, None),
        ]
    assert told == [
        (1, ("deputy", "manager"), "late"),
        (2, ("head_office",), "late"),
        (3, ("compliance",), "late"),
    ]


def test_the_next_in_line_may_decide_once_it_escalated_to_them(
    open_work: Opener, desk: Desk, told: Told
) -> None:
    now = clock.now()
    with open_work() as work:
        held = alert(work, desk, due=now - MINUTES)
        escalate_due(work)
    with open_work(desk.firm.head_office) as work, pytest.raises(Forbidden):
        approve_as_read(work, held.ids)
    with open_work() as work:
        work.conn.execute(update(submission).values(escalate_at=now, due_by=now - 6 * MINUTES))
        escalate_due(work)
    with open_work(desk.firm.compliance) as work, pytest.raises(Forbidden):
        approve_as_read(work, held.ids)
    with open_work(desk.firm.head_office) as work:
        assert approve_as_read(work, held.ids[:1]).verb == "approve"
    with open_work(desk.firm.b01.manager) as work:
        assert approve_as_read(work, held.ids[1:]).verb == "approve"


def test_after_a_standstill_every_stage_that_passed_is_told_and_recorded(
    open_work: Opener, desk: Desk, told: Told
) -> None:
    with open_work() as work:
        held = alert(work, desk, due=clock.now() - 60 * MINUTES)
        assert escalate_due(work) == 1
        assert stage(work, held) == (3, None)
        assert escalate_due(work) == 0
        leaves = [
            json.loads(bytes(one))
            for one in work.conn.execute(
                select(ledger_entry.c.envelope)
                .where(ledger_entry.c.kind == "escalation")
                .order_by(ledger_entry.c.id)
            ).scalars()
        ]
    assert sorted((leaf["number"], leaf["role"], leaf["basis"]) for leaf in leaves) == [
        (1, ["deputy", "manager"], "late"),
        (2, ["head_office"], "late"),
        (3, ["compliance"], "late"),
    ]
    assert [number for number, _, _ in told] == [1, 2, 3]


def test_what_is_decided_or_returned_does_not_escalate(open_work: Opener, desk: Desk, told: Told) -> None:
    with open_work() as work:
        held = alert(work, desk)
        back = alert(work, desk)
    with open_work(desk.firm.b01.manager) as work:
        approve_as_read(work, held.ids)
    with open_work() as work:
        work.conn.execute(
            text("UPDATE message SET state = 'returned' WHERE submission_id = :id"),
            {"id": back.submission_id},
        )
        work.conn.execute(update(submission).values(escalate_at=clock.now() - MINUTES))
        assert escalate_due(work) == 0
    assert told == []


def test_of_two_steps_those_whose_turn_it_is_are_told(open_work: Opener, desk: Desk, told: Told) -> None:
    with open_work() as work:
        held = alert(work, desk, *THEN_COMPLIANCE)
    with open_work(desk.firm.b01.manager) as work:
        approve_as_read(work, held.ids)
    with open_work() as work:
        now = clock.now()
        work.conn.execute(update(submission).values(due_by=now, escalate_at=now))
        escalate_due(work)
    assert told == [(1, ("compliance",), "late")]


def test_when_all_are_away_the_next_in_line_is_told_at_once(
    open_work: Opener, desk: Desk, told: Told
) -> None:
    team = desk.firm.b01
    with open_work() as work:
        held = alert(work, desk)
        other = hold(work, desk.firm, desk.firm.b02, policy=desk.each, author=desk.firm.b02.advisor)
        away(work, team.manager)
        assert escalate_due(work) == 0  # the deputy is there
        back = away(work, team.deputy, team.advisor)
        assert escalate_due(work) == 0  # somebody stands in
    with open_work(team.deputy) as work:
        end_absence(work, back)
    with open_work() as work:
        due = stage(work, held)[1]
        away(work, team.deputy)
        assert due is not None
        assert escalate_due(work) == 1
        assert stage(work, held) == (2, due + 15 * MINUTES)
        assert stage(work, other)[0] == 0
        assert escalate_due(work) == 0
    assert told == [(2, ("head_office",), "away")]
    with open_work(desk.firm.head_office) as work:
        assert approve_as_read(work, held.ids).verb == "approve"


def test_when_compliance_is_away_what_waits_for_them_escalates_and_nothing_else(
    open_work: Opener, desk: Desk, told: Told
) -> None:
    with open_work() as work:
        theirs, first = alert(work, desk, *THEN_COMPLIANCE), alert(work, desk, *THEN_COMPLIANCE)
        away(work, desk.firm.compliance)
    with open_work(desk.firm.b01.manager) as work:
        approve_as_read(work, theirs.ids)
    with open_work() as work:
        assert escalate_due(work) == 1
        assert (stage(work, theirs)[0], stage(work, first)[0]) == (2, 0)


def test_several_machines_at_once_take_each_stage_once(
    open_work: Opener, conninfo: str, keys: KeyRing, settings: Settings, desk: Desk, told: Told
) -> None:
    with open_work() as work:
        for _ in range(12):
            alert(work, desk, due=clock.now() - 6 * MINUTES)
    database = Database(conninfo, pool_size=4)
    machines = opener(database, keys, settings)

    def look(_: int) -> int:
        with machines() as work:
            return escalate_due(work, limit=5)

    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(look, range(12)))
    database.close()
    assert sum(counts) == 12
    assert sorted(number for number, _, _ in told) == [1] * 12 + [2] * 12


def test_who_stands_in_may_decide_what_escalated_to_the_absent(
    open_work: Opener, desk: Desk, told: Told
) -> None:
    with open_work() as work:
        held = alert(work, desk, due=clock.now() - 6 * MINUTES)
        escalate_due(work)
        away(work, desk.firm.head_office, desk.firm.compliance)
        acting = as_now(work, desk.firm.compliance)
    with open_work(acting) as work:
        assert approve_as_read(work, held.ids).count == 2


def test_the_next_in_line_gets_a_notice_without_client_data(open_work: Opener, desk: Desk) -> None:
    with events.apart():
        events.subscribe(SubmissionEscalated, on_submission_escalated)
        with open_work() as work:
            alert(work, desk, due=clock.now() - 6 * MINUTES)
            escalate_due(work)
            rows: list[Any] = list(work.conn.execute(select(notice).where(notice.c.kind == "escalated")))
    people = {row.staff_id for row in rows}
    team = desk.firm.b01
    assert people == {team.manager.staff_id, team.deputy.staff_id, desk.firm.head_office.staff_id}
    assert all(row.urgent and row.not_before is None for row in rows)


def test_looking_needs_no_walk_over_what_is_not_due(open_work: Opener, desk: Desk) -> None:
    """The duty runs every five seconds: its look is one over the index of what is due."""
    with open_work() as work:
        for _ in range(3):
            alert(work, desk)
        work.conn.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join(
            work.conn.execute(
                text(
                    "EXPLAIN SELECT id FROM submission WHERE state = 'open' AND escalate_at <= now()"
                    " ORDER BY escalate_at LIMIT 200"
                )
            ).scalars()
        )
    assert "submission_escalation" in plan
