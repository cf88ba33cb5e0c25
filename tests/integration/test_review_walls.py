"""P7: a foreign branch's ids are answered as if there were nothing, by every service of review and care."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from outreach.care.tasks import close_task, open_task, open_tasks, task_by_id
from outreach.content.in_force import lexicons_in_force
from outreach.core import clock
from outreach.core.access import Actor
from outreach.core.errors import Forbidden, NotFound
from outreach.ledger.work import Opener, Work
from outreach.review.decide import (
    approve,
    approve_batch,
    grant_standing,
    reject,
    release_standing,
    return_,
    revoke_standing,
    sample_of,
    undo,
)
from outreach.review.detail import message_detail
from outreach.review.inbox import Filters, counts, list_messages, list_waiting
from outreach.review.standing import standing_in_force
from tests.support.desk import Desk
from tests.support.review_rows import Held, as_read, hold

CALLS: dict[str, Callable[[Work, Held, dict[str, Any]], object]] = {
    "approve": lambda work, held, more: approve(work, held.ids, more["read"]),
    "return": lambda work, held, more: return_(work, held.ids, more["read"], [], "x"),
    "reject": lambda work, held, more: reject(work, held.ids, more["read"], [], "x"),
    "sample_of": lambda work, held, more: sample_of(work, held.submission_id),
    "approve_batch": lambda work, held, more: approve_batch(work, held.submission_id, b"", ()),
    "undo": lambda work, held, more: undo(work, more["decision"]),
    "grant": lambda work, held, more: grant_standing(
        work, held.submission_id, clock.now() + timedelta(days=1)
    ),
    "revoke": lambda work, held, more: revoke_standing(work, more["standing"]),
    "release": lambda work, held, more: release_standing(work, held.submission_id),
    "detail": lambda work, held, more: message_detail(work, held.first),
    "list_messages": lambda work, held, more: list_messages(work, held.submission_id),
    "task": lambda work, held, more: task_by_id(work, more["task"]),
    "close_task": lambda work, held, more: close_task(work, more["task"], "x"),
}


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_foreign_branch_finds_nothing(open_work: Opener, desk: Desk, name: str) -> None:
    firm = desk.firm
    standing = {"policy": desk.standing, "mode": "standing", "template": desk.birthday}
    with open_work() as work:
        digest = lexicons_in_force(work.conn)[1]
        held = hold(work, firm, firm.b01, **standing)  # type: ignore[arg-type]
        released = hold(work, firm, firm.b01, lexicon=digest, **standing)  # type: ignore[arg-type]
        more: dict[str, Any] = {"read": as_read(work, held.ids)}
        more["task"] = open_task(
            work, "call", due_by=clock.now(), branch_id=firm.b01.id, message_id=held.first
        )
    with open_work(firm.b01.manager) as work:
        granted = grant_standing(work, released.submission_id, clock.now() + timedelta(days=1))
        more["standing"] = granted.standing_approval_id
        decided = hold(work, firm, firm.b01, policy=desk.each, author=firm.b01.advisor)
        more["decision"] = approve(work, decided.ids, as_read(work, decided.ids)).decisions[0]
    with open_work(firm.b02.manager) as work, pytest.raises(NotFound):
        CALLS[name](work, held, more)


@pytest.mark.parametrize("name", sorted(set(CALLS) - {"undo", "revoke", "task", "close_task"}))
def test_an_operator_sees_no_content_and_decides_nothing(open_work: Opener, desk: Desk, name: str) -> None:
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.each)
        more: dict[str, Any] = {"read": as_read(work, held.ids)}
    with open_work(desk.firm.operator) as work, pytest.raises((NotFound, Forbidden)):
        CALLS[name](work, held, more)


def test_lists_and_counts_stay_within_the_walls(open_work: Opener, desk: Desk) -> None:
    firm = desk.firm
    with open_work() as work:
        hold(work, firm, firm.b01, policy=desk.each, count=2, author=firm.b01.advisor)
        everybody = hold(work, firm, None, policy=desk.firmwide, mode="batch", count=4)
        open_task(work, "call", due_by=clock.now(), branch_id=firm.b01.id, message_id=everybody.first)

    def seen(actor: Actor) -> tuple[list[int], int, int, int]:
        with open_work(actor) as work:
            waiting = sorted(item.waiting for item in list_waiting(work).items)
            return waiting, counts(work).waiting, len(open_tasks(work)), len(standing_in_force(work))

    assert seen(firm.b01.manager) == ([2, 2], 4, 1, 0)
    assert seen(firm.b02.manager) == ([2], 2, 0, 0)  # of the firm's batch, its own clients only
    assert seen(firm.head_office)[0] == [2, 4]
    with open_work(firm.b02.manager) as work:
        assert list_waiting(work, Filters(branch=firm.b01.id)).items == ()
        assert len(list_messages(work, everybody.submission_id).items) == 2
