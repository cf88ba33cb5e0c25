"""What is in force is written back as files, and publishing them again changes nothing."""

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import select, text

from outreach.auth.passwords import set_password
from outreach.content.deciding import publish_draft, submit
from outreach.content.difference import changes
from outreach.content.editing import save, start
from outreach.content.export import export_content, write_folder, zipped
from outreach.content.loader import load_folder
from outreach.content.publish import publish
from outreach.content.starter import starter_root
from outreach.content.tree import tree_of
from outreach.core.database import Database
from outreach.core.errors import BadInput, Forbidden, NotFound
from outreach.core.settings import Settings
from outreach.ledger.tables import ledger_entry
from outreach.ledger.work import Opener
from tests.support.builders import Firm, firm, publish_starter

WORD = "care and patience"


@pytest.fixture
def people(open_work: Opener) -> Firm:
    found = firm(open_work)
    publish_starter(open_work, found)
    return found


def edited(open_work: Opener, people: Firm) -> None:
    """A version that no folder has: published from the browser."""
    with open_work(people.compliance) as work:
        draft = start(work, "template", "mid-autumn")
        words = draft.files["sms.zh-CN.j2"].replace("中秋", "中秋佳节", 1)
        draft = save(work, draft.id, draft.revision, {**draft.files, "sms.zh-CN.j2": words})
        submit(work, draft.id, draft.revision)
    with open_work(people.head_office) as work:
        publish_draft(work, draft.id, draft.revision)


def test_exporting_and_publishing_again_changes_nothing(
    open_work: Opener, people: Firm, tmp_path: Path
) -> None:
    edited(open_work, people)
    with open_work(people.compliance) as work:
        write_folder(tmp_path / "out", export_content(work))
    content, faults = load_folder(tmp_path / "out")
    assert faults == []
    with open_work(people.head_office) as work:
        assert changes(work.conn, content) == []
        assert people.head_office.staff_id
        assert people.compliance.staff_id
        assert publish(work, content, people.head_office.staff_id, people.compliance.staff_id).id is None


def test_the_starter_set_comes_back_byte_for_byte(open_work: Opener, people: Firm, tmp_path: Path) -> None:
    with open_work(people.operator) as work:
        write_folder(tmp_path / "out", export_content(work))
    out = tmp_path / "out"
    written = sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())
    named = {"templates", "jobs", "approvals"}
    assert {path.parts[0] for path in written} == named
    for path in written:
        assert (out / path).read_bytes() == (starter_root() / path).read_bytes(), path
    ours = {
        path.relative_to(starter_root())
        for name in named
        for path in (starter_root() / name).rglob("*")
        if path.suffix in (".toml", ".j2") and "sets" not in path.parts
    }
    assert set(written) == ours


def test_a_folder_that_holds_content_is_left_alone(open_work: Opener, people: Firm, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "jobs").symlink_to(elsewhere)
    with open_work(people.compliance) as work:
        tree = export_content(work)
    with pytest.raises(BadInput, match="is there already"):
        write_folder(tmp_path / "out", tree)
    assert list(elsewhere.iterdir()) == []
    assert not (tmp_path / "out" / "templates").exists()


@pytest.mark.parametrize(
    ("kind", "name", "file"),
    [
        ("template", "mid-autumn", "../../../evil"),
        ("template", "..", "template.toml"),
        ("template", "/etc", "template.toml"),
        ("job", "mid-autumn", "../jobs/mid-autumn.toml"),
        ("job", "mid-autumn", "/etc/cron.d/x"),
        ("job", "mid-autumn", "jobs/another.toml"),
    ],
)
def test_no_path_leads_elsewhere(kind: str, name: str, file: str) -> None:
    with pytest.raises(BadInput):
        tree_of(kind, name, {file: "x"})


def test_a_version_with_a_path_of_its_own_is_refused(open_work: Opener, people: Firm) -> None:
    """Even what somebody wrote into the database past the checks leads nowhere."""
    with open_work() as work:
        work.conn.execute(
            text(
                "INSERT INTO content_version (id, kind, name, version, sha256, files, release_id, last_editor)"
                ' SELECT gen_random_uuid(), kind, name, 99, sha256, \'{"../../evil.toml": "x"}\', release_id,'
                " last_editor FROM content_version WHERE kind = 'template' LIMIT 1"
            )
        )
    with pytest.raises(BadInput), open_work(people.compliance) as work:
        export_content(work)


def test_an_archive_holds_the_same_and_is_always_the_same(open_work: Opener, people: Firm) -> None:
    with open_work(people.compliance) as work:
        tree = export_content(work)
    data = zipped(tree)
    assert data == zipped(dict(reversed(tree.items())))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {name: archive.read(name).decode() for name in archive.namelist()} == tree


def test_an_export_is_recorded_and_not_for_everybody(open_work: Opener, people: Firm) -> None:
    for actor in (people.b01.manager, people.b01.advisor):
        with pytest.raises(Forbidden), open_work(actor) as work:
            export_content(work)
    with open_work(people.compliance) as work:
        tree = export_content(work)
    with open_work() as work:
        rows = work.conn.execute(select(ledger_entry.c.envelope).where(ledger_entry.c.kind == "export"))
        (found,) = [json.loads(bytes(row.envelope)) for row in rows]
    assert (found["purpose"], found["count"]) == ("content", len(tree))
    assert found["actor"] == str(people.compliance.staff_id)


def test_before_anything_is_published_there_is_nothing_to_export(open_work: Opener) -> None:
    people = firm(open_work)
    with pytest.raises(NotFound), open_work(people.compliance) as work:
        export_content(work)


def test_the_command_line_exports(
    database: Database, settings: Settings, open_work: Opener, people: Firm, tmp_path: Path
) -> None:
    with open_work() as work:
        assert people.compliance.staff_id
        assert people.head_office.staff_id
        set_password(work, people.compliance.staff_id, "compliance", WORD)
        set_password(work, people.head_office.staff_id, "second", WORD)
    environment = {
        "OUTREACH_HOME": str(settings.home),
        "OUTREACH_KEYS": str(settings.keys),
        "OUTREACH_DATABASE_URL": database.owner_conninfo,
        "OUTREACH_USER": "compliance",
        "OUTREACH_PASSWORD": WORD,
    }

    def line(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "outreach.cli.main", "content", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, **environment},
        )

    page = (Path(__file__).parents[2] / "docs/howto/edit-content.md").read_text("utf-8")
    told = re.findall(r"^    outreach content (.+)$", page, re.M)
    said = {}
    for command in told:
        done = line(*command.replace("OUT", str(tmp_path / "out")).replace("USER", "second").split())
        assert done.returncode == 0, (command, done.stderr)
        said[command.split()[0]] = done.stdout
    assert list(said) == ["export", "check", "diff", "publish"]
    assert "files in" in said["export"]
    assert "no faults" in said["check"]
    assert said["diff"] == ""
    assert "nothing has changed since release 1" in said["publish"]
    done = line("export", str(tmp_path / "out"))
    assert done.returncode != 0
    assert "is there already" in done.stderr
    done = line("export", str(tmp_path / "out.zip"), "--zip")
    assert done.returncode == 0, done.stderr
    assert zipfile.is_zipfile(tmp_path / "out.zip")
    assert line("export", str(tmp_path / "out.zip"), "--zip").returncode != 0
