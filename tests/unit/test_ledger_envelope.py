"""Envelopes are canonical, and have no room for clear personal data."""

import json
import re
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from hashlib import sha256
from uuid import UUID

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from outreach.core.ids import new_id
from outreach.ledger.envelope import FIELDS, KINDS, envelope, rfc3339

AT = datetime(2026, 2, 17, 9, 0, 0, 123_999, tzinfo=timezone(timedelta(hours=8)))
MESSAGE = UUID("0198c5a0-0000-7000-8000-000000000001")


class Channel(StrEnum):
    SMS = "sms"


def test_the_bytes_are_the_expected_ones() -> None:
    text = envelope(
        "message.sent",
        AT,
        {
            "message_id": MESSAGE,
            "channel": Channel.SMS,
            "revision": 2,
            "provider_ref": "SM0123456789abcdef0123456789abcdef",
            "commitment": bytes.fromhex("ab" * 32),
            "started_at": AT,
            "send_date": date(2026, 2, 17),
            "urgent": False,
            "standing_approval_id": None,
        },
    )
    assert text == (
        b'{"at":"2026-02-17T01:00:00.123Z","channel":"sms","commitment":"' + b"ab" * 32 + b'",'
        b'"kind":"message.sent","message_id":"0198c5a0-0000-7000-8000-000000000001",'
        b'"provider_ref":"SM0123456789abcdef0123456789abcdef","revision":2,"send_date":"2026-02-17",'
        b'"started_at":"2026-02-17T01:00:00.123Z","urgent":false,"v":1}'
    )


def test_every_field_has_a_shape_and_a_kind() -> None:
    assert set().union(*KINDS.values()) == set(FIELDS)


SAMPLES: dict[object, st.SearchStrategy[object]] = {
    int: st.integers(0, 2**53 - 1),
    bool: st.booleans(),
    FIELDS["digest"]: st.binary(min_size=32, max_size=32).map(bytes.hex),
    FIELDS["message_id"]: st.uuids().map(str) | st.sampled_from(["system", "head-office"]),
    FIELDS["started_at"]: st.datetimes(timezones=st.just(UTC)).map(rfc3339),
    FIELDS["send_date"]: st.dates().map(str),
    FIELDS["provider_ref"]: st.uuids().map(lambda name: f"<{name}@mail.example.com>") | st.uuids().map(str),
    FIELDS["fingerprint"]: st.just("SHA256:" + "Ab+/" * 10 + "xyz"),
    **{FIELDS[name]: st.from_regex(FIELDS[name], fullmatch=True) for name in ("channel", "reason")},  # type: ignore[arg-type]
}


def value_of(name: str) -> st.SearchStrategy[object]:
    one = SAMPLES[FIELDS[name]]
    return one | st.lists(one, max_size=3) if isinstance(FIELDS[name], re.Pattern) else one


@given(st.data())
def test_every_envelope_is_canonical(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(KINDS)))
    names = data.draw(st.lists(st.sampled_from(sorted(KINDS[kind])), unique=True, max_size=8))
    fields = {name: data.draw(value_of(name)) for name in names}
    text = envelope(kind, AT, fields)
    read = json.loads(text)
    assert text == rfc8785.dumps(read)
    assert read == {**fields, "v": 1, "kind": kind, "at": rfc3339(AT)}


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("message.composed", {}),
        ("message.sent", {"name": "zhang"}),
        ("message.sent", {"mobile": "+12025550100"}),
        ("message.sent", {"email": "a@example.com"}),
        ("message.sent", {"body": "hello"}),
        ("message.sent", {"verb": "approve"}),
        ("message.sent", {"v": 2}),
        ("message.sent", {"client_id": "张三"}),
        ("message.sent", {"client_id": "Zhang San"}),
        ("message.sent", {"address_hash": "a@example.com"}),
        ("message.sent", {"channel": "sms\n"}),
        ("message.sent", {"send_date": "２０２６-０２-１７"}),
        ("message.sent", {"revision": 1.0}),
        ("message.sent", {"revision": True}),
        ("message.sent", {"revision": -1}),
        ("message.sent", {"revision": 2**53}),
        ("message.sent", {"revision": "1"}),
        ("message.sent", {"revision": [1]}),
        ("message.sent", {"urgent": 1}),
        ("message.sent", {"message_id": 7}),
        ("message.sent", {"digest": b"bytes"}),
        ("message.sent", {"commitment": "AB" * 32}),
        ("message.sent", {"started_at": datetime(2026, 1, 1)}),  # noqa: DTZ001
        ("decision", {"reasons": ["tone", 2]}),
        ("decision", {"reasons": ["two words"]}),
    ],
)
def test_what_does_not_belong_is_refused(kind: str, fields: dict[str, object]) -> None:
    with pytest.raises(ValueError) as refusal:
        envelope(kind, AT, fields)
    said = str(refusal.value)
    assert not any(value in said for value in fields.values() if isinstance(value, str) and len(value) > 4)


@pytest.mark.parametrize(
    "words",
    [
        "13800138000",
        "8613800138000",
        "+12025550100",
        "a@example.com",
        "250 OK queued",
        "已送达",
        "x" * 129,
        "",
    ],
)
def test_a_providers_odd_words_are_kept_as_a_digest(words: str) -> None:
    read = json.loads(envelope("receipt", AT, {"provider_ref": words, "provider_status": "DELIVRD"}))
    assert read["provider_ref"] == "sha256:" + sha256(words.encode()).hexdigest()
    assert read["provider_status"] == "DELIVRD"


@pytest.mark.parametrize(
    "at", [datetime(1, 1, 1, tzinfo=UTC), datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)]
)
def test_instants_are_cut_to_the_millisecond(at: datetime) -> None:
    assert rfc3339(at) == at.strftime("%Y").zfill(4) + at.strftime("-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def test_instants_need_a_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        rfc3339(datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(ValueError, match="time zone"):
        envelope("view", datetime(2026, 1, 1), {"message_id": new_id()})  # noqa: DTZ001
