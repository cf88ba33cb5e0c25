"""Letters and calls: approved like every message, handed to a person once, and settled by whoever carried them out."""

from datetime import date
from uuid import UUID

import pytest
from sqlalchemy import select, text

from outreach.app import wire
from outreach.care.tasks import close_task, open_tasks, scripts
from outreach.composing.compose import compose_occurrence
from outreach.core.errors import Conflict
from outreach.ledger.work import Opener
from outreach.messages.tables import left_out, message
from outreach.review.batch import approve_batch, sample_of
from outreach.review.inbox import list_waiting
from tests.support.builders import make_client
from tests.support.occurrences import make_occurrence
from tests.support.pages import serving, signed_in
from tests.support.sending import Post

ADDRESS = "上海市浦东新区示例路 8 号"


@pytest.fixture
def letter(post: Post) -> UUID:
    """A New Year letter, approved and due."""
    wire()
    with post.open_work() as work:
        make_client(
            work, post.people.b01, client_no="L1", tier="vip", address=ADDRESS, postcode="200120", name="王伟"
        )
        make_client(work, post.people.b01, client_no="L2", tier="vip")  # no postal address
        occurrence_id = make_occurrence(work, "new-year-letter", send_date=date(2031, 12, 25))
    compose_occurrence(post.open_work, occurrence_id)
    with post.open_work(post.people.b01.manager) as work:
        for waiting in list_waiting(work).items:
            sample = sample_of(work, waiting.submission.id)
            approve_batch(work, waiting.submission.id, sample.manifest_digest, frozenset(sample.message_ids))
        work.conn.execute(text("UPDATE message SET due_at = now(), send_at = now() WHERE state = 'approved'"))
        return work.conn.execute(select(message.c.id)).scalar_one()


def test_a_letter_is_composed_to_the_postal_address_and_who_has_none_is_told(
    post: Post, letter: UUID
) -> None:
    payload = post.payload(letter)
    assert payload.channel == "letter"
    assert payload.to == f"200120 {ADDRESS}"
    assert payload.text.startswith("尊敬的王女士")
    with post.open_work() as work:
        assert work.conn.execute(select(left_out.c.rule)).scalar_one() == "no_contact_point"


def test_it_is_handed_over_once_with_attempt_leaf_and_task(post: Post, letter: UUID) -> None:
    post.send(urgent=False)
    assert post.state(letter) == ("handed_over", None)
    [attempt] = post.attempts(letter)
    assert (attempt.provider, attempt.state) == ("person", "accepted")
    assert post.entries("message.handed_over", letter) == 1
    post.send(urgent=False)
    assert len(post.attempts(letter)) == 1
    with post.open_work(post.people.b01.advisor) as work:
        [task] = open_tasks(work, kind="letter")
        assert task.message_id == letter
        assert scripts(work, [task])[task.id].text == post.payload(letter).text
    with post.open_work(post.people.b02.advisor) as work:
        assert open_tasks(work) == []
    with post.open_work(post.people.operator) as work:
        assert scripts(work, [task]) == {}


@pytest.mark.parametrize(
    ("reached", "state"), [(True, ("delivered", None)), (False, ("undelivered", "not_reached"))]
)
def test_whoever_carried_it_out_says_what_came_of_it(
    post: Post, letter: UUID, reached: bool, state: tuple[str, str | None]
) -> None:
    post.send(urgent=False)
    with post.open_work(post.people.b01.advisor) as work:
        [task] = open_tasks(work, kind="letter")
        close_task(work, task.id, "挂号信，已寄。", reached=reached)
        with pytest.raises(Conflict):
            close_task(work, task.id, "再来一次", reached=reached)
    assert post.state(letter) == state
    assert post.entries("settled", letter) == 1


def test_a_changed_letter_is_not_handed_over(post: Post, letter: UUID) -> None:
    with post.open_work() as work:
        work.conn.execute(
            text("UPDATE message SET payload_id = gen_random_uuid() WHERE id = :id"), {"id": letter}
        )
    post.send(urgent=False)
    assert post.state(letter) == ("held", "payload_altered")
    with post.open_work(post.people.b01.advisor) as work:
        assert open_tasks(work) == []


def test_the_page_prints_it_and_takes_the_outcome(open_work: Opener, post: Post, letter: UUID) -> None:
    post.send(urgent=False)
    with serving(post.open_work, post.settings) as address:
        with signed_in(post.open_work, address, post.people.b01.advisor) as reader:
            said = reader.read("/replies")
            assert "To print and post" in said
            assert "尊敬的王女士" in said
            with post.open_work(post.people.b01.advisor) as work:
                [task] = open_tasks(work)
            assert ADDRESS in reader.read(f"/tasks/{task.id}/paper")
            assert reader.post(f"/tasks/{task.id}/close", note="寄出", outcome="maybe").status_code == 400
            assert "Closed" in reader.after(f"/tasks/{task.id}/close", note="退回", outcome="not_reached")
        with signed_in(post.open_work, address, post.people.b02.manager) as other:
            assert other.get(f"/tasks/{task.id}/paper").status_code == 404
    assert post.state(letter) == ("undelivered", "not_reached")
