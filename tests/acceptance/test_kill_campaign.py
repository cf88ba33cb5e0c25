"""P3 and P4 under kill -9: nothing lost, nothing twice, whatever dies and whenever (issue of the main job)."""

import re
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from outreach.archive.verify import verify_database
from outreach.core.access import SYSTEM
from outreach.core.faultpoints import POINTS
from tests.support.campaign import Machine, machine

ROUNDS = 32
VICTIMS = ("worker", "scheduler", "web", "postgres")
SEED = 20261123
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.mark.timeout(900)
def test_p3_p4_nothing_is_lost_or_sent_twice_whatever_is_killed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with machine(tmp_path / "home", SEED) as running:
        for number in range(ROUNDS):
            _round(running, number)
        _settle(running)
        _judge(running)
    assert sum(running.kills.values()) >= 30
    assert set(running.kills) == {*POINTS, *VICTIMS}


def _round(running: Machine, number: int) -> None:
    """One event from feed to approval, with one death on the way: half of them at a named point, half at random."""
    point = POINTS[number // 2 % len(POINTS)] if number % 2 else ""
    victim = VICTIMS[number // 2 % len(VICTIMS)]
    key = running.announce(number)
    if not point and number % 4 == 0:
        _die(running, victim, 0.3)  # while it is composed
    running.patient(lambda: running.composed(key), f"Composing {key}")
    if point:
        running.arm(point)
    running.approve_all(f"第{number}号市场提示")
    if point:
        running.patient(lambda: not running.armed, f"The worker's death at {point}", 60)
    elif number % 4 == 2:
        _die(running, victim, 0.8)  # while it is sent


def _die(running: Machine, victim: str, within: float) -> None:
    time.sleep(running.chance.uniform(0, within))
    running.kill(victim)


_OPEN = (
    "SELECT count(*) FROM message m JOIN decision_digest d ON d.message_id = m.id AND d.digest = m.digest"
    " WHERE m.urgent AND m.state IN ('held', 'approved', 'claimed') AND (m.fallback_of IS NULL OR m.due_at IS NOT NULL)"
)
# Twilio can't be asked by our id, nor a mail server at all: what was never received there stays listed as unknown.
_UNREPORTED = (
    "SELECT count(*) FROM message m JOIN attempt a ON a.id = m.claim_token WHERE m.urgent AND m.channel = 'sms'"
    " AND (m.state = 'sent' OR (m.state = 'unknown' AND a.provider = 'gateway'))"
)


def _settle(running: Machine) -> None:
    running.patient(lambda: running.count(_OPEN) == 0, "Sending everything that was approved", 180)
    # What a look-up finds never to have left goes again, so both are waited for together.
    running.patient(
        lambda: running.count(_UNREPORTED) == running.count(_OPEN) == 0,
        "A receipt or a look-up for every SMS that was sent",
        180,
    )
    running.patient(lambda: running.count("SELECT count(*) FROM ledger_pending") == 0, "The ledger", 60)


def _judge(running: Machine) -> None:
    with running.outreach.open_work(SYSTEM) as work:
        rows = work.conn.execute(
            text(
                "SELECT m.id, m.channel, m.state, m.fallback_of, a.provider, EXISTS (SELECT FROM decision_digest d"
                " WHERE d.message_id = m.id AND d.digest = m.digest) AS decided"
                " FROM message m LEFT JOIN attempt a ON a.id = m.claim_token WHERE m.urgent"
            )
        ).all()
        decisions = work.conn.execute(
            text("SELECT count(*) FROM ledger_entry WHERE kind = 'decision'")
        ).scalar_one()
    ours = {str(row.id) for row in rows}
    received: dict[str, int] = {}
    for server in (running.sandbox.smtp, running.sandbox.twilio, running.sandbox.gateway):
        for reference, times in server.counts()["references"].items():
            # A mail's reference is its Message-ID, which carries ours; a notice to staff carries none of them.
            found = _UUID.search(reference)
            if found and found[0] in ours:
                received[found[0]] = received.get(found[0], 0) + times
    assert max(received.values()) == 1
    approved = [row for row in rows if row.decided and row.fallback_of is None]
    assert running.approved > 1500
    assert len(approved) >= running.approved
    assert decisions > 0
    lost = [row for row in approved if row.state in ("sent", "delivered") and received.get(str(row.id)) != 1]
    assert lost == []
    # Never blindly repeated: what is not known was received once or not at all, and is listed.
    unknown = [row for row in approved if row.state == "unknown"]
    assert all(received.get(str(row.id), 0) <= 1 for row in unknown)
    assert {row.state for row in approved} <= {"sent", "delivered", "unknown"}
    assert {row.provider for row in unknown} <= {"smtp", "twilio"}
    # No first message failed, so no alternative went, whatever was killed between an outcome and what follows from it.
    alternatives = [row for row in rows if row.fallback_of is not None]
    assert {row.state for row in alternatives} <= {"held", "approved", "cancelled"}
    assert {str(row.id) for row in alternatives}.isdisjoint(received)
    # Whatever Twilio did take, its callback has told.
    assert not [row for row in unknown if row.provider == "twilio" and str(row.id) in received]
    undecided = {str(row.id) for row in rows if not row.decided}
    assert undecided.isdisjoint(received)
    assert verify_database(running.outreach.open_work).ok
