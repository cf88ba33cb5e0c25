"""Tokens of programs that speak to the API: random, told once, kept as a SHA-256, revocable.

A token belongs to a program of the firm, so only who may import for the whole firm makes and revokes one.
"""

import hashlib
import hmac
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, insert, select, text, update

from outreach.auth.tables import api_token, signin_attempt
from outreach.core import clock
from outreach.core.access import Actor, Grant, Permission, Role
from outreach.core.errors import BadInput, Forbidden, NotFound, OutreachError
from outreach.core.ids import new_id
from outreach.ledger.append import Entry, record
from outreach.ledger.work import Opener, Work

FEEDS = ("research", "market-events")
FAILURES = 20
WINDOW = timedelta(minutes=15)
_PREFIX = "outreach_"
_SEEN_EVERY = timedelta(minutes=1)
_LONGEST_NAME = 60


class TokenRefused(OutreachError):
    """The token is missing, unknown, expired or revoked."""

    code = "unauthorized"
    mend = "Send the header: Authorization: Bearer TOKEN. An operator makes one with: outreach token create"


class TooManyFailures(OutreachError):
    """Too many wrong tokens came from this address."""

    code = "too_many"
    mend = "Try again in a quarter of an hour, with the right token."


@dataclass(frozen=True)
class NewToken:
    """A token that was just made. ``token`` is never shown again."""

    id: UUID
    name: str
    token: str
    expires_at: datetime | None


@dataclass(frozen=True)
class TokenLine:
    """A token in a list. ``state``: valid, expired or revoked."""

    id: UUID
    name: str
    permissions: tuple[str, ...]
    state: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


def create_token(
    work: Work, name: str, permissions: Collection[str], expires_in: timedelta | None = None
) -> NewToken:
    """Make a token for the feeds in ``permissions``; it is returned once and kept as a hash.

    Raises Forbidden without the right to import for the firm, BadInput for a name that is empty, too long or that of
    a valid token, for an unknown feed, and for a time that is not ahead.
    """
    _require_firm(work.actor)
    wanted = sorted(set(permissions))
    label = " ".join(name.split())
    if not label or len(label) > _LONGEST_NAME or not label.isprintable():
        raise BadInput("The name is empty or unusable.", mend=f"Give 1 to {_LONGEST_NAME} characters.")
    if not wanted or not set(wanted) <= set(FEEDS):
        raise BadInput(f"A token is for one or more of: {', '.join(FEEDS)}.", mend="Name the feeds.")
    if expires_in is not None and expires_in <= timedelta():
        raise BadInput("The token would expire at once.", mend="Give a time ahead, such as 90d.")
    # Two of one name would leave it open which is revoked.
    work.conn.execute(text("SELECT pg_advisory_xact_lock(hashtext('api_token'))"))
    if any(line.name == label and line.state == "valid" for line in list_tokens(work)):
        raise BadInput(f"There is a valid token {label} already.", mend="Revoke it, or choose another name.")
    token, now = _PREFIX + secrets.token_urlsafe(32), clock.now()
    made = NewToken(new_id(), label, token, now + expires_in if expires_in is not None else None)
    work.conn.execute(
        insert(api_token).values(
            id=made.id,
            name=label,
            token_hash=_hash(token),
            permissions=wanted,
            created_by=work.actor.staff_id,
            created_at=now,
            expires_at=made.expires_at,
        )
    )
    _record(work, "token-created", made.id)
    return made


def list_tokens(work: Work) -> list[TokenLine]:
    """Every token there ever was, newest first. Raises Forbidden without the right to import for the firm."""
    _require_firm(work.actor)
    now = clock.now()
    rows = work.conn.execute(select(api_token).order_by(api_token.c.created_at.desc(), api_token.c.id.desc()))
    return [
        TokenLine(
            row.id,
            row.name,
            tuple(row.permissions),
            _state(row.revoked_at, row.expires_at, now),
            row.created_at,
            row.expires_at,
            row.last_used_at,
        )
        for row in rows
    ]


def revoke_token(work: Work, name: str) -> UUID:
    """End the valid token ``name`` at once. Raises NotFound when there is none, Forbidden as above."""
    _require_firm(work.actor)
    ended = work.conn.execute(
        update(api_token)
        .where(
            api_token.c.name == " ".join(name.split()),
            api_token.c.revoked_at.is_(None),
            func.coalesce(api_token.c.expires_at, text("'infinity'::timestamptz")) > clock.now(),
        )
        .values(revoked_at=clock.now())
        .returning(api_token.c.id)
    ).scalar_one_or_none()
    if ended is None:
        raise NotFound(f"There is no valid token {name}.", mend="List them with: outreach token list")
    identifier: UUID = ended
    _record(work, "token-revoked", identifier)
    return identifier


def holder_of(open_work: Opener, presented: str, permission: str, source: str) -> Actor:
    """The actor that a token stands for, to take in the feed ``permission``; its name is the token's id.

    After 20 failures from a ``source`` within 15 minutes the next are only told so; a valid token is heard all the
    same, or one faulty program behind a proxy would silence the others. Raises TooManyFailures, TokenRefused, and
    Forbidden for a token that is for another feed.
    """
    key = hashlib.sha256(f"token:{source}".encode()).hexdigest()
    with open_work() as work:
        now = clock.now()
        digest = _hash(presented)
        row = work.conn.execute(select(api_token).where(api_token.c.token_hash == digest)).one_or_none()
        known = row is not None and hmac.compare_digest(bytes(row.token_hash), digest)
        if row is not None and known and _state(row.revoked_at, row.expires_at, now) == "valid":
            if row.last_used_at is None or row.last_used_at < now - _SEEN_EVERY:
                work.conn.execute(update(api_token).where(api_token.c.id == row.id).values(last_used_at=now))
            _require_feed(row.permissions, permission)
            return Actor(None, str(row.id), (Grant(Role.OPERATOR),), f"token:{row.id}")
        failures = work.conn.execute(
            select(func.count())
            .select_from(signin_attempt)
            .where(signin_attempt.c.key == key, signin_attempt.c.at > now - WINDOW)
        ).scalar_one()
        if failures >= FAILURES:
            raise TooManyFailures  # and neither counted nor recorded any more
        work.conn.execute(insert(signin_attempt).values(key=key, at=now, succeeded=False))
        _record(work, "refused", row.id if row is not None else None)
    raise TokenRefused


def _require_feed(permissions: Sequence[str], wanted: str) -> None:
    if wanted not in permissions:
        raise Forbidden(
            f"This token is not for {wanted}.",
            mend=f"Have one made with: outreach token create … --for {wanted}",
        )


def _require_firm(actor: Actor) -> None:
    if actor.scope(Permission.IMPORT) is not None:
        raise Forbidden(
            "Only who may import for the whole firm handles tokens.", mend="Ask an operator to do it."
        )


def _state(revoked_at: datetime | None, expires_at: datetime | None, now: datetime) -> str:
    if revoked_at is not None:
        return "revoked"
    return "expired" if expires_at is not None and expires_at <= now else "valid"


def _record(work: Work, outcome: str, token_id: UUID | None) -> None:
    record(work, Entry("signin", {"method": "api-token", "outcome": outcome, "session_id": token_id}))


def _hash(token: str) -> bytes:
    # A random token of 256 bits needs no slow hash; by its hash it is found without comparing characters.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
