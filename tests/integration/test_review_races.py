"""Eight deciders on the same messages: each is decided once, and every loser is told who, what and when."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from sqlalchemy import func, select

from outreach.core.access import Actor
from outreach.core.database import Database
from outreach.core.errors import Conflict
from outreach.core.settings import Settings
from outreach.ledger.seal import KeyRing
from outreach.ledger.work import Opener, opener
from outreach.review.decide import approve, return_
from outreach.review.tables import decision, decision_digest
from tests.support.desk import Desk
from tests.support.review_rows import Expected, as_read, hold, states

MESSAGES = 500
RACERS = 8
AT_ONCE = 5


def test_each_message_is_decided_once_and_every_loser_is_told(
    open_work: Opener, conninfo: str, keys: KeyRing, settings: Settings, desk: Desk
) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.batch, count=MESSAGES, mode="batch")
        read = as_read(work, held.ids)
    database = Database(conninfo, pool_size=RACERS)
    racing = opener(database, keys, settings)
    deciders = [desk.firm.b01.manager, desk.firm.b01.deputy] * (RACERS // 2)
    with ThreadPoolExecutor(RACERS) as pool:
        runs = [
            pool.submit(_race, racing, actor, list(held.ids), read, seed, desk.reason)
            for seed, actor in enumerate(deciders)
        ]
        results = [run.result(timeout=150) for run in runs]
    database.close()

    won = Counter(item for ids, _ in results for item in ids)
    assert sorted(won) == sorted(held.ids)
    assert set(won.values()) == {1}
    names = {actor.name for actor in deciders}
    told = [line for _, lines in results for line in lines]
    assert told
    for line in told:
        assert line["who"] in names
        assert line["what"] in ("approve", "return")
        assert line["at"]
    with open_work() as work:
        assert set(states(work, held.ids)) == {"approved", "returned"}
        bound = work.conn.execute(select(func.count()).select_from(decision_digest)).scalar_one()
        counted = work.conn.execute(select(func.sum(decision.c.count))).scalar_one()
        assert bound == counted == MESSAGES


def _race(
    racing: Opener, actor: Actor, ids: list[UUID], read: Expected, seed: int, reason: str
) -> tuple[list[UUID], list[dict[str, str]]]:
    random.Random(seed).shuffle(ids)
    won: list[UUID] = []
    told: list[dict[str, str]] = []
    for start in range(0, len(ids), AT_ONCE):
        chosen = ids[start : start + AT_ONCE]
        while chosen:  # decide what is left after a Conflict, which names all that was lost
            try:
                with racing(actor) as work:
                    if seed % 2:
                        approve(work, chosen, read)
                    else:
                        return_(work, chosen, read, [reason], "")
                won += chosen
                break
            except Conflict as lost:
                lines = lost.details["messages"]
                told += lines
                gone = {UUID(line["message_id"]) for line in lines}
                assert gone
                chosen = [item for item in chosen if item not in gone]
    return won, told
