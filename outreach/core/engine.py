"""The queue: Procrastinate's tables in our database, filled by our own transactions.

Jobs say only "work on this"; the domain's tables hold what there is to do. A lost job costs seconds, because
the sweeper defers it again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import procrastinate
from procrastinate import exceptions, jobs
from sqlalchemy import Connection, text

QUEUES = ("alerts", "compose", "deliver", "housekeeping")

# name -> queue: what may be deferred. ``app`` binds the functions; a test proves that each has one.
TASKS: dict[str, str] = {
    "compose_occurrence": "compose",
    "dispatch_urgent": "alerts",
    "dispatch": "deliver",
    "integrate": "housekeeping",
    "send_notices": "housekeeping",
    "send_urgent_notices": "alerts",
    "sweep": "housekeeping",
}

Deferred = dict[str, tuple[str, str, Mapping[str, str | int]]]  # lock -> name, queue, arguments

_deferring = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())


def defer(conn: Connection, name: str, *, lock: str, **arguments: str | int) -> None:
    """Put a job in its queue with the transaction of ``conn``, as its last act: see ``enqueue_deferred``.

    At most one job of a ``lock`` (a queueing lock) waits at a time.
    Raises KeyError for a name that is not in TASKS.
    """
    queue = TASKS[name]
    wanted: Deferred = conn.info.setdefault(_WANTED, {})
    wanted[lock] = (name, queue, arguments)


def deferred(conn: Connection) -> Deferred:
    """What the transaction has asked for until now: see ``reset_deferred``."""
    return dict(conn.info.get(_WANTED, {}))


def reset_deferred(conn: Connection, to: Deferred | None = None) -> None:
    """Ask for no more than ``to``: what came after it, or is an earlier transaction's, was taken back."""
    conn.info[_WANTED] = dict(to or {})


def enqueue_deferred(conn: Connection) -> None:
    """Enqueue what ``defer`` asked for, when the transaction is about to commit.

    Whoever enqueues under a queueing lock makes every other that wants the same one wait for its commit: so it is
    done last, for a moment, and by all in the same order, which leaves no two waiting for each other.
    """
    wanted: Deferred = conn.info.pop(_WANTED, {})
    if not wanted:
        return
    waiting = set(conn.execute(_WAITING, {"locks": list(wanted)}).scalars())
    for lock in sorted(wanted.keys() - waiting):
        name, queue, arguments = wanted[lock]
        task = _deferring.configure_task(
            name,
            queue=queue,
            queueing_lock=lock,
            connection=conn.connection.driver_connection,
            allow_unknown=True,
        )
        # A conflict on the queueing lock aborts the transaction, so it gets a savepoint of its own.
        savepoint = conn.begin_nested()
        try:
            task.defer(**arguments)
        except exceptions.AlreadyEnqueued:
            savepoint.rollback()
        else:
            savepoint.commit()


_WANTED = "outreach.deferred"
_WAITING = text(
    "SELECT queueing_lock FROM procrastinate_jobs WHERE queueing_lock = ANY(:locks) AND status = 'todo'"
)


Handler = Callable[..., Awaitable[None]] | Callable[..., None]

# Alerts have hands of their own, so that a large batch never keeps them waiting.
_CREWS: tuple[tuple[tuple[str, ...], int], ...] = (
    (("alerts",), 2),
    (("compose", "deliver", "housekeeping"), 4),
)
_STALLED_SECONDS = 15.0


def worker_app(conninfo: str, handlers: Mapping[str, Handler], pool_size: int = 8) -> procrastinate.App:
    """An App whose tasks are ``handlers`` (name -> function), for ``outreach worker``.

    Raises KeyError when a name of TASKS has no handler.
    """
    connector = procrastinate.PsycopgConnector(conninfo=conninfo, min_size=1, max_size=pool_size)
    app = procrastinate.App(connector=connector)
    for name, queue in TASKS.items():
        app.task(name=name, queue=queue)(cast(Any, handlers[name]))
    return app


async def run_worker(
    conninfo: str, handlers: Mapping[str, Handler], *, stop: asyncio.Event, wait: bool = True
) -> None:
    """Work until ``stop`` is set (or, with ``wait`` False, until the queues are empty).

    Jobs of workers that died are taken up again; finished and failed jobs are deleted, because the domain's
    tables say what is still to do.
    """
    app = worker_app(conninfo, handlers)
    async with app.open_async():
        crews = [
            asyncio.create_task(
                app.run_worker_async(
                    queues=list(queues),
                    concurrency=concurrency,
                    wait=wait,
                    delete_jobs="always",
                    install_signal_handlers=False,
                    fetch_job_polling_interval=1.0,
                    update_heartbeat_interval=3.0,
                    stalled_worker_timeout=_STALLED_SECONDS,
                    shutdown_graceful_timeout=20.0,
                    name=f"outreach-{queues[0]}",
                )
            )
            for queues, concurrency in _CREWS
        ]
        rescue = asyncio.create_task(_rescue_stalled(app))
        stopping = asyncio.create_task(stop.wait())
        working: asyncio.Future[Any] = asyncio.gather(*crews)
        try:
            ends: set[asyncio.Future[Any]] = {stopping, working}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if not stopping.done():
                await working  # raises what ended it
        finally:
            ending: list[asyncio.Future[Any]] = [rescue, stopping, working, *crews]
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)


async def _rescue_stalled(app: procrastinate.App) -> None:
    """A killed worker's job is never run again by itself: put it back in its queue."""
    while True:
        for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=_STALLED_SECONDS):
            try:
                await app.job_manager.retry_job(job)
            except exceptions.ProcrastinateException:
                # A newer job waits under the same queueing lock, and does the same work: this one may go.
                await app.job_manager.finish_job(job, jobs.Status.FAILED, delete_job=True)
        await asyncio.sleep(5.0)
