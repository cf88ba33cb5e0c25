"""Who reads what now, and what changed since this reader last saw a message."""

from datetime import timedelta
from uuid import UUID

import pytest
from freezegun import freeze_time
from sqlalchemy import func, select, update

from outreach.core.errors import NotFound
from outreach.ledger.work import Opener, Work
from outreach.messages.findings import Finding
from outreach.messages.tables import message
from outreach.review.decide import approve, return_, undo
from outreach.review.detail import message_detail
from outreach.review.inbox import list_waiting
from outreach.review.reading import STILL, Reader, note_reading, readers_of
from outreach.review.seen import Since, changed_since, mark_seen
from outreach.review.submissions import submission_for
from outreach.review.tables import reading
from tests.support.desk import Desk
from tests.support.review_rows import Held, as_read, edit, hold

NOW = "2026-09-21 03:00:00"
FLAG = Finding("exaggeration", "art. 17", "flag", "text", 0, 2, "")


def held_each(open_work: Opener, desk: Desk, **more: object) -> Held:
    with open_work() as work:
        return hold(work, desk.firm, desk.firm.b01, policy=desk.each, **more)  # type: ignore[arg-type]


def see(work: Work, held: Held) -> None:
    mark_seen(work, [message_detail(work, held.first)])


def changed(work: Work, message_id: UUID) -> Since | None:
    return changed_since(work, message_detail(work, message_id))


def readers(work: Work, submission_id: UUID) -> list[Reader]:
    return readers_of(work, submission_for(work, submission_id))


def test_the_others_see_who_reads_for_as_long_as_they_do(open_work: Opener, desk: Desk) -> None:
    team = desk.firm.b01
    held = held_each(open_work, desk)
    with freeze_time(NOW) as time:
        with open_work(team.manager) as work:
            note_reading(work, held.submission_id)
            note_reading(work, held.submission_id, held.first)
            assert readers(work, held.submission_id) == []  # not oneself
            assert work.conn.execute(select(func.count()).select_from(reading)).scalar_one() == 1
        with open_work(team.deputy) as work:
            (reader,) = readers(work, held.submission_id)
            assert (reader.name, reader.message_id) == (team.manager.name, held.first)
            assert list_waiting(work).items[0].readers == (team.manager.name,)
        time.tick(STILL)
        with open_work(team.deputy) as work:
            assert readers(work, held.submission_id) == []
            assert list_waiting(work).items[0].readers == ()


def test_reading_elsewhere_is_reading_here_no_more(open_work: Opener, desk: Desk) -> None:
    team = desk.firm.b01
    first, second = held_each(open_work, desk), held_each(open_work, desk)
    with open_work(team.manager) as work:
        note_reading(work, first.submission_id, first.first)
        note_reading(work, second.submission_id)
        with pytest.raises(NotFound):
            note_reading(work, first.submission_id, second.first)  # a message of another submission
    with open_work(team.deputy) as work:
        assert readers(work, first.submission_id) == []
        assert [one.name for one in readers(work, second.submission_id)] == [team.manager.name]
    with open_work(desk.firm.b02.manager) as work, pytest.raises(NotFound):
        note_reading(work, first.submission_id)


def test_of_the_firms_submission_a_branch_sees_readers_of_its_own_messages(
    open_work: Opener, desk: Desk
) -> None:
    firm = desk.firm
    with open_work() as work:
        held = hold(work, firm, None, policy=desk.firmwide, mode="batch", count=2)
        of_b01 = work.conn.execute(
            select(message.c.id).where(message.c.branch_id == firm.b01.id)
        ).scalar_one()
    with open_work(firm.head_office) as work:
        note_reading(work, held.submission_id, of_b01)
    with open_work(firm.b01.manager) as work:
        assert len(readers(work, held.submission_id)) == 1
    with open_work(firm.b02.manager) as work:
        assert readers(work, held.submission_id) == []


def test_nothing_changed_for_who_never_saw_it_or_saw_it_as_it_is(open_work: Opener, desk: Desk) -> None:
    held = held_each(open_work, desk)
    with open_work(desk.firm.b01.manager) as work:
        assert changed(work, held.first) is None
        see(work, held)
        see(work, held)
        assert changed(work, held.first) is None


@pytest.mark.parametrize(
    ("before", "after", "removed", "added"),
    [
        ("您好，祝您中秋快乐！", "您好，祝您国庆快乐！", "中秋", "国庆"),
        ("Happy holidays to you all", "Happy birthday to you all", "holidays", "birthday"),
    ],
)
def test_the_words_are_compared_with_those_that_were_seen(
    open_work: Opener, desk: Desk, before: str, after: str, removed: str, added: str
) -> None:
    team = desk.firm.b01
    with freeze_time(NOW) as time:
        held = held_each(open_work, desk, text=before)
        time.tick(timedelta(minutes=1))
        with open_work(team.manager) as work:
            see(work, held)
        with open_work(team.deputy) as work:
            assert changed(work, held.first) is None
        time.tick(timedelta(minutes=1))
        with open_work(team.advisor) as work:
            edit(work, held.first, after, team.advisor)
        with open_work(team.manager) as work:
            since = changed(work, held.first)
            assert since is not None
            assert (since.then, since.now, since.editors) == (1, 2, (team.advisor.name,))
            assert "".join(part.text for part in since.text if part.change != "removed") == after
            assert "".join(part.text for part in since.text if part.change != "added") == before
            assert "".join(part.text for part in since.text if part.change == "removed") == removed
            assert "".join(part.text for part in since.text if part.change == "added") == added
            assert since.subject == ()
            assert [event.what for event in since.events] == ["edited"]
            see(work, held)
            assert changed(work, held.first) is None
        with open_work(team.deputy) as work:
            assert changed(work, held.first) is None  # they never saw it


def test_what_others_did_since_is_told_and_ones_own_acts_are_not(open_work: Opener, desk: Desk) -> None:
    team = desk.firm.b01
    with freeze_time(NOW) as time:
        held = held_each(open_work, desk, author=team.advisor)
        time.tick(timedelta(minutes=1))
        with open_work(team.manager) as work:
            see(work, held)
        with open_work(team.deputy) as work:
            see(work, held)
        time.tick(timedelta(minutes=1))
        with open_work(team.manager) as work:
            made = approve(work, held.ids, as_read(work, held.ids)).decisions[0]
            undo(work, made)
            assert changed(work, held.first) is None
        with open_work(team.deputy) as work:
            since = changed(work, held.first)
            assert since is not None
            assert [(event.what, event.who) for event in since.events] == [
                ("approve", team.manager.name),
                ("undo", team.manager.name),
            ]
            assert since.text == ()


def test_findings_that_came_and_went_are_told(open_work: Opener, desk: Desk) -> None:
    other = Finding("insider", "art. 17", "flag", "text", 0, 2, "")
    held = held_each(open_work, desk, findings=(FLAG,))
    with open_work(desk.firm.b01.manager) as work:
        see(work, held)
        work.conn.execute(update(message).values(findings=[other.to_json()]))
        since = changed(work, held.first)
        assert since is not None
        assert (since.new, since.gone) == ((other,), (FLAG,))


def test_what_was_not_shown_is_not_marked(open_work: Opener, desk: Desk) -> None:
    team = desk.firm.b01
    held = held_each(open_work, desk)
    with open_work(team.advisor) as work:
        edit(work, held.first, "您好！", team.advisor)
    with open_work(team.manager) as work:
        read = message_detail(work, held.first)
    with open_work(team.advisor) as work:
        edit(work, held.first, "您好，祝好！", team.advisor)
    with open_work(team.manager) as work:
        mark_seen(work, [read])  # what stood on the screen, whatever came since
        since = changed(work, held.first)
        assert since is not None
        assert (since.then, since.now) == (2, 3)
    with open_work(desk.firm.b02.manager) as work, pytest.raises(NotFound):
        changed(work, held.first)


def test_a_returned_message_that_was_mended_shows_both(open_work: Opener, desk: Desk) -> None:
    team = desk.firm.b01
    with freeze_time(NOW) as time:
        held = held_each(open_work, desk, author=team.advisor)
        with open_work(team.manager) as work:
            see(work, held)
        time.tick(timedelta(minutes=1))
        with open_work(team.deputy) as work:
            return_(work, held.ids, as_read(work, held.ids), [desk.reason], "")
        time.tick(timedelta(minutes=1))
        with open_work(team.advisor) as work:
            edit(work, held.first, "您好，祝您一切顺利！", team.advisor)
        with open_work(team.manager) as work:
            since = changed(work, held.first)
            assert since is not None
            assert [event.what for event in since.events] == ["return", "edited"]
