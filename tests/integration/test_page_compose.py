"""The composer's page: choosing, pasting, trying, keeping, looking, putting up; every act without JavaScript."""

import re
from uuid import UUID

import pytest
from sqlalchemy import text

from outreach.ledger.work import Opener
from outreach.messages.suppress import suppress_waiting
from outreach.people.consent import opt_out
from tests.support.builders import Firm, firm, make_client, publish_starter
from tests.support.pages import Reader, SignIn, words

SAID = "{称呼}，您好！季度服务报告已为您准备好，方便时请回电。"


@pytest.fixture
def people(open_work: Opener) -> Firm:
    found = firm(open_work)
    publish_starter(open_work, found)
    return found


@pytest.fixture
def client(open_work: Opener, people: Firm) -> UUID:
    with open_work() as work:
        make_client(work, people.b01, client_no="K2", name="李娜", tier="vip", deceased=True)
        return make_client(work, people.b01, client_no="K1", name="王伟", gender="male")


@pytest.fixture
def reader(people: Firm, sign_in: SignIn) -> Reader:
    return sign_in(people.b01.advisor)


def _chosen(html: str) -> set[str]:
    return set(re.findall(r'name="client" value="([^"]+)" checked', html))


def test_all_who_fit_are_added_and_taken_out(reader: Reader, client: UUID) -> None:
    added = reader.post("/compose", act="all", tier="ordinary")
    assert _chosen(added.text) == {str(client)}
    assert "Nobody is chosen yet." in words(reader.post("/compose", act="nobody", client=str(client)).text)


def test_who_let_their_account_lie_are_found(open_work: Opener, people: Firm, reader: Reader) -> None:
    with open_work() as work:
        lies = make_client(work, people.b01, client_no="K3", name="赵敏", status="dormant")
    assert _chosen(reader.post("/compose", act="all", status="dormant").text) == {str(lies)}
    assert _chosen(reader.post("/compose", act="all", status=["closed", "frozen"]).text) == set()


@pytest.mark.parametrize(
    ("locale", "label"), [("zh-CN", "追加担保物的截止时间"), ("en", "Deadline for adding")]
)
def test_what_a_template_asks_for_is_said_in_words(
    people: Firm, sign_in: SignIn, locale: str, label: str
) -> None:
    said = sign_in(people.b01.advisor, locale).get("/compose?template=margin-call").text
    assert label in said
    assert 'name="value.text.deadline"' in said


@pytest.mark.parametrize(("locale", "first"), [("zh-CN", "渠道服务"), ("en", "Service notice")])
def test_templates_are_offered_by_category_and_in_the_order_of_the_year(
    people: Firm, sign_in: SignIn, locale: str, first: str
) -> None:
    page = sign_in(people.b01.advisor, locale).get("/compose?template=mid-autumn").text
    labels = re.findall(r'<optgroup label="([^"]+)">', page)
    assert labels[0] == first
    assert len(labels) == len(set(labels)) > 1
    (greetings,) = [one for one in page.split("</optgroup>") if 'value="new-year"' in one]
    names = re.findall(r'<option value="([^"]+)"', greetings[greetings.rindex("<optgroup") :])
    festivals = (
        "new-year spring-festival-eve spring-festival lantern dragon-boat mid-autumn national-day".split()
    )
    assert names[: len(festivals)] == festivals
    assert names.index("christmas") < names.index("birthday") < names.index("seminar")
    assert '<option value="mid-autumn" selected>' in page


def test_a_pasted_list_says_which_lines_fit_nobody(reader: Reader, client: UUID) -> None:
    answer = reader.post("/compose", act="paste", pasted="K1 王伟\n张三\nK9")
    assert _chosen(answer.text) == {str(client)}
    said = words(answer.text)
    assert "2 lines name nobody" in said
    # What is left to mend, numbered as it stands in the field now.
    assert "Line 1 张三" in said
    assert "Line 2 K9" in said
    assert ">张三\nK9</textarea>" in answer.text


def test_the_preview_groups_who_gets_nothing_and_opens_one(
    open_work: Opener, reader: Reader, client: UUID
) -> None:
    with open_work() as work:
        dead = str(work.conn.execute(text("SELECT id FROM client WHERE client_no = 'K2'")).scalar_one())
    everybody = {"client": [str(client), dead], "text": SAID}
    answer = reader.client.post("/compose", data={"csrf": reader.csrf, "act": "preview", **everybody})
    said = words(answer.text)
    assert "1 ready" in said
    assert "1 get nothing" in said
    assert "died" in said
    assert "【示例证券】王先生 ，您好" in said  # the slot stands apart
    other = reader.client.post("/compose", data={"csrf": reader.csrf, "look": dead, **everybody})
    assert "gets nothing" in words(other.text)


def test_a_draft_is_kept_opened_put_up_and_gone(reader: Reader, client: UUID) -> None:
    kept = reader.post("/compose", act="keep", client=str(client), text=SAID, title="季报")
    assert kept.status_code == 303
    path = kept.headers["location"]
    opened = reader.get(path).text
    assert SAID in opened
    assert _chosen(opened) == {str(client)}
    assert "季报" in reader.read("/mine")
    draft = path.rpartition("=")[2]
    said = reader.after("/compose", act="queue", client=str(client), text=SAID, draft=draft)
    assert "1 messages wait for approval." in said
    assert "季报" not in said
    assert reader.get(path).status_code == 404


def test_a_draft_is_kept_by_itself_and_put_away(reader: Reader, client: UUID) -> None:
    first = reader.post("/compose/keep", text="头稿", client=str(client))
    draft = re.search(r'name="draft" value="([^"]+)"', first.text)
    assert draft is not None
    again = reader.post("/compose/keep", text="二稿", client=str(client), draft=draft[1])
    assert draft[1] in again.text
    assert "二稿" in reader.get(f"/compose?draft={draft[1]}").text
    assert "put away" in reader.after(f"/drafts/{draft[1]}/discard")
    assert reader.post("/compose/keep").text.strip() == ""  # nothing written, nothing kept


def test_why_a_message_was_stopped_is_said_in_the_readers_language(
    open_work: Opener, people: Firm, sign_in: SignIn, client: UUID
) -> None:
    for language, told in (("en", "The client has opted out"), ("zh-CN", "客户已退订")):
        reader = sign_in(people.b01.advisor, language)
        if language == "en":
            reader.after("/compose", act="queue", client=str(client), text=SAID)
            with open_work() as work:
                opt_out(work, [client], source="page")
                suppress_waiting(work, [client])
        said = reader.read("/mine")
        assert told in said
        [one] = set(re.findall(r'href="(/mine/[0-9a-f-]+)"', reader.get("/mine").text))
        assert told in reader.read(one)


def test_findings_come_as_one_types(reader: Reader, client: UUID) -> None:
    answer = reader.post("/compose/words", text="{称呼}，您好！稳赚不赔。", client=str(client))
    assert '<mark class="block"' in answer.text
    assert "art. 53(2)" in answer.text
    assert '<span class="slot">' in answer.text
    assert words(answer.text).count("Must not go out") == 1
    assert words(reader.post("/compose/words", text="").text) == ""


def test_a_templates_gaps_are_asked_for(reader: Reader) -> None:
    said = reader.post("/compose", act="find", template="mid-autumn")
    assert 'name="text"' not in said.text
    assert "The words are the template" in words(said.text)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"act": "preview", "text": SAID}, "No client is chosen."),
        ({"act": "queue", "client": "not-an-id", "text": SAID}, "can't be read"),
        ({"act": "find", "risk_at_least": "9"}, "C9 is no risk class."),
        ({"act": "paste", "pasted": "x\n" * 1001}, "The list has 1001 lines"),
        ({"act": "preview", "template": "nothing", "client": "K1"}, "can't be read"),
    ],
)
def test_what_is_wrong_is_said(reader: Reader, client: UUID, fields: dict[str, str], said: str) -> None:
    answer = reader.post("/compose", **fields)
    assert answer.status_code == 400
    assert said in words(answer.text)


def test_a_form_of_another_session_is_refused(reader: Reader) -> None:
    for path in ("/compose", "/compose/words", "/compose/keep"):
        assert reader.client.post(path, data={"csrf": "x", "text": SAID}).status_code == 403
