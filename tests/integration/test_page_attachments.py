"""Attaching in the composer, reading what is attached, and material on its pages: every act without JavaScript."""

import re
from uuid import UUID

import pytest
from sqlalchemy import text

from outreach.app import wire
from outreach.ledger.work import Opener
from outreach.messages.files import LARGEST
from outreach.messages.material import Material, Particulars, list_material
from outreach.review.material import approve_material, put_up
from outreach.web.handed_in import LARGEST_FORM
from tests.support.builders import Firm, firm, make_client, publish_starter
from tests.support.pages import Reader, SignIn, words
from tests.support.papers import locked_pdf, pdf, picture

SAID = "{称呼}，您好！资料请见附件，方便时请回电。"
NAME = "建议书 2027.pdf"


@pytest.fixture
def people(open_work: Opener) -> Firm:
    wire()
    found = firm(open_work)
    publish_starter(open_work, found)
    return found


@pytest.fixture
def client(open_work: Opener, people: Firm) -> UUID:
    with open_work() as work:
        return make_client(work, people.b01, client_no="K1", name="王伟", gender="male")


@pytest.fixture
def advisor(people: Firm, sign_in: SignIn) -> Reader:
    return sign_in(people.b01.advisor)


@pytest.fixture
def manager(people: Firm, sign_in: SignIn) -> Reader:
    return sign_in(people.b01.manager)


def attached(html: str) -> list[str]:
    return re.findall(r'name="attachment" value="([^"]+)"', html)


def one_file(name: str, data: bytes) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("file", (name, data, "application/octet-stream"))]


def approved(open_work: Opener, people: Firm, said: Particulars) -> Material:
    with open_work(people.b01.advisor) as work:
        made = put_up(work, said, "资料.pdf", pdf("leaflet"))
    with open_work(people.b01.manager) as work:
        return approve_material(work, made.id, made.digest)


# ── the composer ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_is_attached_seen_kept_taken_out_and_put_up(
    advisor: Reader, manager: Reader, client: UUID
) -> None:
    fields = {"client": str(client), "text": SAID, "title": "年度建议"}
    page = advisor.post("/compose", one_file(NAME, pdf("a")), act="attach", **fields)
    [first] = attached(page.text)
    assert SAID in page.text
    assert "建议书 2027.pdf PDF" in words(page.text)
    assert "goes by mail only" in words(page.text)
    more = advisor.post(
        "/compose", one_file("chart.png", picture()), act="preview", attachment=first, **fields
    )
    both = attached(more.text)
    assert both[0] == first
    assert words(more.text).count("chart.png") == 2  # in the list, and in what the client gets
    file = advisor.get(f"/attachments/{first}")
    assert (file.content, file.headers["content-type"]) == (pdf("a"), "application/pdf")

    fields |= {"attachment": both}  # type: ignore[dict-item]
    kept = advisor.client.post("/compose", data={"csrf": advisor.csrf, "act": "keep", **fields})
    assert attached(advisor.get(kept.headers["location"]).text) == both
    less = advisor.client.post("/compose", data={"csrf": advisor.csrf, "detach": both[1], **fields})
    assert attached(less.text) == [first]
    said = advisor.after("/compose", act="queue", attachment=first, client=str(client), text=SAID)
    assert "1 messages wait for approval." in said
    assert "Attached: 建议书 2027.pdf" in said

    inbox = manager.get("/inbox").text
    [submission] = set(re.findall(r"/inbox/submission/[0-9a-f-]{36}", inbox))
    page = manager.get(submission)
    assert "Attachments 1 建议书 2027.pdf PDF · 1 KB" in words(page.text)
    [path] = set(re.findall(r'/messages/[0-9a-f-]{36}/files/0(?=")', page.text))
    file = manager.get(path)
    assert file.content == pdf("a")
    assert file.headers["content-security-policy"].startswith("default-src 'none'")
    assert file.headers["x-content-type-options"] == "nosniff"
    assert file.headers["content-disposition"].startswith('inline; filename="')
    assert "%E5%BB%BA%E8%AE%AE%E4%B9%A6" in file.headers["content-disposition"]
    assert manager.get(f"{path}?download=true").headers["content-disposition"].startswith("attachment;")
    assert manager.get(path[:-1] + "1").status_code == 404
    mine = re.search(r"/mine/[0-9a-f-]{36}", advisor.get("/mine").text)
    assert mine is not None
    assert path in advisor.get(mine[0]).text


def test_a_picture_is_shown_in_place_and_can_do_nothing(advisor: Reader, client: UUID) -> None:
    page = advisor.post("/compose", one_file("chart.png", picture()), act="attach")
    file = advisor.get(f"/attachments/{attached(page.text)[0]}")
    assert file.headers["content-type"] == "image/png"
    assert "sandbox" in file.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.exe", b"MZ\x90\x00", "Only PDF, PNG and JPEG"),
        ("a.pdf", locked_pdf(), "asks for a password"),
        ("a.pdf", b"", "The file is empty."),
        ("big.pdf", b"%PDF-" + b"0" * LARGEST, "larger than 10 MB"),
        ("<b>x</b>.pdf", b"%PDF-", "damaged"),
    ],
)
@pytest.mark.parametrize("act", ["attach", "preview", "queue", "keep"])
def test_a_refused_file_is_told_and_nothing_that_was_typed_is_lost(
    advisor: Reader, client: UUID, name: str, data: bytes, said: str, act: str
) -> None:
    good = attached(advisor.post("/compose", one_file("good.pdf", pdf("g")), act="attach").text)
    files = [*one_file(name, data), *one_file("another.pdf", pdf("b"))]
    answer = advisor.post(
        "/compose", files, act=act, client=str(client), text=SAID, subject="主题", attachment=good[0]
    )
    assert answer.status_code == 400
    told = words(answer.text)
    assert f"{name} was not attached:" in told
    assert said in told
    assert "<b>x" not in answer.text
    assert SAID in answer.text
    assert 'value="主题"' in answer.text
    assert f'value="{client}" checked' in answer.text
    assert len(attached(answer.text)) == 2  # the good one of before, and the good one beside the bad


def test_not_more_than_five(open_work: Opener, advisor: Reader) -> None:
    files = [file for n in range(6) for file in one_file(f"{n}.pdf", pdf(str(n)))]
    answer = advisor.post("/compose", files, act="attach")
    assert len(attached(answer.text)) == 5
    assert "5.pdf was not attached: A message has up to 5 attachments." in words(answer.text)
    with open_work() as work:
        assert work.conn.execute(text("SELECT count(*) FROM attachment")).scalar_one() == 5
    assert advisor.post("/compose", [*files] * 4, act="attach").status_code == 400


def test_a_form_beyond_all_measure_is_cut_off(open_work: Opener, advisor: Reader) -> None:
    for path in ("/compose", "/material/new"):
        answer = advisor.post(path, one_file("a.pdf", bytes(LARGEST_FORM + 1)), **FORM)
        assert answer.status_code == 413
    with open_work() as work:
        assert work.conn.execute(text("SELECT count(*) FROM attachment")).scalar_one() == 0


def test_approved_material_is_offered_and_carried(
    open_work: Opener, people: Firm, advisor: Reader, manager: Reader, client: UUID
) -> None:
    made = approved(open_work, people, Particulars("反诈手册", "relationship", "zh-CN"))
    page = advisor.get("/compose").text
    assert f'<option value="{made.id}">反诈手册' in page
    added = advisor.post("/compose", act="attach", material=str(made.id), text=SAID, client=str(client))
    assert attached(added.text) == [str(made.attachment_id)]
    assert "Approved material, by 马经理B01" in words(added.text)
    assert f'<option value="{made.id}">' not in added.text
    advisor.post("/compose", act="queue", attachment=str(made.attachment_id), text=SAID, client=str(client))
    submission = re.search(r"/inbox/submission/[0-9a-f-]{36}", manager.get("/inbox").text)
    assert submission is not None
    assert "反诈手册 Approved material, by 马经理B01" in words(manager.get(submission[0]).text)
    manager.after(f"/material/{made.id}", act="withdraw", note="旧版")
    assert "Withdrawn by 马经理B01" in words(manager.get(submission[0]).text)
    refused = advisor.post("/compose", act="attach", material=str(made.id), text=SAID)
    assert refused.status_code == 400
    assert "“反诈手册” was withdrawn by 马经理B01" in words(refused.text)
    assert SAID in refused.text


def test_choosing_advice_makes_the_message_of_its_kind(
    open_work: Opener, people: Firm, advisor: Reader, client: UUID
) -> None:
    proposal = Particulars("组合建议", "consulting", "zh-CN", risk_level=4, advice=True)
    made = approved(open_work, people, proposal)
    fields = {"text": f"{SAID}来源：示例证券研究所，2026年11月20日。", "client": str(client)}
    page = advisor.post("/compose", act="attach", material=str(made.id), category="relationship", **fields)
    assert '<option value="consulting" selected>' in page.text
    seen = advisor.post(
        "/compose", act="preview", attachment=str(made.attachment_id), category="consulting", **fields
    )
    assert "C3" in words(seen.text)
    assert "1 get nothing" in words(seen.text)  # R4 for a C3 client
    other = advisor.post(
        "/compose", act="preview", attachment=str(made.attachment_id), category="relationship", **fields
    )
    assert "material of another kind of service (Advice)" in words(other.text)


def test_another_branch_reads_none_of_it(
    open_work: Opener, people: Firm, advisor: Reader, client: UUID, sign_in: SignIn
) -> None:
    made = approved(open_work, people, Particulars("反诈手册", "relationship", "zh-CN"))
    [file] = attached(advisor.post("/compose", one_file("a.pdf", pdf("a")), act="attach").text)
    advisor.post("/compose", act="queue", attachment=file, text=SAID, client=str(client))
    with open_work() as work:
        message = work.conn.execute(text("SELECT id FROM message")).scalar_one()
    for actor in (people.b02.manager, people.b02.advisor):
        other = sign_in(actor)
        for path in (f"/attachments/{file}", f"/messages/{message}/files/0", f"/material/{made.id}/file"):
            assert other.get(path).status_code == 404
        assert other.get(f"/material/{made.id}").status_code == 404
        assert "反诈手册" not in other.read("/material")
        for act in ("approve", "return", "withdraw"):
            assert other.post(f"/material/{made.id}", act=act, note="x").status_code == 404
    stranger = sign_in(people.b02.advisor)
    answer = stranger.post("/compose", act="preview", text=SAID, client=str(client), attachment=file)
    assert answer.status_code == 400
    assert attached(answer.text) == []
    operator = sign_in(people.operator)
    for path in ("/material", f"/messages/{message}/files/0"):
        assert operator.get(path).status_code in (403, 404)


def test_forms_of_another_session_are_refused(advisor: Reader, open_work: Opener) -> None:
    for path in ("/compose", "/material/new"):
        answer = advisor.client.post(
            path, data={"csrf": "x", "act": "attach"}, files=one_file("a.pdf", pdf())
        )
        assert answer.status_code == 403
    with open_work() as work:
        assert work.conn.execute(text("SELECT count(*) FROM attachment")).scalar_one() == 0


# ── material ──────────────────────────────────────────────────────────────────────────────────────────────

FORM = {"title": "反诈手册", "category": "relationship", "language": "zh-CN"}


def test_material_is_put_up_returned_mended_and_approved(
    open_work: Opener, people: Firm, advisor: Reader, manager: Reader
) -> None:
    said = advisor.after("/material/new", one_file("手册.pdf", pdf("one")), **FORM)
    assert "It waits for a second person." in said
    assert "You put it up: a second person decides on it." in said
    assert "Your decision" not in said
    assert "Material waits for your approval: 1." in manager.read("/inbox")
    listed = manager.get("/material").text
    assert "Waits for your decision (1)" in words(listed)
    [path] = set(re.findall(r"/material/[0-9a-f-]{36}", listed))
    page = manager.get(path).text
    digest = re.findall(r'name="digest" value="([0-9a-f]{64})"', page)[0]
    assert manager.get(f"{path}/file").content == pdf("one")
    empty = manager.post(path, act="return", digest=digest)
    assert empty.status_code == 400
    assert "not refused without a reason" in words(empty.text)
    said = manager.after(path, act="return", digest=digest, note="请更新第二页")
    assert "Returned to be mended." in said
    assert "请更新第二页" in advisor.read(path)
    bad = advisor.post(f"{path}/mend", one_file("x.pdf", b"no"), **{**FORM, "title": "手册 2"})
    assert bad.status_code == 400
    assert 'value="手册 2"' in bad.text
    advisor.after(f"{path}/mend", one_file("手册2.pdf", pdf("two")), **{**FORM, "title": "手册 2"})
    stale = manager.post(path, act="approve", digest=digest)
    assert stale.status_code == 409
    assert "put up anew since you read it" in words(stale.text)
    digest = re.findall(r'name="digest" value="([0-9a-f]{64})"', manager.get(path).text)[0]
    said = manager.after(path, act="approve", digest=digest, last_day="2099-12-31")
    assert "Approved: it can be attached now." in said
    assert "31 December 2099" in said
    second = manager.post(path, act="reject", digest=digest, note="x")
    assert second.status_code == 409
    assert "was approved by 马经理B01 at" in words(second.text)
    with open_work(people.b01.advisor) as work:
        assert [one.title for one in list_material(work, ("approved",))] == ["手册 2"]


@pytest.mark.parametrize(
    ("fields", "files", "said"),
    [
        ({"title": ""}, one_file("a.pdf", pdf()), "The title is empty"),
        ({}, [], "No file is chosen."),
        ({}, one_file("a.pdf", b"x"), "Only PDF, PNG and JPEG"),
        ({}, one_file("a.pdf", b"%PDF-" + b"0" * LARGEST), "larger than 10 MB"),
        ({"category": "gossip"}, one_file("a.pdf", pdf()), "kind of service is missing"),
        ({"language": ""}, one_file("a.pdf", pdf()), "language is missing"),
        ({"risk_level": "R9"}, one_file("a.pdf", pdf()), "no such risk level"),
        ({"category": "product"}, one_file("a.pdf", pdf()), "has a risk level"),
    ],
)
def test_what_is_wrong_with_material_is_said_beside_what_was_typed(
    advisor: Reader, fields: dict[str, str], files: list[tuple[str, tuple[str, bytes, str]]], said: str
) -> None:
    answer = advisor.post("/material/new", files or None, **{**FORM, **fields})
    assert answer.status_code == 400
    assert said in words(answer.text)
    assert f'value="{FORM["title"] if "title" not in fields else ""}"' in answer.text


@pytest.mark.parametrize(
    "fields",
    [{"act": "approve", "digest": "zz"}, {"act": "approve", "last_day": "tomorrow"}, {"act": ""}],
)
def test_a_decision_that_can_not_be_read_decides_nothing(
    open_work: Opener, people: Firm, manager: Reader, fields: dict[str, str]
) -> None:
    with open_work(people.b01.advisor) as work:
        made = put_up(work, Particulars("手册", "relationship", "zh-CN"), "a.pdf", pdf())
    answer = manager.post(f"/material/{made.id}", **{"digest": made.digest.hex(), **fields})
    assert answer.status_code == 400
    with open_work(people.b01.manager) as work:
        assert list_material(work)[0].state == "held"


def test_a_refusal_is_told_in_chinese(open_work: Opener, people: Firm, sign_in: SignIn) -> None:
    with open_work(people.b01.manager) as work:
        made = put_up(work, Particulars("手册", "relationship", "zh-CN"), "a.pdf", pdf())
    answer = sign_in(people.b01.manager, "zh-CN").post(
        f"/material/{made.id}", act="approve", digest=made.digest.hex()
    )
    assert answer.status_code == 422
    assert "提交材料的人不能审批该材料。请由另一人审阅。" in words(answer.text).replace(" ", "")
