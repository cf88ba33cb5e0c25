"""What an advisor can still do about a message that waits: mend, make personal, skip, withdraw; and nobody else."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from freezegun import freeze_time
from sqlalchemy import event, select, text

from outreach.composing.compose import compose_occurrence
from outreach.composing.own import list_own, own_message
from outreach.composing.pending import personalise, resubmit, skip, withdraw
from outreach.composing.requests import RequestDraft, queue_request
from outreach.core.access import Actor
from outreach.core.database import Database
from outreach.core.errors import BadInput, Conflict, NotFound, RuleBroken
from outreach.core.ids import new_id
from outreach.ledger.append import unseal_bytes
from outreach.ledger.work import Opener, Work
from outreach.messages.payload import Payload, from_bytes
from outreach.messages.tables import message
from outreach.review.decide import approve, approve_batch, return_, sample_of
from outreach.review.submissions import lock_submissions
from outreach.scheduling.occurrences import REQUEST
from tests.support.builders import Firm, change_client, firm, make_client, publish_starter
from tests.support.occurrences import make_item, make_occurrence
from tests.support.review_rows import as_read, states
from tests.support.waiting import until_blocked

NOW = "2026-09-21 03:00:00"
MID_AUTUMN = date(2026, 9, 25)
SAID = "{称呼}，您好！季度服务报告已为您准备好，方便时请回电。"
BETTER = "王先生，您好！季度服务报告已备好，请您在方便时回电。"
BLOCKED = "王先生，这款产品保.本，请放心。"


@pytest.fixture
def people(open_work: Opener) -> Firm:
    with freeze_time(NOW):
        staff = firm(open_work)
        publish_starter(open_work, staff)
    return staff


@pytest.fixture
def me(people: Firm) -> Actor:
    return people.b01.advisor


def _queue(open_work: Opener, actor: Actor, *clients: UUID, **draft: Any) -> tuple[UUID, ...]:
    with open_work(actor) as work:
        return queue_request(work, RequestDraft(clients, text=SAID, **draft)).message_ids


def _queued(open_work: Opener, people: Firm, me: Actor, **draft: Any) -> UUID:
    with open_work() as work:
        chosen = make_client(work, people.b01, name="王小明", gender="male")
    return _queue(open_work, me, chosen, **draft)[0]


def _greetings(open_work: Opener, people: Firm, count: int = 3) -> list[UUID]:
    """A batch of held greetings to clients of the first branch's first advisor; the messages' ids."""
    with open_work() as work:
        for _ in range(count):
            make_client(work, people.b01, name="王小明", gender="male")
        occurrence_id = make_occurrence(work, "mid-autumn", send_date=MID_AUTUMN)
    compose_occurrence(open_work, occurrence_id)
    with open_work() as work:
        found = select(message.c.id).where(message.c.occurrence_id == occurrence_id).order_by(message.c.id)
        return list(work.conn.execute(found).scalars())


def _return(open_work: Opener, manager: Actor, message_id: UUID) -> None:
    with open_work(manager) as work:
        return_(work, [message_id], as_read(work, (message_id,)), ["tone"], "请写得更亲切")


def _row(work: Work, message_id: UUID) -> Any:
    return work.conn.execute(select(message).where(message.c.id == message_id)).one()


def _payload(work: Work, message_id: UUID) -> Payload:
    return from_bytes(unseal_bytes(work, _row(work, message_id).payload_id))


def _submission_state(work: Work, message_id: UUID) -> str:
    state: str = work.conn.execute(
        text("SELECT state FROM submission WHERE id = :id"), {"id": _row(work, message_id).submission_id}
    ).scalar_one()
    return state


# ── returned and mended ───────────────────────────────────────────────────────────────────────────────────


@freeze_time(NOW)
def test_a_returned_message_says_why_and_is_mended_and_approved(
    open_work: Opener, people: Firm, me: Actor
) -> None:
    manager = people.b01.manager
    one = _queued(open_work, people, me)
    with open_work(manager) as work:
        read = as_read(work, (one,))
    _return(open_work, manager, one)
    with open_work(me) as work:
        (line,) = list_own(work, state="returned")
        assert (line.id, line.returned_for, line.note) == (one, ("tone",), "请写得更亲切")
        assert (line.decided_by, line.may_mend, line.written_by_me) == (manager.name, True, True)
        assert line.why is not None
        assert resubmit(work, one, 1, "", BETTER) == 2
    with open_work(me) as work:
        line = own_message(work, one)
        row = _row(work, one)
        assert (line.state, line.revision, line.returned_for, line.may_personalise) == ("held", 2, (), True)
        assert line.text == f"【示例证券】{BETTER}拒收请回复R"
        assert (row.last_editor_id, row.decision_id, _submission_state(work, one)) == (
            me.staff_id,
            None,
            "open",
        )
    with open_work(manager) as work, pytest.raises(Conflict):
        approve(work, [one], read)  # what was read before is not what waits now
    with open_work(manager) as work:
        approve(work, [one], as_read(work, (one,)))
        assert states(work, (one,)) == ["approved"]


@freeze_time(NOW)
def test_the_second_to_mend_is_told_who_was_first(open_work: Opener, people: Firm, me: Actor) -> None:
    one = _queued(open_work, people, me)
    _return(open_work, people.b01.manager, one)
    with open_work(people.b01.deputy) as work:
        resubmit(work, one, 1, "", BETTER)
    with open_work(me) as work, pytest.raises(Conflict, match=people.b01.deputy.name) as told:
        resubmit(work, one, 1, "", "王先生，您好！")
    assert told.value.mend
    _return(open_work, people.b01.manager, one)
    with open_work(me) as work, pytest.raises(Conflict, match="revision 2"):
        resubmit(work, one, 1, "", "王先生，您好！")
    with open_work() as work:
        assert BETTER in _payload(work, one).text


@freeze_time(NOW)
def test_only_what_was_returned_is_mended(open_work: Opener, people: Firm, me: Actor) -> None:
    one = _queued(open_work, people, me)
    with open_work(me) as work, pytest.raises(Conflict, match="not returned"):
        resubmit(work, one, 1, "", BETTER)


@freeze_time(NOW)
@pytest.mark.parametrize("change", [resubmit, personalise])
def test_words_that_may_not_go_out_are_not_stored(
    open_work: Opener, people: Firm, me: Actor, change: Callable[..., int]
) -> None:
    with open_work() as work:
        make_client(work, people.b01, name="司马相如")
    one = _queued(open_work, people, me)
    if change is resubmit:
        _return(open_work, people.b01.manager, one)

    def say(work: Work, said: str) -> int:
        return change(work, one, 1, "", said) if change is resubmit else change(work, one, 1, said)

    with open_work() as work:
        before = tuple(_row(work, one))
    for said, rule in ((BLOCKED, "guarantee"), ("王先生，司马相如也来了。", "names_other_client")):
        with open_work(me) as work, pytest.raises(RuleBroken) as told:
            say(work, said)
        assert told.value.rule == rule
        assert told.value.article
        assert told.value.mend
        assert told.value.details["findings"]
    for said in ("  ", "长" * 5001):
        with open_work(me) as work, pytest.raises(BadInput):
            say(work, said)
    with open_work() as work:
        assert tuple(_row(work, one)) == before


@freeze_time(NOW)
def test_an_alert_in_other_words_may_keep_its_source(open_work: Opener, people: Firm, me: Actor) -> None:
    with open_work() as work:
        make_client(
            work, people.b01, name="王小明", gender="male", tier="vip", mobile=None, email="w@example.net"
        )
        item = make_item(work, "market-event", code="", risk_level=None)
        occurrence_id = make_occurrence(work, "market-event", feed_item_id=item)
    compose_occurrence(open_work, occurrence_id)
    with open_work(me) as work:
        message_id = work.conn.execute(select(message.c.id)).scalar_one()
        said = _payload(work, message_id).text
        assert "https://" in said
        personalise(work, message_id, 1, said.replace("您好", "近来可好，您好"))
        assert "近来可好" in _payload(work, message_id).text
        with pytest.raises(RuleBroken) as refused:
            personalise(work, message_id, 2, f"{said}\n另见 https://elsewhere.invalid/x")
    assert refused.value.rule == "link_not_allowed"


@freeze_time(NOW)
def test_a_script_in_other_words_stays_a_script(open_work: Opener, people: Firm, me: Actor) -> None:
    with open_work() as work:
        chosen = make_client(work, people.b01, name="王小明", gender="male", status="dormant")
    with open_work(me) as work:
        draft = RequestDraft((chosen,), template="dormant", channel="call")
        message_id = queue_request(work, draft).message_ids[0]
        script = _payload(work, message_id).text
        personalise(work, message_id, 1, script.replace("祝您生活愉快", "祝您和家人安康"))
        assert _payload(work, message_id).text.strip() == script.replace("祝您生活愉快", "祝您和家人安康")


@freeze_time(NOW)
def test_a_mended_mail_keeps_its_subject_unless_another_is_given(
    open_work: Opener, people: Firm, me: Actor
) -> None:
    one = _queued(open_work, people, me, channel="email", subject="季度报告")
    with open_work(me) as work:
        personalise(work, one, 1, BETTER)
        assert _payload(work, one).subject == "季度报告"
        personalise(work, one, 2, BETTER, "服务\n报告")
        body = _payload(work, one)
    assert body.subject == "服务 报告"
    assert (body.html, body.recipient_name, body.sender) == ("", "王小明", "示例证券")
    assert "执业编号 TB01-A1" in body.text


# ── made personal ─────────────────────────────────────────────────────────────────────────────────────────


@freeze_time(NOW)
def test_a_personal_greeting_leaves_the_batch_and_is_decided_by_itself(
    open_work: Opener, people: Firm, me: Actor
) -> None:
    manager = people.b01.manager
    chosen, *others = _greetings(open_work, people)
    with open_work(manager) as work:
        submission_id = _row(work, chosen).submission_id
        seen = sample_of(work, submission_id)
    with open_work(me) as work:
        assert personalise(work, chosen, 1, "王先生，中秋好！盼与您茶叙。") == 2
        line = own_message(work, chosen)
        assert line.why is not None
        assert (line.written_by_me, line.revision) == (False, 2)
    with open_work(manager) as work:
        assert (seen.count, sample_of(work, submission_id).count) == (3, 2)
        done = approve_batch(work, submission_id, seen.manifest_digest, set(seen.message_ids))
        assert (done.count, done.left) == (2, 1)
        assert states(work, (chosen, *others)) == ["held", "approved", "approved"]
        assert _submission_state(work, chosen) == "open"
        approve(work, [chosen], as_read(work, (chosen,)))
    with open_work() as work:
        assert "盼与您茶叙" in _payload(work, chosen).text
        assert states(work, (chosen,)) == ["approved"]


@freeze_time(NOW)
def test_whoever_made_it_personal_cannot_approve_it(open_work: Opener, people: Firm) -> None:
    manager, deputy = people.b01.manager, people.b01.deputy
    chosen, *_ = _greetings(open_work, people)
    with open_work(manager) as work:
        personalise(work, chosen, 1, "王先生，中秋好！")
    with open_work(manager) as work, pytest.raises(RuleBroken):
        approve(work, [chosen], as_read(work, (chosen,)))
    with open_work(deputy) as work:
        approve(work, [chosen], as_read(work, (chosen,)))
        assert states(work, (chosen,)) == ["approved"]


@freeze_time(NOW)
def test_what_is_decided_is_not_changed_any_more(open_work: Opener, people: Firm, me: Actor) -> None:
    one = _queued(open_work, people, me)
    with open_work(people.b01.manager) as work:
        approve(work, [one], as_read(work, (one,)))
    attempts: list[Callable[[Work], object]] = [
        lambda work: personalise(work, one, 1, BETTER),
        lambda work: resubmit(work, one, 1, "", BETTER),
    ]
    for attempt in attempts:
        with open_work(me) as work, pytest.raises(Conflict) as told:
            attempt(work)
        assert "approved" in told.value.message
    with open_work() as work:
        assert states(work, (one,)) == ["approved"]


@freeze_time(NOW)
@pytest.mark.parametrize(("act", "reason"), [(skip, "skipped"), (withdraw, "withdrawn")])
def test_what_is_approved_is_taken_back_until_it_is_on_its_way(
    open_work: Opener, people: Firm, me: Actor, act: Callable[[Work, UUID], None], reason: str
) -> None:
    one, late = _queued(open_work, people, me), _queued(open_work, people, me)
    with open_work(people.b01.manager) as work:
        approve(work, [one, late], as_read(work, (one, late)))
        work.conn.execute(text("UPDATE message SET state = 'claimed' WHERE id = :id"), {"id": late})
    with open_work(me) as work:
        act(work, one)
        row = _row(work, one)
        assert (row.state, row.reason, row.due_at) == ("cancelled", reason, None)
    with open_work(me) as work, pytest.raises(Conflict, match="claimed"):
        act(work, late)


# ── skipped and withdrawn ─────────────────────────────────────────────────────────────────────────────────


@freeze_time(NOW)
def test_a_skipped_greeting_is_cancelled_recorded_and_not_made_again(
    open_work: Opener, people: Firm, me: Actor
) -> None:
    ids = _greetings(open_work, people, 2)
    with open_work(me) as work:
        skip(work, ids[0], "上周刚见过面")
        assert _submission_state(work, ids[0]) == "open"
    with open_work(me) as work:
        line = own_message(work, ids[0])
        row = _row(work, ids[0])
        kinds = list(
            work.conn.execute(
                text("SELECT kind FROM ledger_entry WHERE message_id = :id"), {"id": ids[0]}
            ).scalars()
        )
    assert (line.state, row.reason, row.reason_params) == ("cancelled", "skipped", {"note": "上周刚见过面"})
    assert line.why is not None
    assert "message.cancelled" in kinds
    assert compose_occurrence(open_work, row.occurrence_id).count == 0
    with open_work(me) as work, pytest.raises(Conflict):
        skip(work, ids[0])
    with open_work(me) as work:
        skip(work, ids[1])
        assert _submission_state(work, ids[1]) == "closed"  # nothing waits in it: no inbox shows it


@freeze_time(NOW)
def test_one_takes_back_only_what_one_wrote(open_work: Opener, people: Firm, me: Actor) -> None:
    one = _queued(open_work, people, me)
    (greeting,) = _greetings(open_work, people, 1)[:1]
    with open_work(people.b01.manager) as work, pytest.raises(NotFound):
        withdraw(work, one)
    with open_work(me) as work, pytest.raises(NotFound):
        withdraw(work, greeting)
    with open_work(me) as work:
        withdraw(work, one)
        assert _row(work, one).reason == "withdrawn"
        assert _submission_state(work, one) == "closed"
    other = _queued(open_work, people, me)
    _return(open_work, people.b01.manager, other)
    with open_work(me) as work:
        withdraw(work, other)
        assert states(work, (other,)) == ["cancelled"]


@freeze_time(NOW)
def test_skipping_while_a_manager_decides_waits_its_turn(open_work: Opener, people: Firm, me: Actor) -> None:
    one = _queued(open_work, people, me)
    with ThreadPoolExecutor(1) as pool:
        with open_work(people.b01.manager) as work:
            read = as_read(work, (one,))
            lock_submissions(work, [_row(work, one).submission_id])

            def late() -> None:
                with open_work(me) as other:
                    skip(other, one)

            running = pool.submit(late)
            until_blocked(open_work)
            approve(work, [one], read)
        running.result(timeout=20)
    with open_work() as work:
        row = _row(work, one)
        assert (row.state, row.reason, row.decision_id is not None) == ("cancelled", "skipped", True)


# ── walls ─────────────────────────────────────────────────────────────────────────────────────────────────


@freeze_time(NOW)
def test_nobody_touches_what_is_not_theirs(open_work: Opener, people: Firm, me: Actor) -> None:
    held, returned = _queued(open_work, people, me), _queued(open_work, people, me)
    _return(open_work, people.b01.manager, returned)
    strangers = (
        people.b01.advisors[1],
        people.b02.advisor,
        people.b02.manager,
        people.compliance,
        people.operator,
    )
    with open_work() as work:
        before = [tuple(_row(work, one)) for one in (held, returned)]
    attempts: list[Callable[[Work], object]] = [
        lambda work: resubmit(work, returned, 1, "", BETTER),
        lambda work: personalise(work, held, 1, BETTER),
        lambda work: skip(work, held),
        lambda work: withdraw(work, held),
        lambda work: own_message(work, held),
    ]
    for stranger in strangers:
        for attempt in attempts:
            with open_work(stranger) as work, pytest.raises(NotFound):
                attempt(work)
        with open_work(stranger) as work:
            assert list_own(work) == []
    by_id: list[Callable[[Work, UUID], object]] = [skip, withdraw, own_message]
    for look in by_id:
        with open_work(me) as work, pytest.raises(NotFound):
            look(work, new_id())
    with open_work() as work:
        assert [tuple(_row(work, one)) for one in (held, returned)] == before


@freeze_time(NOW)
def test_ones_own_list_has_what_one_wrote_and_what_waits_for_ones_clients(
    open_work: Opener, people: Firm, me: Actor
) -> None:
    greetings = _greetings(open_work, people, 2)
    mine = [_queued(open_work, people, me) for _ in range(3)]
    other = people.b01.advisors[1]
    with open_work() as work:
        theirs = make_client(work, people.b01, advisor_id=other.staff_id)
    _queue(open_work, other, theirs)
    with open_work(me) as work:
        everything = [line.id for line in list_own(work)]
        first = list_own(work, limit=2)
        rest = list_own(work, after=first[-1].id)
        assert [line.id for line in list_own(work, state="held")] == everything
        assert list_own(work, state="returned") == []
        assert {line.title for line in list_own(work) if line.written_by_me} == {"自拟文字"}
        with pytest.raises(BadInput):
            list_own(work, state="lost")
    assert everything == sorted([*greetings, *mine], reverse=True)
    assert [line.id for line in (*first, *rest)] == everything
    assert all(line.client_name == "王小明" and line.text and line.excerpt for line in first)
    with open_work() as work:
        change_client(work, _row(work, greetings[0]).client_id, advisor_id=people.b01.advisors[1].staff_id)
    with open_work(me) as work:
        assert greetings[0] not in [line.id for line in list_own(work)]
        with pytest.raises(NotFound):
            skip(work, greetings[0])


@freeze_time(NOW)
def test_ones_own_list_is_found_by_index(
    open_work: Opener, database: Database, people: Firm, me: Actor
) -> None:
    _queued(open_work, people, me)
    asked: list[tuple[str, Any]] = []

    def keep(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if "FROM message" in statement and "ORDER BY message.id" in statement:
            asked.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", keep)
    with open_work(me) as work:
        list_own(work)
        ((statement, parameters),) = asked
        work.conn.execute(text("SET LOCAL enable_seqscan = off"))
        plan = list(work.conn.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars())
    assert not [line for line in plan if "Seq Scan on message" in line]
    assert [line for line in plan if "client_id_state_at" in line or "author_id" in line]


@freeze_time(NOW)
def test_a_request_is_an_occurrence_of_its_own(open_work: Opener, people: Firm, me: Actor) -> None:
    one = _queued(open_work, people, me)
    with open_work() as work:
        name = work.conn.execute(
            text("SELECT job_name FROM occurrence WHERE id = :id"), {"id": _row(work, one).occurrence_id}
        ).scalar_one()
    assert name == REQUEST
