"""Starts every role as a process, starts again what dies, and stops all of them in order."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

import click

from outreach.core.errors import Unavailable
from outreach.core.settings import Settings
from outreach.demo.sandbox.launch import SERVERS, Running, launch

ROLES = ("web", "scheduler", "worker")
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0


@dataclass
class _Role:
    name: str
    process: subprocess.Popen[bytes]
    started: float
    pause: float = _FIRST_PAUSE
    again_at: float = 0.0


@dataclass
class Supervisor:
    """The processes of one start of ``outreach run``. Roles write to ``NAME.log`` in ``logs``."""

    environment: Mapping[str, str]
    logs: Path
    roles: dict[str, _Role] = field(default_factory=dict)

    def start(self, *names: str) -> None:
        """Start roles (``web``, ``scheduler``, ``worker``)."""
        self.logs.mkdir(parents=True, exist_ok=True)
        for name in names or ROLES:
            self.roles[name] = _Role(name, self._spawn(name), time.monotonic())

    def _spawn(self, name: str) -> subprocess.Popen[bytes]:
        with (self.logs / f"{name}.log").open("ab") as log:
            # A session of its own, so that Ctrl-C reaches it only through us, in order.
            return subprocess.Popen(
                [sys.executable, "-m", "outreach.cli.main", name],
                env={**os.environ, **self.environment, "OUTREACH_SUPERVISED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def look_after(self) -> None:
        """Start again, after a pause that doubles, whatever has ended by itself."""
        now = time.monotonic()
        for role in self.roles.values():
            if role.process.poll() is None:
                if now - role.started > 60:
                    role.pause = _FIRST_PAUSE
                continue
            if not role.again_at:
                role.again_at = now + role.pause
                role.pause = min(role.pause * 2, _LONGEST_PAUSE)
                click.echo(f"{role.name} ended ({role.process.returncode}); starting it again …", err=True)
            elif now >= role.again_at:
                role.process, role.started, role.again_at = self._spawn(role.name), now, 0.0

    def stop(self) -> None:
        """Ask each role to finish what it is doing, and make sure that it has ended."""
        for name in reversed(list(self.roles)):
            process = self.roles[name].process
            if process.poll() is None:
                process.terminate()
        for role in self.roles.values():
            try:
                role.process.wait(30)
            except subprocess.TimeoutExpired:
                role.process.kill()
                role.process.wait()
        self.roles.clear()


@dataclass
class Sandbox:
    """The three loopback providers of one start; they keep their ports from start to start."""

    state: Path
    running: dict[str, Running] = field(default_factory=dict)

    def start(self, public_url: str) -> dict[str, str]:
        """Start them; returns the settings that point Outreach to them."""
        options = {
            "twilio": ("--inbound-url", f"{public_url}/hooks/twilio/inbound", "--callback-delay", "0.5"),
            "gateway": ("--callback-url", f"{public_url}/hooks/gateway", "--callback-delay", "0.5"),
        }
        for name in SERVERS:
            self.running[name] = launch(name, self.state, *options.get(name, ()))
        smtp, twilio, gateway = (self.running[name] for name in SERVERS)
        (self.state / "control").write_text(
            "\n".join((smtp.url, twilio.url, gateway.url)) + "\n", encoding="utf-8"
        )
        return {
            "OUTREACH_SMTP_HOST": "127.0.0.1",
            "OUTREACH_SMTP_PORT": str(smtp.port),
            "OUTREACH_TWILIO_ACCOUNT_SID": _account_sid(),
            "OUTREACH_TWILIO_AUTH_TOKEN": "sandbox",
            "OUTREACH_TWILIO_FROM": "+12025550100",
            "OUTREACH_TWILIO_BASE_URL": twilio.url,
            "OUTREACH_GATEWAY_URL": gateway.url,
            "OUTREACH_GATEWAY_SECRET": "sandbox",
            "OUTREACH_SANDBOX": str(self.state),
        }

    def stop(self) -> None:
        """End them."""
        for server in self.running.values():
            server.stop()
        self.running.clear()


def _account_sid() -> str:
    from outreach.demo.sandbox.twilio import ACCOUNT

    return ACCOUNT


def free_port(wanted: int, host: str = "127.0.0.1") -> int:
    """``wanted`` if nobody listens there, else the next free port. Raises Unavailable after a hundred."""
    for port in range(wanted, wanted + 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise Unavailable(
        f"No port from {wanted} to {wanted + 99} is free.", mend="Set OUTREACH_PORT to a free port."
    )


def answers(settings: Settings) -> bool:
    """Whether the web server of ``settings`` answers, with its database behind it."""
    try:
        with urlopen(f"http://{settings.host}:{settings.port}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def wait_until(ready: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Poll ``ready`` until it holds. Raises Unavailable when it does not within ``seconds``."""
    until = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > until:
            raise Unavailable(f"{what} did not happen within {seconds:.0f} seconds.", mend="Read the logs.")
        time.sleep(0.1)


def interruptible(act: Callable[[], None]) -> None:
    """Run ``act``; SIGTERM ends it as Ctrl-C does, also where a shell had Ctrl-C ignored."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, interrupt)
    try:
        act()
    except KeyboardInterrupt:
        click.echo("")
