"""Content on its pages: edited with a preview and findings beside the text, published by a second person."""

import io
import re
import zipfile
from uuid import UUID

import pytest
from sqlalchemy import text

from outreach.content.check import check_folder
from outreach.content.drafts import Draft, draft_for, files_in_force
from outreach.content.editing import save, start
from outreach.content.in_force import template_in_force
from outreach.content.tree import write_tree
from outreach.core.access import Actor
from outreach.core.i18n import catalogue
from outreach.ledger.work import Opener
from outreach.web.content_words import SENTENCES, in_words
from tests.support.builders import Firm, firm, publish_starter
from tests.support.pages import Reader, SignIn, words

SMS = "sms.zh-CN.j2"
LEXICON = (
    'title = { zh = "试", en = "Trial" }\nlanguage = "zh-CN"\n\n[[rules]]\nid = "trial"\narticle = "art. 17"\n'
    'severity = "block"\nphrases = ["资料已备妥啦"]\n[rules.why]\nzh = "试用"\nen = "On trial"\n'
)


@pytest.fixture
def people(open_work: Opener) -> Firm:
    found = firm(open_work)
    publish_starter(open_work, found)
    return found


def begun(reader: Reader, kind: str = "template", name: str = "mid-autumn", **more: str) -> str:
    """The place of a draft begun on the page."""
    answer = reader.post("/content/start", kind=kind, name=name, **more)
    assert answer.status_code == 303, words(answer.text)
    return str(answer.headers["location"])


def draft_at(open_work: Opener, actor: Actor, place: str) -> Draft:
    with open_work(actor) as work:
        return draft_for(work, UUID(place.rsplit("/", 1)[-1]))


def form(draft: Draft, **changed: str) -> dict[str, str]:
    """What a browser sends: every file with its line ends, and the revision that was seen."""
    files = {**draft.files, **changed}
    sent = {f"file.{name}": said.replace("\n", "\r\n") for name, said in files.items()}
    return {**sent, "revision": str(draft.revision)}


def test_from_the_list_to_a_version_in_force(open_work: Opener, people: Firm, sign_in: SignIn) -> None:
    writer, second = sign_in(people.compliance), sign_in(people.head_office, "zh-CN")
    assert "Mid-Autumn greeting" in writer.read("/content")
    assert "Copy under a new name" in writer.read("/content/in-force/template/mid-autumn")
    place = begun(writer)
    draft = draft_at(open_work, people.compliance, place)
    warm = draft.files[SMS].replace("中秋", "中秋佳节", 1)
    said = writer.after(place, **form(draft, **{SMS: warm}), act="save")
    assert "Saved. It is not in force before it is published." in said
    assert "中秋佳节" in said
    assert "characters, 1 SMS" in said
    draft = draft_at(open_work, people.compliance, place)
    said = writer.after(place, **form(draft), act="submit", note="更亲切")
    assert "It waits for a second person." in said
    assert "You edited it or put it up: a second person publishes it." in said
    assert writer.post(f"{place}/publish", revision=str(draft.revision)).status_code == 422

    assert "等待您复核（1）" in second.read("/content")
    said = second.read(f"{place}/review")
    assert "更亲切" in said
    assert "与第 1 版的差异" in said
    assert re.search(r"\+\{\{ firm.signature \}\}.*中秋佳节", said)
    done = second.after(f"{place}/publish", revision=str(draft.revision), note="")
    assert "已发布并生效" in done
    with open_work() as work:
        now = template_in_force(work.conn, "mid-autumn")
    assert (now.version, now.files[SMS]) == (2, warm)
    assert "已发布" in second.read(place)  # the editor of what is closed leads to what became of it


def test_what_comes_back_unchanged_makes_no_difference(
    open_work: Opener, people: Firm, sign_in: SignIn
) -> None:
    """Each file's field holds its bytes: a page that is saved as it came changes nothing."""
    writer = sign_in(people.compliance)
    place = begun(writer)
    page = writer.get(place).text
    draft = draft_at(open_work, people.compliance, place)
    for name, said in draft.files.items():
        found = re.search(rf'name="file\.{re.escape(name)}"[^>]*>\n(.*?)</textarea>', page, re.S)
        assert found, name
        assert _plain(found[1]) == said, name
    answer = writer.post(place, **form(draft), act="submit")
    assert answer.status_code == 400
    assert "Nothing differs from the version in force." in words(answer.text)


def _plain(html: str) -> str:
    from html import unescape

    return unescape(html)


def test_findings_stand_beside_the_text_while_one_types(
    open_work: Opener, people: Firm, sign_in: SignIn
) -> None:
    writer = sign_in(people.compliance)
    place = begun(writer)
    draft = draft_at(open_work, people.compliance, place)
    answer = writer.post(f"{place}/try", **form(draft, **{SMS: draft.files[SMS] + "本产品保证收益。"}))
    assert answer.status_code == 200
    assert 'id="seen-sms-zh-CN" class="seen" hx-swap-oob="true"' in answer.text
    assert '<mark class="block"' in answer.text
    assert "Must not go out" in answer.text
    assert "“保证收益” is forbidden" in words(answer.text)
    assert "to mend before it can be put up" in words(answer.text)
    assert draft_at(open_work, people.compliance, place) == draft  # nothing is stored
    said = words(
        sign_in(people.head_office, "zh-CN").post(f"{place}/try", **form(draft, **{SMS: "{{ x }}"})).text
    )
    assert "变量 `x` 未声明" in said


@pytest.mark.parametrize(
    ("file", "said", "line"),
    [
        (SMS, "好\n{{ client.salutation }", "Line 2"),
        (SMS, "好\n\n{% for a in b %}{% for c in a %}{% endfor %}{% endfor %}", "Line 3"),
        ("template.toml", "\ntitle = = 1", "Line 2"),
        ("samples.toml", "[[sample]]\nname = 'x'\nlanguage = 'fr'", "Line 3"),
    ],
)
def test_a_fault_names_its_line_and_nothing_is_lost(
    open_work: Opener, people: Firm, sign_in: SignIn, file: str, said: str, line: str
) -> None:
    writer = sign_in(people.compliance)
    place = begun(writer)
    draft = draft_at(open_work, people.compliance, place)
    answer = writer.post(place, **form(draft, **{file: said}), act="submit")
    assert answer.status_code == 400
    assert line in words(answer.text)
    assert _plain(answer.text).replace("\r\n", "\n").count(said) == 1
    kept = draft_at(open_work, people.compliance, place)
    assert (kept.state, kept.files[file]) == ("editing", said)


def test_preview_without_javascript_stores_nothing(open_work: Opener, people: Firm, sign_in: SignIn) -> None:
    writer = sign_in(people.compliance)
    place = begun(writer)
    draft = draft_at(open_work, people.compliance, place)
    answer = writer.post(place, **form(draft, **{SMS: draft.files[SMS] + "明月千里。"}), act="preview")
    assert answer.status_code == 200
    assert answer.text.count("明月千里。") >= 2  # in the field, and as the client gets it
    assert draft_at(open_work, people.compliance, place) == draft


def test_a_mail_is_shown_as_it_is_typed_in_a_frame_of_its_own(
    open_work: Opener, people: Firm, sign_in: SignIn
) -> None:
    writer = sign_in(people.compliance)
    place = begun(writer)
    draft = draft_at(open_work, people.compliance, place)
    html = draft.files["email.en.html.j2"].replace("The moon is full", "The moon is round", 1)
    answer = writer.post(f"{place}/mail?language=en", **form(draft, **{"email.en.html.j2": html}))
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert "The moon is round" in answer.text
    assert "The moon is full" in writer.get(f"{place}/mail?language=en").text
    assert writer.get(f"{place}/mail?language=fr").text == ""


def test_too_large_a_file_and_an_unknown_one(open_work: Opener, people: Firm, sign_in: SignIn) -> None:
    writer = sign_in(people.compliance)
    place = begun(writer)
    draft = draft_at(open_work, people.compliance, place)
    answer = writer.post(place, **form(draft, **{SMS: "a" * (256 * 1024 + 1)}), act="save")
    assert answer.status_code == 400
    assert "sms.zh-CN.j2 has 262145 bytes, more than 262144." in words(answer.text)
    assert "a" * 1000 in answer.text
    answer = writer.post(place, **form(draft, **{"../evil.j2": "x"}), act="save")
    assert answer.status_code == 400
    assert "is not a file of a template" in words(answer.text)
    assert writer.post(place, **form(draft, **{SMS: "a" * (9 << 20)}), act="save").status_code == 413
    assert writer.post(place, **form(draft), act="burn").status_code == 400
    assert draft_at(open_work, people.compliance, place).files == draft.files


def test_a_second_tab_is_told_who_saved_and_saves_over_it_knowingly(
    open_work: Opener, people: Firm, sign_in: SignIn
) -> None:
    writer, other = sign_in(people.compliance), sign_in(people.head_office)
    place = begun(writer)
    draft = draft_at(open_work, people.compliance, place)
    theirs, ours = (draft.files[SMS].replace("中秋", word, 1) for word in ("月圆中秋", "中秋佳节"))
    other.after(place, **form(draft, **{SMS: theirs}), act="save")
    answer = writer.post(place, **form(draft, **{SMS: ours}), act="save")
    assert answer.status_code == 409
    said = words(answer.text)
    assert f"{people.head_office.name} saved this draft at" in said
    assert "What yours would change in theirs" in said
    assert "Save mine over theirs" in said
    assert ours.strip() in _plain(answer.text).replace("\r\n", "\n")
    seen = re.search(r'name="revision" value="(\d+)"', answer.text)
    assert seen
    assert draft_at(open_work, people.compliance, place).files[SMS] == theirs
    writer.after(place, **{**form(draft, **{SMS: ours}), "revision": seen[1]}, act="save")
    assert draft_at(open_work, people.compliance, place).files[SMS] == ours


def test_whoever_lost_the_permission_saves_nothing(open_work: Opener, people: Firm, sign_in: SignIn) -> None:
    writer = sign_in(people.compliance)
    place = begun(writer)
    draft = draft_at(open_work, people.compliance, place)
    with open_work() as work:
        work.conn.execute(
            text("UPDATE staff_role SET valid_until = current_date - 1 WHERE staff_id = :id"),
            {"id": people.compliance.staff_id},
        )
    for path in (place, f"{place}/try", f"{place}/publish", f"{place}/discard"):
        assert writer.post(path, **form(draft, **{SMS: "x"}), act="save").status_code == 403
    assert writer.get(place).status_code == 403
    assert draft_at(open_work, people.head_office, place) == draft


def test_a_form_from_elsewhere_is_refused(open_work: Opener, people: Firm, sign_in: SignIn) -> None:
    writer = sign_in(people.compliance)
    place = begun(writer)
    draft = draft_at(open_work, people.compliance, place)
    forged = Reader(writer.client, "another")
    for path in ("", "/try", "/mail", "/discard", "/take-over", "/publish", "/return"):
        assert forged.post(f"{place}{path}", **form(draft), act="save").status_code == 403, path
    assert forged.post("/content/start", kind="template", name="lantern").status_code == 403
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    sent = {**form(draft), "csrf": writer.csrf, "act": "save"}
    assert writer.client.post(place, data=sent, headers=elsewhere).status_code == 403
    assert draft_at(open_work, people.compliance, place) == draft


def test_drafts_are_for_those_who_publish(people: Firm, sign_in: SignIn) -> None:
    place = begun(sign_in(people.compliance))
    operator = sign_in(people.operator)
    assert "Open drafts" not in operator.read("/content")
    assert "Copy under a new name" not in operator.read("/content/in-force/template/mid-autumn")
    for reader in (operator, sign_in(people.b01.manager), sign_in(people.b01.advisor)):
        for path in ("", "/review", "/mail", "/files.zip"):
            assert reader.get(f"{place}{path}").status_code == 403
        assert reader.post("/content/start", kind="template", name="lantern").status_code == 403
    assert sign_in(people.b01.advisor).get("/content/in-force/template/mid-autumn").status_code == 403
    assert sign_in(people.b01.advisor).get("/content/files.zip").status_code == 403
    reader = sign_in(people.compliance)
    assert reader.get("/content/in-force/template/nowhere").status_code == 404
    assert reader.get("/content/in-force/template/..%2F..%2Fetc").status_code in (400, 404)
    assert reader.get(f"/content/{UUID(int=1)}").status_code == 404


def test_a_draft_goes_back_with_a_note_beside_the_text(
    open_work: Opener, people: Firm, sign_in: SignIn
) -> None:
    writer, second = sign_in(people.compliance), sign_in(people.head_office)
    place = begun(writer)
    draft = draft_at(open_work, people.compliance, place)
    warm = {SMS: draft.files[SMS].replace("中秋", "中秋佳节", 1)}
    writer.after(place, **form(draft, **warm), act="submit")
    draft = draft_at(open_work, people.compliance, place)
    answer = second.post(f"{place}/return", revision=str(draft.revision), note=" ")
    assert answer.status_code == 400
    assert "Say why it goes back." in words(answer.text)
    assert "It went back" in second.after(f"{place}/return", revision=str(draft.revision), note="请更正式")
    said = writer.read(place)
    assert f"Returned by {people.head_office.name}" in said
    assert "请更正式" in said
    late = second.post(f"{place}/publish", revision=str(draft.revision))
    assert late.status_code == 409
    assert "returned this draft at" in words(late.text)
    assert "put aside" in writer.after(f"{place}/discard", revision=str(draft.revision))


def test_another_version_came_into_force_meanwhile(open_work: Opener, people: Firm, sign_in: SignIn) -> None:
    writer = sign_in(people.compliance)
    place = begun(writer)
    draft = draft_at(open_work, people.compliance, place)
    with open_work() as work:
        work.conn.execute(
            text(
                "INSERT INTO content_version (id, kind, name, version, sha256, files, release_id, last_editor)"
                " SELECT gen_random_uuid(), kind, name, 2, sha256, files, release_id, last_editor"
                " FROM content_version WHERE kind = 'template' AND name = 'mid-autumn'"
            )
        )
    answer = writer.post(place, **form(draft, **{SMS: draft.files[SMS] + "。"}), act="submit")
    assert answer.status_code == 409
    assert "Version 2 is in force by now" in words(answer.text)
    assert "Start it from version 2" in words(answer.text)
    draft = draft_at(open_work, people.compliance, place)
    assert "Started from version 2." in writer.after(f"{place}/take-over", revision=str(draft.revision))


def test_a_lexicon_is_tried_on_a_sentence_and_its_effect_is_shown(
    open_work: Opener, people: Firm, sign_in: SignIn
) -> None:
    writer, second = sign_in(people.compliance), sign_in(people.head_office)
    name = next(iter(re.findall(r"/content/in-force/lexicon/([a-z-]+)", writer.get("/content").text)))
    place = begun(writer, "lexicon", "trial", copy_of=name)
    draft = draft_at(open_work, people.compliance, place)
    file = "approvals/lexicons/trial.toml"
    said = words(
        writer.post(
            f"{place}/try", **form(draft, **{file: LEXICON}), sentence="您的资料已备妥啦，请来取。"
        ).text
    )
    assert "On trial" in said
    assert "trial · art. 17" in said
    assert "Nothing is found in it." in words(
        writer.post(f"{place}/try", **form(draft, **{file: LEXICON}), sentence="您好。").text
    )
    writer.after(place, **form(draft, **{file: LEXICON}), act="submit")
    draft = draft_at(open_work, people.compliance, place)
    page = second.read(f"{place}/review")
    for _ in range(60):
        if "Looking through" not in page:
            break
        page = second.read(f"{place}/review")
    assert "Messages looked at 0" in page
    assert "It hits nothing that the lexicons in force do not hit already." in page
    assert "Published" in second.after(f"{place}/publish", revision=str(draft.revision))


def test_files_come_down_as_they_lie_in_a_folder(
    open_work: Opener, people: Firm, sign_in: SignIn, tmp_path_factory: pytest.TempPathFactory
) -> None:
    writer = sign_in(people.compliance)
    with open_work(people.compliance) as work:
        draft = start(work, "template", "mid-autumn")
        save(work, draft.id, draft.revision, {**draft.files, SMS: "x"})
    answer = writer.get(f"/content/{draft.id}/files.zip")
    assert 'filename="mid-autumn.zip"' in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.read(f"templates/mid-autumn/{SMS}") == b"x"
    with zipfile.ZipFile(io.BytesIO(writer.get("/content/files.zip").content)) as archive:
        tree = {name: archive.read(name).decode() for name in archive.namelist()}
    folder = tmp_path_factory.mktemp("all")
    write_tree(folder, tree)
    content, faults = check_folder(folder)
    assert faults == []
    with open_work() as work:
        for source in content.sources():
            assert files_in_force(work.conn, source.kind, source.name)[1] == dict(source.files)


def test_findings_are_said_in_chinese_with_their_names() -> None:
    assert [one for one in SENTENCES if one not in catalogue("zh-CN")] == []
    assert in_words("zh-CN", "The variable `client.nme` is not declared.") == "变量 `client.nme` 未声明。"
    nested = "templates/a/sms.en.j2:3: There is no sample in en. (2 more)"
    assert in_words("zh-CN", nested) == "templates/a/sms.en.j2 第 3 行：没有 en 的样例。（另有 2 处）"
    assert in_words("en", nested) == nested
    assert in_words("zh-CN", "something else") == "something else"
    assert in_words("zh-CN", "") == ""
