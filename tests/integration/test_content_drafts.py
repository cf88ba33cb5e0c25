"""Content edited in the browser: kept as drafts, published by a second person, the same versions as a folder makes."""

import json
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, text, update

from outreach.content.deciding import publish_draft, return_draft, submit
from outreach.content.drafts import LARGEST, Draft, draft_for, files_in_force, may_publish, open_drafts
from outreach.content.editing import discard, save, start, take_over
from outreach.content.in_force import lexicons_in_force, template_in_force
from outreach.content.loader import load_folder
from outreach.content.publish import digest_of, publish
from outreach.content.starter import starter_root
from outreach.content.tables import content_draft, content_version
from outreach.content.tree import write_tree
from outreach.core.access import SYSTEM, Actor, Role
from outreach.core.errors import BadInput, Conflict, Forbidden, NotFound, RuleBroken
from outreach.ledger.tables import ledger_entry
from outreach.ledger.work import Opener
from outreach.people.staff import NewStaff, actor_for, add_staff
from outreach.people.tables import staff
from tests.support.builders import FAR, Firm, firm, publish_starter

SMS = "sms.zh-CN.j2"


@pytest.fixture
def people(open_work: Opener) -> Firm:
    found = firm(open_work)
    publish_starter(open_work, found)
    return found


def drafted(
    open_work: Opener,
    actor: Actor,
    change: Mapping[str, str],
    name: str = "mid-autumn",
    kind: str = "template",
) -> Draft:
    """A draft of what is in force, with ``change`` saved into it."""
    with open_work(actor) as work:
        draft = start(work, kind, name)
        return save(work, draft.id, draft.revision, {**draft.files, **change})


def warmer(open_work: Opener) -> dict[str, str]:
    with open_work() as work:
        said = files_in_force(work.conn, "template", "mid-autumn")[1][SMS]
    assert "中秋" in said
    return {SMS: said.replace("中秋", "中秋佳节", 1)}


def put_up(open_work: Opener, actor: Actor, note: str = "") -> Draft:
    draft = drafted(open_work, actor, warmer(open_work))
    with open_work(actor) as work:
        return submit(work, draft.id, draft.revision, note)


def test_one_person_writes_and_another_publishes(open_work: Opener, people: Firm) -> None:
    change = warmer(open_work)
    draft = put_up(open_work, people.compliance, "更亲切")
    with open_work() as work:
        before = template_in_force(work.conn, "mid-autumn")
    assert before.files[SMS] != change[SMS]
    with open_work(people.head_office) as work:
        assert may_publish(work, draft)
        release = publish_draft(work, draft.id, draft.revision, "好")
    assert release.versions == (("template", "mid-autumn", before.version + 1),)
    assert release.retired == ()
    with open_work(people.compliance) as work:
        after = template_in_force(work.conn, "mid-autumn")
        assert after.files[SMS] == change[SMS]
        assert after.last_editor == people.compliance.staff_id
        closed = draft_for(work, draft.id)
        assert (closed.state, closed.release_id) == ("published", release.id)
        assert (closed.decided_by, closed.decision_note) == (people.head_office.staff_id, "好")
        assert open_drafts(work) == []
        row = work.conn.execute(text("SELECT * FROM content_release ORDER BY number DESC LIMIT 1")).one()
    assert (row.published_by, row.approved_by) == (people.compliance.staff_id, people.head_office.staff_id)
    assert row.note == "更亲切"


def test_a_page_and_a_folder_make_the_same_version(open_work: Opener, people: Firm, tmp_path: Path) -> None:
    draft = put_up(open_work, people.compliance)
    with open_work(people.head_office) as work:
        publish_draft(work, draft.id, draft.revision)
    folder = tmp_path / "content"
    write_tree(folder, {})
    for name in ("templates", "jobs", "approvals"):
        for path in (starter_root() / name).rglob("*"):
            target = folder / path.relative_to(starter_root())
            if path.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
    (folder / "templates" / "mid-autumn" / SMS).write_text(draft.files[SMS], "utf-8")
    content, faults = load_folder(folder)
    assert faults == []
    with open_work(people.head_office) as work:
        assert people.head_office.staff_id
        assert people.compliance.staff_id
        release = publish(work, content, people.head_office.staff_id, people.compliance.staff_id)
        stored = work.conn.execute(
            select(content_version.c.sha256).where(
                content_version.c.kind == "template",
                content_version.c.name == "mid-autumn",
                content_version.c.version == 2,
            )
        ).scalar_one()
    assert release.id is None
    assert stored == digest_of(content.templates["mid-autumn"].files)


def test_whoever_wrote_or_put_it_up_does_not_publish_it(open_work: Opener, people: Firm) -> None:
    draft = put_up(open_work, people.compliance)
    with open_work(people.compliance) as work:
        assert not may_publish(work, draft)
    with pytest.raises(RuleBroken) as refused, open_work(people.compliance) as work:
        publish_draft(work, draft.id, draft.revision)
    assert refused.value.rule == "four_eyes"
    # one edits, the other puts it up: neither publishes
    with open_work(people.compliance) as work:
        draft = save(work, draft.id, draft.revision, draft.files)
    with open_work(people.head_office) as work:
        draft = submit(work, draft.id, draft.revision)
    for actor in (people.compliance, people.head_office):
        with pytest.raises(RuleBroken), open_work(actor) as work:
            publish_draft(work, draft.id, draft.revision)
    with open_work() as work:
        assert template_in_force(work.conn, "mid-autumn").version == 1


def test_two_accounts_of_one_person_are_one_person(open_work: Opener, people: Firm) -> None:
    draft = put_up(open_work, people.compliance)
    with open_work() as work:
        second = add_staff(
            work,
            NewStaff(staff_no="C01b", name="郭合规", roles=[(Role.COMPLIANCE, None)], email="c@example.com"),
        )
        work.conn.execute(
            update(staff)
            .where(staff.c.id == second)
            .values(
                person_key=select(staff.c.person_key)
                .where(staff.c.id == people.compliance.staff_id)
                .scalar_subquery()
            )
        )
        twin = actor_for(work.conn, second, FAR)
    with pytest.raises(RuleBroken), open_work(twin) as work:
        publish_draft(work, draft.id, draft.revision)


def test_the_slower_of_two_savers_is_told_by_whom_and_when(open_work: Opener, people: Firm) -> None:
    with open_work(people.compliance) as work:
        draft = start(work, "template", "mid-autumn")
    with open_work(people.head_office) as work:
        assert start(work, "template", "mid-autumn").id == draft.id
        save(work, draft.id, draft.revision, {**draft.files, SMS: "一"})
    with pytest.raises(Conflict) as refused, open_work(people.compliance) as work:
        save(work, draft.id, draft.revision, {**draft.files, SMS: "二"})
    assert people.head_office.name in refused.value.message
    assert "UTC" in refused.value.message
    with open_work(people.compliance) as work:
        assert draft_for(work, draft.id).files[SMS] == "一"


def test_saving_the_same_again_changes_nothing(open_work: Opener, people: Firm) -> None:
    draft = drafted(open_work, people.compliance, warmer(open_work))
    with open_work(people.head_office) as work:
        again = save(work, draft.id, draft.revision, {**draft.files, "letter.en.j2": " \r\n"})
    assert again == draft


def test_what_was_put_up_and_is_changed_has_to_be_put_up_again(open_work: Opener, people: Firm) -> None:
    draft = put_up(open_work, people.compliance)
    with open_work(people.compliance) as work:
        later = save(work, draft.id, draft.revision, {**draft.files, SMS: draft.files[SMS] + "。"})
    assert later.state == "editing"
    with pytest.raises(Conflict), open_work(people.head_office) as work:
        publish_draft(work, draft.id, draft.revision)
    with pytest.raises(Conflict), open_work(people.head_office) as work:
        publish_draft(work, draft.id, later.revision)


@pytest.mark.parametrize(
    ("file", "words", "said"),
    [
        (SMS, "{{ client.salutation }", "sms.zh-CN.j2:1"),
        (SMS, "一\n二{% if %}", "sms.zh-CN.j2:2"),
        (SMS, "{{ client.salutaton }}", "`client.salutaton` is not declared"),
        ("template.toml", "title = {", "Not TOML"),
        ("template.toml", "titel = 1\n", "Did you mean `title`?"),
        (SMS, "保证收益，稳赚不赔", "is forbidden"),
    ],
)
def test_what_has_a_fault_is_kept_but_not_put_up(
    open_work: Opener, people: Firm, file: str, words: str, said: str
) -> None:
    draft = drafted(open_work, people.compliance, {file: words})
    assert draft.files[file] == words
    with pytest.raises(BadInput) as refused, open_work(people.compliance) as work:
        submit(work, draft.id, draft.revision)
    assert any(said in str(fault) for fault in refused.value.details["faults"])


def test_what_breaks_something_else_is_not_put_up(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        said = files_in_force(work.conn, "template", "mid-autumn")[1]["template.toml"]
    draft = drafted(
        open_work, people.compliance, {"template.toml": said.replace('"sms", "email"', '"email"')}
    )
    with pytest.raises(BadInput) as refused, open_work(people.compliance) as work:
        submit(work, draft.id, draft.revision)
    assert [fault.file for fault in refused.value.details["faults"]] == ["jobs/mid-autumn.toml"]


def test_a_new_phrase_that_forbids_a_template_in_force_is_not_put_up(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        names = [
            row.name
            for row in work.conn.execute(select(content_version).where(content_version.c.kind == "lexicon"))
            if "zh-CN" in next(iter(row.files.values()))
        ]
        path, said = next(iter(files_in_force(work.conn, "lexicon", names[0])[1].items()))
    rule = (
        '\n[[rules]]\nid = "trial"\narticle = "art. 17"\nseverity = "block"\nphrases = ["中秋"]\n'
        '[rules.why]\nzh = "试"\nen = "Trial"\n'
    )
    draft = drafted(open_work, people.compliance, {path: said + rule}, names[0], "lexicon")
    with pytest.raises(BadInput) as refused, open_work(people.compliance) as work:
        submit(work, draft.id, draft.revision)
    assert "templates/mid-autumn/sms.zh-CN.j2" in {fault.file for fault in refused.value.details["faults"]}


def test_a_lexicon_is_edited_and_takes_effect(open_work: Opener, people: Firm) -> None:
    with open_work(people.compliance) as work:
        names = work.conn.execute(
            select(content_version.c.name).where(content_version.c.kind == "lexicon").order_by("name")
        ).scalars()
        source = next(iter(names))
        draft = start(work, "lexicon", "trial", copy_of=source)
        said = (
            'title = { zh = "试", en = "Trial" }\nlanguage = "zh-CN"\n\n[[rules]]\nid = "trial"\n'
            'article = "art. 17"\nseverity = "block"\nphrases = ["资料已备妥啦"]\n'
            '[rules.why]\nzh = "试"\nen = "Trial"\n'
        )
        draft = save(work, draft.id, draft.revision, {"approvals/lexicons/trial.toml": said})
        draft = submit(work, draft.id, draft.revision)
        assert lexicons_in_force(work.conn)[0].find("资料已备妥啦") == []
    with open_work(people.head_office) as work:
        publish_draft(work, draft.id, draft.revision)
    with open_work() as work:
        assert [hit.rule for hit in lexicons_in_force(work.conn)[0].find("资料已备妥啦")] == ["trial"]


def test_nothing_different_is_not_put_up(open_work: Opener, people: Firm) -> None:
    with open_work(people.compliance) as work:
        draft = start(work, "template", "mid-autumn")
        # as a browser sends it back
        sent = {name: said.replace("\n", "\r\n") for name, said in draft.files.items()}
        draft = save(work, draft.id, draft.revision, sent)
        with pytest.raises(BadInput, match="Nothing differs"):
            submit(work, draft.id, draft.revision)


def test_another_version_in_force_meanwhile(open_work: Opener, people: Firm) -> None:
    draft = put_up(open_work, people.compliance)
    content, _ = load_folder(starter_root())
    source = content.templates["mid-autumn"]
    files = {**source.files, SMS: source.files[SMS].replace("中秋", "今日中秋", 1)}
    content.templates["mid-autumn"] = type(source)(source.kind, source.name, files, source.meta)
    with open_work(people.head_office) as work:
        assert people.head_office.staff_id
        assert people.compliance.staff_id
        publish(work, content, people.head_office.staff_id, people.compliance.staff_id)
    with pytest.raises(Conflict) as refused, open_work(people.head_office) as work:
        publish_draft(work, draft.id, draft.revision)
    assert "Version 2 is in force by now" in refused.value.message
    assert "Start the draft from the version in force" in refused.value.mend
    with open_work(people.compliance) as work:
        moved = take_over(work, draft.id, draft.revision)
        assert (moved.base_version, moved.state, moved.files) == (2, "editing", draft.files)
        moved = submit(work, moved.id, moved.revision)
    with open_work(people.head_office) as work:
        assert publish_draft(work, moved.id, moved.revision).versions == (("template", "mid-autumn", 3),)


def test_a_draft_goes_back_with_a_note(open_work: Opener, people: Firm) -> None:
    draft = put_up(open_work, people.compliance)
    with pytest.raises(BadInput), open_work(people.head_office) as work:
        return_draft(work, draft.id, draft.revision, "  ")
    with open_work(people.head_office) as work:
        back = return_draft(work, draft.id, draft.revision, "称呼太随意")
    assert (back.state, back.decision_note) == ("returned", "称呼太随意")
    with open_work(people.compliance) as work:
        saved = save(work, back.id, back.revision, {**back.files, SMS: back.files[SMS] + "。"})
        assert (saved.state, saved.decision_note) == ("editing", "称呼太随意")
        assert submit(work, saved.id, saved.revision).decision_note == ""


def test_a_discarded_draft_stays_on_record_and_frees_its_name(open_work: Opener, people: Firm) -> None:
    draft = drafted(open_work, people.compliance, warmer(open_work))
    with open_work(people.compliance) as work:
        discard(work, draft.id, draft.revision)
        another = start(work, "template", "mid-autumn")
    assert another.id != draft.id
    with open_work(people.compliance) as work:
        assert draft_for(work, draft.id).files == draft.files
        with pytest.raises(Conflict, match="discarded"):
            save(work, draft.id, draft.revision, {})


def test_a_new_template_is_a_copy_of_another(open_work: Opener, people: Firm) -> None:
    with open_work(people.compliance) as work:
        draft = start(work, "template", "moon-cakes", copy_of="mid-autumn")
        assert draft.base_version == 0
        assert draft.files == files_in_force(work.conn, "template", "mid-autumn")[1]
        draft = submit(work, draft.id, draft.revision)
        job = start(work, "job", "moon-cakes", copy_of="mid-autumn")
        assert list(job.files) == ["jobs/moon-cakes.toml"]
    with open_work(people.head_office) as work:
        assert publish_draft(work, draft.id, draft.revision).versions == (("template", "moon-cakes", 1),)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("template", "../mid-autumn"),
        ("template", "Mid"),
        ("template", "a/b"),
        ("template", ""),
        ("template", "a" * 61),
        ("job", "closures"),
        ("reasons", "more"),
        ("secrets", "all"),
    ],
)
def test_a_name_that_can_not_be(open_work: Opener, people: Firm, kind: str, name: str) -> None:
    with pytest.raises(BadInput), open_work(people.compliance) as work:
        start(work, kind, name, copy_of="mid-autumn")


def test_a_name_that_is_taken_or_unknown(open_work: Opener, people: Firm) -> None:
    with open_work(people.compliance) as work:
        with pytest.raises(BadInput, match="already"):
            start(work, "template", "lantern", copy_of="mid-autumn")
        with pytest.raises(NotFound):
            start(work, "template", "nowhere")
        with pytest.raises(NotFound):
            start(work, "template", "new-one", copy_of="nowhere")
        with pytest.raises(BadInput):
            start(work, "reasons", "reasons", copy_of="reasons")


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("../../etc/passwd", "x"),
        ("notes.txt", "x"),
        ("sms.fr.j2", "x"),
        (SMS, "长" * LARGEST),
        (SMS, "a\0b"),
        (SMS, "\ud800"),
    ],
)
def test_a_file_that_can_not_be(open_work: Opener, people: Firm, file: str, words: str) -> None:
    with open_work(people.compliance) as work:
        draft = start(work, "template", "mid-autumn")
        with pytest.raises(BadInput):
            save(work, draft.id, draft.revision, {**draft.files, file: words})
        assert draft_for(work, draft.id) == draft


def test_only_who_may_publish_edits_or_reads_drafts(open_work: Opener, people: Firm) -> None:
    draft = put_up(open_work, people.compliance)
    for actor in (people.operator, people.b01.manager, people.b01.advisor):
        with pytest.raises(Forbidden), open_work(actor) as work:
            start(work, "template", "lantern")
        with pytest.raises(Forbidden), open_work(actor) as work:
            open_drafts(work)
        for act in (publish_draft, take_over, discard):
            with pytest.raises(Forbidden), open_work(actor) as work:
                act(work, draft.id, draft.revision)
    with pytest.raises(RuleBroken), open_work(SYSTEM) as work:
        start(work, "template", "lantern")
    with pytest.raises(NotFound), open_work(people.compliance) as work:
        draft_for(work, UUID(int=1))


def test_every_step_is_on_record_without_its_words(open_work: Opener, people: Firm) -> None:
    draft = put_up(open_work, people.compliance, "因为节日")
    with open_work(people.head_office) as work:
        publish_draft(work, draft.id, draft.revision)
    with open_work() as work:
        rows = work.conn.execute(
            select(ledger_entry.c.envelope)
            .where(ledger_entry.c.kind == "content.draft")
            .order_by(ledger_entry.c.at, ledger_entry.c.id)
        ).scalars()
        found = [json.loads(bytes(row)) for row in rows]
        kept = work.conn.execute(select(content_draft.c.id)).scalars().all()
    assert [one["verb"] for one in found] == ["started", "saved", "submitted", "published"]
    assert {one["draft_id"] for one in found} == {str(kept[0])}
    assert found[2]["digest"] == found[3]["digest"] == digest_of(draft.files).hex()
    assert "commitment" in found[2]
    assert "因为节日" not in json.dumps(found, ensure_ascii=False)
