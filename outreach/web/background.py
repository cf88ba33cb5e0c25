"""Work that takes longer than a page: done in a thread of its own, watched by pages that ask how far it is.

It lives in this process: when the process ends, so does what it did, and its transaction is taken back. Pages
then say so, or begin again.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from outreach.core import clock
from outreach.core.errors import Conflict, OutreachError, Unavailable

log = structlog.get_logger(__name__)

KEPT_FOR = timedelta(hours=12)
MOST_AT_ONCE = 4


@dataclass
class Task:
    """One piece of work. ``done`` and ``total`` are rows, records or leaves; ``total`` 0 is not known."""

    owner: UUID | None
    name: str
    begun_at: datetime
    done: int = 0
    total: int = 0
    result: Any = None
    error: OutreachError | None = None
    stopped: bool = False
    _ended: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def ended(self) -> bool:
        """Whether there is a result or an error."""
        return self._ended.is_set()

    def wait(self, seconds: float) -> bool:
        """Give it a moment, so that what is quick needs no second page; returns ``ended``."""
        return self._ended.wait(seconds)

    def tell(self, done: int, total: int = 0) -> None:
        """Note how far it is. Raises Conflict when it was told to stop: its transaction is taken back."""
        if self.stopped:
            raise Conflict("It was stopped; nothing of it was kept.")
        self.done, self.total = done, total


class Background:
    """The work going on, by key. One owner sees only their own."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task] = {}
        self._lock = threading.Lock()

    def begin(self, key: str, owner: UUID | None, name: str, act: Callable[[Task], Any]) -> Task:
        """Start ``act`` under ``key``; while that goes on, the same key gives the same task.

        Raises Conflict when too much is going on.
        """
        with self._lock:
            self._forget()
            known = self._tasks.get(key)
            if known is not None and not known.ended:
                return known
            if sum(not task.ended for task in self._tasks.values()) >= MOST_AT_ONCE:
                raise Conflict(
                    "Other imports, exports or checks are going on.", mend="Try again when one has ended."
                )
            task = Task(owner, name, clock.now())
            self._tasks[key] = task
        threading.Thread(target=self._run, args=(task, act), name=name, daemon=True).start()
        return task

    def get(self, key: str, owner: UUID | None) -> Task | None:
        """The task under ``key``, if it is this owner's."""
        task = self._tasks.get(key)
        return task if task is not None and task.owner == owner else None

    def forget(self, key: str) -> None:
        """Let go of a task and its result; one that goes on stops at its next step."""
        with self._lock:
            task = self._tasks.pop(key, None)
        if task is not None:
            task.stopped = True

    def _run(self, task: Task, act: Callable[[Task], Any]) -> None:
        try:
            task.result = act(task)
        except OutreachError as error:
            task.error = error
        except Exception:
            log.exception("background work failed", name=task.name)
            task.error = Unavailable("It broke off; nothing of it was kept.", mend="Try again.")
        finally:
            task._ended.set()

    def _forget(self) -> None:
        old = clock.now() - KEPT_FOR
        for key in [key for key, task in self._tasks.items() if task.ended and task.begun_at < old]:
            del self._tasks[key]
