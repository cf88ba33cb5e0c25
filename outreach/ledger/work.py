"""The unit of work: one transaction, by one actor, with the keys. Every service takes one."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection

from outreach.core.access import SYSTEM, Actor
from outreach.core.database import Database
from outreach.core.settings import Settings
from outreach.ledger.seal import KeyRing


@dataclass(frozen=True)
class Work:
    """One transaction by one actor. What it changes becomes true together, with its ledger entries."""

    conn: Connection
    actor: Actor
    keys: KeyRing
    settings: Settings


class Opener(Protocol):
    """Opens units of work; long jobs use one for each chunk."""

    def __call__(self, actor: Actor = SYSTEM, *, looking: bool = False) -> AbstractContextManager[Work]:
        """``looking``: what is asked is no matter of record; each statement stands for itself."""
        ...


def opener(database: Database, keys: KeyRing, settings: Settings) -> Opener:
    """The Opener over ``database``."""

    @contextmanager
    def open_work(actor: Actor = SYSTEM, *, looking: bool = False) -> Iterator[Work]:
        with database.look() if looking else database.begin() as conn:
            yield Work(conn=conn, actor=actor, keys=keys, settings=settings)

    return open_work
