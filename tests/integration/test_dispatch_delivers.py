"""What was approved is sent, byte for byte, and recorded (P1, P3, P5)."""

import hashlib
import threading
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import text

from outreach.core import clock
from outreach.ledger.work import opener
from outreach.messages.payload import digest, to_bytes
from outreach.people.consent import opt_out
from tests.support.sending import Post, mail, mobile


def test_p1_an_approved_sms_arrives_as_it_was_approved(post: Post) -> None:
    mainland, hong_kong = mobile(), mobile("+852")
    ids = post.approved(mainland, hong_kong)
    done = post.send()
    assert (done.sent, done.failed, done.unknown) == (2, 0, 0)
    for number, message_id, channel in zip((mainland, hong_kong), ids, ("gateway", "twilio"), strict=True):
        [bubble] = post.servers.sandbox.conversation(number)
        assert bubble.body == post.payload(message_id).text
        assert bubble.channel == channel
        assert post.state(message_id) == ("sent", None)
        [attempt] = post.attempts(message_id)
        assert (attempt.provider, attempt.state) == (channel, "accepted")
        assert bytes(attempt.digest) == digest(to_bytes(post.payload(message_id)))
        assert attempt.wire_digest is not None
        assert post.entries("message.sent", message_id) == 1


def test_p1_an_approved_mail_arrives_as_it_was_approved(post: Post) -> None:
    address = mail()
    [message_id] = post.approved(address)
    assert post.send().sent == 1
    [arrived] = post.servers.sandbox.mailbox(address)
    payload = post.payload(message_id)
    assert arrived.subject == payload.subject
    assert arrived.text.replace("\r\n", "\n").strip() == payload.text.strip()
    assert message_id.hex in arrived.message_id
    [attempt] = post.attempts(message_id)
    assert bytes(attempt.wire_digest) == hashlib.sha256(arrived.raw).digest()


def test_p1_a_payload_changed_by_raw_sql_after_approval_is_not_sent(post: Post) -> None:
    number = mobile()
    kept, changed = post.approved(number, mobile())
    with post.open_work() as work:
        work.conn.execute(
            text(
                "UPDATE message SET payload_id = (SELECT payload_id FROM message WHERE id = :other) WHERE id = :id"
            ),
            {"id": changed, "other": kept},
        )
    assert post.send().sent == 1
    assert post.state(changed) == ("held", "payload_altered")
    assert post.attempts(changed) == []


def test_p1_a_digest_forged_by_raw_sql_is_not_believed(post: Post) -> None:
    first, second = post.approved(mobile(), mobile())
    with post.open_work() as work:
        work.conn.execute(
            text(
                "UPDATE message SET (payload_id, digest) = (SELECT payload_id, digest FROM message WHERE id = :other)"
                " WHERE id = :id"
            ),
            {"id": second, "other": first},
        )
    post.send()
    assert post.state(second) == ("held", "payload_altered")


def test_p1_an_approval_by_raw_sql_alone_is_no_approval(post: Post) -> None:
    [message_id] = post.approved(mobile())
    with post.open_work() as work:
        work.conn.execute(
            text("UPDATE message SET decision_id = gen_random_uuid() WHERE id = :id"), {"id": message_id}
        )
    post.send()
    assert post.state(message_id) == ("held", "decision_void")


def test_p5_an_opt_out_after_approval_stops_it(post: Post) -> None:
    [message_id] = post.approved(mobile())
    row = post.row(message_id)
    with post.open_work() as work:
        opt_out(work, [row.client_id], source="page")
    post.send()
    assert post.state(message_id) == ("suppressed", "opted_out")
    assert post.entries("message.suppressed", message_id) == 1


def test_what_expired_is_not_sent(post: Post) -> None:
    [message_id] = post.approved(mobile())
    with post.open_work() as work:
        work.conn.execute(
            text("UPDATE message SET expires_at = :past WHERE id = :id"),
            {"id": message_id, "past": clock.now() - timedelta(minutes=1)},
        )
    post.send()
    assert post.state(message_id)[0] == "expired"


def test_quiet_hours_wait_and_say_until_when(post: Post) -> None:
    [message_id] = post.approved(mobile(), urgent=False)
    hour = clock.now().astimezone(post.settings.zone).hour
    opens = (hour + 2) % 23
    with post.open_work() as work:
        work.conn.execute(
            text("UPDATE message SET send_window = :window WHERE id = :id"),
            {"id": message_id, "window": f"{opens:02}:00-{opens:02}:59"},
        )
    post.send(urgent=False)
    row = post.row(message_id)
    assert row.state == "approved"
    assert row.due_at > clock.now()
    assert row.due_at.astimezone(post.settings.zone).hour == opens


def test_a_number_without_a_route_is_refused_with_the_reason(post: Post) -> None:
    [message_id] = post.approved(mobile())
    with post.open_work() as work:
        keys = work.keys
    without = replace(post.settings, gateway=None)
    post.open_work = opener(post.database, keys, without)
    post.send()
    assert post.state(message_id) == ("cancelled", "no_route")


def test_p3_two_dispatchers_at_once_send_each_message_once(post: Post) -> None:
    numbers = [mobile() for _ in range(60)]
    ids = post.approved(*numbers)
    workers = [threading.Thread(target=post.send) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert {post.state(one)[0] for one in ids} == {"sent"}
    assert all(len(post.servers.sandbox.conversation(number)) == 1 for number in numbers)
    assert all(len(post.attempts(one)) == 1 for one in ids)


def test_alerts_and_greetings_have_lanes_of_their_own(post: Post) -> None:
    [greeting] = post.approved(mobile(), urgent=False)
    [alert] = post.approved(mobile())
    post.send(urgent=True)
    assert (post.state(alert)[0], post.state(greeting)[0]) == ("sent", "approved")
    post.send(urgent=False)
    assert post.state(greeting)[0] == "sent"
