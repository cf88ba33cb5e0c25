"""What a measurement lies in: a fresh embedded PostgreSQL, the demonstration's people and content, many clients."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from uuid import UUID

from sqlalchemy import select, text

from outreach.app import wire
from outreach.content.check import check_folder
from outreach.content.publish import publish
from outreach.content.starter import starter_root
from outreach.core import clock, embedded
from outreach.core.access import SYSTEM, Actor
from outreach.core.database import Database, driver, migrate
from outreach.core.ids import new_id
from outreach.core.settings import Settings
from outreach.demo.institution import load_people
from outreach.demo.names import GIVEN, SURNAMES
from outreach.ledger.seal import KeyRing
from outreach.ledger.work import Opener, opener
from outreach.people.staff import actor_for
from outreach.people.tables import branch, staff

SHARED_BUFFERS = 256 * 1024 * 1024  # bytes; what core/embedded.py sets


@dataclass
class Bed:
    """One database with an institution in it."""

    home: Path
    settings: Settings
    database: Database
    open_work: Opener
    people: dict[str, UUID]

    def actor(self, staff_no: str) -> Actor:
        """A member of staff."""
        with self.open_work() as work:
            return actor_for(work.conn, self.people[staff_no], clock.now().date())


@contextmanager
def bed(settings: Settings | None = None) -> Iterator[Bed]:
    """A bed in a temporary folder, removed at the end."""
    home = Path(tempfile.mkdtemp(prefix="outreach-bench-"))
    home.chmod(0o755)
    data = home / "postgres"
    embedded.start(data)
    try:
        embedded.ensure_database(data)
        migrate(embedded.conninfo(data))
        made = settings or Settings(home=home, send_window="00:00-24:00")
        database = Database(embedded.conninfo(data), pool_size=6)
        open_work = opener(database, KeyRing.open(home / "keys", create=True), made)
        wire()
        people = load_people(open_work)
        content, faults = check_folder(starter_root())
        assert not faults
        with open_work(SYSTEM) as work:
            publish(work, content, people["H001"], people["K001"], bootstrap=True)
        yield Bed(home, made, database, open_work, people)
        database.close()
    finally:
        embedded.stop(data)
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(embedded.socket_dir(data), ignore_errors=True)


def add_clients(made: Bed, count: int, channel: str, address: str, *, english: bool = True) -> None:
    """``count`` clients by COPY; ``address`` is a pattern with ``%s`` for eight digits. Half of them are in each
    branch; with ``english`` one in ten reads English. Nothing of them stays in this process's memory."""
    today, now = date(2020, 1, 1), clock.now()
    with made.open_work(SYSTEM) as work:
        branches = list(work.conn.execute(select(branch.c.id).order_by(branch.c.code)).scalars())
        advisors = [
            list(
                work.conn.execute(
                    select(staff.c.id).where(staff.c.staff_no.in_(numbers)).order_by(staff.c.staff_no)
                ).scalars()
            )
            for numbers in (("A004", "A005", "A006"), ("A001", "A002"))
        ]
        with (
            driver(work.conn).cursor() as cursor,
            cursor.copy(
                "COPY client (id, client_no, name, gender, kind, birth_date, tier, risk_class, assessed_on, opened_on,"
                " status, branch_id, advisor_id, channel_preference, language, created_at, updated_at) FROM STDIN"
            ) as copy,
        ):
            for number in range(count):
                side = number % 2
                team = advisors[side]
                copy.write_row(
                    (
                        new_id(),
                        f"B{number:08d}",
                        SURNAMES[number % len(SURNAMES)] + GIVEN[number // 7 % len(GIVEN)],
                        "male" if number % 3 else "female",
                        "person",
                        date(1960 + number % 40, 1 + number % 12, 1 + number % 28),
                        "vip",
                        3,
                        now.date(),
                        today,
                        "normal",
                        branches[side],
                        team[number % len(team)],
                        channel,
                        "en" if english and number % 10 == 0 else "zh-CN",
                        now,
                        now,
                    )
                )
        work.conn.execute(
            text(
                "INSERT INTO contact_point (id, client_id, channel, address, active)"
                " SELECT gen_random_uuid(), id, :channel, format(:address, substr(client_no, 2)), true FROM client"
                " WHERE client_no LIKE 'B%'"
            ),
            {"channel": channel, "address": address},
        )
    with made.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("RESET ROLE"))
        conn.execute(text("ANALYZE"))
