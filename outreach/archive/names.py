"""Who the identifiers of the record stand for. Staff and branches are few; clients are looked up in steps."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select

from outreach.ledger.work import Work
from outreach.people.tables import branch, client, staff


@dataclass
class Names:
    """Names by identifier, as they are today. Where none is known the identifier itself is shown."""

    staff: dict[str, tuple[str, str]]
    branches: dict[str, tuple[str, str]]
    clients: dict[str, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def load(cls, work: Work) -> "Names":
        """All staff and branches of the firm."""
        people = work.conn.execute(select(staff.c.id, staff.c.staff_no, staff.c.name, staff.c.name_en))
        places = work.conn.execute(select(branch.c.id, branch.c.name, branch.c.name_en))
        return cls(
            staff={
                str(row.id): (f"{row.name}({row.staff_no})", f"{row.name_en or row.name} ({row.staff_no})")
                for row in people
            },
            branches={str(row.id): (row.name, row.name_en) for row in places},
        )

    def person(self, identifier: object) -> tuple[str, str]:
        """(zh, en) name and number of whoever acted."""
        if identifier in (None, "", "system"):
            return "系统", "the system"
        return self.staff.get(str(identifier), (str(identifier), str(identifier)))

    def place(self, identifier: object) -> tuple[str, str]:
        """(zh, en) name of a branch."""
        if identifier is None:
            return "", ""
        return self.branches.get(str(identifier), (str(identifier), str(identifier)))

    def meet(self, work: Work, client_ids: Iterable[UUID | None]) -> None:
        """Look up these clients and forget the earlier ones."""
        wanted = {identifier for identifier in client_ids if identifier is not None}
        rows = work.conn.execute(
            select(client.c.id, client.c.client_no, client.c.name).where(client.c.id.in_(wanted))
        )
        self.clients = {str(row.id): (row.client_no, row.name) for row in rows}

    def client(self, identifier: object) -> tuple[str, str]:
        """(client number, name)."""
        if identifier is None:
            return "", ""
        return self.clients.get(str(identifier), (str(identifier), ""))
