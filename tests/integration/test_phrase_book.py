"""The phrase book: an approved answer goes out within a request; without the approval it waits, with its task."""

from datetime import timedelta
from uuid import UUID

import pytest
from freezegun import freeze_time
from sqlalchemy import select, text

from outreach.app import wire
from outreach.care.answers import answer_with_phrase, offers, phrases
from outreach.care.tasks import open_task, open_tasks
from outreach.composing.pending import personalise
from outreach.core import clock
from outreach.core.errors import BadInput, Conflict, NotFound, RuleBroken
from outreach.delivery.replies import ReplyIn, take_reply
from outreach.ledger.work import Opener
from outreach.messages.tables import message
from outreach.people.consent import opt_out
from outreach.people.tables import contact_point
from outreach.review.inbox import list_waiting
from outreach.review.standing import grant_standing
from tests.support.builders import Firm, firm, make_client, publish_starter
from tests.support.pages import SignIn

NOW = "2026-11-23 03:00:00"
PHRASE = "phrase-hours"


@pytest.fixture
def people(open_work: Opener) -> Firm:
    wire()
    with freeze_time(NOW):
        found = firm(open_work)
        publish_starter(open_work, found)
        return found


def _asked(open_work: Opener, people: Firm, ref: str) -> UUID:
    """A client who wrote back; gives the task."""
    with open_work() as work:
        client = make_client(work, people.b01)
        number = work.conn.execute(
            select(contact_point.c.address).where(
                contact_point.c.client_id == client, contact_point.c.channel == "sms"
            )
        ).scalar_one()
        reply = take_reply(work, ReplyIn("gateway", ref, "sms", number, "请问几点开门"))
        return work.conn.execute(text("SELECT id FROM task WHERE reply_id = :id"), {"id": reply}).scalar_one()


def _approve_phrase(open_work: Opener, people: Firm) -> None:
    """The manager grants the phrase's standing approval on the first answer that waits."""
    with open_work(people.b01.manager) as work:
        [waiting] = [one for one in list_waiting(work).items if one.submission.mode == "standing"]
        granted = grant_standing(work, waiting.submission.id, clock.now() + timedelta(days=30))
    assert granted.released == 1


@freeze_time(NOW)
def test_without_the_approval_it_waits_and_the_task_stays_open(open_work: Opener, people: Firm) -> None:
    task = _asked(open_work, people, "R1")
    with open_work(people.b01.advisor) as work:
        assert PHRASE in [one.name for one in phrases(work)]
        done = answer_with_phrase(work, task, PHRASE)
        assert not done.released
        assert [one.id for one in open_tasks(work)] == [task]


@freeze_time(NOW)
def test_an_approved_answer_is_released_and_closes_its_task(open_work: Opener, people: Firm) -> None:
    first = _asked(open_work, people, "R1")
    with open_work(people.b01.advisor) as work:
        answer_with_phrase(work, first, PHRASE)
    _approve_phrase(open_work, people)
    second = _asked(open_work, people, "R2")
    with open_work(people.b01.advisor) as work:
        done = answer_with_phrase(work, second, PHRASE)
        assert done.released
        assert second not in [one.id for one in open_tasks(work)]
        row = work.conn.execute(select(message).where(message.c.id == done.message_id)).one()
        assert (row.state, row.channel) == ("approved", "sms")
        assert row.due_at - clock.now() <= timedelta(seconds=15)
        answered = text(
            "SELECT answered_at FROM reply JOIN task ON task.reply_id = reply.id WHERE task.id = :id"
        )
        assert work.conn.execute(answered, {"id": second}).scalar_one() == clock.now()
        with pytest.raises((BadInput, Conflict)):
            answer_with_phrase(work, second, PHRASE)


@freeze_time(NOW)
def test_edited_words_are_nobodys_phrase(open_work: Opener, people: Firm) -> None:
    first, second = _asked(open_work, people, "R1"), _asked(open_work, people, "R2")
    with open_work(people.b01.advisor) as work:
        edited = answer_with_phrase(work, first, PHRASE)
        personalise(work, edited.message_id, 1, "您好！我们周六也开门。")
        answer_with_phrase(work, second, PHRASE)
    _approve_phrase(open_work, people)
    with open_work(people.b01.manager) as work:
        state = work.conn.execute(select(message.c.state).where(message.c.id == edited.message_id))
        assert state.scalar_one() == "held"
        [waiting] = list_waiting(work).items
        assert waiting.submission.mode == "each"


@freeze_time(NOW)
def test_who_may_not_be_written_to_is_said(open_work: Opener, people: Firm) -> None:
    task = _asked(open_work, people, "R1")
    with open_work() as work:
        client = work.conn.execute(text("SELECT client_id FROM task")).scalar_one()
        opt_out(work, [client], source="page")
    with open_work(people.b01.advisor) as work, pytest.raises(RuleBroken):
        answer_with_phrase(work, task, PHRASE)
    with open_work() as work:
        assert work.conn.execute(text("SELECT count(*) FROM message")).scalar_one() == 0


@freeze_time(NOW)
def test_bad_wishes(open_work: Opener, people: Firm) -> None:
    task = _asked(open_work, people, "R1")
    with open_work() as work:
        call = open_task(
            work, "call", due_by=clock.now(), branch_id=people.b01.id, message_id=task, owner_id=None
        )
    with open_work(people.b01.advisor) as work:
        with pytest.raises(NotFound):
            answer_with_phrase(work, task, "nothing")
        with pytest.raises(BadInput, match="phrase book"):
            answer_with_phrase(work, task, "mid-autumn")
        with pytest.raises(BadInput, match="nobody to answer"):
            answer_with_phrase(work, call, PHRASE)
    with open_work(people.b02.advisor) as work, pytest.raises(NotFound):
        answer_with_phrase(work, task, PHRASE)


def test_the_page_shows_the_clients_own_words_and_what_will_become_of_them(
    open_work: Opener, people: Firm, sign_in: SignIn
) -> None:
    task = _asked(open_work, people, "R1")
    reader = sign_in(people.b01.advisor)
    assert f'href="/tasks/{task}/answer"' in reader.get("/replies").text
    page = reader.read(f"/tasks/{task}/answer")
    assert "请问几点开门" in page
    assert "Opening hours and address waits for approval" in page
    assert "我们的营业时间" in page
    assert "leaves at once" not in page.split("Opening hours")[1].split("Put this answer up")[0]
    assert "waits for approval" in reader.after(f"/tasks/{task}/answer", phrase=PHRASE)
    assert reader.post(f"/tasks/{task}/answer", phrase="mid-autumn").status_code == 400
    assert sign_in(people.b02.advisor).get(f"/tasks/{task}/answer").status_code == 404
    assert sign_in(people.compliance).get(f"/tasks/{task}/answer").status_code == 404
    _approve_phrase(open_work, people)
    second = _asked(open_work, people, "R2")
    assert "Opening hours and address approved: leaves at once" in reader.read(f"/tasks/{second}/answer")
    assert "it is on its way" in reader.after(f"/tasks/{second}/answer", phrase=PHRASE)
    assert reader.get(f"/tasks/{second}/answer").status_code == 400


@freeze_time(NOW)
def test_what_is_offered_as_approved_is_released(open_work: Opener, people: Firm) -> None:
    first = _asked(open_work, people, "R1")
    with open_work(people.b01.advisor) as work:
        assert not any(one.at_once for one in offers(work, first))
        answer_with_phrase(work, first, PHRASE)
    _approve_phrase(open_work, people)
    second = _asked(open_work, people, "R2")
    with open_work(people.b01.advisor) as work:
        offered = offers(work, second)
        assert [one.phrase.name for one in offered if one.at_once] == [PHRASE]
        assert offered[0].phrase.name == PHRASE  # what is approved comes first
        counted = work.conn.execute(text("SELECT count(*) FROM message")).scalar_one()
        assert counted == 1  # looking stores nothing
        assert answer_with_phrase(work, second, PHRASE).released
    third = _asked(open_work, people, "R3")
    with open_work() as work:
        opt_out(
            work,
            [
                work.conn.execute(
                    text("SELECT client_id FROM task WHERE id = :id"), {"id": third}
                ).scalar_one()
            ],
            source="page",
        )
    with open_work(people.b01.advisor) as work:
        assert all(one.item.stopped and not one.at_once for one in offers(work, third))
