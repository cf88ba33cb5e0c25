"""Passwords: kept as argon2id hashes (RFC 9106), never shown, never logged."""

import unicodedata
from functools import cache
from uuid import UUID

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from outreach.auth.sessions import revoke_all
from outreach.auth.tables import account
from outreach.core.errors import BadInput
from outreach.ledger.append import Entry, record
from outreach.ledger.work import Work

SHORTEST = 8
LONGEST = 200
_hasher = PasswordHash((Argon2Hasher(),))


def set_password(work: Work, staff_id: UUID, username: str, password: str) -> None:
    """Give a member of staff a user name and a password; ends their sessions.

    Raises BadInput for an empty or taken user name, and for a password shorter than 8 or longer than 200 characters.
    """
    name = clean_username(username)
    if not name:
        raise BadInput("The user name is empty.", mend="Give one.")
    if not SHORTEST <= len(password) <= LONGEST:
        raise BadInput(
            f"The password has {len(password)} characters.",
            mend=f"Choose one of {SHORTEST} to {LONGEST} characters.",
        )
    taken = work.conn.execute(
        select(account.c.staff_id).where(account.c.username == name, account.c.staff_id != staff_id)
    ).first()
    if taken is not None:
        raise BadInput(f"The user name {name} is somebody else's.", mend="Choose another one.")
    values = {"username": name, "password_hash": _hasher.hash(_normal(password))}
    work.conn.execute(
        insert(account)
        .values(staff_id=staff_id, **values)
        .on_conflict_do_update(index_elements=["staff_id"], set_=values)
    )
    revoke_all(work.conn, staff_id)
    record(work, Entry("signin", {"method": "password", "outcome": "password-set", "on_behalf_of": staff_id}))


def check_password(password: str, stored: str | None) -> tuple[bool, str | None]:
    """Whether the password is right, and a new hash when the stored one's parameters are out of date.

    Without a stored hash (nobody of that name) it takes as long and is never right.
    """
    try:
        right, renewed = _hasher.verify_and_update(_normal(password), stored or _nobody())
    except UnknownHashError:
        return False, None
    return (right, renewed) if stored else (False, None)


def clean_username(username: str) -> str:
    """The form in which user names are kept and compared."""
    return unicodedata.normalize("NFKC", username).strip().casefold()


@cache
def _nobody() -> str:
    return _hasher.hash("nobody has this password")


def _normal(password: str) -> str:
    # The same characters, however a keyboard composed them (RFC 8265, OpaqueString).
    return unicodedata.normalize("NFC", password)
