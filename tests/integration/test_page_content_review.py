"""What the second person sees on the page before they publish: each change, what keeps the old, what would be hit."""

import re
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from outreach.app import wire
from outreach.composing.requests import RequestDraft, queue_request
from outreach.content.deciding import submit
from outreach.content.drafts import Draft
from outreach.content.editing import save, start
from outreach.ledger.work import Opener
from outreach.messages.tables import message
from outreach.review.decide import approve
from tests.support.builders import Firm, firm, make_client, publish_starter
from tests.support.pages import Reader, SignIn, words

SMS = "sms.zh-CN.j2"
GUARANTEE = "approvals/lexicons/guarantee.toml"


@pytest.fixture
def people(open_work: Opener) -> Firm:
    wire()
    found = firm(open_work)
    publish_starter(open_work, found)
    return found


def put_up(open_work: Opener, people: Firm, kind: str, name: str, file: str, old: str, new: str) -> Draft:
    """A draft of compliance that waits for a second person."""
    with open_work(people.compliance) as work:
        draft = start(work, kind, name)
        assert old in draft.files[file]
        saved = save(
            work, draft.id, draft.revision, {**draft.files, file: draft.files[file].replace(old, new, 1)}
        )
        return submit(work, saved.id, saved.revision, "为何")


def queue(open_work: Opener, people: Firm, **what: str) -> UUID:
    with open_work() as work:
        client = make_client(work, people.b01)
    with open_work(people.b01.advisor) as work:
        [found] = queue_request(work, RequestDraft((client,), **what)).message_ids
    return found


def when_looked_through(reader: Reader, draft: Draft) -> str:
    """The page once its look through the messages has ended."""
    for _ in range(200):
        page = reader.read(f"/content/{draft.id}/review")
        if "Looking through" not in page:
            return page
    raise AssertionError("it never ended")


def test_a_template_shows_its_words_and_how_many_messages_keep_the_old(
    open_work: Opener, people: Firm, sign_in: SignIn
) -> None:
    draft = put_up(open_work, people, "template", "mid-autumn", SMS, "中秋快乐", "中秋佳节快乐")
    second = sign_in(people.head_office)
    page = second.get(f"/content/{draft.id}/review").text
    assert "No waiting message keeps the version in force." in words(page)
    assert "Mid-Autumn greeting" in words(page)
    assert re.search(r"<ins>\+[^<]*中秋<b>佳节</b>快乐", page)
    queue(open_work, people, template="mid-autumn")
    said = second.read(f"/content/{draft.id}/review")
    assert "Messages that wait keep the version in force: Waits for a decision 1" in said
    second.after(f"/content/{draft.id}/publish", revision=str(draft.revision))
    with open_work() as work:
        kept = text("SELECT v.version FROM message m JOIN content_version v ON v.id = m.template_version_id")
        assert work.conn.execute(kept).scalar_one() == 1


def test_a_policy_shows_how_many_messages_are_decided_under_the_old(
    open_work: Opener, people: Firm, sign_in: SignIn
) -> None:
    queue(open_work, people, text="{称呼}，您好！请您有空回电。")
    policy = "approvals/policies/advisor-each.toml"
    draft = put_up(
        open_work, people, "policy", "advisor-each", policy, 'mode = "each"', 'mode = "each" # read'
    )
    said = sign_in(people.head_office).read(f"/content/{draft.id}/review")
    assert "Messages that wait keep the version in force: Waits for a decision 1" in said


def test_a_block_phrase_shows_what_it_hits_and_publishing_sends_it_back(
    open_work: Opener, people: Firm, sign_in: SignIn
) -> None:
    """Two wait, one of them approved; one was sent 80 days ago, one 100."""
    waits, approved, sent, long_ago = (
        queue(open_work, people, text="{称呼}，您好！资料已备妥。") for _ in range(4)
    )
    with open_work(people.b01.manager) as work:
        row = work.conn.execute(select(message).where(message.c.id == approved)).one()
        approve(work, [row.id], {row.id: (row.revision, bytes(row.digest))})
    with open_work() as work:
        gone = text(
            "UPDATE message SET state = 'delivered', state_at = now() - CAST(:ago AS interval) WHERE id = :id"
        )
        work.conn.execute(gone, {"id": sent, "ago": timedelta(days=80)})
        work.conn.execute(gone, {"id": long_ago, "ago": timedelta(days=100)})
    draft = put_up(
        open_work, people, "lexicon", "guarantee", GUARANTEE, "phrases = [", 'phrases = ["资料已备妥",'
    )
    second = sign_in(people.head_office)
    said = when_looked_through(second, draft)
    assert "Messages looked at 3" in said
    assert "Sent in 90 days, would be hit 1" in said
    assert "Waiting, hit 2" in said
    assert "Approved, go back to the inbox 1" in said
    assert "“资料已备妥” · guarantee · art. 53(2) · 1 sent, 2 waiting" in said
    manager = sign_in(people.b01.manager)
    assert "must not go out" not in manager.read("/inbox")
    second.after(f"/content/{draft.id}/publish", revision=str(draft.revision))
    with open_work() as work:
        rows = work.conn.execute(select(message.c.id, message.c.state, message.c.blocked)).all()
    assert {(row.state, row.blocked) for row in rows if row.id in (waits, approved)} == {("held", True)}
    assert "1 must not go out" in manager.read("/inbox")


def test_what_a_forbidden_phrase_breaks_is_said_in_the_readers_language(
    open_work: Opener, people: Firm, sign_in: SignIn
) -> None:
    with open_work(people.compliance) as work:
        draft = start(work, "lexicon", "guarantee")
    changed = draft.files[GUARANTEE].replace("phrases = [", 'phrases = ["中秋快乐",', 1)
    fields = {f"file.{GUARANTEE}": changed, "revision": str(draft.revision), "act": "submit"}
    for language, told, mend in (
        ("zh-CN", "禁用语“中秋快乐”（art. 53(2)）。（另有", "不得承诺收益或保证本金"),
        ("en", "“中秋快乐” is forbidden (art. 53(2)). (", "Never promise a return or the principal"),
    ):
        reader = sign_in(people.compliance, language)
        answer = reader.post(f"/content/{draft.id}", **fields)
        fields["revision"] = str(draft.revision + 1)  # what was typed is kept
        assert answer.status_code == 400
        alert = answer.text.split('role="alert"')[1].split("</div>")[0]
        assert told in words(alert)
        assert mend in words(alert)
        other = {"zh-CN": "Never promise", "en": "不得承诺"}[language]
        assert other not in words(answer.text.split("<textarea")[0])


def test_the_list_is_searched_and_begins_what_there_is_one_of(people: Firm, sign_in: SignIn) -> None:
    reader = sign_in(people.compliance)
    said = reader.read("/content?search=autumn")
    assert "Mid-Autumn greeting" in said
    assert "Spring Festival greeting" not in said
    assert "中秋祝福" in sign_in(people.compliance, "zh-CN").read("/content?search=中秋")
    assert "Nothing here is called so." in reader.read("/content?search=nowhere")
    assert "Begin: Closures of the exchanges" in reader.read("/content")
    place = reader.post("/content/start", kind="closures", name="closures").headers["location"]
    assert "jobs/closures.toml" in reader.read(place)
    assert "Begin:" not in sign_in(people.operator).read("/content")
