"""`outreach content check`: each fault with file, line and mend; nothing a template does hangs or reaches out."""

import re
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from outreach.cli.main import cli
from outreach.content.check import check_folder
from outreach.content.faults import Fault
from outreach.content.render import inspect
from outreach.content.starter import lay_out
from outreach.content.trial import Try, trials

SMS = "templates/birthday/sms.zh-CN.j2"
ADVICE = "templates/research-push/sms.zh-CN.j2"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lay_out(tmp_path / "content")
    return tmp_path / "content"


def faults(folder: Path) -> list[Fault]:
    return check_folder(folder)[1]


def test_the_starter_set_has_no_faults(folder: Path) -> None:
    assert faults(folder) == []


def change(path: str, old: str, new: str) -> Callable[[Path], None]:
    def act(folder: Path) -> None:
        file = folder / path
        text = file.read_text("utf-8")
        assert old in text
        file.write_text(text.replace(old, new, 1), encoding="utf-8")

    return act


def append(path: str, what: str) -> Callable[[Path], None]:
    return lambda folder: (
        (folder / path).write_text((folder / path).read_text("utf-8") + what, encoding="utf-8") and None
    )


@pytest.mark.parametrize(
    ("act", "file", "words"),
    [
        (append(SMS, "{{ nickname }}"), SMS, "nickname"),
        (append(SMS, "{{ client.salutation.__class__ }}"), SMS, "__class__"),
        (append(SMS, "{{ ''.__class__.__mro__[1].__subclasses__() }}"), SMS, "__"),
        (append(SMS, "{% include '/etc/passwd' %}"), SMS, "Include"),
        (append(SMS, "{% import 'os' as os %}"), SMS, "Import"),
        (append(SMS, "{% if %}"), SMS, "."),
        (append(SMS, "{{ client.salutation | nosuch }}"), SMS, "nosuch"),
        (append(SMS, "身份证号 11010519491231002X"), SMS, "identity"),
        (append(SMS, "保本保息"), SMS, "forbidden"),
        (append(SMS, "[姓名]"), SMS, "open"),
        (change(ADVICE, "{{ report.publisher }}{{ report.published_on }}", ""), ADVICE, "source_missing"),
        (
            change("templates/birthday/template.toml", "greeting = true", "advice = true"),
            SMS,
            "source_missing",
        ),
        (
            change("templates/birthday/template.toml", "greeting = true", "greting = true"),
            "template.toml",
            "greting",
        ),
        (
            change("templates/birthday/template.toml", '"relationship"', '"relation"'),
            "template.toml",
            "category",
        ),
        (append("templates/birthday/template.toml", "\n[oops"), "template.toml", "TOML"),
        (
            change("jobs/new-year.toml", '"new-year"\npolicy', '"new-yaer"\npolicy'),
            "jobs/new-year.toml",
            "new-yaer",
        ),
        (
            change("jobs/new-year.toml", "festival-batch", "festival-bach"),
            "jobs/new-year.toml",
            "festival-bach",
        ),
        (
            change("jobs/new-year.toml", 'festival = "new-year"', 'festival = "newyear"'),
            "jobs/new-year.toml",
            "festival",
        ),
        (change("jobs/new-year.toml", "Asia/Shanghai", "Asia/Shangri-La"), "jobs/new-year.toml", "zone"),
        (change("jobs/new-year.toml", "09:00-20:00", "20:00-09:00"), "jobs/new-year.toml", "window"),
        (change("jobs/new-year.toml", '"14h"', '"14 hours"'), "jobs/new-year.toml", "expiry"),
        (change("jobs/new-year.toml", ', within = "10h"', ""), "jobs/new-year.toml", "misfire"),
        (
            change(
                "jobs/new-year.toml",
                'kind = "festival"\nfestival = "new-year"',
                'kind = "cron"\ncron = "61 * * * *"',
            ),
            "jobs/new-year.toml",
            "cron",
        ),
        (change("approvals/policies/advisor-each.toml", '"each"', '"none"'), "advisor-each.toml", "mode"),
        (change("approvals/lexicons/guarantee.toml", '"block"', '"blok"'), "guarantee.toml", "severity"),
    ],
)
def test_a_fault_is_told_with_file_line_and_mend(
    folder: Path, act: Callable[[Path], None], file: str, words: str
) -> None:
    act(folder)
    found = faults(folder)
    assert found
    mine = [one for one in found if one.file.endswith(file)]
    assert mine, [str(one) for one in found]
    assert any(words in f"{one.message} {one.mend}" for one in mine), [str(one) for one in mine]
    assert all(one.line >= 1 and one.mend for one in mine)


def test_an_unknown_key_comes_with_its_line_and_a_suggestion(folder: Path) -> None:
    change("templates/birthday/template.toml", "greeting = true", "greting = true")(folder)
    [fault] = [one for one in faults(folder) if "greting" in one.message]
    lines = (folder / fault.file).read_text("utf-8").splitlines()
    assert lines[fault.line - 1].startswith("greting")
    assert "greeting" in fault.mend


@pytest.mark.parametrize(
    "endless",
    [
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
        "{{ 'x' * 10**9 }}",
        "{{ 9 ** 9 ** 9 }}",
    ],
)
def test_a_template_that_never_ends_or_swells_is_stopped_in_time(folder: Path, endless: str) -> None:
    append(SMS, endless)(folder)
    began = time.monotonic()
    found = faults(folder)
    assert time.monotonic() - began < 60
    assert any(one.file.endswith(SMS) for one in found), [str(one) for one in found]


def test_a_missing_file_or_folder_is_told(folder: Path) -> None:
    (folder / "templates/birthday/samples.toml").unlink()
    (folder / "templates/birthday/email.en.txt.j2").unlink()
    (folder / "approvals/reasons.toml").unlink()
    said = " ".join(str(one) for one in faults(folder))
    for name in ("samples.toml", "email.en", "reasons.toml"):
        assert name in said
    assert faults(folder / "nowhere")


def test_a_file_that_is_not_utf8_is_told(folder: Path) -> None:
    (folder / SMS).write_bytes("您好".encode("gb18030"))
    assert any("UTF-8" in one.mend for one in faults(folder))


def test_the_command_says_each_fault_and_fails(folder: Path) -> None:
    runner = CliRunner()
    good = runner.invoke(cli, ["content", "check", "--content", str(folder)])
    assert good.exit_code == 0
    append(SMS, "{{ nickname }}")(folder)
    bad = runner.invoke(cli, ["content", "check", "--content", str(folder)])
    assert bad.exit_code == 1
    assert re.search(r"sms\.zh-CN\.j2:\d+: .*nickname", bad.output)


def test_init_never_writes_over_what_is_there(tmp_path: Path) -> None:
    runner = CliRunner()
    assert runner.invoke(cli, ["init", str(tmp_path / "mine")]).exit_code == 0
    (tmp_path / "mine/templates/README.md").write_text("mine")
    again = runner.invoke(cli, ["init", str(tmp_path / "mine")])
    assert again.exit_code != 0
    assert (tmp_path / "mine/templates/README.md").read_text() == "mine"


@pytest.mark.parametrize(
    "swelling",
    ["{{ 'x' * 10**9 }}", "{{ 'x' * 1000000000 }}", "{{ 'a' | indent(1000000000, true) }}"]
    + ["{{ '%1000000000d' | format(1) }}", "{{ '%1000000000d' % 1 }}", "{{ name }}{{ 9 ** 9 ** 9 }}"],
)
def test_looking_at_a_template_computes_nothing_of_it(swelling: str) -> None:
    """What is looked at in the server's own process is not run there, its constants neither."""
    tracemalloc.start()
    try:
        assert inspect(swelling + "{{ name.first | upper }}", html=True)[0] >= {"name", "name.first"}
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()


def test_a_template_that_is_ended_leaves_the_next_ones_untouched() -> None:
    """One helper for many templates: each has a child, and a limit, of its own."""
    greedy = {"sms.en.j2": "{% for a in (1,) * 99999 %}{% for b in (1,) * 99999 %}x{% endfor %}{% endfor %}"}
    fine = {"sms.en.j2": "Dear {{ name }}\n"}
    wish = [Try("sms", "en", {"name": "Ms Carter"})]
    with trials() as tried:
        [ended] = tried(greedy, wish)
        assert "did not end" in ended.error or "used more than" in ended.error
        assert [one.parts["text"].strip() for one in tried(fine, wish * 3)] == ["Dear Ms Carter"] * 3
