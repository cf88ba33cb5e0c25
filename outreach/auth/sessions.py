"""Server-side sessions: the cookie is a random token, the database keeps its SHA-256 and may revoke it."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Connection, insert, text, update

from outreach.auth.tables import web_session
from outreach.core import clock
from outreach.core.access import Actor
from outreach.core.errors import NotFound
from outreach.core.together import together
from outreach.ledger.work import Opener, Work
from outreach.people.staff import PERSON, actor_of

LIFETIME = timedelta(hours=12)
IDLE = timedelta(hours=2)
_SEEN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Session:
    """Who is signed in, and the token that their forms must carry (CSRF)."""

    actor: Actor
    csrf_token: str


def begin(work: Work, staff_id: UUID) -> str:
    """Start a session; returns the cookie's value. A new token each time, so none can be fixed beforehand."""
    token = secrets.token_urlsafe(32)
    now = clock.now()
    work.conn.execute(
        insert(web_session).values(
            token_hash=_hash(token),
            staff_id=staff_id,
            csrf_token=secrets.token_urlsafe(32),
            created_at=now,
            seen_at=now,
            expires_at=now + LIFETIME,
        )
    )
    return token


_STANDING = text(
    """
    SELECT s.staff_id, s.csrf_token, s.seen_at
      FROM web_session s JOIN account a ON a.staff_id = s.staff_id AND NOT a.disabled
     WHERE s.token_hash = :token AND s.revoked_at IS NULL AND s.expires_at > :now AND s.seen_at > :seen_since
    """
)


_WHOSE = text(PERSON.text.replace(":id", "(SELECT staff_id FROM web_session WHERE token_hash = :token)"))


def resume(open_work: Opener, token: str) -> Session | None:
    """The session of a cookie, or None when it ended, was revoked, or its owner left or was disabled."""
    if not token:
        return None
    with open_work(looking=True) as work:
        now, token_hash = clock.now(), _hash(token)
        today = clock.today(work.settings.zone)
        with together(work.conn) as ask:
            standing = ask(_STANDING, token=token_hash, now=now, seen_since=now - IDLE)
            person = ask(_WHOSE, token=token_hash, on=today, at=now)
        row = standing.one_or_none()
        if row is None:
            return None
        if row.seen_at < now - _SEEN_EVERY:
            work.conn.execute(
                update(web_session).where(web_session.c.token_hash == token_hash).values(seen_at=now)
            )
        try:
            actor = actor_of(work.conn, person.one_or_none(), today, now)
        except NotFound:
            return None
        return Session(actor, row.csrf_token)


def end(work: Work, token: str) -> None:
    """Sign out: this session only."""
    work.conn.execute(
        update(web_session)
        .where(web_session.c.token_hash == _hash(token), web_session.c.revoked_at.is_(None))
        .values(revoked_at=clock.now())
    )


def revoke_all(conn: Connection, staff_id: UUID) -> int:
    """End every session of one person, at once; returns how many there were."""
    done = conn.execute(
        update(web_session)
        .where(web_session.c.staff_id == staff_id, web_session.c.revoked_at.is_(None))
        .values(revoked_at=clock.now())
    )
    return done.rowcount


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
