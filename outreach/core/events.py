"""Facts that travel upward by name: published in the transaction that makes them true.

``app.wire`` subscribes the rooms above; a subscriber that raises takes the whole transaction back.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

Event = TypeVar("Event")
_subscribers: dict[type[Any], list[Callable[[Any, Any], None]]] = defaultdict(list)


@dataclass(frozen=True)
class ContactChanged:
    """A client's consent, status or address changed: what waits for them must be checked again."""

    client_id: UUID
    reason: str


@dataclass(frozen=True)
class ClientsImported:
    """An import was applied: open occurrences with top-up may have new clients."""

    import_id: UUID
    created: int


@dataclass(frozen=True)
class FileWaits:
    """A file in the watched folder would change too much: a person decides."""

    waiting_id: UUID
    kind: str  # clients | holdings | dates


@dataclass(frozen=True)
class FeedItemAccepted:
    """A research report or market event was taken in."""

    kind: str  # research | market-event
    item_id: UUID


@dataclass(frozen=True)
class FeedItemSuperseded:
    """A correction replaced an item: what was made from the old one and is not yet sent must stop."""

    kind: str
    item_id: UUID
    by_item_id: UUID


@dataclass(frozen=True)
class SubmissionHeld:
    """A submission waits in the inbox."""

    submission_id: UUID


@dataclass(frozen=True)
class PendingChanged:
    """An advisor took one message out of what waits, or gave it words of its own; the others wait on.

    ``what``: skipped | withdrawn | edited | taken_back (it was approved, and not on its way yet).
    """

    submission_id: UUID
    message_id: UUID
    what: str


@dataclass(frozen=True)
class DecisionMade:
    """Somebody decided."""

    decision_id: UUID


@dataclass(frozen=True)
class QuestionAsked:
    """Somebody who decides asked compliance about what waits."""

    remark_id: UUID


@dataclass(frozen=True)
class QuestionAnswered:
    """Compliance answered; the id is the answer's."""

    remark_id: UUID


@dataclass(frozen=True)
class ClaimTakenOver:
    """Somebody went on with a submission that another was working through."""

    submission_id: UUID
    from_id: UUID
    by_id: UUID


@dataclass(frozen=True)
class SubmissionEscalated:
    """Nobody decided in time, or all who may are away: these roles are told. ``basis`` says which: late or away.

    ``stage``: 1 when those whose turn it is are told; from 2 on the roles are the next in line, who may decide, too.
    """

    submission_id: UUID
    stage: int
    roles: tuple[str, ...]
    basis: str


@dataclass(frozen=True)
class ReplyReceived:
    """A client wrote back."""

    reply_id: UUID


@dataclass(frozen=True)
class MessageUnreachable:
    """An urgent message ended without reaching the client by any channel."""

    message_id: UUID
    client_id: UUID


@dataclass(frozen=True)
class MessageHandedOver:
    """A letter or a call is now with a person, who has until ``due_by``."""

    message_id: UUID
    client_id: UUID
    branch_id: UUID
    channel: str  # letter | call
    due_by: datetime
    urgent: bool = False


@dataclass(frozen=True)
class ContentPublished:
    """New versions are in force."""

    release_id: UUID


def subscribe(kind: type[Event], handler: Callable[[Any, Event], None]) -> None:
    """Call ``handler(work, event)`` for each event of ``kind``. Subscribing twice is the same as once."""
    if handler not in _subscribers[kind]:
        _subscribers[kind].append(handler)


@contextmanager
def listening(kind: type[Event], handler: Callable[[Any, Event], None]) -> Iterator[None]:
    """``subscribe`` for the length of a block."""
    subscribe(kind, handler)
    try:
        yield
    finally:
        _subscribers[kind].remove(handler)


@contextmanager
def apart() -> Iterator[None]:
    """A block that begins with no subscribers, and whose own are forgotten at its end."""
    before = {kind: list(handlers) for kind, handlers in _subscribers.items()}
    _subscribers.clear()
    try:
        yield
    finally:
        _subscribers.clear()
        _subscribers.update(before)


def publish(work: Any, event: object) -> None:
    """Tell every subscriber, in this transaction, in the order of subscription."""
    for handler in list(_subscribers[type(event)]):
        handler(work, event)
