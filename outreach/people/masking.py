"""How much of an address somebody sees: whoever cares for the client all of it, others a hint of it."""

from uuid import UUID

from outreach.core.access import Actor, Role

_CARING = frozenset({Role.ADVISOR, Role.MANAGER, Role.DEPUTY})


def sees_addresses(actor: Actor, branch_id: UUID) -> bool:
    """Whether the actor needs this branch's clients' addresses in full: its own people, who call and write."""
    return any(
        (grant.role in _CARING and grant.branch_id in {None, branch_id}) or grant.role is Role.SYSTEM
        for grant in actor.grants
    )


def masked(address: str) -> str:
    """An address of which only the ends can be read: ``+86 ··· 0012``, ``c···@example.net``."""
    name, at, domain = address.partition("@")
    if at:
        return f"{name[:1]}···@{domain}"
    if address.startswith("+") and address[1:].isdigit():
        return f"{address[:3]}···{address[-4:]}" if len(address) > 9 else "···"
    return f"{address[:3]}···"
