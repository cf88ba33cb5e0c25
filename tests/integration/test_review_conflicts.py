"""Whoever comes second changes nothing and is told who did what, when, and why, in the reader's language."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from freezegun import freeze_time

from outreach.app import wire
from outreach.composing.pending import skip, withdraw
from outreach.core import events
from outreach.core.errors import Conflict
from outreach.delivery.sweep import expire_waiting
from outreach.ledger.work import Opener, Work
from outreach.messages.tables import message
from outreach.people.consent import opt_out
from outreach.review.batch import approve_batch, sample_of
from outreach.review.conflicts import Happened, in_words
from outreach.review.decide import approve, reject, return_, undo
from tests.support.desk import Desk
from tests.support.review_rows import Expected, Held, as_read, edit, hold, states

NOW = "2026-09-21 03:00:00"  # 11:00 in Shanghai


@dataclass
class Case:
    """What somebody did meanwhile: ``what`` it is called, who is named, and the words in both languages."""

    act: Callable[[Opener, Desk, Held], None]
    what: str
    who: Callable[[Desk], str]
    zh: str
    en: str


def _approve(open_work: Opener, desk: Desk, held: Held) -> None:
    with open_work(desk.firm.b01.deputy) as work:
        approve(work, held.ids, as_read(work, held.ids))


def _reject(open_work: Opener, desk: Desk, held: Held) -> None:
    with open_work(desk.firm.b01.deputy) as work:
        reject(work, held.ids, as_read(work, held.ids), [desk.reason], "")


def _undo(open_work: Opener, desk: Desk, held: Held) -> None:
    with open_work(desk.firm.b01.deputy) as work:
        undo(work, approve(work, held.ids, as_read(work, held.ids)).decisions[0])
    with open_work(desk.firm.b01.deputy) as work:
        return_(work, held.ids, as_read(work, held.ids), [desk.reason], "")


def _edit(open_work: Opener, desk: Desk, held: Held) -> None:
    with open_work(desk.firm.b01.advisor) as work:
        edit(work, held.first, "您好，这是另一句话。", desk.firm.b01.advisor)


def _skip(open_work: Opener, desk: Desk, held: Held) -> None:
    with open_work(desk.firm.b01.advisor) as work:
        skip(work, held.first)


def _withdraw(open_work: Opener, desk: Desk, held: Held) -> None:
    with open_work(desk.firm.b01.advisor) as work:
        withdraw(work, held.first)


def _expire(open_work: Opener, desk: Desk, held: Held) -> None:
    with open_work() as work:
        past = message.update().where(message.c.id == held.first)
        work.conn.execute(past.values(expires_at=message.c.created_at))
        assert expire_waiting(work) == 1


def _opt_out(open_work: Opener, desk: Desk, held: Held) -> None:
    with events.apart():
        wire()
        with open_work(desk.firm.b01.advisor) as work:
            person = work.conn.execute(message.select().where(message.c.id == held.first)).one()
            opt_out(work, [person.client_id], source="page")


CASES = {
    "decided elsewhere": Case(
        _approve,
        "approve",
        lambda desk: desk.firm.b01.deputy.name,
        "{who}已于 9月21日 11:05 批准。",
        "{who} approved it on 21 Sept, 11:05.",
    ),
    "rejected elsewhere": Case(
        _reject,
        "reject",
        lambda desk: desk.firm.b01.deputy.name,
        "{who}已于 9月21日 11:05 否决。",
        "{who} rejected it on 21 Sept, 11:05.",
    ),
    "undone and returned": Case(
        _undo,
        "return",
        lambda desk: desk.firm.b01.deputy.name,
        "{who}已于 9月21日 11:05 退回修改。",
        "{who} returned it on 21 Sept, 11:05.",
    ),
    "edited meanwhile": Case(
        _edit,
        "edit",
        lambda desk: desk.firm.b01.advisor.name,
        "{who}已于 9月21日 11:05 修改内容，现为第 2 版。",
        "{who} changed the words on 21 Sept, 11:05; it is revision 2 now.",
    ),
    "withdrawn by its author": Case(
        _withdraw,
        "cancelled",
        lambda desk: desk.firm.b01.advisor.name,
        "{who}已于 9月21日 11:05 撤回。",
        "{who} took it back on 21 Sept, 11:05.",
    ),
    "skipped by the advisor": Case(
        _skip,
        "cancelled",
        lambda desk: desk.firm.b01.advisor.name,
        "{who}已于 9月21日 11:05 跳过这位客户。",
        "{who} skipped this client on 21 Sept, 11:05.",
    ),
    "expired": Case(
        _expire,
        "expired",
        lambda desk: "",
        "已于 9月21日 11:05 过有效期，不再发送。",
        "It expired on 21 Sept, 11:05; it is not sent any more.",
    ),
    "suppressed": Case(
        _opt_out,
        "suppressed",
        lambda desk: desk.firm.b01.advisor.name,
        "已于 9月21日 11:05 停发：客户已退订",
        "It was stopped on 21 Sept, 11:05: The client has opted out",
    ),
}


VERBS: dict[str, Callable[[Work, Desk, Held, Expected], object]] = {
    "approve": lambda work, desk, held, read: approve(work, held.ids, read),
    "return": lambda work, desk, held, read: return_(work, held.ids, read, [desk.reason], ""),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("verb", VERBS)
def test_who_did_what_when_and_nothing_is_changed(
    open_work: Opener, desk: Desk, name: str, verb: str
) -> None:
    case, team = CASES[name], desk.firm.b01
    with freeze_time(NOW) as time:
        with open_work() as work:
            held = hold(work, desk.firm, team, policy=desk.each, author=team.advisor, count=1)
        with open_work(team.manager) as work:
            read = as_read(work, held.ids)
        time.tick(timedelta(minutes=5))
        case.act(open_work, desk, held)
        time.tick(timedelta(minutes=5))
        with open_work(team.manager) as work:
            before = states(work, held.ids)
            with pytest.raises(Conflict) as lost:
                VERBS[verb](work, desk, held, read)
            assert states(work, held.ids) == before
        (said,) = lost.value.details["messages"]
        happened = Happened.from_json(said)
        assert happened.to_json() == said
        assert (happened.what, happened.who) == (case.what, case.who(desk))
        assert happened.at.isoformat() == "2026-09-21T03:05:00+00:00"
        zone = work.settings.zone
        assert in_words(happened, "zh-CN", zone).startswith(case.zh.format(who=case.who(desk)))
        assert in_words(happened, "en", zone).startswith(case.en.format(who=case.who(desk)))


def test_a_batch_of_which_something_was_added_is_read_again(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.batch, mode="batch", count=3)
    with open_work(desk.firm.b01.manager) as work:
        seen = sample_of(work, held.submission_id)
        with pytest.raises(Conflict) as changed:
            approve_batch(work, held.submission_id, b"another manifest", seen.message_ids)
        assert changed.value.details["count"] == 3
        assert set(states(work, held.ids)) == {"held"}
