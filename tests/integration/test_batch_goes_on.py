"""One message of a held batch is skipped or made personal while a manager reads: all the others are decided as seen."""

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from freezegun import freeze_time
from sqlalchemy import select, text

from outreach.app import wire
from outreach.composing.compose import compose_occurrence
from outreach.composing.pending import personalise, skip
from outreach.core.access import Actor
from outreach.core.errors import Conflict, RuleBroken
from outreach.ledger.work import Opener
from outreach.messages.tables import message
from outreach.people.consent import opt_out
from outreach.review.decide import approve, approve_batch, return_, sample_of
from outreach.review.leavers import left_since
from outreach.review.manifest import Bound, manifest_digest
from outreach.review.submissions import submission_for
from outreach.review.tables import decision
from tests.support.builders import Firm, firm, make_client, publish_starter
from tests.support.desk import Desk
from tests.support.occurrences import make_occurrence
from tests.support.review_rows import as_read, hold, states

NOW = "2026-09-21 03:00:00"
MID_AUTUMN = date(2026, 9, 25)


@pytest.fixture
def people(open_work: Opener) -> Firm:
    wire()
    with freeze_time(NOW):
        staff = firm(open_work)
        publish_starter(open_work, staff)
    return staff


@pytest.fixture
def greetings(open_work: Opener, people: Firm) -> list[UUID]:
    """Forty held greetings to one advisor's clients."""
    with freeze_time(NOW):
        with open_work() as work:
            for _ in range(40):
                make_client(work, people.b01, name="王小明", gender="male")
            occurrence_id = make_occurrence(work, "mid-autumn", send_date=MID_AUTUMN)
        compose_occurrence(open_work, occurrence_id)
        with open_work() as work:
            found = select(message.c.id).where(message.c.occurrence_id == occurrence_id)
            return list(work.conn.execute(found.order_by(message.c.id)).scalars())


def _submission(open_work: Opener, message_id: UUID) -> UUID:
    with open_work() as work:
        found: UUID = work.conn.execute(
            select(message.c.submission_id).where(message.c.id == message_id)
        ).scalar_one()
        return found


def _skip_and_personalise(open_work: Opener, me: Actor, greetings: list[UUID]) -> None:
    with open_work(me) as work:
        skip(work, greetings[0], "客户在国外")
    with open_work(me) as work:
        personalise(work, greetings[1], 1, "王先生，中秋好！盼与您茶叙。")


@freeze_time(NOW)
@pytest.mark.parametrize("before_it_is_read", [True, False])
def test_of_forty_one_is_skipped_one_personal_and_thirty_eight_are_approved_as_seen(
    open_work: Opener, people: Firm, greetings: list[UUID], before_it_is_read: bool
) -> None:
    me, manager = people.b01.advisor, people.b01.manager
    submission_id = _submission(open_work, greetings[0])
    if before_it_is_read:
        _skip_and_personalise(open_work, me, greetings)
    with open_work(manager) as work:
        seen = sample_of(work, submission_id)
    if not before_it_is_read:
        _skip_and_personalise(open_work, me, greetings)
    with open_work(manager) as work:
        done = approve_batch(work, submission_id, seen.manifest_digest, set(seen.message_ids))
        assert (done.count, done.left) == (38, 0 if before_it_is_read else 2)
        assert states(work, greetings) == ["cancelled", "held", *["approved"] * 38]
        made = work.conn.execute(select(decision)).one()
        lines = manifest_digest(Bound(key, *value) for key, value in as_read(work, greetings[2:]).items())
        assert (bytes(made.manifest_digest), made.count) == (lines, 38)
        approve(work, [greetings[1]], as_read(work, [greetings[1]]))
    with open_work() as work:
        assert states(work, greetings) == ["cancelled", *["approved"] * 39]


@freeze_time(NOW)
def test_an_opt_out_or_an_expiry_does_not_stop_the_batch_either(
    open_work: Opener, people: Firm, greetings: list[UUID]
) -> None:
    submission_id = _submission(open_work, greetings[0])
    with open_work(people.b01.manager) as work:
        seen = sample_of(work, submission_id)
    with open_work(people.b01.advisor) as work:
        client_id = work.conn.execute(
            select(message.c.client_id).where(message.c.id == greetings[3])
        ).scalar_one()
        opt_out(work, [client_id], channel="sms", source="phone")
    with open_work(people.b01.manager) as work:
        done = approve_batch(work, submission_id, seen.manifest_digest, set(seen.message_ids))
        assert (done.count, done.left) == (39, 1)
        assert states(work, [greetings[3]]) == ["suppressed"]


@freeze_time(NOW)
def test_anything_else_that_changed_is_read_again(
    open_work: Opener, people: Firm, greetings: list[UUID]
) -> None:
    """P1: what was added, or decided by somebody else, was not seen."""
    submission_id = _submission(open_work, greetings[0])
    with open_work(people.b01.manager) as work:
        seen = sample_of(work, submission_id)
    with open_work(people.b01.advisor) as work:
        skip(work, greetings[0])
    with open_work(people.b01.deputy) as work:
        approve(work, [greetings[5]], as_read(work, [greetings[5]]))
    with open_work(people.b01.manager) as work, pytest.raises(Conflict) as told:
        approve_batch(work, submission_id, seen.manifest_digest, set(seen.message_ids))
    assert told.value.details["count"] == 38


@freeze_time(NOW)
def test_the_sample_that_was_drawn_then_must_have_been_read(
    open_work: Opener, people: Firm, greetings: list[UUID]
) -> None:
    submission_id = _submission(open_work, greetings[0])
    with open_work(people.b01.manager) as work:
        seen = sample_of(work, submission_id)
    with open_work(people.b01.advisor) as work:
        skip(work, seen.message_ids[0])
    with open_work(people.b01.manager) as work, pytest.raises(RuleBroken) as refused:
        approve_batch(work, submission_id, seen.manifest_digest, set(seen.message_ids[:-1]))
    assert refused.value.rule == "policy_sample"
    with open_work(people.b01.manager) as work:
        assert approve_batch(work, submission_id, seen.manifest_digest, set(seen.message_ids)).count == 39


def test_a_manifest_of_fewer_than_are_there_proves_nothing(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.batch, mode="batch", count=4)
    with open_work(desk.firm.b01.manager) as work:
        seen = sample_of(work, held.submission_id)
        rows = work.conn.execute(select(message).where(message.c.id.in_(held.ids))).all()
        about = submission_for(work, held.submission_id)
        assert left_since(work, about, rows, b"\0" * 32) is None
        work.conn.execute(
            text("UPDATE message SET digest = :d WHERE id = :id"), {"d": b"\1" * 32, "id": held.ids[0]}
        )
    with open_work(desk.firm.b01.manager) as work, pytest.raises(Conflict):
        approve_batch(work, held.submission_id, seen.manifest_digest, set(seen.message_ids))


def test_one_of_the_sample_given_back_still_stops_it(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.batch, mode="batch", count=20)
    with open_work(desk.firm.b01.manager) as work:
        seen = sample_of(work, held.submission_id)
    with open_work(desk.firm.b01.deputy) as work:
        one = seen.message_ids[0]
        return_(work, [one], as_read(work, [one]), ["tone"], "")
    with open_work(desk.firm.b01.manager) as work, pytest.raises(RuleBroken) as stopped:
        approve_batch(work, held.submission_id, seen.manifest_digest, set(seen.message_ids))
    assert stopped.value.rule == "batch_stopped"


def test_an_advisor_takes_an_approved_message_back_on_its_page(
    open_work: Opener, desk: Desk, sign_in: Callable[..., Any]
) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.batch, mode="batch", count=2)
    with open_work(desk.firm.b01.manager) as work:
        approve(work, held.ids, as_read(work, held.ids))
    reader = sign_in(desk.firm.b01.advisor)
    assert "Take it back" in reader.read("/mine")
    assert "whoever approved it is told" in reader.read(f"/mine/{held.first}")
    reader.after(f"/mine/{held.first}", act="skip", note="已当面告知")
    with open_work() as work:
        assert states(work, held.ids) == ["cancelled", "approved"]
    assert "Take it back" not in reader.read(f"/mine/{held.first}")


def test_the_page_of_a_batch_says_how_many_left_meanwhile(
    open_work: Opener, desk: Desk, sign_in: Callable[..., Any]
) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.batch, mode="batch", count=4)
    manager = sign_in(desk.firm.b01.manager)
    with open_work(desk.firm.b01.manager) as work:
        seen = sample_of(work, held.submission_id)
    with open_work(desk.firm.b01.advisor) as work:
        skip(work, held.first)
    page = f"/inbox/submission/{held.submission_id}/batch"
    said = manager.after(
        page, manifest=seen.manifest_digest.hex(), seen=[str(one) for one in seen.message_ids]
    )
    assert "3 approved. 1 had left the batch meanwhile" in said
