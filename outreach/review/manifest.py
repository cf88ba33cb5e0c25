"""The manifest: what exactly a decision speaks of, and the random sample that is read of it. Pure functions."""

import hashlib
import heapq
from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from outreach.messages.payload import manifest_line


class Bound(NamedTuple):
    """One message as it stood: the revision and the SHA-256 of its payload."""

    message_id: UUID
    revision: int
    digest: bytes

    @property
    def line(self) -> str:
        """Its line in the manifest, which anyone can write again from the record."""
        return manifest_line(self.message_id, self.revision, self.digest)


def manifest_digest(bounds: Iterable[Bound]) -> bytes:
    """SHA-256 over the lines of ``bounds``, sorted by message id."""
    running = hashlib.sha256()
    for bound in sorted(bounds):
        running.update(bound.line.encode())
    return running.digest()


def sample(seed: str, bounds: Iterable[Bound], size: int) -> list[UUID]:
    """The ``size`` messages whose lines come first under a hash with ``seed``: random to whoever wrote them, and
    the same for whoever draws again.

    A message that leaves or changes moves only its own place, so what was read need not be read again.
    """
    ranked = (
        (hashlib.sha256(f"{seed}\n{bound.line}".encode()).digest(), bound.message_id) for bound in bounds
    )
    return [message_id for _, message_id in heapq.nsmallest(size, ranked)]
