"""Who acts, what a role may do, and the one place that scopes every query (P7)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Uuid, any_, bindparam, false, or_, true
from sqlalchemy.dialects.postgresql import ARRAY

from outreach.core.errors import Forbidden


class Role(StrEnum):
    """The roles of the firm (DESIGN.md §1)."""

    ADVISOR = "advisor"
    MANAGER = "manager"
    DEPUTY = "deputy"
    HEAD_OFFICE = "head_office"
    COMPLIANCE = "compliance"
    OPERATOR = "operator"
    SYSTEM = "system"


class Permission(StrEnum):
    """What can be done."""

    READ_CLIENTS = "read_clients"
    READ_MESSAGES = "read_messages"  # message content included
    WATCH_DELIVERY = "watch_delivery"  # states and counts, never content
    COMPOSE = "compose"
    DECIDE = "decide"  # on messages, where a policy's step names the role
    LEAD = "lead_a_branch"  # a branch or the firm's client service: holds, material, standing approvals
    IMPORT = "import"
    RUN_JOBS = "run_jobs"
    PUBLISH = "publish"
    EXPORT = "export"
    VERIFY = "verify"
    ANSWER_REPLIES = "answer_replies"


_GRANTS: dict[Role, frozenset[Permission]] = {
    Role.ADVISOR: frozenset(
        {Permission.READ_CLIENTS, Permission.READ_MESSAGES, Permission.COMPOSE, Permission.ANSWER_REPLIES}
    ),
    Role.MANAGER: frozenset(
        {
            Permission.READ_CLIENTS,
            Permission.READ_MESSAGES,
            Permission.COMPOSE,
            Permission.DECIDE,
            Permission.LEAD,
            Permission.IMPORT,
            Permission.ANSWER_REPLIES,
            Permission.WATCH_DELIVERY,
        }
    ),
    Role.DEPUTY: frozenset(
        {
            Permission.READ_CLIENTS,
            Permission.READ_MESSAGES,
            Permission.COMPOSE,
            Permission.DECIDE,
            Permission.LEAD,
            Permission.ANSWER_REPLIES,
            Permission.WATCH_DELIVERY,
        }
    ),
    Role.HEAD_OFFICE: frozenset(
        {
            Permission.READ_CLIENTS,
            Permission.READ_MESSAGES,
            Permission.COMPOSE,
            Permission.DECIDE,
            Permission.LEAD,
            Permission.RUN_JOBS,
            Permission.PUBLISH,
            Permission.WATCH_DELIVERY,
        }
    ),
    Role.COMPLIANCE: frozenset(
        {
            Permission.READ_CLIENTS,
            Permission.READ_MESSAGES,
            Permission.DECIDE,
            Permission.PUBLISH,
            Permission.EXPORT,
            Permission.VERIFY,
            Permission.WATCH_DELIVERY,
        }
    ),
    Role.OPERATOR: frozenset(
        {Permission.IMPORT, Permission.RUN_JOBS, Permission.WATCH_DELIVERY, Permission.VERIFY}
    ),
    Role.SYSTEM: frozenset(Permission),
}


# What passes to whoever stands in: decisions, nothing that the deputy may not read or do in their own right.
_PASSES = frozenset({Permission.DECIDE, Permission.LEAD})


@dataclass(frozen=True)
class Grant:
    """A role in one branch, or in the whole firm when ``branch_id`` is None.

    ``acting_for``: the absent member of staff whose role it is; it then gives the right to decide only.
    ``through``: the deputy who is absent, too, and passed it on.
    """

    role: Role
    branch_id: UUID | None = None
    acting_for: UUID | None = None
    through: UUID | None = None

    def gives(self, permission: Permission) -> bool:
        """Whether it has ``permission``."""
        return permission in _GRANTS[self.role] and (self.acting_for is None or permission in _PASSES)

    def reaches(self, branch_id: UUID | None) -> bool:
        """Whether it is for ``branch_id`` (None: for the whole firm)."""
        return self.branch_id is None or self.branch_id == branch_id


@dataclass(frozen=True)
class Actor:
    """Whoever acts: a member of staff with their grants, or the system itself (``staff_id`` None).

    ``grants`` are their own; ``stands_in`` those of absent colleagues whose deputy they are.
    """

    staff_id: UUID | None
    name: str
    grants: tuple[Grant, ...] = ()
    person_key: str = ""  # equal for two accounts of one person (four eyes, P2)
    stands_in: tuple[Grant, ...] = ()

    @property
    def is_system(self) -> bool:
        return any(grant.role is Role.SYSTEM for grant in self.grants)

    def roles(self) -> frozenset[Role]:
        """The roles this actor has anywhere, in their own right."""
        return frozenset(grant.role for grant in self.grants)

    def in_own_right(self) -> "Actor":
        """The actor without what they may do for absent colleagues."""
        return replace(self, stands_in=())

    def scope(self, permission: Permission) -> frozenset[UUID] | None:
        """The branches in which the actor has ``permission``; None means the firm, empty means nowhere."""
        branches: set[UUID] = set()
        for grant in (*self.grants, *self.stands_in):
            if grant.gives(permission):
                if grant.branch_id is None:
                    return None
                branches.add(grant.branch_id)
        return frozenset(branches)

    def may(self, permission: Permission, branch_id: UUID | None = None) -> bool:
        """Whether the actor has ``permission`` in ``branch_id`` (None: anywhere at all)."""
        scope = self.scope(permission)
        if scope is None:
            return True
        return bool(scope) if branch_id is None else branch_id in scope


SYSTEM = Actor(staff_id=None, name="system", grants=(Grant(Role.SYSTEM),), person_key="system")


def require(actor: Actor, permission: Permission, branch_id: UUID | None = None) -> None:
    """Raise Forbidden unless ``actor`` has ``permission`` (in ``branch_id`` where given)."""
    if not actor.may(permission, branch_id):
        raise Forbidden(
            f"{actor.name} may not {permission.value.replace('_', ' ')} here.",
            mend="Ask somebody with that role, or have the role granted.",
        )


def visible(actor: Actor, permission: Permission, column: ColumnElement[UUID]) -> ColumnElement[bool]:
    """The WHERE condition that keeps a query within the actor's scope. Every branch-bound query has it."""
    scope = actor.scope(permission)
    if scope is None:
        return true()
    if not scope:
        return false()
    return column.in_(sorted(scope))


def reach(actor: Actor, permission: Permission) -> list[UUID] | None:
    """The actor's scope as the parameter ``scope`` of a statement that is built once (``in_reach``)."""
    scope = actor.scope(permission)
    return None if scope is None else sorted(scope)


def in_reach(column: ColumnElement[UUID]) -> ColumnElement[bool]:
    """``visible`` for a statement that is built once: its parameter ``scope`` is ``reach(actor, permission)``."""
    scope: ColumnElement[Any] = bindparam("scope", type_=ARRAY(Uuid))
    return or_(scope.is_(None), column == any_(scope))


def any_role(actor: Actor, roles: Iterable[Role]) -> bool:
    """Whether the actor has one of ``roles`` anywhere."""
    return bool(actor.roles() & frozenset(roles))
