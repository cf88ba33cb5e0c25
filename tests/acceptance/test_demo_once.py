"""``outreach demo --once``: the whole path without a person, in a folder of its own, with exit status 0."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from outreach.archive.verify import verify_bag


@pytest.mark.timeout(420)
def test_the_whole_path_without_a_person(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "outreach.cli.main", "demo", "--once", "--folder", str(tmp_path / "home")],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        env={**os.environ, "OUTREACH_PORT": "8700"},
    )
    said = done.stdout
    assert done.returncode == 0, said + done.stderr
    for kind in ("advisor", "market-event", "research-push"):
        assert re.search(rf"^waiting +{kind}: [1-9]", said, re.MULTILINE), said
    assert re.search(r"^waiting +birthday-(solar|lunar): [1-9]", said, re.MULTILINE)
    assert re.search(r"^waiting +(new-year|spring-festival|mid-autumn): [1-9]", said, re.MULTILINE)
    assert "traps         6 planted" in said
    assert re.search(r"[1-9]\d* read and approved, [1-9]\d* approved in batches, [1-9]\d* released", said)
    assert "1 returned, mended and put up again" in said
    assert len(re.findall(r"^received .*: [1-9]\d* messages, 0 twice", said, re.MULTILINE)) == 3
    assert "2: 1 opted out" in said
    fingerprint = re.search(r"key fingerprint (SHA256:\S+)", said)
    assert fingerprint is not None
    assert verify_bag(tmp_path / "home" / "export", fingerprint[1]).ok


def test_without_once_it_says_what_to_do() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "outreach.cli.main", "demo"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "demo --once" in done.stderr


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    done = subprocess.run(
        [sys.executable, "-m", "outreach.cli.main", "demo", "--once", "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "is not empty" in done.stderr
    assert (tmp_path / "mine").read_text() == "mine"
