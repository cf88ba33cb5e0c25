"""The sandbox's SMS gateway keeps to docs/reference/gateway.md; the signatures here are made from that text."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from outreach.demo.sandbox.launch import Running, launch
from tests.support.receiver import Posted, Receiver, receiver

SECRET = "agreed-beforehand"


def sign(*parts: str) -> str:
    return hmac.new(SECRET.encode(), "\n".join(parts).encode(), hashlib.sha256).hexdigest()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    state: Path = tmp_path_factory.mktemp("gateway")
    running = launch("gateway", state, "--secret", SECRET, "--callback-delay", "0.02")
    yield running
    assert running.stop() == 0
    assert (state / "gateway.log").read_text() == ""


@pytest.fixture
def firm(server: Running) -> Iterator[Receiver]:
    with receiver() as kept:
        server.client.configure(callback_url=kept.url + "/gateway")
        yield kept
        server.client.configure(callback_url="")


@pytest.fixture(autouse=True)
def well(server: Running) -> None:
    server.client.clear_faults()


_numbers = iter(range(10000000, 99999999))


def number() -> str:
    return f"+86100{next(_numbers)}"


def call(to: str, text: str = "您好", reference: str = "", **changed: Any) -> dict[str, Any]:
    wish: dict[str, Any] = {
        "account": "outreach",
        "timestamp": int(time.time()),
        "nonce": uuid4().hex,
        "to": to,
        "text": text,
        "reference": reference or str(uuid4()),
    } | changed
    digest = hashlib.sha256(wish["text"].encode()).hexdigest()
    names = ("account", "timestamp", "nonce", "to", "reference")
    return {"sign": sign(*(str(wish[n]) for n in names), digest)} | wish


def post(server: Running, wish: dict[str, Any], timeout: float = 5.0) -> Any:
    return requests.post(f"{server.url}/sms", json=wish, timeout=timeout).json()


def look_up(server: Running, reference: str) -> Any:
    stamped, nonce = str(int(time.time())), uuid4().hex
    query = {"account": "outreach", "timestamp": stamped, "nonce": nonce, "reference": reference}
    query["sign"] = sign("outreach", stamped, nonce, reference)
    return requests.get(f"{server.url}/sms", params=query, timeout=5).json()


def test_a_message_is_taken_and_found_by_its_reference(server: Running) -> None:
    wish = call(number(), "祝您\n中秋快乐")
    answer = post(server, wish)
    assert answer["code"] == 0
    found = look_up(server, wish["reference"])
    assert (found["found"], found["msg_id"], found["times"]) == (True, answer["msg_id"], 1)
    (entry,) = server.client.messages(address=wish["to"])
    assert (entry["body"], entry["reference"], entry["msg_id"]) == (
        "祝您\n中秋快乐",
        wish["reference"],
        answer["msg_id"],
    )
    assert look_up(server, str(uuid4())) == {"code": 0, "found": False}


def test_a_repeated_reference_is_a_second_message(server: Running) -> None:
    reference, to = str(uuid4()), number()
    assert post(server, call(to, reference=reference))["code"] == 0
    assert post(server, call(to, reference=reference))["code"] == 0
    assert look_up(server, reference)["times"] == 2
    assert server.client.counts()["duplicates"][reference] == 2


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"sign": "0" * 64}, 101),
        ({"account": "other"}, 102),
        ({"timestamp": 1}, 103),
        ({"to": "12345"}, 104),
        ({"text": ""}, 105),
        ({"text": "x" * 1001}, 105),
        ({"nonce": "short"}, 108),
        ({"reference": "r" * 65}, 108),
        ({"timestamp": "1"}, 108),
    ],
)
def test_a_faulty_call_is_refused_by_its_code(server: Running, changed: dict[str, Any], code: int) -> None:
    before = server.client.counts(brief=True)["total"]
    assert post(server, call(**({"to": number()} | changed)))["code"] == code
    assert server.client.counts(brief=True)["total"] == before


def test_a_call_can_not_be_replayed(server: Running) -> None:
    wish = call(number())
    assert post(server, wish)["code"] == 0
    assert post(server, wish)["code"] == 109


def test_what_is_no_json_is_malformed(server: Running) -> None:
    assert requests.post(f"{server.url}/sms", data=b"\xff", timeout=5).json()["code"] == 108


def genuine(posted: Posted) -> bool:
    signed = f"{posted.headers['X-Gateway-Timestamp']}.".encode() + posted.body
    right = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    return posted.headers["X-Gateway-Signature"] == right


def test_receipts_come_signed(server: Running, firm: Receiver) -> None:
    wish = call(number())
    answer = post(server, wish)
    (posted,) = firm.wait(1)
    assert genuine(posted)
    receipt = json.loads(posted.body)
    assert receipt.pop("at").endswith("Z")
    assert receipt == {
        "type": "receipt",
        "msg_id": answer["msg_id"],
        "reference": wish["reference"],
        "to": wish["to"],
        "status": "delivered",
        "error": "",
    }
    assert look_up(server, wish["reference"])["status"] == "delivered"


def test_a_failed_delivery_and_a_forged_receipt(server: Running, firm: Receiver) -> None:
    server.client.fault("undelivered", times=1)
    post(server, call(number()))
    receipt = json.loads(firm.wait(1)[0].body)
    assert (receipt["status"], receipt["error"]) == ("undelivered", "UNDELIV")
    server.client.fault("callback-forged", times=1)
    post(server, call(number()))
    assert not genuine(firm.wait(2)[1])


def test_replies_come_signed_with_the_message_they_answer(server: Running, firm: Receiver) -> None:
    wish = call(number())
    answer = post(server, wish)
    firm.wait(1)
    server.client.inbound(wish["to"], "收到，谢谢")
    posted = firm.wait(2)[1]
    assert genuine(posted)
    reply = json.loads(posted.body)
    assert (reply["type"], reply["from"], reply["text"]) == ("reply", wish["to"], "收到，谢谢")
    assert reply["msg_id"] == answer["msg_id"]


def test_the_platform_keeps_opt_outs(server: Running) -> None:
    for word in ("退订", "T", "ｔｄ", "stop"):
        to = number()
        server.client.inbound(to, word)
        assert post(server, call(to))["code"] == 106
        server.client.inbound(to, "开通")
        assert post(server, call(to))["code"] == 0


def test_faults(server: Running) -> None:
    wish = call(number())
    server.client.fault("error", code=201, times=1)
    assert post(server, wish)["code"] == 201
    server.client.fault("error", status=503, times=1)
    assert requests.post(f"{server.url}/sms", json=call(wish["to"]), timeout=5).status_code == 503
    assert look_up(server, wish["reference"])["found"] is False


@pytest.mark.parametrize(
    ("mode", "found"), [("drop", False), ("drop-after-recording", True), ("no-answer", True), ("slow", True)]
)
def test_a_lost_answer_is_settled_by_the_look_up(server: Running, mode: str, found: bool) -> None:
    wish = call(number())
    server.client.fault(mode, times=1, seconds=0.6)
    with pytest.raises(requests.exceptions.RequestException):
        post(server, wish, timeout=0.3)
    assert look_up(server, wish["reference"])["found"] is found
