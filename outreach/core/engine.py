"""The queue: Procrastinate's tables in our database, deferred to inside our own transactions.

Jobs say only "work on this"; the domain's tables hold what there is to do. A lost job costs seconds, because
the sweeper defers it again.
"""

from collections.abc import Awaitable, Callable
from typing import Any, cast

import procrastinate
from procrastinate import exceptions
from sqlalchemy import Connection

QUEUES = ("alerts", "compose", "deliver", "housekeeping")

# name -> queue: what may be deferred. ``app`` binds the functions; a test proves that each has one.
TASKS: dict[str, str] = {
    "compose_occurrence": "compose",
    "dispatch_urgent": "alerts",
    "dispatch": "deliver",
    "integrate": "housekeeping",
    "send_notices": "housekeeping",
    "sweep": "housekeeping",
}

_deferring = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())


def defer(conn: Connection, name: str, *, lock: str | None = None, **arguments: str | int) -> bool:
    """Put a job in its queue, in the transaction of ``conn``.

    With ``lock`` (a queueing lock) at most one such job waits at a time. Returns whether a job was added.
    Raises KeyError for a name that is not in TASKS.
    """
    queue = TASKS[name]
    task = _deferring.configure_task(
        name,
        queue=queue,
        queueing_lock=lock,
        connection=conn.connection.driver_connection,
        allow_unknown=True,
    )
    if lock is None:
        task.defer(**arguments)
        return True
    # A conflict on the queueing lock aborts the transaction, so it gets a savepoint of its own.
    savepoint = conn.begin_nested()
    try:
        task.defer(**arguments)
    except exceptions.AlreadyEnqueued:
        savepoint.rollback()
        return False
    savepoint.commit()
    return True


Handler = Callable[..., Awaitable[None]] | Callable[..., None]


def worker_app(conninfo: str, handlers: dict[str, Handler], pool_size: int = 4) -> procrastinate.App:
    """An App whose tasks are ``handlers`` (name -> function), for ``outreach worker``.

    Raises KeyError when a name of TASKS has no handler.
    """
    connector = procrastinate.PsycopgConnector(conninfo=conninfo, min_size=1, max_size=pool_size)
    app = procrastinate.App(connector=connector)
    for name, queue in TASKS.items():
        app.task(name=name, queue=queue)(cast(Any, handlers[name]))
    return app
