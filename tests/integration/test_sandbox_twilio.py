"""The sandbox's Twilio, spoken to by Twilio's own SDK."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from outreach.demo.sandbox.launch import Running, launch
from outreach.demo.sandbox.twilio import ACCOUNT
from tests.support.receiver import Receiver, receiver, until

TOKEN = "a-token"
FROM = "+12025550100"


class Rebased(TwilioHttpClient):  # type: ignore[misc]
    """The SDK's client with only the base address rewritten."""

    def __init__(self, base: str, timeout: float | None = 10.0) -> None:
        super().__init__(timeout=timeout)
        self.base = urlsplit(base)

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        parts = urlsplit(url)
        return super().request(
            method,
            urlunsplit((self.base.scheme, self.base.netloc, parts.path, parts.query, "")),
            *args,
            **kwargs,
        )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    state = tmp_path_factory.mktemp("twilio")
    running = launch("twilio", state, "--auth-token", TOKEN, "--callback-delay", "0.02")
    yield running
    assert running.stop() == 0
    assert (state / "twilio.log").read_text() == ""


@pytest.fixture
def twilio(server: Running) -> Iterator[Client]:
    server.client.clear_faults()
    http = Rebased(server.url)
    yield Client(ACCOUNT, TOKEN, http_client=http)
    http.session.close()


@pytest.fixture
def firm() -> Iterator[Receiver]:
    with receiver() as kept:
        yield kept


_numbers = iter(range(1000, 9999))


def number() -> str:
    return f"+1202555{next(_numbers)}"


def test_a_message_is_taken_stored_and_shown_with_every_field(server: Running, twilio: Client) -> None:
    to = number()
    text = "中秋快乐，阖家团圆。" * 8
    sent = twilio.messages.create(to=to, from_=FROM, body=text)
    assert re.fullmatch("SM[0-9a-f]{32}", sent.sid)
    assert (sent.status, sent.direction, sent.error_code, sent.num_segments) == (
        "queued",
        "outbound-api",
        None,
        "2",
    )
    assert (sent.to, sent.from_, sent.body, sent.account_sid) == (to, FROM, text, ACCOUNT)
    assert abs(sent.date_created - datetime.now(UTC)) < timedelta(seconds=10)
    assert sent.uri == f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{sent.sid}.json"
    assert sent.subresource_uris == {"media": sent.uri.replace(".json", "/Media.json")}
    fetched = twilio.messages(sent.sid).fetch()
    assert (fetched.sid, fetched.body, fetched.status) == (sent.sid, text, "delivered")
    (entry,) = server.client.messages(address=to)
    assert (entry["body"], entry["to"], entry["sid"], entry["kind"]) == (text, to, sent.sid, "message")


def test_a_messaging_service_may_send(twilio: Client) -> None:
    sent = twilio.messages.create(to=number(), messaging_service_sid="MG" + "0" * 32, body="Hello")
    assert (sent.status, sent.from_, sent.num_segments) == ("accepted", None, "0")


def test_the_resource_has_the_fields_the_sdk_knows(server: Running, twilio: Client) -> None:
    twilio.messages.create(to=number(), from_=FROM, body="x")
    raw = twilio.http_client._test_only_last_response.text
    known = {
        name.removesuffix("_") for name in vars(twilio.messages.list(limit=1)[0]) if not name.startswith("_")
    }
    assert set(json.loads(raw)) == known


@pytest.mark.parametrize(
    ("wish", "code", "status"),
    [
        ({"to": "12345"}, 21211, 400),
        ({"to": ""}, 21604, 400),
        ({"from_": "+1"}, 21212, 400),
        ({"from_": ""}, 21603, 400),
        ({"body": ""}, 21602, 400),
        ({"body": "x" * 1601}, 21617, 400),
        ({"status_callback": "/relative"}, 21609, 400),
    ],
)
def test_a_faulty_message_is_refused_as_twilio_refuses_it(
    server: Running, twilio: Client, wish: dict[str, str], code: int, status: int
) -> None:
    before = server.client.counts(brief=True)["total"]
    with pytest.raises(TwilioRestException) as caught:
        twilio.messages.create(**({"to": number(), "from_": FROM, "body": "x"} | wish))
    assert (caught.value.code, caught.value.status) == (code, status)
    assert server.client.counts(brief=True)["total"] == before


def test_a_wrong_token_is_refused(server: Running) -> None:
    http = Rebased(server.url)
    with pytest.raises(TwilioRestException) as caught:
        Client(ACCOUNT, "wrong", http_client=http).messages.create(to=number(), from_=FROM, body="x")
    http.session.close()
    assert (caught.value.code, caught.value.status) == (20003, 401)


def test_messages_are_listed_by_number_and_date_page_by_page(twilio: Client) -> None:
    to = number()
    sids = [twilio.messages.create(to=to, from_=FROM, body=str(i)).sid for i in range(5)]
    today = datetime.now(UTC)
    listed = twilio.messages.list(to=to, date_sent_after=today - timedelta(days=1), page_size=2)
    assert [message.sid for message in listed] == sids[::-1]
    assert twilio.messages.list(to=to, date_sent_before=today - timedelta(days=1)) == []
    assert [m.sid for m in twilio.messages.list(to=to, from_=FROM, limit=2)] == sids[:2:-1]
    assert twilio.messages.list(to=number()) == []


def check_signature(posted: Any, url: str) -> bool:
    signature = posted.headers["X-Twilio-Signature"]
    return bool(RequestValidator(TOKEN).validate(url + posted.path, posted.form, signature))


def test_status_callbacks_come_signed_sent_then_delivered(
    server: Running, twilio: Client, firm: Receiver
) -> None:
    message_id = str(uuid4())
    path = f"/webhooks/twilio/status/{message_id}?attempt=a%20b"
    sent = twilio.messages.create(to=number(), from_=FROM, body="x", status_callback=firm.url + path)
    posted = firm.wait(2)
    assert [p.form["MessageStatus"] for p in posted] == ["sent", "delivered"]
    assert {p.form["MessageSid"] for p in posted} == {sent.sid}
    assert {p.path for p in posted} == {path}
    assert all(check_signature(p, firm.url) for p in posted)
    assert server.client.counts()["references"][message_id] == 1
    assert twilio.messages(sent.sid).fetch().status == "delivered"


def test_a_callback_is_repeated_until_the_firm_answers(twilio: Client, firm: Receiver) -> None:
    firm.statuses.extend([503, 500])
    twilio.messages.create(to=number(), from_=FROM, body="x", status_callback=firm.url + "/s")
    assert [p.form["MessageStatus"] for p in firm.wait(4)] == ["sent", "sent", "sent", "delivered"]


def test_callbacks_go_on_after_the_server_was_killed(tmp_path: Path, firm: Receiver) -> None:
    state = tmp_path / "state"
    first = launch("twilio", state, "--auth-token", TOKEN, "--callback-delay", "60")
    http = Rebased(first.url)
    sent = Client(ACCOUNT, TOKEN, http_client=http).messages.create(
        to=number(), from_=FROM, body="x", status_callback=firm.url + "/s"
    )
    http.session.close()
    first.kill()
    assert firm.posted == []
    second = launch("twilio", state, "--auth-token", TOKEN, "--callback-delay", "0", port=first.port)
    assert [p.form["MessageStatus"] for p in firm.wait(2)] == ["sent", "delivered"]
    until(lambda: second.client.counts()["callbacks_waiting"] == 0)
    second.stop()
    third = launch("twilio", state, "--auth-token", TOKEN)
    assert third.client.counts()["callbacks"] == {}
    assert third.client.messages()[0]["status"] == "delivered"
    assert third.client.messages()[0]["sid"] == sent.sid
    third.stop()
    assert len(firm.posted) == 2


def test_callbacks_can_come_before_the_answer_twice_forged_failed_or_never(
    server: Running, twilio: Client, firm: Receiver
) -> None:
    def send() -> Any:
        firm.posted.clear()
        server.client.clear_faults()
        return lambda: twilio.messages.create(
            to=number(), from_=FROM, body="x", status_callback=firm.url + "/s"
        )

    go = send()
    server.client.fault("callback-first", times=1)
    go()
    assert [p.form["MessageStatus"] for p in firm.posted] == ["sent", "delivered"]

    go = send()
    server.client.fault("callback-twice", times=1)
    go()
    assert [p.form["MessageStatus"] for p in firm.wait(4)] == ["sent", "sent", "delivered", "delivered"]

    go = send()
    server.client.fault("callback-forged", times=1)
    go()
    assert not any(check_signature(p, firm.url) for p in firm.wait(2))

    go = send()
    server.client.fault("undelivered", times=1)
    sent = go()
    last = firm.wait(2)[-1].form
    assert (last["MessageStatus"], last["ErrorCode"]) == ("undelivered", "30003")
    assert twilio.messages(sent.sid).fetch().error_code == 30003

    go = send()
    server.client.fault("callback-never", times=1)
    sent = go()
    assert twilio.messages(sent.sid).fetch().status == "delivered"
    assert firm.posted == []


@pytest.mark.parametrize(
    ("status", "code"), [(400, 21211), (401, 20003), (429, 20429), (500, 20500), (503, 20503)]
)
def test_errors_as_often_as_asked(server: Running, twilio: Client, status: int, code: int) -> None:
    to = number()
    server.client.fault("error", status=status, times=2, pattern=re.escape(to))
    for _ in range(2):
        with pytest.raises(TwilioRestException) as caught:
            twilio.messages.create(to=to, from_=FROM, body="x")
        assert (caught.value.status, caught.value.code) == (status, code)
    twilio.messages.create(to=number(), from_=FROM, body="x")
    twilio.messages.create(to=to, from_=FROM, body="x")
    assert len(server.client.messages(address=to)) == 1
    assert [fault["used"] for fault in server.client.faults()] == [2]


@pytest.mark.parametrize(
    ("mode", "stored"), [("drop", 0), ("drop-after-recording", 1), ("no-answer", 1), ("slow", 1)]
)
def test_the_answer_may_be_lost_whether_or_not_the_message_was_taken(
    server: Running, mode: str, stored: int
) -> None:
    to = number()
    http = Rebased(server.url, timeout=0.3)
    server.client.clear_faults()
    server.client.fault(mode, times=1, seconds=0.6)
    with pytest.raises(requests.exceptions.RequestException):
        Client(ACCOUNT, TOKEN, http_client=http).messages.create(to=to, from_=FROM, body="x")
    http.session.close()
    assert len(server.client.messages(address=to)) == stored


def test_what_a_client_types_is_posted_signed(server: Running, firm: Receiver) -> None:
    phone = number()
    server.client.configure(inbound_url=firm.url + "/in?x=1")
    entry = server.client.inbound(phone, "谢谢，收到了")
    (posted,) = firm.wait(1)
    assert check_signature(posted, firm.url)
    form = posted.form
    assert (form["From"], form["To"], form["Body"], form["NumSegments"]) == (phone, FROM, "谢谢，收到了", "1")
    assert form["MessageSid"] == entry["sid"]
    assert "OptOutType" not in form


def test_an_opt_out_is_named_and_kept_by_twilio(server: Running, twilio: Client, firm: Receiver) -> None:
    phone = number()
    server.client.configure(inbound_url=firm.url + "/in")
    for word, kind in ((" stop ", "STOP"), ("Start", "START"), ("退订", "STOP"), ("help", "HELP")):
        firm.posted.clear()
        server.client.inbound(phone, word)
        assert firm.wait(1)[0].form["OptOutType"] == kind
    with pytest.raises(TwilioRestException) as caught:
        twilio.messages.create(to=phone, from_=FROM, body="x")
    assert caught.value.code == 21610
    server.client.inbound(phone, "START")
    twilio.messages.create(to=phone, from_=FROM, body="x")


def test_without_callbacks_a_message_still_arrives(tmp_path: Path, firm: Receiver) -> None:
    quiet = launch("twilio", tmp_path, "--auth-token", TOKEN, "--no-callbacks", "--no-fsync")
    http = Rebased(quiet.url)
    client = Client(ACCOUNT, TOKEN, http_client=http)
    message_id = str(uuid4())
    sent = client.messages.create(
        to=number(), from_=FROM, body="x", status_callback=f"{firm.url}/{message_id}"
    )
    assert client.messages(sent.sid).fetch().status == "delivered"
    http.session.close()
    assert quiet.client.counts()["references"] == {message_id: 1}
    quiet.stop()
    assert firm.posted == []
