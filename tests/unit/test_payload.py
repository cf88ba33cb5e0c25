"""The payload's canonical bytes: what a decision binds (P1)."""

import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from outreach.messages.payload import Payload, digest, from_bytes, to_bytes

texts = st.text(max_size=60)
payloads = st.builds(
    Payload,
    channel=st.sampled_from(["sms", "email"]),
    to=texts,
    text=texts,
    sender=texts,
    subject=texts,
    html=texts,
    recipient_name=texts,
    attachments=st.lists(st.text("0123456789abcdef", max_size=64), max_size=3).map(tuple),
)


@given(payloads)
def test_the_bytes_are_those_of_rfc_8785(payload: Payload) -> None:
    data = to_bytes(payload)
    assert data == rfc8785.dumps(json.loads(data))


@given(payloads)
def test_the_bytes_give_the_payload_back(payload: Payload) -> None:
    assert from_bytes(to_bytes(payload)) == payload


def test_one_character_makes_another_digest() -> None:
    one, other = Payload("sms", "+861", "您好"), Payload("sms", "+861", "您好 ")
    assert digest(to_bytes(one)) != digest(to_bytes(other))


@pytest.mark.parametrize("data", [b"[]", b"{}", b'{"v":2}', b'{"v":1}', b"not json"])
def test_what_is_no_payload_is_refused(data: bytes) -> None:
    with pytest.raises((ValueError, KeyError)):
        from_bytes(data)


def test_text_that_is_not_unicode_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        to_bytes(Payload("sms", "+861", "\ud800"))
