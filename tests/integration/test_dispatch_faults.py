"""Providers that refuse, hesitate, break off and lie: temporary, permanent and unknown told apart (P3, P4)."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from outreach.core import clock
from outreach.core.access import SYSTEM
from outreach.core.errors import Conflict
from outreach.delivery.channels.base import Fate
from outreach.delivery.claims import claim_due
from outreach.delivery.outcomes import start_calls
from outreach.delivery.receipts import ReceiptIn, take_receipt
from outreach.delivery.sweep import release_leases, settle
from outreach.messages.reasons import words
from tests.support.sending import Post, mail, mobile


def received(post: Post, address: str) -> int:
    if "@" in address:
        return len(post.servers.sandbox.mailbox(address))
    return len(post.servers.sandbox.conversation(address))


def server_for(post: Post, address: str) -> Any:
    sandbox = post.servers.sandbox
    return (
        sandbox.smtp if "@" in address else sandbox.gateway if address.startswith("+86") else sandbox.twilio
    )


def in_words(post: Post, message_id: object) -> str:
    row = post.row(message_id)  # type: ignore[arg-type]
    said = words(row.reason, row.reason_params, "zh-CN")
    return f"{said.reason}{said.mend}"


# ── mail ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_greylisting_is_tried_again_and_arrives_once(post: Post) -> None:
    address = mail()
    server_for(post, address).fault("greylist", times=1, each=True)
    [message_id] = post.approved(address)
    assert post.send().retrying == 1
    assert post.state(message_id) == ("approved", "provider_temporary")
    assert post.row(message_id).due_at > clock.now()
    post.due_now()
    assert post.send().sent == 1
    assert received(post, address) == 1
    assert [one.state for one in post.attempts(message_id)] == ["temporary", "accepted"]


def test_a_refused_recipient_fails_for_good_in_words(post: Post) -> None:
    address = mail()
    server_for(post, address).fault("reject")
    [message_id] = post.approved(address)
    assert post.send().failed == 1
    assert post.state(message_id) == ("failed", "provider_permanent")
    assert "请核对" in in_words(post, message_id)
    assert post.entries("message.failed", message_id) == 1


def test_a_connection_lost_before_the_text_is_tried_again(post: Post) -> None:
    address = mail()
    server_for(post, address).fault("refuse-connection")
    [message_id] = post.approved(address)
    assert post.send().retrying == 1
    post.servers.clear()
    post.due_now()
    post.send()
    assert (post.state(message_id)[0], received(post, address)) == ("sent", 1)


@pytest.mark.parametrize(("mode", "arrived"), [("drop-after-data", 1), ("drop-before-data", 0)])
def test_p3_a_connection_lost_after_the_text_is_unknown_and_never_repeated(
    post: Post, mode: str, arrived: int
) -> None:
    address = mail()
    server_for(post, address).fault(mode, times=1)
    [message_id] = post.approved(address)
    assert post.send().unknown == 1
    assert post.state(message_id) == ("unknown", "provider_unknown")
    post.due_now()
    post.send()
    assert received(post, address) == arrived
    assert len(post.attempts(message_id)) == 1
    assert "不会自动重发" in in_words(post, message_id)


# ── Twilio and the gateway ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("prefix", ["+852", "+86147"])
@pytest.mark.parametrize(
    ("status", "state"),
    [(400, "failed"), (401, "approved"), (429, "approved"), (503, "approved"), (500, "unknown")],
)
def test_answers_that_refuse(post: Post, prefix: str, status: int, state: str) -> None:
    number = mobile(prefix)
    # The gateway speaks in codes of its own; a bare HTTP status is what a proxy before it says.
    options: dict[str, object] = {"status": status, "times": 1}
    if prefix == "+852":
        options["code"] = {400: 21211, 401: 20003, 429: 20429, 500: 20500, 503: 20503}[status]
    elif status in (400, 401):
        options = {"code": 104 if status == 400 else 201, "times": 1}
    server_for(post, number).fault("error", **options)
    [message_id] = post.approved(number)
    post.send()
    assert post.state(message_id)[0] == state
    assert received(post, number) == 0
    if state == "approved":
        post.due_now()
        post.send()
        assert (post.state(message_id)[0], received(post, number)) == ("sent", 1)


@pytest.mark.parametrize("prefix", ["+852", "+86147"])
def test_p3_no_answer_in_time_is_unknown_and_never_repeated(post: Post, prefix: str) -> None:
    number = mobile(prefix)
    post.seconds = 1.0
    server_for(post, number).fault("no-answer", times=1, seconds=5)
    [message_id] = post.approved(number)
    assert post.send().unknown == 1
    post.due_now()
    post.send()
    assert (post.state(message_id)[0], received(post, number)) == ("unknown", 1)


@pytest.mark.parametrize("prefix", ["+852", "+86147"])
def test_a_broken_answer_is_unknown(post: Post, prefix: str) -> None:
    number = mobile(prefix)
    server_for(post, number).fault("drop-after-recording", times=1)
    [message_id] = post.approved(number)
    assert post.send().unknown == 1
    assert received(post, number) == 1
    assert post.state(message_id)[0] == "unknown"


def test_p3_the_gateway_is_asked_about_an_unknown_outcome(post: Post) -> None:
    taken, lost = mobile(), mobile()
    gateway = post.servers.sandbox.gateway
    gateway.fault("drop-after-recording", times=1, pattern=taken.replace("+", r"\+"))
    gateway.fault("drop", times=1, pattern=lost.replace("+", r"\+"))
    first, second = post.approved(taken, lost)
    post.send()
    assert {post.state(first)[0], post.state(second)[0]} == {"unknown"}
    assert post.reconcile() == 0  # too early: the call might still be on its way
    with post.open_work() as work:
        work.conn.execute(
            text("UPDATE message SET state_at = now() - interval '2 minutes' WHERE state = 'unknown'")
        )
    assert post.reconcile() == 2
    assert post.state(first)[0] in ("sent", "delivered")
    assert post.state(second)[0] == "approved"
    post.send()
    assert (received(post, taken), received(post, lost)) == (1, 1)
    assert post.entries("settled", first) == 1


def test_a_person_settles_what_nobody_can_tell_once(post: Post) -> None:
    address = mail()
    server_for(post, address).fault("drop-after-data", times=1)
    [message_id] = post.approved(address)
    post.send()
    with post.open_work(SYSTEM) as work:
        settle(work, message_id, Fate.ACCEPTED, "seen in the relay's log", basis="person")
    assert post.state(message_id)[0] == "sent"
    with pytest.raises(Conflict), post.open_work(SYSTEM) as work:
        settle(work, message_id, Fate.ACCEPTED, "", basis="person")


# ── receipts ──────────────────────────────────────────────────────────────────────────────────────────────


def receipt(post: Post, message_id: object, status: str, reference: str = "SM1") -> bool:
    with post.open_work(SYSTEM) as work:
        return take_receipt(work, ReceiptIn("twilio", reference, status, message_id))  # type: ignore[arg-type]


def test_p4_a_receipt_before_our_own_write_settles_later(post: Post) -> None:
    number = mobile("+852")
    [message_id] = post.approved(number)
    assert receipt(post, message_id, "delivered")
    assert post.state(message_id)[0] == "approved"
    post.send()
    assert post.state(message_id)[0] == "delivered"


def test_a_receipt_twice_is_kept_once(post: Post) -> None:
    [message_id] = post.approved(mobile("+852"))
    post.send()
    assert receipt(post, message_id, "delivered")
    assert not receipt(post, message_id, "delivered")
    assert post.entries("receipt", message_id) == 1
    assert post.state(message_id)[0] == "delivered"


def test_receipts_out_of_order_end_with_the_best(post: Post) -> None:
    [message_id] = post.approved(mobile("+852"))
    post.send()
    receipt(post, message_id, "undelivered")
    assert post.state(message_id)[0] == "undelivered"
    receipt(post, message_id, "delivered")
    receipt(post, message_id, "sent")
    assert post.state(message_id)[0] == "delivered"


def test_p4_a_receipt_settles_an_unknown_outcome(post: Post) -> None:
    number = mobile("+852")
    server_for(post, number).fault("drop-after-recording", times=1)
    [message_id] = post.approved(number)
    post.send()
    receipt(post, message_id, "delivered")
    assert post.state(message_id)[0] == "delivered"


# ── leases ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("begun", "state"), [(False, "approved"), (True, "unknown")])
def test_p4_a_claim_of_a_dead_worker_comes_back_unless_its_call_had_begun(
    post: Post, begun: bool, state: str
) -> None:
    [message_id] = post.approved(mobile())
    with post.open_work() as work:
        [claimed], _ = claim_due(work, post.providers().limits, urgent=True, size=10, lease_seconds=30)
    if begun:
        with post.open_work() as work:
            start_calls(work, [claimed])
    with post.open_work() as work:
        assert release_leases(work) == (0, 0)  # the lease still runs
        work.conn.execute(
            text("UPDATE message SET lease_until = :past"), {"past": clock.now() - timedelta(seconds=1)}
        )
    with post.open_work() as work:
        release_leases(work)
    assert post.state(message_id)[0] == state
    with post.open_work() as work:
        # The fence: whoever comes back late must not call.
        assert start_calls(work, [claimed]) == {}
