"""What head office puts up for the whole firm is approved once, and a branch may hold it for its own clients."""

from uuid import UUID

import pytest
from sqlalchemy import select, text, update

from outreach.app import wire
from outreach.composing.compose import compose_occurrence
from outreach.composing.drafts import RequestDraft
from outreach.composing.requests import queue_request
from outreach.content.in_force import policy_in_force
from outreach.core import clock
from outreach.core.access import Actor, Role
from outreach.core.errors import BadInput, Conflict, Forbidden, NotFound, RuleBroken
from outreach.delivery.sweep import expire_waiting
from outreach.messages.tables import message
from outreach.people.staff import NewStaff, actor_for, add_staff
from outreach.review.batch import approve_batch, sample_of
from outreach.review.holding import firm_submissions, hold_for_branch, lift_hold
from outreach.review.tables import submission
from outreach.scheduling.tables import occurrence
from tests.support.builders import FAR, make_client
from tests.support.occurrences import make_occurrence
from tests.support.pages import SignIn
from tests.support.sending import Post, mobile

TEXT = "{称呼}，您好！我司客服热线已升级，如需帮助请随时来电。"


@pytest.fixture
def second(post: Post) -> Actor:
    """Another person of head office."""
    wire()
    with post.open_work() as work:
        staff_id = add_staff(
            work,
            NewStaff(
                staff_no="H02",
                name="贺总部",
                roles=[(Role.HEAD_OFFICE, None)],
                name_en="H02",
                email="h02@example.com",
                securities_licence="SH02",
                securities_expires=FAR,
            ),
        )
        return actor_for(work.conn, staff_id, clock.now().date())


@pytest.fixture
def put_up(post: Post, second: Actor) -> UUID:
    """A company-wide submission: two clients of B01, one of B02."""
    with post.open_work() as work:
        clients = [
            make_client(work, team, mobile=mobile(), email=None)
            for team in (post.people.b01, post.people.b01, post.people.b02)
        ]
    with post.open_work(post.people.head_office) as work:
        queued = queue_request(work, RequestDraft(tuple(clients), text=TEXT, category="channel"))
    assert (len(queued.message_ids), queued.left_out) == (3, 0)
    [submission_id] = queued.submission_ids
    return submission_id


def approve(post: Post, actor: Actor, submission_id: UUID) -> int:
    with post.open_work(actor) as work:
        sample = sample_of(work, submission_id)
        return approve_batch(work, submission_id, sample.manifest_digest, frozenset(sample.message_ids)).count


def send(post: Post) -> None:
    with post.open_work() as work:  # the undo window is over
        work.conn.execute(
            text("UPDATE message SET due_at = now() WHERE state = 'approved' AND due_at IS NOT NULL")
        )
    post.send(urgent=False)


def states(post: Post, branch_id: UUID) -> list[tuple[str, str | None]]:
    with post.open_work() as work:
        rows = work.conn.execute(
            select(message.c.state, message.c.reason).where(message.c.branch_id == branch_id)
        )
        return [(row.state, row.reason) for row in rows]


def hold(post: Post, submission_id: UUID, reason: str = "本周有客户活动，改由客户经理先致电") -> int:
    with post.open_work(post.people.b01.manager) as work:
        return hold_for_branch(work, submission_id, post.people.b01.id, reason)


def test_it_is_one_submission_of_the_firm_approved_once_by_another_of_head_office(
    post: Post, second: Actor, put_up: UUID
) -> None:
    with post.open_work() as work:
        row = work.conn.execute(select(submission).where(submission.c.id == put_up)).one()
    assert (row.branch_id, row.mode) == (None, "batch")
    with pytest.raises(RuleBroken, match="另"):
        approve(post, post.people.head_office, put_up)
    with pytest.raises(Forbidden):
        approve(post, post.people.b01.manager, put_up)
    assert approve(post, second, put_up) == 3
    send(post)
    assert {state for state, _ in states(post, post.people.b01.id)} == {"sent"}
    assert {state for state, _ in states(post, post.people.b02.id)} == {"sent"}


def test_a_hold_before_the_approval_keeps_the_branchs_clients_waiting_and_nobody_else(
    post: Post, second: Actor, put_up: UUID
) -> None:
    assert hold(post, put_up) == 0
    assert approve(post, second, put_up) == 3
    send(post)
    assert states(post, post.people.b01.id) == [("approved", "branch_hold")] * 2
    assert states(post, post.people.b02.id) == [("sent", None)]
    with post.open_work(post.people.b01.deputy) as work:
        assert lift_hold(work, put_up, post.people.b01.id) == 2
    send(post)
    assert states(post, post.people.b01.id) == [("sent", None)] * 2


def test_a_hold_after_the_approval_stops_what_has_not_left(post: Post, second: Actor, put_up: UUID) -> None:
    approve(post, second, put_up)
    assert hold(post, put_up) == 2
    send(post)
    assert states(post, post.people.b01.id) == [("approved", "branch_hold")] * 2


def test_whatever_makes_a_held_message_due_the_last_look_keeps_it(
    post: Post, second: Actor, put_up: UUID
) -> None:
    approve(post, second, put_up)
    hold(post, put_up)
    with post.open_work() as work:  # as a lease that ran out does
        work.conn.execute(text("UPDATE message SET due_at = now(), reason = NULL"))
    post.send(urgent=False)
    assert states(post, post.people.b01.id) == [("approved", "branch_hold")] * 2
    assert states(post, post.people.b02.id) == [("sent", None)]


def test_what_is_held_past_its_time_expires_visibly(post: Post, second: Actor, put_up: UUID) -> None:
    approve(post, second, put_up)
    hold(post, put_up)
    with post.open_work() as work:
        work.conn.execute(text("UPDATE message SET expires_at = now() - interval '1 minute'"))
        expire_waiting(work)
    assert states(post, post.people.b01.id) == [("expired", "expired")] * 2


def test_only_the_branchs_own_deciders_hold_and_with_a_reason(post: Post, put_up: UUID) -> None:
    people = post.people
    for actor in (people.b02.manager, people.b01.advisor, people.operator):
        with post.open_work(actor) as work, pytest.raises(Forbidden):
            hold_for_branch(work, put_up, people.b01.id, "wait")
    for reason in ("", "  ", "长" * 501):
        with pytest.raises(BadInput):
            hold(post, put_up, reason)
    with post.open_work(people.b01.manager) as work, pytest.raises(NotFound):
        lift_hold(work, put_up, people.b01.id)
    hold(post, put_up)
    with pytest.raises(Conflict) as told:
        hold(post, put_up)
    assert told.value.details["who"] == people.b01.manager.name


def test_a_branchs_own_submission_is_returned_not_held(post: Post) -> None:
    wire()
    with post.open_work() as work:
        client = make_client(work, post.people.b01)
    with post.open_work(post.people.b01.advisor) as work:
        [own] = queue_request(work, RequestDraft((client,), text=TEXT)).submission_ids
    with pytest.raises(RuleBroken):
        hold(post, own)


def test_each_act_is_in_the_record_without_the_reason_in_clear(
    post: Post, second: Actor, put_up: UUID
) -> None:
    hold(post, put_up, "王小明投诉处理中")
    with post.open_work(post.people.b01.manager) as work:
        lift_hold(work, put_up, post.people.b01.id)
    with post.open_work() as work:
        said = work.conn.execute(
            text(
                "SELECT convert_from(envelope, 'UTF8')::jsonb AS fields, sealed_id FROM ledger_entry"
                " WHERE kind = 'branch_hold' ORDER BY at, id"
            )
        ).all()
    assert [row.fields["action"] for row in said] == ["hold", "lift"]
    assert said[0].sealed_id is not None
    assert "王小明" not in str(said)


def test_the_branch_is_told_when_head_office_approves(post: Post, second: Actor, put_up: UUID) -> None:
    approve(post, second, put_up)
    with post.open_work() as work:
        told = set(
            work.conn.execute(text("SELECT staff_id FROM notice WHERE kind = 'firm_approved'")).scalars()
        )
    people = post.people
    assert told == {
        one.staff_id for one in (people.b01.manager, people.b01.deputy, people.b02.manager, people.b02.deputy)
    }


def test_each_branch_sees_its_own_share_and_head_office_all(post: Post, second: Actor, put_up: UUID) -> None:
    with post.open_work(post.people.b01.manager) as work:
        [line] = firm_submissions(work)
    assert (line.branch_id, line.waiting, line.approved, line.hold) == (post.people.b01.id, 2, 0, None)
    hold(post, put_up)
    with post.open_work(second) as work:
        lines = firm_submissions(work)
    assert [(line.branch_id, line.hold is not None) for line in lines] == [
        (post.people.b01.id, True),
        (post.people.b02.id, False),
    ]
    approve(post, second, put_up)
    send(post)
    with post.open_work(post.people.b02.manager) as work:
        assert firm_submissions(work) == []


def test_head_office_puts_it_up_on_the_page(post: Post, second: Actor, sign_in: SignIn) -> None:
    with post.open_work() as work:
        here, there = (
            make_client(work, team, mobile=mobile(), email=None)
            for team in (post.people.b01, post.people.b02)
        )
    writer = sign_in(post.people.head_office)
    assert 'href="/compose"' in writer.get("/").text
    fields = {"client": [str(here), str(there)], "text": TEXT, "category": "channel", "act": "queue"}
    answer = writer.client.post("/compose", data={"csrf": writer.csrf, **fields})
    assert answer.status_code == 303
    assert "2 messages wait for approval." in writer.read(answer.headers["location"])
    with post.open_work() as work:
        [found] = work.conn.execute(text("SELECT id, branch_id, mode FROM submission")).all()
    assert (found.branch_id, found.mode) == (None, "batch")
    assert 'href="/compose"' not in sign_in(post.people.b01.manager).get("/").text
    assert approve(post, second, found.id) == 2


def test_the_page_holds_and_lets_go(post: Post, second: Actor, put_up: UUID, sign_in: SignIn) -> None:
    approve(post, second, put_up)
    reader = sign_in(post.people.b01.manager)
    assert "Head office sends 1 to your clients" in reader.read("/inbox")
    where = f"/firm/{put_up}/{post.people.b01.id}"
    assert reader.post(where, act="hold").status_code == 400
    assert reader.post(where, act="hold", reason="客户活动").status_code == 303
    said = reader.read("/firm")
    assert "客户活动" in said
    assert "Let it go out" in said
    assert reader.post(where, act="hold", reason="客户活动").status_code == 409
    assert reader.post(where, act="lift").status_code == 303
    assert "Hold for our clients" in reader.read("/firm")
    assert reader.post(where, act="burn").status_code == 400
    other = f"/firm/{put_up}/{post.people.b02.id}"
    assert reader.post(other, act="hold", reason="x").status_code == 403


def test_a_job_under_a_policy_of_the_firm_is_one_submission_too(post: Post, second: Actor) -> None:
    with post.open_work() as work:
        for team in (post.people.b01, post.people.b02, post.people.b02):
            make_client(work, team, mobile=mobile(), email=None)
        occurrence_id = make_occurrence(work, "new-year", send_at=clock.now())
        work.conn.execute(
            update(occurrence)
            .where(occurrence.c.id == occurrence_id)
            .values(policy_version_id=policy_in_force(work.conn, "firm-batch").id)
        )
    compose_occurrence(post.open_work, occurrence_id)
    with post.open_work() as work:
        row = work.conn.execute(select(submission.c.id, submission.c.branch_id)).one()
    assert row.branch_id is None
    assert hold(post, row.id) == 0
    assert approve(post, second, row.id) == 3
    send(post)
    assert states(post, post.people.b01.id) == [("approved", "branch_hold")]
    assert states(post, post.people.b02.id) == [("sent", None)] * 2
