"""The long-running roles: web, scheduler, worker; any number of each, on any machine with the database."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable

import click
import structlog
import uvicorn

from outreach.app import Outreach
from outreach.cli.session import opened
from outreach.core import engine
from outreach.core.database import migrate as migrate_database
from outreach.core.database import open_database
from outreach.core.settings import Settings
from outreach.scheduling import clockwork

log = structlog.get_logger(__name__)


@click.command()
def migrate() -> None:
    """Bring the database's schema up to date."""
    database = open_database(Settings.from_environment())
    migrate_database(database.owner_conninfo)
    database.close()


@click.command()
def web() -> None:
    """Serve the pages, the feeds' addresses and the providers' callbacks."""
    from outreach.api.feeds import feed_router
    from outreach.api.webhooks import webhook_router
    from outreach.web.site import create_site, share_fairly

    settings = Settings.from_environment()
    with opened(pool_size=16) as outreach:
        config = uvicorn.Config(
            create_site(outreach, [webhook_router(outreach), feed_router(outreach)]),
            host=settings.host,
            port=settings.port,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=5,
        )
        share_fairly()
        server = uvicorn.Server(config)
        _end_with_parent(lambda: setattr(server, "should_exit", True))
        server.run()


@click.command()
def scheduler() -> None:
    """Turn jobs into occurrences and keep what waits moving."""
    stop = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: stop.set())
    _end_with_parent(stop.set)
    # A dropped file holds one connection while another takes it in.
    with opened(pool_size=12) as outreach:
        clockwork.run(outreach.duties(), stop)


@click.command()
def worker() -> None:
    """Compose and deliver."""
    with opened(pool_size=12) as outreach:
        asyncio.run(_work(outreach))


async def _work(outreach: Outreach) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    _end_with_parent(lambda: loop.call_soon_threadsafe(stop.set))
    providers = outreach.providers()
    try:
        await engine.run_worker(outreach.database.conninfo, outreach.handlers(providers), stop=stop)
    finally:
        await providers.close()


def _end_with_parent(end: Callable[[], object]) -> None:
    """When started by ``outreach run``, end when that process is gone, however it went."""
    if os.environ.get("OUTREACH_SUPERVISED") != "1":
        return
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        end()

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()
