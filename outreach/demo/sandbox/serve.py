"""Runs one server as a process: says its ports, stops at SIGTERM, with its parent, or when it can't store."""

import asyncio
import json
import os
import signal
import sys
from typing import Protocol

from aiohttp import web

from outreach.demo.sandbox.store import Store

LOOPBACK = "127.0.0.1"
PARENT_CHECK = 0.5
"""Seconds between looks at whether the parent still lives."""


class Server(Protocol):
    """What ``run`` needs of a server."""

    name: str
    store: Store

    async def start(self, port: int, control_port: int) -> tuple[int, int]:
        """Listen (0: any free port). Gives the port and the control port."""

    async def close(self) -> None:
        """Stop listening."""


async def listen(app: web.Application, port: int) -> tuple[web.AppRunner, int]:
    """Serve ``app`` on loopback; gives the runner, to be cleaned up, and the port."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, port, backlog=2048, reuse_address=True).start()
    return runner, runner.addresses[0][1]


def run(server: Server, port: int, control_port: int, parent: int) -> int:
    """Serve until told to stop; the exit status: 0, or 1 when records could not be stored."""
    return asyncio.run(_run(server, port, control_port, parent))


async def _run(server: Server, port: int, control_port: int, parent: int) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    storing = server.store.start()
    storing.add_done_callback(lambda _task: stop.set())
    chosen, control = await server.start(port, control_port)
    ready = {"server": server.name, "port": chosen, "control_port": control, "pid": os.getpid()}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    watching = asyncio.create_task(_watch_parent(parent, stop))
    await stop.wait()
    watching.cancel()
    failure = storing.exception() if storing.done() and not storing.cancelled() else None
    await server.close()
    if failure is not None:
        # What could not be written was never answered; closing the store would only fail again.
        sys.stderr.write(f"{server.name}: can't store: {failure}\n")
        return 1
    await server.store.close()
    return 0


async def _watch_parent(parent: int, stop: asyncio.Event) -> None:
    while os.getppid() == parent:
        await asyncio.sleep(PARENT_CHECK)
    stop.set()
