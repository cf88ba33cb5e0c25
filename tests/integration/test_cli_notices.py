"""Notices from the command line: by what staff is told, whether it arrives, and what came back."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from outreach.auth.passwords import set_password
from outreach.core.database import Database
from outreach.core.settings import Settings
from outreach.ledger.seal import KeyRing
from outreach.ledger.work import Opener
from outreach.notices.targets import read_targets
from tests.support.builders import firm
from tests.support.receiver import Receiver, receiver
from tests.support.sending import Servers

WORD = "care and patience"
ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def webhook() -> Iterator[Receiver]:
    with receiver() as server:
        yield server


@pytest.fixture
def line(open_work: Opener, database: Database, settings: Settings, keys: KeyRing, tmp_path: Path) -> Run:
    """The command line, as the operator by default, over a file of targets."""
    people = firm(open_work)
    with open_work() as work:
        for actor, name in ((people.operator, "operator"), (people.b01.manager, "manager")):
            assert actor.staff_id is not None
            set_password(work, actor.staff_id, name, WORD)

    def run(
        targets: str, *arguments: str, user: str = "operator", **changed: str
    ) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "targets.toml"
        path.write_text(targets, encoding="utf-8")
        path.chmod(0o600)
        return subprocess.run(
            [sys.executable, "-m", "outreach.cli.main", "notices", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={
                **os.environ,
                "OUTREACH_DATABASE_URL": database.owner_conninfo,
                "OUTREACH_KEYS": str(settings.keys),
                "OUTREACH_HOME": str(settings.home),
                "OUTREACH_NOTICE_TARGETS": str(path),
                "OUTREACH_USER": user,
                "OUTREACH_PASSWORD": WORD,
                **changed,
            },
        )

    return run


def targets(port: int) -> str:
    return f"""
[branch]
url = "json://127.0.0.1:{port}/branch-s3cr3t"
branch = "B01"

[nowhere]
url = "json://127.0.0.1:1/"
branch = "B99"
language = "en"
"""


def test_a_test_notice_goes_to_every_target_and_what_came_back_is_said(line: Run, webhook: Receiver) -> None:
    answer = line(targets(webhook.port), "test")
    assert answer.returncode == 1
    head, good, bad = answer.stdout.splitlines()
    assert head.split() == ["TARGET", "SERVICE", "TOOK", "WHAT", "CAME", "BACK"]
    assert good.startswith("branch")
    assert good.endswith("told")
    assert bad.startswith("nowhere")
    assert "there is no branch B99" in bad
    assert "Connection error" in bad
    [posted] = webhook.posted
    said = json.loads(posted.body)
    assert said["title"] == "测试：通知能够送达"
    assert said["message"].endswith("Outreach\n") or "Outreach" in said["message"]
    assert "s3cr3t" not in answer.stdout + answer.stderr


def test_one_target_and_a_mail(line: Run, webhook: Receiver, servers: Servers) -> None:
    smtp = {"OUTREACH_SMTP_HOST": "127.0.0.1", "OUTREACH_SMTP_PORT": str(servers.running["smtp"].port)}
    mailed = "notice-test@example.com"
    answer = line(targets(webhook.port), "test", "--target", "branch", "--mail", mailed, **smtp)
    assert answer.returncode == 0, answer.stderr
    assert [row.split()[0] for row in answer.stdout.splitlines()] == ["TARGET", "branch", "mail"]
    assert [mail.subject for mail in servers.sandbox.mailbox(mailed)] == ["测试：通知能够送达"]


def test_the_list_says_whose_they_are_and_never_the_address(line: Run, webhook: Receiver) -> None:
    answer = line(targets(webhook.port), "targets")
    assert answer.returncode == 0, answer.stderr
    assert re.search(r"branch +JSON +branch B01 +late, waits", answer.stdout)
    assert "there is no branch B99" in answer.stdout
    assert "127.0.0.1" not in answer.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("test", "--target", "other"), "There is no target 'other'. Use branch, nowhere."),
        (("test", "--mail", "me@example.com"), "There is no mail server. Set OUTREACH_SMTP_HOST."),
    ],
)
def test_what_is_not_there_is_named(
    line: Run, webhook: Receiver, arguments: tuple[str, ...], said: str
) -> None:
    answer = line(targets(webhook.port), *arguments)
    assert answer.returncode == 1
    assert said in answer.stderr


def test_a_branch_manager_does_not_see_the_firm_s_targets(line: Run, webhook: Receiver) -> None:
    for command in ("targets", "test"):
        answer = line(targets(webhook.port), command, user="manager")
        assert answer.returncode == 1
        assert "may not" in answer.stderr
    assert webhook.posted == []


def test_a_file_that_can_not_be_used_is_said_with_the_mend(line: Run) -> None:
    answer = line('[a]\nurl = "json://x/"\nbrnch = "B01"\n', "targets")
    assert answer.returncode == 1
    assert "[a]: there is no 'brnch'. Did you mean branch?" in answer.stderr


def test_the_file_in_the_documentation_can_be_used(tmp_path: Path) -> None:
    page = (ROOT / "docs/howto/notices.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```toml\n(.*?)```", page, flags=re.S)
    path = tmp_path / "targets.toml"
    path.write_text(example, encoding="utf-8")
    path.chmod(0o600)
    assert [one.name for one in read_targets(path)] == list(tomllib.loads(example))
    assert {one.service for one in read_targets(path)} == {"WeCom Bot", "Feishu", "DingTalk", "Slack"}
