"""Peak memory of every process a measurement has, sampled while it runs."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.bed import SHARED_BUFFERS


@dataclass
class Peak:
    """Bytes: the processes' own memory at its highest together, plus PostgreSQL's shared buffers as a whole."""

    own: int = 0

    @property
    def total(self) -> int:
        """Everything."""
        return self.own + SHARED_BUFFERS


@contextmanager
def peak(data: Path, others: Iterable[int] = (), every: float = 0.1) -> Iterator[Peak]:
    """Sample this process, its children, the PostgreSQL of ``data`` and ``others`` (pids) until the end."""
    found = Peak()
    stop = threading.Event()
    pids = tuple(others)

    def sample() -> None:
        postmaster = int((data / "postmaster.pid").read_text().splitlines()[0])
        while not stop.is_set():
            found.own = max(found.own, sum(_own(process) for process in _all(postmaster, pids)))
            stop.wait(every)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()


def _all(postmaster: int, pids: tuple[int, ...]) -> set[psutil.Process]:
    found: set[psutil.Process] = set()
    for pid in (psutil.Process().pid, postmaster, *pids):
        try:
            process = psutil.Process(pid)
            found |= {process, *process.children(recursive=True)}
        except psutil.Error:
            continue
    return found


def _own(process: psutil.Process) -> int:
    """What the process alone holds. PostgreSQL's buffers are shared memory and counted once, whole, in ``total``: a
    page of them that only one backend has touched yet would otherwise look like that backend's own."""
    try:
        memory = process.memory_info()
        shared = getattr(memory, "shared", None)
        return int(memory.rss - shared) if shared is not None else int(process.memory_full_info().uss)
    except (psutil.Error, AttributeError):
        return 0
