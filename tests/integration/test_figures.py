"""The branch's figures: what they say ties out with what happened, each reads by its index, behind branch walls."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from freezegun import freeze_time
from sqlalchemy import text

from outreach.care.reports import Report, report
from outreach.core import clock
from outreach.core.errors import BadInput, Forbidden, NotFound
from outreach.delivery import figures as flow_figures
from outreach.ledger.work import Opener
from outreach.occasions.periods import Period, last_days, month_of, one_day
from outreach.people.consent import opt_out
from outreach.review import figures
from outreach.review.batch import approve_batch, sample_of
from outreach.review.figures import late_now, pace, released_under, reported_branches, returned_for, undone
from outreach.review.standing import grant_standing
from tests.support.builders import make_client
from tests.support.desk import Desk
from tests.support.figures_rows import a_busy_day, approved, called, put_up, sent_back
from tests.support.review_rows import edit, hold

MORNING = datetime(2026, 11, 10, 1, tzinfo=UTC)  # nine o'clock in Shanghai
DAY = date(2026, 11, 10)


def sheet(open_work: Opener, desk: Desk, day: date = DAY, branch: UUID | None = None) -> Report:
    with open_work(desk.firm.head_office) as work:
        return report(work, one_day(day, work.settings.zone), branch)


def test_a_day_sheet_ties_out_with_what_happened(open_work: Opener, desk: Desk) -> None:
    with freeze_time(MORNING) as frozen:
        a_busy_day(open_work, desk, frozen)
        told = sheet(open_work, desk)
    first, second = told.branches
    assert dict(+first.counts) == {  # type: ignore[operator]
        "put_up": 12,
        "left": 3,
        "sent": 1,
        "delivered": 1,
        "unknown": 1,
        "failed": 1,
        "approved": 7,
        "undone": 2,
        "returned": 2,
        "late": 1,
        "replies_in": 2,
        "replies_open": 1,
        "answered": 1,
        "opt_outs": 1,
        "waiting": 5,
    }
    assert (second.counts["put_up"], second.counts["approved"], second.counts["left"]) == (2, 2, 1)
    with open_work() as work:
        counted = work.conn.execute(
            text(
                "SELECT count(*) AS put_up,"
                " count(*) FILTER (WHERE state IN ('sent', 'delivered', 'unknown')) AS left,"
                " count(*) FILTER (WHERE state = 'held') AS waiting,"
                " (SELECT sum(count) FROM decision WHERE verb = 'approve') AS approved,"
                " (SELECT sum(count) FROM decision WHERE verb = 'return') AS returned,"
                " (SELECT count(*) FROM reply WHERE kind = 'reply') AS replies_in"
                " FROM message"
            )
        ).one()
    for name, count in counted._mapping.items():
        assert told.total[name] == count, name
    for name in ("put_up", "left", "failed"):
        assert sum(line.counts[name] for line in told.messages) == told.total[name]
    assert sum(line.counts["approved"] for line in told.decisions) == told.total["approved"]


def test_the_total_is_the_sum_of_the_branches(open_work: Opener, desk: Desk) -> None:
    with freeze_time(MORNING) as frozen:
        a_busy_day(open_work, desk, frozen)
        told = sheet(open_work, desk)
        alone = sheet(open_work, desk, branch=desk.firm.b01.id)
    for name in told.total:
        assert told.total[name] == sum(line.counts[name] for line in told.branches)
    assert [line.branch.code for line in alone.branches] == ["B01"]
    assert alone.total == told.branches[0].counts


def test_a_day_is_the_firms_civil_day_and_does_not_change_afterwards(open_work: Opener, desk: Desk) -> None:
    before_midnight = datetime(2026, 11, 10, 15, 59, 30, tzinfo=UTC)
    with freeze_time(before_midnight) as frozen:
        held = put_up(open_work, desk, desk.firm.b01, 2)
        approved(open_work, desk.firm.b01, held.ids)
        with open_work() as work:
            called(work, held.ids[0], "sent")
        frozen.tick(timedelta(minutes=1))
        with open_work() as work:
            called(work, held.ids[1], "sent")
            work.conn.execute(
                text("UPDATE message SET state = 'delivered', state_at = :now WHERE id = :id"),
                {"now": clock.now(), "id": held.ids[0]},
            )
        first, second = sheet(open_work, desk), sheet(open_work, desk, DAY + timedelta(days=1))
    assert (first.total["put_up"], first.total["left"], first.total["delivered"]) == (2, 1, 1)
    assert (second.total["put_up"], second.total["left"], second.total["sent"]) == (0, 1, 1)


def test_a_message_called_twice_counts_once(open_work: Opener, desk: Desk) -> None:
    with freeze_time(MORNING) as frozen:
        held = put_up(open_work, desk, desk.firm.b01)
        with open_work() as work:
            called(work, held.first, "unknown")
        frozen.tick(timedelta(minutes=5))  # a look-up found that it never went out
        with open_work() as work:
            called(work, held.first, "sent")
        told = sheet(open_work, desk)
    assert (told.total["left"], told.total["sent"], told.total["unknown"]) == (1, 1, 0)


def test_time_to_decision_runs_from_the_revision_that_was_decided_on(open_work: Opener, desk: Desk) -> None:
    """What the advisor took to mend it is not the manager's time."""
    team = desk.firm.b01
    with freeze_time(MORNING) as frozen:
        held = put_up(open_work, desk, team, author=team.advisor)
        frozen.tick(timedelta(minutes=10))
        sent_back(open_work, team, held.ids, "tone")
        frozen.tick(timedelta(hours=5))
        with open_work() as work:
            edit(work, held.first, "您好，改好了。", team.advisor)
            work.conn.execute(text("UPDATE message SET state = 'held'"))
        frozen.tick(timedelta(minutes=30))
        approved(open_work, team, held.ids)
        with open_work(team.manager) as work:
            found = pace(work, [team.id], one_day(DAY, work.settings.zone))
    assert found.overall.decisions == 2
    assert (found.overall.median, found.overall.p90) == (timedelta(minutes=10), timedelta(minutes=30))
    assert found.overall.in_time == 1
    assert found.spread == (1, 1, 0, 0, 0, 0)
    assert set(found.days) == {DAY}
    assert found.categories["relationship"].decisions == 2
    assert [name for name, _ in found.policies] == ["each"]


def test_what_was_undone_has_no_time_to_decision_but_a_line(open_work: Opener, desk: Desk) -> None:
    team = desk.firm.b01
    with freeze_time(MORNING) as frozen:
        a_busy_day(open_work, desk, frozen)
        with open_work(team.manager) as work:
            today = one_day(DAY, work.settings.zone)
            assert pace(work, [team.id], today).overall.decisions == 3
            [line] = undone(work, [team.id], today)
    assert (line.count, line.undone_by) == (2, team.manager.name)


def test_percentiles_of_many_decisions(open_work: Opener, desk: Desk) -> None:
    team = desk.firm.b01
    with freeze_time(MORNING) as frozen:
        held = [put_up(open_work, desk, team) for _ in range(10)]
        for one in held:
            frozen.tick(timedelta(minutes=6))
            approved(open_work, team, one.ids)
        with open_work(team.deputy) as work:
            found = pace(work, [team.id], last_days(DAY, 30, work.settings.zone)).overall
    assert (found.median, found.p90) == (timedelta(minutes=30), timedelta(minutes=54))
    assert found.share == 1.0


def test_what_is_late_is_told_until_it_is_decided(open_work: Opener, desk: Desk) -> None:
    team = desk.firm.b01
    with freeze_time(MORNING) as frozen:
        held = put_up(open_work, desk, team, 3, due_by=MORNING + timedelta(minutes=15))
        with open_work(team.manager) as work:
            assert late_now(work, [team.id]) == []
        frozen.tick(timedelta(minutes=16))
        with open_work(team.manager) as work:
            [line] = late_now(work, [team.id])
        assert (line.id, line.waiting) == (held.submission_id, 3)
        approved(open_work, team, held.ids)
        with open_work(team.manager) as work:
            assert late_now(work, [team.id]) == []


def test_returns_are_told_by_advisor_and_reason(open_work: Opener, desk: Desk) -> None:
    team = desk.firm.b01
    with freeze_time(MORNING):
        for _ in range(2):
            mine = put_up(open_work, desk, team, author=team.advisors[1])
            sent_back(open_work, team, mine.ids, "tone")
        jobs = put_up(open_work, desk, team)
        sent_back(open_work, team, jobs.ids, "tone")
        with open_work(team.manager) as work:
            lines = returned_for(work, [team.id], one_day(DAY, work.settings.zone))
            day = report(work, one_day(DAY, work.settings.zone))
    assert [(one.advisor, one.reason, one.returned) for one in lines] == [
        (team.advisors[1].name, "tone", 2),
        ("", "tone", 1),
    ]
    assert [(reason, count) for _, reason, count, _ in day.by_reason()] == [("tone", 3)]


def test_a_standing_approval_says_how_many_it_released(open_work: Opener, desk: Desk) -> None:
    team = desk.firm.b01
    with open_work() as work:
        lexicon = desk.lexicon_digest(work)
        held = hold(
            work, desk.firm, team, policy=desk.standing, template=desk.birthday, lexicon=lexicon, count=3,
            mode="standing", author=desk.firm.head_office,
        )  # fmt: skip
    with open_work(team.manager) as work:
        granted = grant_standing(work, held.submission_id, clock.now() + timedelta(days=30))
        assert granted.released == 3
        ids = [granted.standing_approval_id]
        assert released_under(work, [team.id], ids) == {ids[0]: 3}
        told = report(work, one_day(clock.today(work.settings.zone), work.settings.zone))
        assert (told.total["released"], told.total["approved"]) == (3, 0)
        # Nobody waited for it, so it has no time to decision.
        assert told.pace.overall.decisions == 0


def test_a_decision_for_the_whole_firm_counts_where_the_clients_are(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, None, policy=desk.firmwide, mode="batch", count=5)
    with open_work(desk.firm.head_office) as work:
        sample = sample_of(work, held.submission_id)
        approve_batch(work, held.submission_id, sample.manifest_digest, frozenset(sample.message_ids))
        told = report(work, one_day(clock.today(work.settings.zone), work.settings.zone))
    assert [line.counts["approved"] for line in told.branches] == [3, 2]


def test_a_month_tells_coverage_and_opt_outs(open_work: Opener, desk: Desk) -> None:
    team = desk.firm.b01
    with freeze_time(MORNING) as frozen:
        a_busy_day(open_work, desk, frozen)
        with open_work() as work:
            make_client(work, team, status="closed")
            one = make_client(work, team)
            opt_out(work, [one], source="page")
    with freeze_time(MORNING + timedelta(days=10)), open_work(desk.firm.head_office) as work:
        told = report(work, month_of(DAY, work.settings.zone), monthly=True)
        active = work.conn.execute(
            text("SELECT count(*) FROM client WHERE branch_id = :id AND status = 'normal'"), {"id": team.id}
        ).scalar_one()
    mine = told.reach[team.id]
    assert (mine.reached, mine.clients) == (2, active)
    assert told.reached.reached == 3
    assert [(line.source, line.clients) for line in told.opted_out] == [("page", 1)]
    assert told.total["put_up"] == 14


def test_p7_figures_stop_at_the_branch(open_work: Opener, desk: Desk) -> None:
    firm = desk.firm
    with freeze_time(MORNING) as frozen:
        a_busy_day(open_work, desk, frozen)
        for actor in (firm.b02.manager, firm.b02.deputy):
            with open_work(actor) as work:
                assert [one.code for one in reported_branches(work)] == ["B02"]
                day = one_day(DAY, work.settings.zone)
                assert [line.branch.code for line in report(work, day).branches] == ["B02"]
                for ask in (
                    lambda: report(work, day, firm.b01.id),  # noqa: B023
                    lambda: pace(work, [firm.b01.id, firm.b02.id], day),  # noqa: B023
                    lambda: late_now(work, [firm.b01.id]),
                    lambda: flow_figures.flows(work, [firm.b01.id], day),  # noqa: B023
                ):
                    with pytest.raises(NotFound):
                        ask()
        for actor in (firm.b01.advisor, firm.operator):
            with open_work(actor) as work, pytest.raises(Forbidden):
                report(work, one_day(DAY, work.settings.zone))
        with open_work(firm.compliance) as work:
            assert len(reported_branches(work)) == 2


def test_a_period_is_no_longer_than_a_year(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        zone = work.settings.zone
    with pytest.raises(BadInput):
        Period(DAY, DAY - timedelta(days=1), zone)
    assert month_of(date(2028, 2, 5), zone).last == date(2028, 2, 29)


# ── plans ─────────────────────────────────────────────────────────────────────────────────────────────────

# 400 branches with 40 submissions, decisions and called messages each, over 80 days.
_MANY = """
INSERT INTO branch (id, code, name, name_en)
SELECT gen_random_uuid(), 'X' || n, '分部' || n, 'X' || n FROM generate_series(1, 400) n;
INSERT INTO occurrence (id, job_name, occurrence_key, scheduled_month, send_at, expires_at, created_at)
SELECT gen_random_uuid(), 'x', n::text, date_trunc('month', at), at, at, at
  FROM generate_series(1, 40) n, LATERAL (SELECT now() - n * interval '2 days' AS at) t;
INSERT INTO submission (id, occurrence_id, scheduled_month, branch_id, mode, policy_version_id, title, category,
                        sample_seed, created_at, due_by, send_at, expires_at, state)
SELECT gen_random_uuid(), o.id, o.scheduled_month, b.id, 'each', p.id, 'x', 'information', '', o.send_at,
       o.send_at + interval '4 hours', o.send_at, o.send_at + interval '1 day',
       CASE WHEN o.occurrence_key::int <= 4 THEN 'open' ELSE 'closed' END
  FROM branch b, occurrence o,
       LATERAL (SELECT id FROM content_version WHERE kind = 'policy' LIMIT 1) p;
INSERT INTO decision (id, submission_id, verb, actor_id, at, undo_until, manifest_digest, count, policy_version_id,
                      undone_at)
SELECT gen_random_uuid(), s.id, CASE WHEN random() < .1 THEN 'return' ELSE 'approve' END, a.id,
       s.created_at + interval '1 hour', s.created_at, '', 1, s.policy_version_id,
       CASE WHEN random() < .02 THEN s.created_at + interval '1 hour' END
  FROM submission s, LATERAL (SELECT id FROM staff LIMIT 1) a;
INSERT INTO message (id, scheduled_month, occurrence_id, submission_id, branch_id, client_id, channel, address_hash,
                     category, language, lexicon_digest, digest, payload_id, state, state_at, send_at, time_zone,
                     expires_at, claim_token, created_at)
SELECT t.id, date_trunc('month', s.created_at), s.occurrence_id, s.id, s.branch_id, gen_random_uuid(), 'sms', '',
       'information', 'zh-CN', '', '', gen_random_uuid(),
       CASE WHEN random() < .2 THEN 'held' ELSE 'delivered' END, s.created_at, s.created_at, 'Asia/Shanghai',
       s.expires_at, t.id, s.created_at
  FROM submission s,
       LATERAL (SELECT overlay(gen_random_uuid()::text PLACING left(uuid7_floor(s.created_at)::text, 13) FROM 1)::uuid
                       AS id
                 WHERE s.id IS NOT NULL) t;
INSERT INTO attempt (id, message_id, scheduled_month, provider, decision_id, digest, state, claimed_at, started_at)
SELECT m.claim_token, m.id, m.scheduled_month, 'gateway', gen_random_uuid(), '', 'accepted', m.state_at, m.state_at
  FROM message m;
ANALYZE submission; ANALYZE decision; ANALYZE message; ANALYZE attempt; ANALYZE branch; ANALYZE occurrence;
"""


# Each query, whose indexes it must read by (where two fit, the planner chooses), and the tables that it must never
# read through.
_PLANS: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    (figures.PACE, ("decision_",), ("submission", "decision")),
    (figures.LATE, ("submission_",), ("submission", "message")),
    (figures.RETURNED, ("decision_",), ("submission", "decision")),
    (figures.UNDONE, ("decision_",), ("submission", "decision")),
    (figures.DECISIONS, ("decision_",), ("submission", "decision", "message")),
    (flow_figures.PUT_UP, ("branch_id_id_idx",), ("message",)),
    (flow_figures.LEFT, ("attempt_",), ("message", "attempt")),
    (flow_figures.ENDED, ("branch_id_state",), ("message",)),
    (flow_figures.WAITING, ("message_",), ("message",)),
    (flow_figures.ANSWERS, ("reply_",), ("reply",)),
    (flow_figures.OPTED_OUT, ("consent_opted_out",), ("consent",)),
]


def test_each_query_reads_by_its_index(open_work: Opener, conninfo: str, desk: Desk) -> None:
    with psycopg.connect(conninfo, autocommit=True) as owner:
        owner.execute(_MANY)
    with open_work(desk.firm.b01.manager) as work:
        zone = work.settings.zone
        period = last_days(clock.today(zone), 7, zone)
        values: dict[str, Any] = {
            "branches": [desk.firm.b01.id],
            "now": clock.now(),
            "zone": str(zone),
            "classes": [900.0],
            "since": period.since,
            "until": period.until,
            "oldest": period.first.replace(day=1) - timedelta(days=62),
            "newest": period.last.replace(day=1) + timedelta(days=31),
        }
        for query, by, never in _PLANS:
            # These two are empty here: the question is only whether the index fits.
            small = {"reply", "consent"} & set(never)
            work.conn.execute(text(f"SET LOCAL enable_seqscan = {'off' if small else 'on'}"))
            plan = list(work.conn.execute(text(f"EXPLAIN {query}"), values).scalars())
            for index in by:
                assert [line for line in plan if index in line], (query, plan)
            for table in never:
                through = [line for line in plan if f"Seq Scan on {table}" in line]
                # A partition without a row is read as it is.
                assert [line for line in through if "rows=1 " not in line] == [], (query, plan)
