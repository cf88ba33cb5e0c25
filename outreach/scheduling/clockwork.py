"""APScheduler as the clock: it holds no business state, it only says "now" again and again."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from outreach.core.errors import OutreachError

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Duty:
    """Something done every ``seconds``; safe to do twice, or on several machines at once."""

    name: str
    seconds: float
    act: Callable[[], object]


def run(duties: Sequence[Duty], stop: threading.Event) -> None:
    """Do every duty in its rhythm until ``stop`` is set. A duty that fails is logged and tried again next time."""
    scheduler = BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(max(4, len(duties)))},
        # The default grace time drops what is late without a word; late is better than never.
        job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        timezone="UTC",
    )
    for duty in duties:
        scheduler.add_job(
            _guarded(duty),
            IntervalTrigger(seconds=duty.seconds, timezone="UTC"),
            id=duty.name,
            name=duty.name,
        )
    scheduler.start()
    try:
        for duty in duties:
            if stop.is_set():
                break
            _guarded(duty)()
        stop.wait()
    finally:
        scheduler.shutdown(wait=True)


def _guarded(duty: Duty) -> Callable[[], None]:
    def act() -> None:
        try:
            duty.act()
        except OutreachError as error:
            log.warning("duty failed", duty=duty.name, error=str(error))
        except Exception:
            log.exception("duty failed", duty=duty.name)

    return act
