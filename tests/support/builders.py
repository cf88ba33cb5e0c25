"""A firm to test with: two branches with their people, and clients that are easy to vary."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, update

from outreach.content.loader import load_folder
from outreach.content.publish import Release, publish
from outreach.content.starter import starter_root
from outreach.core import clock
from outreach.core.access import Actor, Role
from outreach.core.ids import new_id
from outreach.ledger.work import Opener, Work
from outreach.people.staff import NewBranch, NewStaff, actor_for, add_branch, add_staff
from outreach.people.tables import branch, client, contact_point, holding, staff

AUTO = "auto"
FAR = date(2099, 12, 31)
_numbers = count(1)


@dataclass(frozen=True)
class Team:
    """A branch and its people; every advisor holds both licences."""

    id: UUID
    code: str
    manager: Actor
    deputy: Actor
    advisors: tuple[Actor, ...]

    @property
    def advisor(self) -> Actor:
        return self.advisors[0]


@dataclass(frozen=True)
class Firm:
    """Branches B01 and B02, head office, compliance and an operator."""

    b01: Team
    b02: Team
    head_office: Actor
    compliance: Actor
    operator: Actor


def firm(open_work: Opener) -> Firm:
    """Two branches with a manager, a deputy and three advisors each; head office, compliance, operator."""
    with open_work() as work:
        return Firm(
            b01=_team(work, "B01", "海淀营业部", "Haidian Branch"),
            b02=_team(work, "B02", "浦东营业部", "Pudong Branch"),
            head_office=_person(work, "H01", "何总部", Role.HEAD_OFFICE, None),
            compliance=_person(work, "C01", "郭合规", Role.COMPLIANCE, None),
            operator=_person(work, "O01", "欧运维", Role.OPERATOR, None),
        )


def _team(work: Work, code: str, name: str, name_en: str) -> Team:
    branch_id = add_branch(
        work,
        NewBranch(
            code=code,
            name=name,
            name_en=name_en,
            phone="400-000-0000",
            complaint_phone="400-000-0001",
            email=f"{code.lower()}@example.com",
            address="示例路 1 号",
        ),
    )
    return Team(
        id=branch_id,
        code=code,
        manager=_person(work, f"{code}-M", f"马经理{code}", Role.MANAGER, branch_id),
        deputy=_person(work, f"{code}-D", f"邓副理{code}", Role.DEPUTY, branch_id),
        advisors=tuple(
            _person(work, f"{code}-A{n}", f"顾问{n}{code}", Role.ADVISOR, branch_id) for n in (1, 2, 3)
        ),
    )


def _person(work: Work, staff_no: str, name: str, role: Role, branch_id: UUID | None) -> Actor:
    staff_id = add_staff(
        work,
        NewStaff(
            staff_no=staff_no,
            name=name,
            roles=[(role, branch_id)],
            name_en=staff_no.replace("-", " "),
            email=f"{staff_no.lower()}@example.com",
            securities_licence=f"S{staff_no}",
            securities_expires=FAR,
            advisory_licence=f"T{staff_no}",
            advisory_expires=FAR,
        ),
    )
    return actor_for(work.conn, staff_id, clock.now().date())


FEW_JOBS = frozenset(
    "birthday-lunar birthday-solar market-event mid-autumn new-year research-push spring-festival".split()
)


def publish_starter(open_work: Opener, people: Firm, *, jobs: Collection[str] | None = None) -> Release:
    """The starter set in force: published by head office, approved by compliance; with ``jobs``, only these jobs."""
    content, faults = load_folder(starter_root())
    assert faults == []
    if jobs is not None:
        content.jobs = {name: source for name, source in content.jobs.items() if name in jobs}
    with open_work() as work:
        assert people.head_office.staff_id is not None
        assert people.compliance.staff_id is not None
        return publish(work, content, people.head_office.staff_id, people.compliance.staff_id, bootstrap=True)


def make_client(
    work: Work,
    team: Team | None = None,
    *,
    mobile: str | None = AUTO,
    email: str | None = AUTO,
    holdings: tuple[str, ...] = (),
    **overrides: Any,
) -> UUID:
    """A client in good standing (adult, C3 assessed today, mobile and mail); ``overrides`` are columns of client.

    Without ``team`` the client is in the first branch, without an advisor. Numbers are of an unassigned prefix.
    """
    number = next(_numbers)
    now = clock.now()
    fields: dict[str, Any] = {
        "id": new_id(),
        "client_no": f"T{number:06d}",
        "name": "测试甲客",
        "gender": "female",
        "birth_date": date(1980, 1, 2),
        "tier": "ordinary",
        "risk_class": 3,
        "assessed_on": now.date(),
        "opened_on": date(2020, 1, 1),
        "branch_id": team.id if team else _first_branch(work),
        "advisor_id": team.advisor.staff_id if team else None,
        "created_at": now,
        "updated_at": now,
        **overrides,
    }
    work.conn.execute(insert(client).values(**fields))
    points = {
        "sms": f"+861001{number:07d}" if mobile == AUTO else mobile,
        "email": f"client{number}@example.net" if email == AUTO else email,
    }
    for channel, address in points.items():
        if address:
            work.conn.execute(
                insert(contact_point).values(
                    id=new_id(),
                    client_id=fields["id"],
                    channel=channel,
                    address=address,
                    country="CN" if address.startswith("+86") else "",
                )
            )
    for code in holdings:
        work.conn.execute(
            insert(holding).values(client_id=fields["id"], code=code, quantity=100, as_of=now.date())
        )
    identifier: UUID = fields["id"]
    return identifier


def change_client(work: Work, client_id: UUID, **columns: Any) -> None:
    """Set columns of a client directly, as an import would."""
    work.conn.execute(update(client).where(client.c.id == client_id).values(**columns))


def change_staff(work: Work, actor: Actor, **columns: Any) -> None:
    """Set columns of a member of staff directly, such as a licence's expiry."""
    work.conn.execute(update(staff).where(staff.c.id == actor.staff_id).values(**columns))


def _first_branch(work: Work) -> UUID:
    return work.conn.execute(select(branch.c.id).order_by(branch.c.code).limit(1)).scalar_one()
