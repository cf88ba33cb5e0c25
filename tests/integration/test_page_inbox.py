"""The inbox's pages over HTTP: groups, filters, conflicts in words, bulk with its count, notes, claims, bad input."""

import re
from dataclasses import dataclass
from uuid import UUID

import pytest
from sqlalchemy import select

from outreach.composing.pending import withdraw
from outreach.composing.requests import RequestDraft, queue_request
from outreach.ledger.work import Opener
from outreach.messages.tables import message
from outreach.review.decide import approve
from outreach.review.detail import message_detail
from outreach.review.lines import beside, next_waiting
from outreach.review.tables import message_seen
from tests.support.builders import Firm, firm, make_client, publish_starter
from tests.support.pages import Reader, SignIn

SAID = "{称呼}，您好！您预约的业务已经办妥，请您方便时来营业部领取资料。"


@dataclass
class Box:
    """A branch's inbox with one advisor's request in it."""

    open_work: Opener
    people: Firm
    submission: UUID
    messages: list[UUID]

    @property
    def path(self) -> str:
        return f"/inbox/submission/{self.submission}"

    def states(self) -> list[str]:
        with self.open_work() as work:
            rows = work.conn.execute(select(message.c.id, message.c.state)).all()
        found = {row.id: row.state for row in rows}
        return [found[one] for one in self.messages]

    def form(self, reader: Reader, number: int = 0) -> dict[str, str]:
        """The decision's fields as the page of that message has them."""
        page = reader.get(f"{self.path}?message={self.messages[number]}").text
        form = page[page.index('class="decide"') :]
        names = ("message", "revision", "digest", "following", "within")
        return {name: re.search(rf'name="{name}" value="([^"]*)"', form)[1] for name in names}  # type: ignore[index]

    def box(self, reader: Reader, number: int) -> str:
        """What the tick of a message says."""
        page = reader.get(self.path).text
        return re.search(rf'name="ticked" value="({self.messages[number]}:[^"]+)"', page)[1]  # type: ignore[index]


@pytest.fixture
def box(open_work: Opener) -> Box:
    people = firm(open_work)
    publish_starter(open_work, people)
    with open_work() as work:
        clients = tuple(make_client(work, people.b01) for _ in range(4))
    with open_work(people.b01.advisor) as work:
        queued = queue_request(work, RequestDraft(clients, text=SAID))
    [submission] = queued.submission_ids
    return Box(open_work, people, submission, sorted(queued.message_ids))


def test_the_list_groups_by_when_it_is_due_and_narrows(box: Box, sign_in: SignIn) -> None:
    reader = sign_in(box.people.b01.manager)
    said = reader.read("/inbox")
    assert "4 waiting" in said
    assert any(group in said for group in ("Today", "Later", "Within the hour"))
    assert "4 waiting" in reader.read("/inbox?mode=each&channel=sms&due=later&category=relationship") or (
        "4 waiting" in reader.read("/inbox?mode=each&channel=sms&category=relationship")
    )
    assert "Nothing fits" in reader.read("/inbox?mode=batch")
    assert "Nothing fits" in reader.read("/inbox?flagged=true")
    assert "Nothing fits" in reader.read(f"/inbox?author={box.people.b01.manager.staff_id}")
    assert "4 waiting" in reader.read(f"/inbox?author={box.people.b01.advisor.staff_id}")


@pytest.mark.parametrize(
    "query", ["mode=all", "due=yesterday", "tier=best", "author=me", "branch=1", "after=nowhere"]
)
def test_a_filter_that_is_none_is_refused_in_words(box: Box, sign_in: SignIn, query: str) -> None:
    answer = sign_in(box.people.b01.manager).get(f"/inbox?{query}")
    assert answer.status_code == 400
    assert "first page" in answer.text or "Choose from the form" in answer.text


def test_one_goes_on_with_the_next_message_and_within_the_filters(box: Box, sign_in: SignIn) -> None:
    reader = sign_in(box.people.b01.manager)
    fields = box.form(reader) | {"verb": "approve", "within": "mode=each"}
    answer = reader.post("/inbox/decide", **fields)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(
        f"{box.path}?message={box.messages[1]}&within=mode%3Deach&undo="
    )
    assert box.states() == ["approved", "held", "held", "held"]


def test_a_message_decided_elsewhere_is_a_conflict_that_says_who_what_and_when(
    box: Box, sign_in: SignIn
) -> None:
    reader = sign_in(box.people.b01.manager)
    fields = box.form(reader)
    with box.open_work(box.people.b01.deputy) as work:
        row = work.conn.execute(select(message).where(message.c.id == box.messages[0])).one()
        approve(work, [row.id], {row.id: (row.revision, bytes(row.digest))})
    answer = reader.post("/inbox/decide", **fields, verb="reject", reasons="tone")
    assert answer.status_code == 409
    assert box.people.b01.deputy.name in answer.text
    assert "approved it on" in answer.text
    assert box.states() == ["approved", "held", "held", "held"]


def test_a_message_withdrawn_by_its_advisor_is_a_conflict(box: Box, sign_in: SignIn) -> None:
    reader = sign_in(box.people.b01.manager)
    fields = box.form(reader)
    with box.open_work(box.people.b01.advisor) as work:
        withdraw(work, box.messages[0])
    answer = reader.post("/inbox/decide", **fields, verb="approve")
    assert answer.status_code == 409
    assert "took it back" in answer.text
    assert box.states() == ["cancelled", "held", "held", "held"]


def test_ticked_messages_are_approved_only_when_each_was_opened(box: Box, sign_in: SignIn) -> None:
    reader = sign_in(box.people.b01.manager)
    boxes = [box.box(reader, number) for number in (0, 2)]
    form = {"submission": str(box.submission), "act": "approve-ticked", "confirmed": "2"}
    answer = reader.client.post("/inbox/bulk", data={"csrf": reader.csrf, "ticked": boxes, **form})
    assert answer.status_code == 422
    assert "were not read" in answer.text
    assert box.states() == ["held"] * 4
    reader.get(f"{box.path}?message={box.messages[2]}")
    wrong = reader.client.post(
        "/inbox/bulk", data={"csrf": reader.csrf, "ticked": boxes, **form, "confirmed": "3"}
    )
    assert wrong.status_code == 400
    answer = reader.client.post(
        "/inbox/bulk", data={"csrf": reader.csrf, "ticked": boxes, **form}, follow_redirects=False
    )
    assert answer.status_code == 303
    assert box.states() == ["approved", "held", "approved", "held"]


def test_what_was_opened_and_has_no_findings_is_approved_at_once_by_its_number(
    box: Box, sign_in: SignIn
) -> None:
    reader = sign_in(box.people.b01.manager)
    for number in (1, 3):
        reader.get(f"{box.path}?message={box.messages[number]}")
    page = reader.get(f"{box.path}?message={box.messages[3]}").text
    form = page[page.index('class="finding same opened"') :]
    manifest = re.search(r'name="manifest" value="([0-9a-f]{64})"', form)
    count = re.search(r'name="confirmed" value="(\d+)"', form)
    assert manifest is not None
    assert count is not None
    path = f"{box.path}/opened"
    assert reader.post(path, manifest=manifest[1]).status_code == 400
    assert reader.post(path, manifest=manifest[1], confirmed="1").status_code == 400
    assert reader.post(path, manifest="00" * 32, confirmed=count[1]).status_code == 409
    assert box.states() == ["held"] * 4
    assert reader.post(path, manifest=manifest[1], confirmed=count[1]).status_code == 303
    assert box.states().count("approved") == int(count[1])
    assert [box.states()[number] for number in (1, 3)] == ["approved", "approved"]


def test_ticked_messages_are_returned_with_one_reason(box: Box, sign_in: SignIn) -> None:
    reader = sign_in(box.people.b01.manager)
    data = {
        "csrf": reader.csrf,
        "submission": str(box.submission),
        "act": "return-ticked",
        "confirmed": "2",
        "ticked": [box.box(reader, 0), box.box(reader, 1)],
        "note": "请写明领取时间",
    }
    assert reader.client.post("/inbox/bulk", data=data, follow_redirects=False).status_code == 303
    assert box.states() == ["returned", "returned", "held", "held"]


@pytest.mark.parametrize("ticked", ["", "x", "a:b:c", "01a21068-ffa2-7d41-aace-db43e56ee76d:1:zz"])
def test_a_tick_that_says_nothing_is_refused(box: Box, sign_in: SignIn, ticked: str) -> None:
    reader = sign_in(box.people.b01.manager)
    answer = reader.post(
        "/inbox/bulk", submission=str(box.submission), act="approve-ticked", ticked=ticked, confirmed="1"
    )
    assert answer.status_code == 400


def test_a_question_holds_the_message_until_compliance_answers(box: Box, sign_in: SignIn) -> None:
    reader = sign_in(box.people.b01.manager)
    said = reader.after(
        f"{box.path}/remarks", kind="question", text="“办妥”是否合适？", message=str(box.messages[0])
    )
    assert "“办妥”是否合适？" in said
    assert "waits for an answer" in said
    assert "You can't approve this" in said
    compliance = sign_in(box.people.compliance)
    listed = compliance.get("/inbox/questions").text
    assert "“办妥”是否合适？" in listed
    remark = re.search(r"/inbox/remarks/([0-9a-f-]{36})/answer", listed)
    assert remark is not None
    assert (
        compliance.post(f"/inbox/remarks/{remark[1]}/answer", text="可以", objects="maybe").status_code == 400
    )
    assert "Nobody has asked" in compliance.after(
        f"/inbox/remarks/{remark[1]}/answer", text="可以", objects="no"
    )
    said = reader.read(f"{box.path}?message={box.messages[0]}")
    assert "no objection" in said
    assert "You can't approve this" not in said


def test_only_compliance_sees_the_list_of_questions(box: Box, sign_in: SignIn) -> None:
    assert sign_in(box.people.b01.manager).get("/inbox/questions").status_code == 403
    assert sign_in(box.people.operator).get("/inbox/questions").status_code == 403


def test_a_claim_is_seen_and_taken_over(box: Box, sign_in: SignIn) -> None:
    manager, deputy = sign_in(box.people.b01.manager), sign_in(box.people.b01.deputy)
    assert "yours until" in manager.after(f"{box.path}/claim", act="claim")
    assert f"{box.people.b01.manager.name} has it until" in deputy.read(box.path)
    refused = deputy.post("/inbox/decide", **box.form(deputy), verb="approve")
    assert refused.status_code == 409
    assert box.people.b01.manager.name in refused.text
    assert deputy.post(f"{box.path}/claim", act="claim").status_code == 409
    assert "yours until" in deputy.after(f"{box.path}/claim", act="take")
    assert "Claim: I am on it" in deputy.after(f"{box.path}/claim", act="release")
    assert deputy.post(f"{box.path}/claim", act="steal").status_code == 400


def test_who_else_is_reading_is_shown(box: Box, sign_in: SignIn) -> None:
    manager, deputy = sign_in(box.people.b01.manager), sign_in(box.people.b01.deputy)
    deputy.get(box.path)
    assert box.people.b01.deputy.name in manager.read(box.path)
    assert box.people.b01.deputy.name in manager.read(f"{box.path}/presence")
    assert manager.get(f"{box.path}/presence?message=x").status_code == 400


def test_opening_a_message_notes_that_it_was_seen(box: Box, sign_in: SignIn) -> None:
    reader = sign_in(box.people.b01.manager)
    reader.get(f"{box.path}?message={box.messages[1]}")
    with box.open_work() as work:
        seen = work.conn.execute(select(message_seen.c.message_id)).scalars().all()
    assert list(seen) == [box.messages[1]]


@pytest.mark.parametrize(
    "path",
    ["/inbox/decide", "/inbox/bulk", "/inbox/identical", "/inbox/undo", "{box}/remarks", "{box}/claim"],
)
def test_a_form_of_another_session_is_refused(box: Box, sign_in: SignIn, path: str) -> None:
    reader = sign_in(box.people.b01.manager)
    fields = box.form(reader) | {
        "verb": "approve",
        "act": "claim",
        "kind": "comment",
        "text": "x",
        "submission": str(box.submission),
        "manifest": "00",
        "decision": str(box.submission),
        "csrf": "nonsense",
    }
    assert reader.client.post(path.format(box=box.path), data=fields).status_code == 403
    assert box.states() == ["held"] * 4


def test_a_foreign_branch_reads_and_decides_nothing(box: Box, sign_in: SignIn) -> None:
    mine, foreign = sign_in(box.people.b01.manager), sign_in(box.people.b02.manager)
    fields = box.form(mine)
    for path in (box.path, f"{box.path}/batch", f"{box.path}/presence", f"/inbox/message/{box.messages[0]}"):
        assert foreign.get(path).status_code == 404, path
    assert foreign.post("/inbox/decide", **fields, verb="approve").status_code == 404
    assert foreign.post(f"{box.path}/claim", act="claim").status_code == 404
    assert foreign.post(f"{box.path}/remarks", kind="comment", text="x").status_code == 404
    assert box.states() == ["held"] * 4


def test_a_message_is_opened_in_its_own_submission_only(box: Box, sign_in: SignIn) -> None:
    with box.open_work() as work:
        client = make_client(work, box.people.b01)
    with box.open_work(box.people.b01.advisor) as work:
        other = queue_request(work, RequestDraft((client,), text=SAID)).message_ids[0]
    reader = sign_in(box.people.b01.manager)
    for message_id in (other, box.submission):
        for headers in ({}, {"hx-request": "true", "hx-target": "div#reader"}):
            answer = reader.get(f"{box.path}?message={message_id}", **headers)
            assert answer.status_code == 404, answer.text
    assert reader.get(f"{box.path}?message={box.messages[0]}").status_code == 200


def test_what_stands_beside_a_message_is_told_to_nobody_of_another_branch(box: Box) -> None:
    with box.open_work(box.people.b01.manager) as work:
        read = message_detail(work, box.messages[1])
        assert beside(work, read.submission, read) == (box.messages[0], box.messages[2])
        assert next_waiting(work, box.submission, box.messages[3]) == box.messages[3]
        assert next_waiting(work, box.submission, box.submission) == box.messages[0]
    with box.open_work(box.people.b02.manager) as work:
        assert beside(work, read.submission, read) == (None, None)
        assert next_waiting(work, box.submission, box.messages[3]) is None
