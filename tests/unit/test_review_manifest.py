"""The manifest and its sample: the same again for the same messages, another for any change."""

import hashlib
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from outreach.review.manifest import Bound, manifest_digest, sample

BOUNDS = st.lists(
    st.builds(Bound, st.uuids(), st.integers(1, 9), st.binary(min_size=32, max_size=32)),
    unique_by=lambda item: item.message_id,
    max_size=30,
)


def test_the_manifest_is_the_sha256_of_sorted_lines() -> None:
    one = Bound(UUID(int=2), 1, b"\x01" * 32)
    two = Bound(UUID(int=1), 3, b"\x02" * 32)
    lines = f"{UUID(int=1)}, 3, {'02' * 32}\n{UUID(int=2)}, 1, {'01' * 32}\n"
    assert manifest_digest([one, two]) == hashlib.sha256(lines.encode()).digest()


@given(BOUNDS)
def test_the_order_of_reading_changes_nothing(bounds: list[Bound]) -> None:
    shuffled = sorted(bounds, key=lambda item: item.digest)
    assert manifest_digest(shuffled) == manifest_digest(bounds)
    assert sample("seed", shuffled, 5) == sample("seed", bounds, 5)


@given(BOUNDS.filter(bool))
def test_any_edit_changes_the_manifest(bounds: list[Bound]) -> None:
    edited = [bounds[0]._replace(revision=bounds[0].revision + 1), *bounds[1:]]
    assert manifest_digest(edited) != manifest_digest(bounds)


@given(BOUNDS, st.integers(0, 40))
def test_a_sample_is_as_large_as_asked_and_of_the_batch(bounds: list[Bound], size: int) -> None:
    drawn = sample("seed", bounds, size)
    assert len(drawn) == len(set(drawn)) == min(size, len(bounds))
    assert set(drawn) <= {item.message_id for item in bounds}


@given(BOUNDS.filter(lambda bounds: len(bounds) > 6))
def test_what_was_read_stays_read_when_another_message_leaves(bounds: list[Bound]) -> None:
    drawn = sample("seed", bounds, 5)
    gone = next(item for item in bounds if item.message_id not in drawn)
    assert sample("seed", [item for item in bounds if item != gone], 5) == drawn
