"""Signing in by user name and password, with a limit on attempts.

Whoever asks for nobody, for somebody who left, or with the wrong password gets the same words after the same time.
"""

import hashlib
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Row, delete, func, insert, select, text, update

from outreach.auth.passwords import check_password, clean_username
from outreach.auth.tables import account, signin_attempt
from outreach.core import clock
from outreach.core.access import SYSTEM, Actor
from outreach.core.errors import Forbidden, NotFound
from outreach.ledger.append import Entry, record
from outreach.ledger.work import Opener, Work
from outreach.people.staff import actor_for

WINDOW = timedelta(minutes=15)
PER_NAME = 5
PER_SOURCE = 30
_KEPT = timedelta(days=2)


class SignInRefused(Forbidden):
    """The sign-in is refused."""

    code = "sign_in_refused"


def sign_in_as(open_work: Opener, username: str, password: str, source: str = "") -> Actor:
    """Who ``username`` is, with the right ``password``. ``source`` is the address asked from, "" when there is none.

    At most 5 failures for a name and 30 for a source within 15 minutes; then nothing is tried until the oldest is
    that old. Raises SignInRefused.
    """
    name = clean_username(username)
    keys = {_key("name", name): PER_NAME}
    if source:
        keys[_key("source", source)] = PER_SOURCE
    now = clock.now()
    with open_work(SYSTEM) as work:
        # Attempts at one name, or from one source, take turns: a burst is counted, not let through together.
        for key in sorted(keys):
            work.conn.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key})
        wait = max((_wait(work, key, limit, now) for key, limit in keys.items()), default=timedelta())
        if wait > timedelta():
            # Not counted again, or whoever keeps trying would lock the owner out for ever.
            raise SignInRefused(
                "Too many attempts.", mend=f"Try again in {max(1, round(wait.total_seconds() / 60))} minutes."
            )
        row = work.conn.execute(select(account).where(account.c.username == name)).one_or_none()
        right, renewed = check_password(password, row.password_hash if row is not None else None)
        actor = _actor(work, row) if right and row is not None else None
        work.conn.execute(
            insert(signin_attempt),
            [{"key": key, "at": now, "succeeded": actor is not None} for key in keys],
        )
        work.conn.execute(delete(signin_attempt).where(signin_attempt.c.at < now - _KEPT))
        if renewed is not None and actor is not None:
            work.conn.execute(
                update(account).where(account.c.staff_id == actor.staff_id).values(password_hash=renewed)
            )
        outcome = "accepted" if actor is not None else "refused"
        known: UUID | None = row.staff_id if row is not None else None
        record(work, Entry("signin", {"method": "password", "outcome": outcome, "on_behalf_of": known}))
    if actor is None:
        raise SignInRefused(
            "User name or password is wrong.",
            mend="Try again; after five failures wait a quarter of an hour.",
        )
    return actor


def _wait(work: Work, key: str, limit: int, now: datetime) -> timedelta:
    """How long until one more attempt is allowed: failures since the last success count."""
    last_success = (
        select(func.max(signin_attempt.c.at))
        .where(signin_attempt.c.key == key, signin_attempt.c.succeeded)
        .scalar_subquery()
    )
    failures = list(
        work.conn.execute(
            select(signin_attempt.c.at)
            .where(
                signin_attempt.c.key == key,
                signin_attempt.c.succeeded.is_(False),
                signin_attempt.c.at > now - WINDOW,
                signin_attempt.c.at > func.coalesce(last_success, now - WINDOW),
            )
            .order_by(signin_attempt.c.at.desc())
            .limit(limit)
        ).scalars()
    )
    return failures[-1] + WINDOW - now if len(failures) >= limit else timedelta()


def _actor(work: Work, row: Row[tuple[object, ...]]) -> Actor | None:
    if row.disabled:
        return None
    try:
        return actor_for(work.conn, row.staff_id, clock.today(work.settings.zone))
    except NotFound:
        return None


def _key(kind: str, value: str) -> str:
    return hashlib.sha256(f"{kind}:{value}".encode()).hexdigest()
