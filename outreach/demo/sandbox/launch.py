"""Starts the servers as processes and ends them: for tests, the kill campaign, benchmarks, the demonstration."""

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outreach.core.errors import Unavailable
from outreach.demo.sandbox.client import Sandbox, ServerClient

START_SECONDS = 30.0
STOP_SECONDS = 10.0
SERVERS = ("smtp", "twilio", "gateway")


@dataclass(frozen=True)
class Running:
    """A server's process, its ports, and a client for it."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    control_port: int
    client: ServerClient

    @property
    def url(self) -> str:
        """Where its HTTP interface is: the API of Twilio or the gateway, the control of SMTP."""
        return f"http://127.0.0.1:{self.control_port}"

    def stop(self) -> int:
        """End it properly; its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.process.returncode

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()


def launch(name: str, state: Path, *arguments: str, port: int = 0, control_port: int = 0) -> Running:
    """Start ``smtp``, ``twilio`` or ``gateway``; returns when it listens.

    ``arguments`` are its further flags. What it says goes to ``NAME.log`` in ``state``. Raises Unavailable when it
    ends or says nothing within 30 seconds.
    """
    state.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "outreach.demo.sandbox",
        name,
        "--state",
        str(state),
        "--port",
        str(port),
    ]
    command += ["--control-port", str(control_port), "--parent", str(os.getpid()), *arguments]
    log = state / f"{name}.log"
    with open(log, "ab") as said:
        # A session of its own, so that Ctrl-C reaches it only through whoever started it.
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, start_new_session=True)
    assert process.stdout is not None
    with process.stdout as output:
        line = _first_line(output.fileno())
    try:
        ready = json.loads(line)
    except ValueError:
        process.kill()
        process.wait()
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        raise Unavailable(
            f"The sandbox's {name} server did not start: {' '.join(last) or 'it said nothing'}.",
            mend=f"See {log}.",
        ) from None
    prefix = "" if name == "smtp" else "/control"
    client = ServerClient(f"http://127.0.0.1:{ready['control_port']}", prefix)
    return Running(name, process, ready["port"], ready["control_port"], client)


@contextmanager
def sandbox(
    state: Path, options: Mapping[str, Sequence[str]] | None = None
) -> Iterator[tuple[Sandbox, dict[str, Running]]]:
    """All three servers, stopped at the end. ``options`` are further flags per server."""
    with ExitStack() as stack:
        running: dict[str, Running] = {}
        for name in SERVERS:
            running[name] = launch(name, state, *(options or {}).get(name, ()))
            stack.callback(running[name].stop)
        yield together(running), running


def together(running: Mapping[str, Running]) -> Sandbox:
    """The clients of three running servers as one."""
    clients: dict[str, Any] = {name: running[name].client for name in SERVERS}
    return Sandbox(**clients)


def _first_line(descriptor: int) -> bytes:
    until = time.monotonic() + START_SECONDS
    line = b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while not line.endswith(b"\n") and selector.select(max(0.0, until - time.monotonic())):
            piece = os.read(descriptor, 4096)
            if not piece:
                break
            line += piece
    return line
