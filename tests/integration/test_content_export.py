"""What is in force is written back as files, and publishing them again changes nothing."""

import io
import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select, text

from outreach.auth.passwords import set_password
from outreach.auth.signin import SignInRefused
from outreach.cli.main import cli
from outreach.content.deciding import publish_draft, submit
from outreach.content.difference import changes
from outreach.content.editing import save, start
from outreach.content.export import export_content, write_folder, zipped
from outreach.content.loader import load_folder
from outreach.content.publish import publish
from outreach.content.starter import starter_root
from outreach.content.tree import tree_of
from outreach.core.database import Database
from outreach.core.errors import BadInput, Forbidden, NotFound, RuleBroken
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


@pytest.fixture
def few(open_work: Opener) -> Firm:
    """A firm whose content in force has one template and its job: what the command line does is not more of it."""
    found = firm(open_work)
    content, _ = load_folder(starter_root())
    content.templates = {"mid-autumn": content.templates["mid-autumn"]}
    content.jobs = {"mid-autumn": content.jobs["mid-autumn"]}
    with open_work() as work:
        assert found.head_office.staff_id
        assert found.compliance.staff_id
        publish(work, content, found.head_office.staff_id, found.compliance.staff_id, bootstrap=True)
    return found


@dataclass
class Line:
    """The command line of one installation, in this process."""

    environment: dict[str, str]

    def __call__(self, *arguments: str, **more: str) -> Result:
        return CliRunner().invoke(cli, ["content", *arguments], env=self.environment | more)


@pytest.fixture
def line(database: Database, settings: Settings, open_work: Opener, few: Firm) -> Line:
    with open_work() as work:
        for name, actor in (
            ("compliance", few.compliance),
            ("second", few.head_office),
            ("advisor", few.b01.advisor),
        ):
            assert actor.staff_id
            set_password(work, actor.staff_id, name, WORD)
    return Line(
        {
            "OUTREACH_HOME": str(settings.home),
            "OUTREACH_KEYS": str(settings.keys),
            "OUTREACH_DATABASE_URL": database.owner_conninfo,
            "OUTREACH_USER": "compliance",
            "OUTREACH_PASSWORD": WORD,
            "OUTREACH_SECOND_PASSWORD": WORD,
        }
    )


def test_the_command_line_exports(line: Line, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/howto/edit-content.md").read_text("utf-8")
    told = re.findall(r"^    outreach content (.+)$", page, re.M)
    said = {}
    for command in told:
        done = line(*command.replace("OUT", str(tmp_path / "out")).replace("USER", "second").split())
        assert done.exit_code == 0, (command, done.output, done.exception)
        said[command.split()[0]] = done.stdout
    assert list(said) == ["export", "check", "diff", "publish"]
    assert "files in" in said["export"]
    assert "no faults" in said["check"]
    assert said["diff"] == ""
    assert "nothing has changed since release 1" in said["publish"]
    done = line("export", str(tmp_path / "out"))
    assert "is there already" in str(done.exception)
    done = line("export", str(tmp_path / "out.zip"), "--zip")
    assert done.exit_code == 0, done.output
    assert zipfile.is_zipfile(tmp_path / "out.zip")
    assert "is there already" in str(line("export", str(tmp_path / "out.zip"), "--zip").exception)


@pytest.fixture
def changed(open_work: Opener, few: Firm, tmp_path: Path) -> str:
    """A folder with one word that is not in force yet."""
    with open_work(few.compliance) as work:
        write_folder(tmp_path / "changed", export_content(work))
    file = tmp_path / "changed/templates/mid-autumn/sms.zh-CN.j2"
    file.write_text(file.read_text("utf-8").replace("中秋", "中秋佳节", 1), encoding="utf-8")
    return str(tmp_path / "changed")


def releases(open_work: Opener) -> int:
    with open_work() as work:
        return int(work.conn.execute(text("SELECT count(*) FROM content_release")).scalar_one())


def test_a_second_person_publishes_with_their_own_password(
    line: Line, open_work: Opener, few: Firm, changed: str
) -> None:
    del line.environment["OUTREACH_SECOND_PASSWORD"]
    done = CliRunner().invoke(
        cli,
        ["content", "publish", "--content", changed, "--second", "second"],
        env=line.environment,
        input=f"{WORD}\n",
    )
    assert done.exit_code == 0, (done.output, done.exception)
    assert "template mid-autumn 2" in done.stdout
    assert WORD not in done.output
    with open_work() as work:
        row = work.conn.execute(
            text("SELECT published_by, approved_by FROM content_release ORDER BY number DESC LIMIT 1")
        ).one()
    assert (row.published_by, row.approved_by) == (few.compliance.staff_id, few.head_office.staff_id)


def test_naming_a_second_person_is_not_enough(line: Line, open_work: Opener, changed: str) -> None:
    for _ in range(5):
        done = line(
            "publish", "--content", changed, "--second", "second", OUTREACH_SECOND_PASSWORD="somebody else's"
        )
        assert isinstance(done.exception, SignInRefused)
        assert "User name or password is wrong" in str(done.exception)
    done = line("publish", "--content", changed, "--second", "second")
    assert "Too many attempts" in str(done.exception)
    assert releases(open_work) == 1


def test_the_second_person_may_publish_and_is_another_one(
    line: Line, open_work: Opener, few: Firm, changed: str
) -> None:
    done = line("publish", "--content", changed, "--second", "advisor")
    assert isinstance(done.exception, Forbidden)
    done = line("publish", "--content", changed, "--second", "compliance")
    assert isinstance(done.exception, RuleBroken)
    with open_work() as work:  # the same natural person by another account
        work.conn.execute(
            text(
                "UPDATE staff SET person_key = (SELECT person_key FROM staff WHERE id = :one) WHERE id = :other"
            ),
            {"one": few.compliance.staff_id, "other": few.head_office.staff_id},
        )
    done = line("publish", "--content", changed, "--second", "second")
    assert isinstance(done.exception, RuleBroken)
    assert releases(open_work) == 1


def test_whoever_last_edited_a_version_does_not_approve_it(
    open_work: Opener, few: Firm, changed: str
) -> None:
    content, _ = load_folder(Path(changed))
    first, second = few.head_office, few.compliance
    assert first.staff_id
    assert second.staff_id
    edited_by = {("template", "mid-autumn"): second.staff_id}
    with pytest.raises(RuleBroken), open_work(first) as work:
        publish(work, content, first.staff_id, second.staff_id, last_editors=edited_by)
