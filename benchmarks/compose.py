"""Composing: N clients of a festival, with checks, digests, sealing and ledger; against COPY of the very same rows."""

import io
import time
from dataclasses import asdict, dataclass

from sqlalchemy import text

from benchmarks.bed import Bed, add_clients, bed
from benchmarks.memory import peak
from outreach.composing.compose import compose_occurrence
from outreach.core.access import SYSTEM
from outreach.core.database import driver
from outreach.ledger.integrator import integrate
from outreach.scheduling.tick import prepare_next

TABLES = ("message", "message_revision", "sealed_record", "greeting_slot")


@dataclass(frozen=True)
class Composed:
    """One measurement; seconds, bytes."""

    messages: int
    seconds: float
    copy_seconds: float
    memory: int
    ledger_seconds: float

    @property
    def per_second(self) -> float:
        return self.messages / self.seconds

    @property
    def limit_per_second(self) -> float:
        return self.messages / self.copy_seconds

    def to_json(self) -> dict[str, float]:
        return asdict(self)


def measure(count: int) -> Composed:
    """Compose for ``count`` clients in a fresh database."""
    with bed() as made:
        add_clients(made, count, "sms", "+86147%s", english=False)  # whom the new year's job is for
        with made.open_work(SYSTEM) as work:
            occurrence_id = prepare_next(work, "new-year")
        with peak(made.home / "postgres") as memory:
            began = time.perf_counter()
            done = compose_occurrence(made.open_work, occurrence_id)
            seconds = time.perf_counter() - began
        assert done.count == count, done
        began = time.perf_counter()
        integrate(made.open_work)
        ledger = time.perf_counter() - began
        return Composed(count, seconds, _copy(made), memory.total, ledger)


def _copy(made: Bed) -> float:
    """Seconds that COPY takes for the same rows, into tables with the same indexes and nothing else."""
    total = 0.0
    with made.open_work(SYSTEM) as work:
        raw = driver(work.conn)
        for table in TABLES:
            buffer = io.BytesIO()
            with (
                raw.cursor() as cursor,
                cursor.copy(f"COPY (SELECT * FROM {table}) TO STDOUT (FORMAT BINARY)") as out,
            ):
                for piece in out:
                    buffer.write(piece)
            work.conn.execute(
                text(f"CREATE TEMPORARY TABLE copy_of (LIKE {table} INCLUDING ALL) ON COMMIT DROP")
            )
            view = buffer.getbuffer()
            began = time.perf_counter()
            with raw.cursor() as cursor, cursor.copy("COPY copy_of FROM STDIN (FORMAT BINARY)") as into:
                for start in range(0, len(view), 1 << 18):
                    into.write(view[start : start + (1 << 18)])
            total += time.perf_counter() - began
            work.conn.execute(text("DROP TABLE copy_of"))
    return total
