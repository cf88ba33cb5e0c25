"""Eight deciders on the same messages: each is decided once, and every loser is told who, what and when."""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Condition
from uuid import UUID

import pytest
from sqlalchemy import func, select

from outreach.core.access import Actor, Role
from outreach.core.database import Database
from outreach.core.errors import Conflict, Forbidden
from outreach.core.settings import Settings
from outreach.ledger.seal import KeyRing
from outreach.ledger.tables import ledger_entry
from outreach.ledger.work import Opener, opener
from outreach.people.tables import staff
from outreach.review.batch import approve_batch, sample_of
from outreach.review.decide import approve, reject, return_
from outreach.review.gate import bound_digests
from outreach.review.manifest import Bound, manifest_digest
from outreach.review.tables import decision, decision_digest
from tests.support.desk import Desk
from tests.support.review_rows import Expected, Held, as_read, hold, states
from tests.support.steps import THEN_COMPLIANCE, policy_of, somebody

MESSAGES = 500
RACERS = 8
Lines = list[dict[str, str]]


@pytest.fixture
def racing(conninfo: str, keys: KeyRing, settings: Settings) -> Iterator[Opener]:
    """A connection for each racer."""
    database = Database(conninfo, pool_size=RACERS)
    yield opener(database, keys, settings)
    database.close()


def test_each_message_is_decided_once_and_every_loser_is_told(
    open_work: Opener, racing: Opener, desk: Desk
) -> None:
    """Approvals, returns and rejections, each racer in an order of their own, in groups that overlap."""
    team = desk.firm.b01
    with open_work() as work:
        held = hold(work, desk.firm, team, policy=desk.each, count=MESSAGES)
        read = as_read(work, held.ids)
        racers = [team.manager, team.deputy]
        racers += [
            somebody(work, f"R{n}", Role.MANAGER if n % 2 else Role.DEPUTY, team.id)
            for n in range(RACERS - 2)
        ]
    results = _race(racing, racers, held, read, desk.reason)

    won = Counter(item for ids, _ in results for item in ids)
    assert sorted(won) == sorted(held.ids)
    assert set(won.values()) == {1}
    _every_loser_was_told(open_work, held, [line for _, lines in results for line in lines], RACERS)
    _record_and_decisions_agree(open_work, held, MESSAGES)


def test_of_two_approvers_in_order_each_has_one_turn_at_each_message(
    open_work: Opener, racing: Opener, desk: Desk
) -> None:
    """Four of the branch and four of compliance at once: one endorsement and one approval each, in this order."""
    team = desk.firm.b01
    with open_work() as work:
        policy = policy_of(work, desk, *THEN_COMPLIANCE)
        held = hold(work, desk.firm, team, policy=policy, count=MESSAGES)
        read = as_read(work, held.ids)
        racers = [team.manager, team.deputy, desk.firm.compliance]
        racers += [somebody(work, f"R{n}", Role.MANAGER, team.id) for n in range(2)]
        racers += [somebody(work, f"C1{n}", Role.COMPLIANCE, None) for n in range(3)]
    results = _race(racing, racers, held, read, None)

    won = Counter(item for ids, _ in results for item in ids)
    assert sorted(won) == sorted(held.ids)
    assert set(won.values()) == {2}
    with open_work() as work:
        assert set(states(work, held.ids)) == {"approved"}
        assert set(bound_digests(work.conn, held.ids)) == set(held.ids)
        steps = work.conn.execute(
            select(decision.c.verb, decision.c.step, func.sum(decision.c.count)).group_by(
                decision.c.verb, decision.c.step
            )
        )
        assert {tuple(row) for row in steps} == {("endorse", 1, MESSAGES), ("approve", 2, MESSAGES)}
    _every_loser_was_told(open_work, held, [line for _, lines in results for line in lines], RACERS)
    _record_and_decisions_agree(open_work, held, 2 * MESSAGES)


def test_of_eight_who_decide_on_the_same_batch_one_does(
    open_work: Opener, racing: Opener, desk: Desk
) -> None:
    team = desk.firm.b01
    with open_work() as work:
        held = hold(work, desk.firm, team, policy=desk.batch, count=MESSAGES, mode="batch")
    with open_work(team.manager) as work:
        sample = sample_of(work, held.submission_id)

    def decide(number: int) -> int:
        try:
            with racing([team.manager, team.deputy][number % 2]) as work:
                return approve_batch(
                    work, held.submission_id, sample.manifest_digest, sample.message_ids, MESSAGES
                ).count
        except Conflict:
            return 0

    with ThreadPoolExecutor(RACERS) as pool:
        counts = sorted(pool.map(decide, range(RACERS)))
    assert counts == [0] * (RACERS - 1) + [MESSAGES]
    _record_and_decisions_agree(open_work, held, MESSAGES)


def _race(
    racing: Opener, racers: list[Actor], held: Held, read: Expected, reason: str | None
) -> list[tuple[list[UUID], Lines]]:
    start, progress = Barrier(len(racers)), Condition()
    with ThreadPoolExecutor(len(racers)) as pool:
        runs = [
            pool.submit(_run, racing, actor, list(held.ids), read, seed, reason, start, progress)
            for seed, actor in enumerate(racers)
        ]
        return [run.result(timeout=200) for run in runs]


def _run(
    racing: Opener,
    actor: Actor,
    ids: list[UUID],
    read: Expected,
    seed: int,
    reason: str | None,
    start: Barrier,
    progress: Condition,
) -> tuple[list[UUID], Lines]:
    """One racer: decides on everything that is not lost, in groups of one to twenty."""
    chance = random.Random(seed)
    chance.shuffle(ids)
    won: list[UUID] = []
    told: Lines = []
    most = 20
    start.wait(60)
    while ids:
        chosen = [ids.pop() for _ in range(min(len(ids), chance.randint(1, most)))]
        verb = chance.choice(["approve", "return", "reject"]) if reason else "approve"
        try:
            with racing(actor) as work:
                if verb == "approve":
                    approve(work, chosen, read)
                else:
                    (return_ if verb == "return" else reject)(work, chosen, read, [reason or ""], "")
            won += chosen
            most = min(20, 2 * most)
            with progress:
                progress.notify_all()
        except Conflict as lost:  # names all that was lost; what is left is tried again
            lines = lost.details["messages"]
            told += lines
            gone = {UUID(line["message_id"]) for line in lines}
            assert gone <= set(chosen)
            assert gone
            ids += [item for item in chosen if item not in gone]
        except Forbidden:  # it is not their turn yet: they look again when somebody has decided something
            ids[:0] = chosen
            most = max(1, len(chosen) // 2)
            if most == 1:
                with progress:
                    progress.wait(1)
    return won, told


def _every_loser_was_told(open_work: Opener, held: Held, told: Lines, racers: int) -> None:
    """Who, what and when, as the decisions have it, for each message."""
    with open_work() as work:
        made = work.conn.execute(
            select(decision_digest.c.message_id, decision.c.verb, decision.c.at, staff.c.name)
            .join(decision, decision.c.id == decision_digest.c.decision_id)
            .join(staff, staff.c.id == decision.c.actor_id)
        )
        true: dict[str, set[tuple[str, str, str]]] = defaultdict(set)
        for row in made:
            true[str(row.message_id)].add((row.name, row.verb, row.at.isoformat()))
    assert told
    assert {line["message_id"] for line in told} <= {str(item) for item in held.ids}
    for line in told:
        assert (line["who"], line["what"], line["at"]) in true[line["message_id"]]
    if racers * len(held.ids) == len(told) + len(held.ids):
        assert Counter(line["message_id"] for line in told) == {str(item): racers - 1 for item in held.ids}


def _record_and_decisions_agree(open_work: Opener, held: Held, bound: int) -> None:
    """As many digests as the decisions count and as the ledger's entries say, each manifest the one that was bound."""
    with open_work() as work:
        made = {row["id"]: row for row in work.conn.execute(select(decision)).mappings()}
        lines = defaultdict(list)
        for row in work.conn.execute(select(decision_digest)):
            lines[row.decision_id].append(Bound(row.message_id, row.revision, bytes(row.digest)))
        assert sum(len(items) for items in lines.values()) == bound
        leaves = [
            json.loads(bytes(one))
            for one in work.conn.execute(
                select(ledger_entry.c.envelope).where(ledger_entry.c.kind == "decision")
            ).scalars()
        ]
    assert {UUID(leaf["decision_id"]) for leaf in leaves} == set(made) == set(lines)
    for leaf in leaves:
        row = made[UUID(leaf["decision_id"])]
        assert (leaf["verb"], leaf["count"]) == (row["verb"], row["count"])
        assert leaf["actor"] == str(row["actor_id"])
        assert row["count"] == len(lines[row["id"]])
        assert leaf["manifest_digest"] == manifest_digest(sorted(lines[row["id"]])).hex()
