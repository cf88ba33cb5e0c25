"""An alert that one channel can't deliver takes the next, ending with somebody who calls."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from freezegun import freeze_time
from sqlalchemy import func, select, text

from outreach.app import wire
from outreach.archive.export import export_period
from outreach.care.tasks import close_task, open_tasks, scripts
from outreach.composing.compose import compose_occurrence
from outreach.composing.pending import skip
from outreach.core import clock
from outreach.core.access import SYSTEM
from outreach.delivery.channels.base import Fate
from outreach.delivery.claims import claim_due
from outreach.delivery.fallthrough import _SLOW, fall_through
from outreach.delivery.outcomes import start_calls
from outreach.delivery.receipts import ReceiptIn, take_receipt
from outreach.delivery.sweep import expire_waiting, release_leases, settle
from outreach.ledger.integrator import integrate
from outreach.ledger.work import Work
from outreach.messages.left_behind import _HELD, _LEFT_BEHIND, catch_up
from outreach.messages.reasons import words
from outreach.messages.tables import left_out, message
from outreach.people.consent import opt_out
from outreach.review.batch import approve_batch, sample_of
from outreach.review.decide import approve, reject
from outreach.review.tables import decision_digest
from outreach.review.undo import undo
from tests.support.builders import make_client
from tests.support.occurrences import make_item, make_occurrence
from tests.support.review_rows import as_read
from tests.support.sending import Post, mail, mobile

Chain = dict[str, UUID]  # channel -> message


@pytest.fixture(autouse=True)
def _wired() -> None:
    wire()


def composed(post: Post, *clients: UUID, job: str = "market-event", **fields: Any) -> list[Chain]:
    """An alert to these clients, held; the chain of each."""
    with post.open_work() as work:
        item = make_item(work, "market-event", code="", risk_level=None)
        occurrence_id = make_occurrence(work, job, feed_item_id=item, send_at=clock.now(), **fields)
    compose_occurrence(post.open_work, occurrence_id)
    with post.open_work() as work:
        rows = work.conn.execute(
            select(message.c.id, message.c.client_id, message.c.channel).where(
                message.c.occurrence_id == occurrence_id
            )
        ).all()
    rows = sorted(rows, key=lambda row: ("sms", "email", "call").index(row.channel))
    return [{row.channel: row.id for row in rows if row.client_id == one} for one in clients]


def client(post: Post, **contacts: str | None) -> UUID:
    with post.open_work() as work:
        known: dict[str, Any] = {"mobile": mobile(), "email": mail(), "tier": "vip"} | contacts
        return make_client(work, post.people.b01, **known)


def submission_of(post: Post, chain: Chain) -> UUID:
    found: UUID = post.row(next(iter(chain.values()))).submission_id
    return found


def approved(post: Post, chain: Chain) -> Chain:
    with post.open_work(post.people.b01.manager) as work:
        submission_id = submission_of(post, chain)
        sample = sample_of(work, submission_id)
        approve_batch(work, submission_id, sample.manifest_digest, frozenset(sample.message_ids))
    return chain


def alert(post: Post, **contacts: str | None) -> Chain:
    """An approved alert to one client with a mobile of the mainland and a mailbox."""
    [chain] = composed(post, client(post, **contacts))
    return approved(post, chain)


def stands(post: Post, chain: Chain) -> dict[str, str]:
    found: dict[str, str] = {}
    for channel, one in chain.items():
        row = post.row(one)
        resting = row.state == "approved" and row.due_at is None
        found[channel] = "resting" if resting else row.state
    return found


def report(post: Post, message_id: UUID, status: str) -> None:
    with post.open_work(SYSTEM) as work:
        take_receipt(work, ReceiptIn("gateway", f"r-{message_id}-{status}", status, message_id))


def calls(post: Post) -> list[Any]:
    with post.open_work(post.people.b01.manager) as work:
        return open_tasks(work, kind="call")


# ── composed and decided together ─────────────────────────────────────────────────────────────────────────


def test_all_channels_are_composed_in_one_submission_and_bound_by_one_decision(post: Post) -> None:
    one, other, bare = client(post), client(post, email=None), client(post, mobile=None)
    chain, shorter, only_mail = composed(post, one, other, bare)
    assert [list(chain), list(shorter), list(only_mail)] == [
        ["sms", "email", "call"],
        ["sms", "call"],
        ["email"],
    ]
    rows = {channel: post.row(message_id) for channel, message_id in chain.items()}
    assert [row.fallback_of for row in rows.values()] == [None, chain["sms"], chain["email"]]
    assert {row.submission_id for row in rows.values()} == {post.row(only_mail["email"]).submission_id}
    with post.open_work(post.people.b01.manager) as work:
        sample = sample_of(work, rows["sms"].submission_id)
        assert (sample.clients, sample.alternatives, sample.count) == (3, 3, 6)
        assert not sample.needs_count
    # The one client who is drawn is read with all that they might get.
    drawn = next(one for one in (chain, shorter, only_mail) if sample.message_ids[0] in one.values())
    assert sample.message_ids == tuple(drawn.values())
    approved(post, chain)
    assert stands(post, chain) == {"sms": "approved", "email": "resting", "call": "resting"}
    with post.open_work() as work:
        bound = work.conn.execute(
            select(func.count(), func.count(decision_digest.c.decision_id.distinct()))
        ).one()
        assert tuple(bound) == (6, 1)


def test_what_may_not_be_said_on_one_channel_leaves_the_others(post: Post) -> None:
    one = client(post)
    with post.open_work(post.people.b01.advisor) as work:
        opt_out(work, [one], channel="email", source="phone")
    [chain] = composed(post, one)
    assert list(chain) == ["sms", "call"]
    assert post.row(chain["call"]).fallback_of == chain["sms"]
    with post.open_work() as work:
        assert not work.conn.execute(select(left_out.c.id)).all()


def test_a_greeting_is_never_followed_by_another_channel(post: Post) -> None:
    with post.open_work() as work:
        one = make_client(work, post.people.b01, mobile=mobile(), email=mail(), tier="vip")
        occurrence_id = make_occurrence(
            work, "mid-autumn", send_date=datetime(2031, 10, 1, tzinfo=UTC).date()
        )
    compose_occurrence(post.open_work, occurrence_id)
    with post.open_work() as work:
        assert len(work.conn.execute(select(message.c.id).where(message.c.client_id == one)).all()) == 1


# ── one after the other ───────────────────────────────────────────────────────────────────────────────────


def test_a_refused_sms_goes_as_mail_and_a_bounced_mail_as_a_call(post: Post) -> None:
    number, box = mobile(), mail()
    post.servers.sandbox.gateway.fault("error", code=104)
    post.servers.sandbox.smtp.fault("reject")
    chain = alert(post, mobile=number, email=box)
    post.send()
    assert stands(post, chain)["sms"] == "failed"
    post.send()
    post.send()
    assert stands(post, chain) == {"sms": "failed", "email": "failed", "call": "handed_over"}
    assert post.entries("fall_through", chain["email"]) == post.entries("fall_through", chain["call"]) == 1
    [task] = calls(post)
    assert (task.message_id, task.owner_id) == (chain["call"], post.people.b01.advisor.staff_id)
    assert task.due_by <= clock.now() + timedelta(minutes=31)
    with post.open_work(post.people.b01.advisor) as work:
        assert number in scripts(work, [task])[task.id].to
        close_task(work, task.id, "已电话告知。", reached=True)
    assert stands(post, chain)["call"] == "delivered"
    assert calls(post) == []


def test_the_mail_arrives_when_the_sms_is_reported_undelivered(post: Post) -> None:
    box = mail()
    chain = alert(post, email=box)
    post.send()
    assert stands(post, chain) == {"sms": "sent", "email": "resting", "call": "resting"}
    report(post, chain["sms"], "undelivered")
    assert post.row(chain["email"]).due_at is not None
    post.send()
    assert stands(post, chain) == {"sms": "undelivered", "email": "sent", "call": "resting"}
    assert len(post.servers.sandbox.mailbox(box)) == 1
    assert post.attempts(chain["email"])[0].decision_id == post.row(chain["sms"]).decision_id


def test_when_the_sms_arrives_nothing_else_is_needed_and_says_so(post: Post) -> None:
    chain = alert(post)
    post.send()
    report(post, chain["sms"], "delivered")
    assert stands(post, chain) == {"sms": "delivered", "email": "cancelled", "call": "cancelled"}
    for channel in ("email", "call"):
        row = post.row(chain[channel])
        assert words(row.reason, row.reason_params, "zh-CN").reason == "无需发送：已通过短信送达客户。"
        assert post.entries("message.cancelled", chain[channel]) == 1


def test_an_opt_out_of_sms_leaves_the_mail_and_an_opt_out_of_all_leaves_nothing(post: Post) -> None:
    one, other = client(post), client(post)
    chain, silent = composed(post, one, other)
    approved(post, chain)
    with post.open_work(post.people.b01.advisor) as work:
        opt_out(work, [one], channel="sms", source="phone")
    with post.open_work(post.people.b01.advisor) as work:
        opt_out(work, [other], source="phone")
    assert stands(post, silent) == dict.fromkeys(silent, "suppressed")
    post.send()
    assert stands(post, chain) == {"sms": "suppressed", "email": "sent", "call": "resting"}


def test_without_a_lawful_route_the_mail_goes_at_once(post: Post) -> None:
    chain = alert(post)
    with post.open_work() as work:
        claimed, _ = claim_due(work, {}, urgent=True, size=10, lease_seconds=30)
    assert (claimed, post.state(chain["sms"])) == ([], ("cancelled", "no_route"))
    assert post.row(chain["email"]).due_at is not None


def test_nobody_reachable_becomes_a_task_when_there_is_no_script(post: Post) -> None:
    post.servers.sandbox.smtp.fault("reject")
    [chain] = composed(post, client(post, mobile=None))
    approved(post, chain)
    post.send()
    [task] = calls(post)
    assert task.message_id == chain["email"]
    with post.open_work() as work:
        assert catch_up(work) == 0


def test_a_client_without_advisor_is_called_by_the_branchs_manager(post: Post) -> None:
    post.servers.sandbox.gateway.fault("error", code=104)
    one = client(post, email=None)
    with post.open_work() as work:
        work.conn.execute(text("UPDATE client SET advisor_id = NULL WHERE id = :id"), {"id": one})
    [chain] = composed(post, one)
    approved(post, chain)
    post.send()
    post.send()
    [task] = calls(post)
    assert (task.message_id, task.owner_id) == (chain["call"], post.people.b01.manager.staff_id)


# ── what nobody knows, and what takes too long ────────────────────────────────────────────────────────────


def _unknown(post: Post, chain: Chain) -> None:
    """The worker dies in the call of the SMS."""
    with post.open_work() as work:
        claimed, _ = claim_due(work, post.providers().limits, urgent=True, size=10, lease_seconds=0)
        start_calls(work, claimed)
    with post.open_work() as work:
        release_leases(work)
    assert stands(post, chain)["sms"] == "unknown"


def _minutes_pass(post: Post, minutes: int) -> None:
    with post.open_work() as work:
        work.conn.execute(
            text("UPDATE message SET state_at = state_at - make_interval(mins => :n)"), {"n": minutes}
        )
        work.conn.execute(
            text("UPDATE attempt SET claimed_at = claimed_at - make_interval(mins => :n)"), {"n": minutes}
        )


def test_p3_an_unknown_sms_is_waited_for_then_the_mail_goes_and_the_sms_never_again(post: Post) -> None:
    chain = alert(post)
    _unknown(post, chain)
    with post.open_work() as work:
        assert fall_through(work) == 0
    _minutes_pass(post, 9)
    with post.open_work() as work:
        assert fall_through(work) == 0
    _minutes_pass(post, 2)
    with post.open_work() as work:
        assert (fall_through(work), fall_through(work)) == (1, 0)
    assert post.state(chain["sms"]) == ("unknown", "unknown_fell_through")
    assert "10 分钟" in words(*_reason(post, chain["sms"]), "zh-CN").reason
    post.send()
    assert stands(post, chain) == {"sms": "unknown", "email": "sent", "call": "resting"}
    with post.open_work() as work:  # somebody finds out that it never left
        settle(work, chain["sms"], Fate.ABSENT, "", basis="person")
    assert post.state(chain["sms"]) == ("failed", "never_went")
    post.send()
    assert len(post.attempts(chain["sms"])) == 1


def _reason(post: Post, message_id: UUID) -> tuple[str, Any]:
    row = post.row(message_id)
    return row.reason, row.reason_params


def test_a_late_receipt_takes_the_mail_back_while_it_is_not_on_its_way(post: Post) -> None:
    chain = alert(post)
    _unknown(post, chain)
    _minutes_pass(post, 11)
    with post.open_work() as work:
        assert fall_through(work) == 1
    report(post, chain["sms"], "delivered")
    assert stands(post, chain) == {"sms": "delivered", "email": "cancelled", "call": "cancelled"}
    post.send()
    assert post.attempts(chain["email"]) == []


def test_a_provider_that_keeps_hesitating_is_given_up_for_the_next_channel(post: Post) -> None:
    post.servers.sandbox.gateway.fault("error", status=503)
    chain = alert(post)
    post.send()
    assert stands(post, chain) == {"sms": "approved", "email": "resting", "call": "resting"}
    _minutes_pass(post, 11)
    with post.open_work() as work:
        assert fall_through(work) == 1
    post.send()
    assert post.state(chain["sms"]) == ("cancelled", "fell_through")
    assert stands(post, chain)["email"] == "sent"
    assert post.entries("message.cancelled", chain["sms"]) == 1


def test_sent_without_a_bad_word_until_it_expires_nothing_else_is_needed(post: Post) -> None:
    chain = alert(post)
    post.send()
    with freeze_time(clock.now() + timedelta(days=3)), post.open_work() as work:
        expire_waiting(work)
    assert stands(post, chain) == {"sms": "sent", "email": "cancelled", "call": "cancelled"}
    assert post.state(chain["email"])[1] == "not_needed_sent"


# ── decisions about some of them ──────────────────────────────────────────────────────────────────────────


def test_p1_an_alternative_that_nobody_approved_waits_in_the_inbox(post: Post) -> None:
    [chain] = composed(post, client(post))
    with post.open_work(post.people.b01.manager) as work:
        approve(work, [chain["sms"]], as_read(work, [chain["sms"]]))
    post.servers.sandbox.gateway.fault("error", code=104)
    post.send()
    post.send()
    assert stands(post, chain) == {"sms": "failed", "email": "held", "call": "held"}
    assert calls(post) == []
    with post.open_work(post.people.b01.manager) as work:  # approved late, its turn has come
        approve(work, [chain["email"]], as_read(work, [chain["email"]]))
    post.send()
    assert stands(post, chain) == {"sms": "failed", "email": "sent", "call": "held"}


def test_rejecting_the_first_takes_its_alternatives_with_it(post: Post) -> None:
    [chain] = composed(post, client(post))
    with post.open_work(post.people.b01.manager) as work:
        approve(work, [chain["email"]], as_read(work, [chain["email"]]))
        reject(work, [chain["sms"]], as_read(work, [chain["sms"]]), [], "不发。")
    assert stands(post, chain) == {"sms": "rejected", "email": "cancelled", "call": "cancelled"}
    assert post.state(chain["call"])[1] == "first_stopped"


def test_a_skipped_client_gets_nothing_by_any_channel(post: Post) -> None:
    chain, other = composed(post, client(post), client(post))
    with post.open_work(post.people.b01.advisor) as work:
        skip(work, chain["sms"], "已当面告知")
    assert stands(post, chain) == dict.fromkeys(chain, "cancelled")
    approved(post, other)
    assert stands(post, other) == {"sms": "approved", "email": "resting", "call": "resting"}
    with post.open_work(post.people.b01.advisor) as work:
        skip(work, other["call"])
    assert stands(post, other) == dict.fromkeys(other, "cancelled")


def test_p1_a_payload_changed_by_hand_is_no_reason_to_take_the_next(post: Post) -> None:
    chain = alert(post)
    with post.open_work() as work:
        work.conn.execute(
            text("UPDATE message SET payload_id = gen_random_uuid() WHERE id = :id"), {"id": chain["sms"]}
        )
    post.send()
    post.send()
    assert stands(post, chain) == {"sms": "held", "email": "resting", "call": "resting"}


def test_p1_an_alternative_made_due_by_hand_does_not_go_before_its_turn(post: Post) -> None:
    chain = alert(post)
    post.send()
    with post.open_work() as work:
        work.conn.execute(
            text("UPDATE message SET due_at = now() WHERE id = ANY(:ids)"),
            {"ids": [chain["email"], chain["call"]]},
        )
    post.send()
    assert stands(post, chain) == {"sms": "sent", "email": "resting", "call": "resting"}
    assert post.attempts(chain["email"]) == []


# ── at once ───────────────────────────────────────────────────────────────────────────────────────────────


def test_delivered_and_given_up_at_once_never_both_reach_the_client(post: Post) -> None:
    """Whichever comes first: once it is known that the SMS arrived, the mail is not sent."""
    for _ in range(8):
        chain = alert(post)
        _unknown(post, chain)
        _minutes_pass(post, 11)

        def give_up() -> None:
            with post.open_work() as work:
                fall_through(work)

        with ThreadPoolExecutor(2) as pool:
            running = [pool.submit(give_up), pool.submit(report, post, chain["sms"], "delivered")]
            for one in running:
                one.result(timeout=30)
        post.send()
        assert stands(post, chain) | {"call": ""} == {"sms": "delivered", "email": "cancelled", "call": ""}
        assert post.attempts(chain["email"]) == []


def test_a_receipt_that_is_being_written_down_is_waited_for(post: Post) -> None:
    chain = alert(post)
    post.send()
    report(post, chain["sms"], "undelivered")
    limits = post.providers().limits
    with post.open_work(SYSTEM) as writing:
        take_receipt(writing, ReceiptIn("gateway", "late", "delivered", chain["sms"]))
        with post.open_work() as work:
            claimed, looked_at = claim_due(work, limits, urgent=True, size=10, lease_seconds=30)
        assert (claimed, looked_at <= 1) == ([], True)
    assert stands(post, chain) == {"sms": "delivered", "email": "cancelled", "call": "cancelled"}


def test_what_was_left_behind_is_caught_up_once(post: Post) -> None:
    chain = alert(post)
    with post.open_work() as work:  # as a version before this one would have left it
        work.conn.execute(
            text("UPDATE message SET state = 'failed', due_at = NULL WHERE id = :id"), {"id": chain["sms"]}
        )
    with post.open_work() as work:
        assert (catch_up(work), catch_up(work)) == (1, 0)
    post.send()
    assert stands(post, chain) == {"sms": "failed", "email": "sent", "call": "resting"}


def test_held_alternatives_of_a_client_who_was_reached_leave_the_inbox(post: Post) -> None:
    [chain] = composed(post, client(post))
    with post.open_work(post.people.b01.manager) as work:
        approve(work, [chain["sms"]], as_read(work, [chain["sms"]]))
    post.send()
    report(post, chain["sms"], "delivered")
    with post.open_work() as work:
        catch_up(work)
    assert stands(post, chain) == {"sms": "delivered", "email": "cancelled", "call": "cancelled"}
    with post.open_work() as work:
        state = work.conn.execute(
            text("SELECT state FROM submission WHERE id = :id"), {"id": submission_of(post, chain)}
        ).scalar_one()
    assert state == "closed"


@pytest.mark.parametrize("undone", [True, False])
def test_an_approval_that_is_taken_back_takes_back_the_alternatives(post: Post, undone: bool) -> None:
    [chain] = composed(post, client(post))
    with post.open_work(post.people.b01.manager) as work:
        sample = sample_of(work, submission_of(post, chain))
        done = approve_batch(work, sample.submission_id, sample.manifest_digest, set(sample.message_ids))
        assert (done.count, done.alternatives) == (3, 2)
        if undone:
            work.conn.execute(text("UPDATE decision SET undo_until = now() + interval '1 minute'"))
            assert undo(work, done.decisions[0]).count == 3
    assert stands(post, chain)["email"] == ("held" if undone else "resting")


def test_an_export_says_why_the_next_channel_was_taken_and_why_another_was_not_needed(
    post: Post, tmp_path: Path
) -> None:
    chain = alert(post)
    post.send()
    report(post, chain["sms"], "undelivered")
    post.send()
    with post.open_work() as work:
        settle_as_delivered(work, chain["email"])
    integrate(post.open_work)
    now = clock.now()
    out = tmp_path / "bag"
    result = export_period(
        post.open_work, post.people.compliance, now - timedelta(hours=1), now + timedelta(hours=1), out
    )
    envelopes = (out / "data/records").glob("*/*.envelope.json")
    said = [json.loads(one.read_text("utf-8")) for one in envelopes]
    [taken] = [one for one in said if one["kind"] == "fall_through"]
    assert (taken["message_id"], taken["fallback_of"], taken["rule"]) == (
        str(chain["email"]),
        str(chain["sms"]),
        "provider_undelivered",
    )
    page = (out / "data/index.html").read_text("utf-8")
    assert "改用下一渠道" in page
    assert "通道回执：未送达。" in page
    assert "无需发送：已通过邮件送达客户。" in page
    assert result.withheld == 0


def settle_as_delivered(work: Work, message_id: UUID) -> None:
    """The mail server said so in a receipt of its own."""
    take_receipt(work, ReceiptIn("gateway", f"mail-{message_id}", "delivered", message_id))


@pytest.mark.parametrize("statement", [_LEFT_BEHIND, _HELD, _SLOW], ids=["left behind", "held", "slow"])
def test_the_sweeper_reads_messages_by_their_small_indexes(post: Post, statement: Any) -> None:
    """Not by the millions that are at rest: what is asked for stands in partial indexes."""
    with post.open_work() as work:
        work.conn.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join(
            work.conn.execute(
                text(f"EXPLAIN {statement.text}"),
                {
                    "size": 500,
                    "now": clock.now(),
                    "before": clock.now(),
                    "oldest": clock.now(),
                    "waits": "waits_for_first",
                    "given_up": "unknown_fell_through",
                },
            ).scalars()
        )
    assert "Seq Scan on message" not in plan
    by_size = ("state_expires_at_idx", "state_at_idx", "urgent_due_at_id_idx")
    assert any(name in plan for name in by_size), plan
