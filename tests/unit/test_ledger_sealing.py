"""Sealed bytes open only whole, only for their record, only with the key of their epoch."""

import time
from dataclasses import fields, replace
from hashlib import sha256
from secrets import token_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.core.ids import new_id
from outreach.ledger.seal import SealBroken, Sealed, commit, rewrap, seal, unseal

KEY = token_bytes(32)
RECORD = new_id()


@given(st.binary(max_size=2000))
def test_what_is_sealed_opens_and_is_what_was_committed_to(plaintext: bytes) -> None:
    sealed = seal(plaintext, KEY, RECORD)
    assert unseal(sealed, KEY, RECORD) == plaintext
    assert sealed.commitment == commit(sealed.salt, plaintext) == sha256(sealed.salt + plaintext).digest()
    assert unseal(replace(sealed, commitment=b""), KEY, RECORD) == plaintext
    assert len(plaintext) < 8 or plaintext not in sealed.ciphertext


@given(st.sampled_from([item.name for item in fields(Sealed)]), st.integers(0, 2**31))
def test_one_changed_bit_is_found(part: str, where: int) -> None:
    sealed = seal(b"an approved greeting", KEY, RECORD)
    value = bytearray(getattr(sealed, part))
    value[where % len(value)] ^= 1 << where % 8
    with pytest.raises(SealBroken):
        unseal(replace(sealed, **{part: bytes(value)}), KEY, RECORD)


@pytest.mark.parametrize("part", [item.name for item in fields(Sealed) if item.name != "commitment"])
def test_a_part_that_is_missing_is_found(part: str) -> None:
    with pytest.raises(SealBroken):
        unseal(replace(seal(b"x", KEY, RECORD), **{part: b""}), KEY, RECORD)


def test_sealed_rows_and_salts_cannot_be_exchanged() -> None:
    one, other = seal(b"one", KEY, RECORD), seal(b"other", KEY, new_id())
    with pytest.raises(SealBroken):
        unseal(other, KEY, RECORD)
    with pytest.raises(SealBroken):
        unseal(replace(one, salt=other.salt, commitment=b""), KEY, RECORD)


def test_another_epoch_does_not_open_it() -> None:
    with pytest.raises(SealBroken):
        unseal(seal(b"x", KEY, RECORD), token_bytes(32), RECORD)


def test_rewrapped_it_opens_with_the_new_key_only() -> None:
    new = token_bytes(32)
    old_seal = seal(b"survivor", KEY, RECORD)
    new_seal = replace(old_seal, wrapped_key=rewrap(old_seal.wrapped_key, KEY, new))
    assert unseal(new_seal, new, RECORD) == b"survivor"
    with pytest.raises(SealBroken):
        unseal(new_seal, KEY, RECORD)
    with pytest.raises(SealBroken):
        rewrap(new_seal.wrapped_key, KEY, new)


def test_equal_bytes_look_different() -> None:
    one, other = seal(b"same", KEY, RECORD), seal(b"same", KEY, RECORD)
    assert all(getattr(one, item.name) != getattr(other, item.name) for item in fields(Sealed))


def test_a_hundred_thousand_take_seconds_not_minutes() -> None:
    body = b"x" * 400
    began = time.process_time()
    for _ in range(5_000):
        seal(body, KEY, RECORD)
    assert (time.process_time() - began) / 5_000 < 100e-6
