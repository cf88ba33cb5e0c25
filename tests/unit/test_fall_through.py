"""The next step in a chain of channels, as a table: who goes, who rests, who is not needed, and when nobody is left."""

from uuid import UUID

import pytest

from outreach.messages.chains import (
    FIRST_STOPPED,
    NOT_NEEDED,
    UNKNOWN_GIVEN_UP,
    Link,
    Step,
    next_step,
)
from outreach.messages.states import State

_CHANNELS = ("sms", "email", "call")
# One word for each message of a chain: its state, or a state and why; "rest" is approved and due at no time.
_WORDS = {
    "rest": (State.APPROVED, "waits_for_first", True),
    "due": (State.APPROVED, None, False),
    "retry": (State.APPROVED, "provider_temporary", False),
    "given-up": (State.UNKNOWN, UNKNOWN_GIVEN_UP, False),
    "unknown": (State.UNKNOWN, "provider_unknown", False),
    "opted-out": (State.SUPPRESSED, "opted_out", False),
    "deceased": (State.SUPPRESSED, "deceased", False),
    "no-route": (State.CANCELLED, "no_route", False),
    "skipped": (State.CANCELLED, "skipped", False),
}


def chain(said: str, channels: tuple[str, ...] = _CHANNELS) -> list[Link]:
    links: list[Link] = []
    for place, (word, channel) in enumerate(zip(said.split(), channels, strict=False)):
        state, reason, resting = _WORDS.get(word, (None, None, False))
        links.append(
            Link(
                id=UUID(int=place + 1),
                channel=channel,
                state=state or State(word),
                reason=reason,
                params={"channel": channel} if reason == "opted_out" else {},
                fallback_of=UUID(int=place) if place else None,
                resting=resting,
            )
        )
    return links


def told(step: Step) -> str:
    """A step in words."""
    parts = [f"{step.go.channel} goes"] if step.go else []
    parts += [f"{one.channel} rests" for one in step.rest]
    parts += [f"{one.channel} {step.code}" for one in step.cancel]
    return ", ".join(parts + ([f"{step.missed.channel} missed"] if step.missed else [])) or "nothing"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        # the first is on its way, or may still be
        ("held held held", "nothing"),
        ("due rest rest", "nothing"),
        ("retry rest rest", "nothing"),
        ("claimed rest rest", "nothing"),
        ("sent rest rest", "nothing"),
        ("unknown rest rest", "nothing"),
        # it ended without reaching the client
        ("failed rest rest", "email goes"),
        ("undelivered rest rest", "email goes"),
        ("given-up rest rest", "email goes"),
        ("opted-out rest rest", "email goes"),
        ("no-route rest rest", "email goes"),
        ("failed failed rest", "call goes"),
        ("failed sent rest", "nothing"),
        ("failed due rest", "nothing"),
        ("failed held rest", "nothing"),
        # what somebody took out is passed over, for the same client's sake
        ("failed rejected rest", "call goes"),
        ("failed skipped rest", "call goes"),
        # it reached the client
        ("delivered rest rest", f"email {NOT_NEEDED}, call {NOT_NEEDED}"),
        ("delivered due rest", f"email {NOT_NEEDED}, call {NOT_NEEDED}"),
        ("delivered held held", f"email {NOT_NEEDED}, call {NOT_NEEDED}"),
        ("delivered claimed rest", f"call {NOT_NEEDED}"),
        ("given-up delivered rest", f"call {NOT_NEEDED}"),
        # it is on its way after all, when another was already due
        ("sent due rest", "email rests"),
        ("due due rest", "email rests"),
        # nobody is to get anything
        ("rejected rest rest", f"email {FIRST_STOPPED}, call {FIRST_STOPPED}"),
        ("skipped rest held", f"email {FIRST_STOPPED}, call {FIRST_STOPPED}"),
        ("deceased rest rest", f"email {FIRST_STOPPED}, call {FIRST_STOPPED}"),
        ("expired rest rest", f"email {FIRST_STOPPED}, call {FIRST_STOPPED}"),
        # no channel is left: somebody is told, but not where a person has tried, or the client has said no
        ("failed", "sms missed"),
        ("failed failed", "email missed"),
        ("failed opted-out", "nothing"),
        ("failed failed undelivered", "nothing"),
        ("failed failed handed_over", "nothing"),
    ],
)
def test_the_next_step(said: str, expected: str) -> None:
    assert told(next_step(chain(said))) == expected


def test_an_opt_out_of_everything_is_no_reason_to_call() -> None:
    first, *others = chain("opted-out rest rest")
    everywhere = Link(first.id, "sms", first.state, "opted_out", {"channel": "*"}, None, resting=False)
    assert next_step([everywhere, *others]).code == FIRST_STOPPED


def test_a_late_receipt_counts_whatever_the_row_says() -> None:
    links = chain("failed due rest")
    assert told(next_step(links, {links[0].id})) == f"email {NOT_NEEDED}, call {NOT_NEEDED}"


def test_a_step_taken_is_not_taken_again() -> None:
    for said in ("failed due rest", "delivered cancelled cancelled", "failed failed handed_over"):
        assert told(next_step(chain(said))) == "nothing"
