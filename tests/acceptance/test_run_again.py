"""``outreach run``: up within a minute, stopped by Ctrl-C, up again with the same data, also after kill -9 of all."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import psutil
import psycopg
import pytest

from outreach.core import embedded

KINDS = (
    "SELECT count(DISTINCT o.job_name) FROM message m JOIN occurrence o ON o.id = m.occurrence_id"
    " WHERE m.state = 'held'"
)


class Run:
    """One start of the command."""

    def __init__(self, home: Path, port: int) -> None:
        self.home = home
        self.log = home.parent / "run.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "outreach.cli.main", "run"],
                stdout=log,
                stderr=log,
                env={**os.environ, "OUTREACH_HOME": str(home), "OUTREACH_PORT": str(port)},
            )

    def said(self) -> str:
        return self.log.read_text("utf-8")

    def address(self, within: float) -> str:
        """The address it prints when everything is up."""
        until = time.monotonic() + within
        while time.monotonic() < until:
            found = re.search(r"^  (http://\S+)$", self.said(), re.MULTILINE)
            if found:
                return found[1]
            assert self.process.poll() is None, self.said()
            time.sleep(0.2)
        raise AssertionError("it was not up in time\n" + self.said())

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


def query(home: Path, sql: str) -> int:
    with psycopg.connect(embedded.conninfo(home / "postgres")) as conn:
        row = conn.execute(sql).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.timeout(400)
def test_start_stop_start_kill_start(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    home = tmp_path / "home"
    first = Run(home, 8800)
    began = time.monotonic()
    address = first.address(120)
    # "Within a minute" is for a quiet machine; here other tests run beside it.
    assert time.monotonic() - began < 120
    assert "manager.sh" in first.said()
    with urlopen(address + "/sign-in") as page:
        assert page.status == 200
    assert query(home, KINDS) >= 5
    before = query(home, "SELECT count(*) FROM message")
    first.process.send_signal(signal.SIGINT)
    assert first.process.wait(60) == 0
    assert "stopped" in first.said()
    assert not (home / "postgres" / "postmaster.pid").exists()

    second = Run(home, 8800)
    second.address(60)
    assert "institution" not in second.said()
    assert query(home, "SELECT count(*) FROM message") >= before
    everything = [*second.children(), psutil.Process(second.process.pid)]
    postmaster = int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    for process in everything:
        process.kill()
    os.kill(postmaster, signal.SIGKILL)
    second.process.wait(30)

    third = Run(home, 8800)
    third.address(90)
    assert query(home, "SELECT count(*) FROM message") >= before
    third.process.send_signal(signal.SIGTERM)
    assert third.process.wait(60) == 0
