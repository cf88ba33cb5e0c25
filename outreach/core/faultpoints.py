"""Named points at which a process can be made to kill itself, to prove that nothing is lost there (P3, P4).

``OUTREACH_FAULT_POINT=name`` or ``name:n`` (at the n-th pass) ends the process with SIGKILL, as a power cut would.
"""

import os
import signal
from collections import Counter

POINTS = ("before-claim", "claimed", "in-call", "answered", "before-commit")
_passes: Counter[str] = Counter()


def reach(name: str) -> None:
    """Say that the point ``name`` is reached. Does nothing unless the environment names it."""
    wanted = os.environ.get("OUTREACH_FAULT_POINT")
    if not wanted:
        return
    point, _, times = wanted.partition(":")
    if point != name:
        return
    _passes[name] += 1
    if _passes[name] >= int(times or 1):
        os.kill(os.getpid(), signal.SIGKILL)
