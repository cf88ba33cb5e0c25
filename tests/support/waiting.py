"""Waiting, with a bound, for what another session does; time may be frozen meanwhile."""

import threading

from sqlalchemy import text

from outreach.ledger.work import Opener

_BLOCKED = text("SELECT count(*) FROM pg_locks WHERE NOT granted")


def until_blocked(open_work: Opener, sessions: int = 1) -> None:
    """Wait until so many sessions wait for a lock; an AssertionError after about ten seconds."""
    pause = threading.Event()
    for _ in range(500):
        with open_work() as work:
            if work.conn.execute(_BLOCKED).scalar_one() >= sessions:
                return
        pause.wait(0.02)
    raise AssertionError("nobody waits for a lock")
