"""Material from the command line: the same services, the same four eyes."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from outreach.auth.passwords import set_password
from outreach.core.database import Database
from outreach.core.settings import Settings
from outreach.ledger.seal import KeyRing
from outreach.ledger.work import Opener
from tests.support.builders import Firm, firm, publish_starter
from tests.support.papers import pdf

WORD = "care and patience"


@dataclass
class Line:
    """The command line of one installation."""

    environment: dict[str, str]

    def __call__(self, user: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "outreach.cli.main", "material", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, **self.environment, "OUTREACH_USER": user, "OUTREACH_PASSWORD": WORD},
        )


@pytest.fixture
def line(open_work: Opener, database: Database, settings: Settings, keys: KeyRing) -> Line:
    people: Firm = firm(open_work)
    publish_starter(open_work, people)
    with open_work() as work:
        for actor, name in (
            (people.b01.advisor, "advisor"),
            (people.b01.manager, "manager"),
            (people.b02.manager, "other"),
        ):
            assert actor.staff_id is not None
            set_password(work, actor.staff_id, name, WORD)
    return Line(
        {
            "OUTREACH_DATABASE_URL": database.owner_conninfo,
            "OUTREACH_HOME": str(settings.home),
            "OUTREACH_KEYS": str(settings.keys),
        }
    )


def test_put_up_read_returned_mended_and_approved(line: Line, tmp_path: Path) -> None:
    first, second = tmp_path / "手册.pdf", tmp_path / "手册2.pdf"
    first.write_bytes(pdf("one"))
    second.write_bytes(pdf("two"))
    said = ("--title", "反诈手册", "--category", "relationship")
    made = line("advisor", "put-up", str(first), *said)
    assert made.returncode == 0, made.stderr
    found = re.search(r"material +(\S+) +held", made.stdout)
    assert found is not None
    material = found[1]
    assert "反诈手册" in line("manager", "list", "--state", "held").stdout
    saved = tmp_path / "read.pdf"
    shown = line("manager", "show", material, "--save", str(saved))
    assert saved.read_bytes() == pdf("one")
    digest = re.search(r"digest +(\w+)", shown.stdout)
    assert digest is not None
    assert line("manager", "show", material, "--save", str(saved)).returncode == 1
    own = line("advisor", "approve", material)
    assert (own.returncode, "may not lead a branch here" in own.stderr) == (1, True)
    assert "no such material" in line("other", "approve", material).stderr
    assert "without a reason" in line("manager", "return", material).stderr
    assert line("manager", "return", material, "--reason", "tone").returncode == 0
    assert line("advisor", "put-up", str(second), "--mend", material, *said).returncode == 0
    stale = line("manager", "approve", material, "--digest", digest[1])
    assert "put up anew since you read it" in stale.stderr
    done = line("manager", "approve", material, "--until", "2099-12-31")
    assert "approved" in done.stdout
    assert "2099-12-31" in line("advisor", "list").stdout
    assert "was approved by" in line("manager", "reject", material, "--note", "x").stderr
    assert "withdrawn" in line("advisor", "withdraw", material).stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--title", " ", "--category", "relationship"), "The title is empty"),
        (("--title", "书", "--category", "product"), "has a risk level"),
        (("--title", "书", "--category", "gossip"), "Invalid value"),
        (("--title", "书", "--category", "product", "--risk", "9"), "Invalid value"),
    ],
)
def test_what_is_wrong_is_said(line: Line, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    file = tmp_path / "a.pdf"
    file.write_bytes(pdf())
    refused = line("advisor", "put-up", str(file), *arguments)
    assert refused.returncode != 0
    assert said in refused.stderr


def test_a_script_is_refused(line: Line, tmp_path: Path) -> None:
    file = tmp_path / "a.pdf"
    file.write_text("#!/bin/sh\n")
    refused = line("advisor", "put-up", str(file), "--title", "书", "--category", "relationship")
    assert "Only PDF, PNG and JPEG may be attached" in refused.stderr
