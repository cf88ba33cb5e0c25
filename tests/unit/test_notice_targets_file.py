"""The file of notices' targets: what it says, and what is refused with the mend; never with an address in the words."""

from pathlib import Path

import pytest

from outreach.core.access import Role
from outreach.core.errors import Misconfigured
from outreach.core.settings import Settings
from outreach.notices.targets import Target, read_targets, without_secrets

KEY = "7f3a9c51-0e6b-4d2f-9a88-5b1c2d3e4f50"


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "targets.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_each_target_says_whose_it_is_and_what_it_is_told(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        f"""
[haidian]
url = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={KEY}"
branch = "B01"

[compliance]
url = "dingtalk://SEC0123456789abcdef@0123456789abcdef0123456789abcdef"
role = "compliance"
tells = ["questions"]

[head-office]
url = "feishu://{KEY}"
firm = true
language = "en"

[ma]
url = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
staff = "B01-M"
""",
    )
    branch, role, firm, person = read_targets(path)
    assert (branch.service, branch.branch, branch.tells) == ("WeCom Bot", "B01", {"waits", "late"})
    assert (role.service, role.role, role.tells) == ("DingTalk", Role.COMPLIANCE, {"questions"})
    assert (str(firm.service), firm.firm, firm.language) == ("Feishu", True, "en")
    assert (person.service, person.staff_no) == ("Slack", "B01-M")
    assert person.tells >= {"waits", "late", "questions", "decisions", "replies", "files"}
    assert [one.whose for one in (branch, role, firm, person)] == [
        "branch B01",
        "role compliance",
        "the firm",
        "staff B01-M",
    ]
    assert KEY not in repr(branch)


GOOD = 'url = "json://127.0.0.1:9/"\n'


@pytest.mark.parametrize(
    ("text", "named", "mend"),
    [
        (f'[a]\n{GOOD}branch = "B01"\nbrunch = "B02"', "no 'brunch'", "Did you mean branch?"),
        (f'[a]\n{GOOD}branch = "B01"\ncolour = "red"', "no 'colour'", "Use url, staff, branch"),
        (f"[a]\n{GOOD}", "nothing of whose it is", "Give one of staff, branch, role, firm"),
        (f'[a]\n{GOOD}branch = "B01"\nstaff = "S"', "twice whose it is", "Give one of"),
        (f'[a]\n{GOOD}role = "complience"', "'complience' is no role", "Did you mean compliance?"),
        (f"[a]\n{GOOD}firm = false", "firm is only ever true", "Write firm = true"),
        (f'[a]\n{GOOD}branch = ""', "branch is missing", 'Write branch = "…"'),
        ('[a]\nbranch = "B01"', "url is missing", 'Write url = "…"'),
        (f'[a]\n{GOOD}branch = "B01"\ntells = ["wait"]', "nothing of 'wait'", "Did you mean waits?"),
        (f'[a]\n{GOOD}branch = "B01"\ntells = "waits"', "tells is a list", "Some of waits, late"),
        (f'[a]\n{GOOD}branch = "B01"\ntells = ["decisions"]', "not to a group", "name a member of staff"),
        (f'[a]\n{GOOD}branch = "B01"\nlanguage = "fr"', "'fr' is no language", "Use zh-CN or en"),
        (f'[Mail]\n{GOOD}branch = "B01"', "no name of a target", "Use small letters"),
        (f'[mail]\n{GOOD}branch = "B01"', "no name of a target", "not mail"),
        (GOOD, "stands outside of a target", "Begin with [a-name]"),
        ("[a\n", "is not TOML, at line 1", "Mend it there"),
        (f'[a]\nurl = "carrier-pigeon://{KEY}"\nfirm = true', "begins with 'carrier-pigeon'", "docs/howto"),
        (f'[a]\nurl = "wecombot://{KEY}%20x"\nfirm = true', "begins with 'wecombot'", "wecombot://KEY"),
        (
            f'[a]\nurl = "https://oapi.dingtalk.com/robot/send?access_token={KEY}"\nfirm = true',
            "begins with 'https'",
            "dingtalk://ACCESS_TOKEN",
        ),
        (
            f'[a]\nurl = "https://open.feishu.cn/open-apis/bot/v2/hook/{KEY}"\nfirm = true',
            "begins with 'https'",
            "Write feishu://TOKEN",
        ),
        (f'[a]\nurl = "{KEY}"\nfirm = true', "can't be used", "docs/howto"),
    ],
)
def test_what_can_not_be_used_is_named_with_the_mend(
    tmp_path: Path, text: str, named: str, mend: str
) -> None:
    with pytest.raises(Misconfigured) as raised:
        read_targets(written(tmp_path, text))
    assert named in raised.value.message
    assert mend in raised.value.mend
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o606])
def test_a_file_that_others_can_read_is_refused_as_every_secret_is(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path, f'[a]\n{GOOD}branch = "B01"', mode)
    for read in (
        lambda: Settings.from_environment({"OUTREACH_NOTICE_TARGETS": str(path)}),
        lambda: read_targets(path),
    ):
        with pytest.raises(Misconfigured, match="others can read it") as raised:
            read()
        assert raised.value.mend == f"Run: chmod 600 {path}"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="OUTREACH_NOTICE_TARGETS") as raised:
        Settings.from_environment({"OUTREACH_NOTICE_TARGETS": str(tmp_path / "nowhere.toml")})
    assert raised.value.mend == "Check the path."


@pytest.mark.parametrize("text", ["half past eight", "25:00", "08:30;11:30", "8"])
def test_times_that_are_none_are_named(text: str) -> None:
    with pytest.raises(Misconfigured, match="OUTREACH_NOTICE_TIMES") as raised:
        Settings.from_environment({"OUTREACH_NOTICE_TIMES": text})
    assert "08:30,11:30" in raised.value.mend


def test_what_comes_back_is_told_without_the_address() -> None:
    url = f"wecombot://{KEY}/?rto=4"
    assert without_secrets(f"key {KEY} is unknown", url) == "key … is unknown"
    assert "B01" in Target(name="a", url=url, service="x", branch="B01").whose
