"""Callbacks: believed only when signed, kept once, whatever is thrown at them."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from twilio.request_validator import RequestValidator

from outreach.api.webhooks import LARGEST, webhook_router
from outreach.app import wire
from outreach.core import clock
from outreach.core.settings import Settings
from outreach.ledger.work import Opener
from tests.support.pages import served
from tests.support.sending import Post, mobile

PUBLIC = "https://care.example.com"


class Site:
    def __init__(self, settings: Settings, open_work: Opener) -> None:
        self.settings = settings
        self.open_work = open_work


class Caller:
    """A provider that signs, or does not."""

    def __init__(self, post: Post, client: httpx.Client) -> None:
        self.post, self.client = post, client
        self.validator = RequestValidator("sandbox")

    def twilio(self, path: str, signature: str | None = None, **form: str) -> httpx.Response:
        signed = self.validator.compute_signature(PUBLIC + path, form)
        return self.client.post(path, data=form, headers={"X-Twilio-Signature": signature or signed})

    def gateway(self, body: object, signature: str | None = None, at: int | None = None) -> httpx.Response:
        raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        stamp = str(at or int(clock.now().timestamp()))
        signed = hmac.new(b"sandbox", f"{stamp}.".encode() + raw, hashlib.sha256).hexdigest()
        headers = {"X-Gateway-Timestamp": stamp, "X-Gateway-Signature": signature or signed}
        return self.client.post("/hooks/gateway", content=raw, headers=headers)

    def count(self, table: str) -> int:
        with self.post.open_work() as work:
            return int(work.conn.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


@pytest.fixture
def caller(post: Post) -> Iterator[Caller]:
    wire()
    app = FastAPI()
    app.include_router(webhook_router(Site(replace(post.settings, public_url=PUBLIC), post.open_work)))
    with served(app) as address, httpx.Client(base_url=address, trust_env=False) as client:
        yield Caller(post, client)


def status_form(**changed: str) -> dict[str, str]:
    return {
        "MessageSid": "SM" + "0" * 32,
        "MessageStatus": "delivered",
        "AccountSid": "AC" + "5a" * 16,
    } | changed


# ── Twilio ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_signed_status_moves_its_message(caller: Caller) -> None:
    [message_id] = caller.post.approved(mobile("+852"))
    caller.post.send()
    sid = caller.post.attempts(message_id)[0].provider_ref
    path = f"/hooks/twilio/status/{message_id}"
    assert caller.twilio(path, **status_form(MessageSid=sid)).status_code == 204
    assert caller.post.state(message_id)[0] == "delivered"
    # Twice is the same as once.
    assert caller.twilio(path, **status_form(MessageSid=sid)).status_code == 204
    assert caller.count("receipt") == 1


def test_a_status_before_our_own_write_is_kept_and_settles_later(caller: Caller) -> None:
    [message_id] = caller.post.approved(mobile("+852"))
    assert caller.twilio(f"/hooks/twilio/status/{message_id}", **status_form()).status_code == 204
    caller.post.send()
    assert caller.post.state(message_id)[0] == "delivered"


@pytest.mark.parametrize("signature", ["", "forged", "AAAA"])
def test_a_wrong_signature_is_refused_and_nothing_is_kept(caller: Caller, signature: str) -> None:
    path = f"/hooks/twilio/status/{uuid4()}"
    assert caller.twilio(path, signature=signature or "x", **status_form()).status_code == 403
    assert caller.twilio("/hooks/twilio/inbound", signature="x", From="+1", Body="STOP").status_code == 403
    assert (caller.count("receipt"), caller.count("reply")) == (0, 0)


def test_a_signature_for_another_address_or_form_does_not_hold(caller: Caller) -> None:
    form = status_form()
    one, other = (f"/hooks/twilio/status/{uuid4()}" for _ in range(2))
    signature = caller.validator.compute_signature(PUBLIC + one, form)
    assert caller.twilio(other, signature=signature, **form).status_code == 403
    assert caller.twilio(one, signature=signature, **status_form(MessageStatus="failed")).status_code == 403


def test_another_accounts_callback_is_refused(caller: Caller) -> None:
    form = status_form(AccountSid="AC" + "0" * 32)
    assert caller.twilio(f"/hooks/twilio/status/{uuid4()}", **form).status_code == 403


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/hooks/twilio/status/not-an-id", status_form()),
        ("/hooks/twilio/status/" + "0" * 32, {"MessageSid": "SM1"}),
        ("/hooks/twilio/status/" + "0" * 32, status_form(MessageSid="x" * 65)),
        ("/hooks/twilio/inbound", {"MessageSid": "SM1", "Body": "STOP"}),
    ],
)
def test_a_signed_but_malformed_callback_is_told_so(caller: Caller, path: str, form: dict[str, str]) -> None:
    answer = caller.twilio(path, **form)
    assert answer.status_code == 400
    assert "Send" in answer.text
    assert caller.count("receipt") == 0


def test_a_field_twice_is_refused(caller: Caller) -> None:
    answer = caller.client.post(
        "/hooks/twilio/inbound",
        content=b"From=%2B1&From=%2B2",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 400


def test_stop_opts_the_client_out_and_suppresses_what_waits(caller: Caller) -> None:
    number = mobile("+852")
    [message_id] = caller.post.approved(number)
    form = {"MessageSid": "SM9", "From": number, "To": "+12025550100", "Body": "STOP", "OptOutType": "STOP"}
    answer = caller.twilio("/hooks/twilio/inbound", **form)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    assert caller.post.state(message_id) == ("suppressed", "opted_out")
    assert caller.twilio("/hooks/twilio/inbound", **form).status_code == 200
    assert caller.count("reply") == 1


def test_other_words_are_the_advisors_to_answer(caller: Caller) -> None:
    number = mobile("+852")
    [message_id] = caller.post.approved(number)
    caller.twilio("/hooks/twilio/inbound", MessageSid="SM7", From=number, Body="请问几点开门？")
    assert caller.post.state(message_id)[0] == "approved"
    with caller.post.open_work() as work:
        row = work.conn.execute(text("SELECT kind, owner_id, body_id FROM reply")).one()
    assert (row.kind, row.owner_id) == ("reply", caller.post.people.b01.advisor.staff_id)


# ── gateway ───────────────────────────────────────────────────────────────────────────────────────────────


def receipt_body(message_id: object, **changed: str) -> dict[str, Any]:
    return {
        "type": "receipt",
        "msg_id": "G1",
        "reference": str(message_id),
        "to": "+8614700000001",
        "status": "delivered",
        "error": "",
    } | changed


def test_the_gateways_receipt_and_reply(caller: Caller) -> None:
    number = mobile()
    [message_id] = caller.post.approved(number)
    caller.post.send()
    assert caller.gateway(receipt_body(message_id)).status_code == 204
    assert caller.gateway(receipt_body(message_id)).status_code == 204
    assert caller.post.state(message_id)[0] == "delivered"
    assert caller.count("receipt") == 1
    reply = {"type": "reply", "id": "R1", "msg_id": None, "from": number, "text": "退订"}
    assert caller.gateway(reply).status_code == 204
    assert caller.gateway(reply).status_code == 204
    assert caller.count("reply") == 1
    assert caller.count("consent WHERE state = 'opted_out'") >= 1


def test_the_gateways_wrong_signature_or_old_time_is_refused(caller: Caller) -> None:
    body = receipt_body(uuid4())
    assert caller.gateway(body, signature="0" * 64).status_code == 403
    assert caller.gateway(body, at=int(clock.now().timestamp()) - 3600).status_code == 403
    assert caller.client.post("/hooks/gateway", content=b"{}").status_code == 403
    assert caller.count("receipt") == 0


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"[" * 5000,
        b"[]",
        {"type": "other"},
        {"type": "receipt", "msg_id": "G1", "status": "delivered", "reference": "x"},
        {"type": "receipt", "status": "delivered", "reference": "0" * 32},
        {"type": "reply", "id": "", "from": "+86"},
        {"type": "reply", "id": {"deep": 1}, "from": "+86"},
    ],
)
def test_the_gateways_malformed_body_is_told_so(caller: Caller, body: object) -> None:
    answer = caller.gateway(body)
    assert answer.status_code == 400
    assert caller.count("receipt") == caller.count("reply") == 0


def test_too_large_a_body_is_refused_before_it_is_read(caller: Caller) -> None:
    assert caller.gateway(b"x" * (LARGEST + 1)).status_code == 413
    assert caller.client.post("/hooks/twilio/inbound", content=b"x" * (LARGEST + 1)).status_code == 413


def test_without_a_configured_provider_nothing_is_taken(post: Post) -> None:
    app = FastAPI()
    bare = replace(post.settings, twilio=None, gateway=None)
    app.include_router(webhook_router(Site(bare, post.open_work)))
    with served(app) as address, httpx.Client(base_url=address, trust_env=False) as client:
        assert client.post("/hooks/gateway", content=b"{}").status_code == 403
        assert client.post("/hooks/twilio/inbound", data={"From": "+1"}).status_code == 403
