"""Sealing: a record's bytes under a key of their own, which an epoch's key outside the database wraps.

Destroying a record's salt and wrapped key disposes of its bytes here; destroying the epoch's key, after the
survivors were rewrapped, disposes of them in every backup. The commitment in the envelope stays, and without
the 32 random bytes of salt it tells nothing of the bytes it binds.
"""

import hmac
import os
import re
import secrets
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from outreach.core.errors import Conflict, Misconfigured, NotFound
from outreach.ledger.errors import RecordAltered
from outreach.ledger.keyfiles import destroy_secret, private_folder, read_secret, write_secret
from outreach.ledger.signing import SigningKey


class SealBroken(RecordAltered):
    """Sealed bytes, or what belongs to them, are not as they were sealed."""


class EpochKey(NamedTuple):
    """The key that wraps the records of one epoch."""

    epoch: int
    key: bytes

    def __repr__(self) -> str:
        return f"EpochKey(epoch={self.epoch})"


@dataclass(frozen=True, slots=True)
class Sealed:
    """One record's sealed bytes.

    ``commitment`` goes into the envelope as hex; where rows are read without their envelope it is empty.
    """

    salt: bytes
    wrapped_key: bytes
    nonce: bytes
    ciphertext: bytes
    commitment: bytes = b""


def commit(salt: bytes, plaintext: bytes) -> bytes:
    """The commitment to ``plaintext``: SHA-256(salt ‖ bytes), which anyone can recompute with sha256sum."""
    return sha256(salt + plaintext).digest()


def seal(plaintext: bytes, epoch_key: bytes, record_id: UUID) -> Sealed:
    """Seal ``plaintext`` for ``record_id`` under a fresh key: AES-256-GCM, wrapped by AES-KW (RFC 3394).

    The record's id and the salt are authenticated with the bytes, so neither a salt nor whole rows can be
    exchanged for others.
    """
    random = os.urandom(76)
    key, salt, nonce = random[:32], random[32:64], random[64:]
    return Sealed(
        salt=salt,
        wrapped_key=aes_key_wrap(epoch_key, key),
        nonce=nonce,
        ciphertext=AESGCM(key).encrypt(nonce, plaintext, record_id.bytes + salt),
        commitment=sha256(salt + plaintext).digest(),
    )


def unseal(sealed: Sealed, epoch_key: bytes, record_id: UUID) -> bytes:
    """The bytes that were sealed for ``record_id``.

    Raises SealBroken when any part was changed, belongs to another record or another epoch, or does not match
    the commitment (if it is given).
    """
    try:
        key = aes_key_unwrap(epoch_key, sealed.wrapped_key)
        plaintext = AESGCM(key).decrypt(sealed.nonce, sealed.ciphertext, record_id.bytes + sealed.salt)
    except (InvalidUnwrap, InvalidTag, ValueError) as error:
        raise SealBroken(
            f"The sealed bytes of {record_id} do not open with the key of their epoch."
        ) from error
    if sealed.commitment and not hmac.compare_digest(commit(sealed.salt, plaintext), sealed.commitment):
        raise SealBroken(f"The sealed bytes of {record_id} are not those its commitment binds.")
    return plaintext


def rewrap(wrapped_key: bytes, old: bytes, new: bytes) -> bytes:
    """A record's key wrapped by the epoch key ``new`` instead of ``old``, so that ``old`` can be destroyed.

    Raises SealBroken when it does not open with ``old``.
    """
    try:
        return aes_key_wrap(new, aes_key_unwrap(old, wrapped_key))
    except (InvalidUnwrap, ValueError) as error:
        raise SealBroken("A record's key does not open with the key of its epoch.") from error


_EPOCH_FILE = re.compile(r"epoch-(\d{6})\.key")
_MEND = "Restore the key folder from its backup."


@dataclass(frozen=True)
class KeyRing:
    """The keys that lie outside the database: epochs, the key of equality hashes, the signing key."""

    folder: Path
    signing: SigningKey
    _equality: bytes = field(repr=False)
    _epochs: dict[int, bytes] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, folder: Path, *, create: bool = False) -> "KeyRing":
        """The ring in ``folder`` (mode 0700, its files 0600); with ``create``, what is missing is made.

        Two processes may open a new folder at once: the first to write a key wins, the other reads it.
        Raises Misconfigured when keys are missing, damaged, or open to others.
        """
        private_folder(folder, create=create)
        if create:
            _make_if_missing(folder / "equality.key")
            if not _epochs_in(folder):
                _make_if_missing(_epoch_file(folder, 1))
        ring = cls(
            folder=folder,
            signing=SigningKey.load(folder / "signing.pem", create=create),
            _equality=_read_key(folder / "equality.key"),
        )
        if not _epochs_in(folder):
            raise Misconfigured(f"There is no epoch key in {folder}.", mend=_MEND)
        for epoch in _epochs_in(folder):
            ring.get(epoch)
        return ring

    @property
    def current(self) -> EpochKey:
        """The newest epoch: what new records are sealed under.

        Looks into the folder each time, since another process may have begun an epoch; take it once a batch.
        """
        newest = self.epochs[-1]
        return EpochKey(newest, self.get(newest))

    @property
    def epochs(self) -> list[int]:
        """The numbers of the epochs whose keys exist, oldest first."""
        numbers = _epochs_in(self.folder)
        if not numbers:
            raise Misconfigured(f"There is no epoch key in {self.folder}.", mend=_MEND)
        return numbers

    def get(self, epoch: int) -> bytes:
        """The key of ``epoch``. Raises NotFound when it was destroyed, or never was."""
        known = self._epochs.get(epoch)
        if known is None:
            path = _epoch_file(self.folder, epoch)
            if not path.exists():
                raise NotFound(
                    f"The key of epoch {epoch} is not in {self.folder}.",
                    mend="If no disposal destroyed it, restore the key folder from its backup.",
                )
            known = self._epochs[epoch] = _read_key(path)
        return known

    def new_epoch(self) -> EpochKey:
        """Begin a new epoch; from now on ``current`` is it, in every process."""
        number = self.epochs[-1] + 1
        _make_if_missing(_epoch_file(self.folder, number))
        return EpochKey(number, self.get(number))

    def destroy_epoch(self, epoch: int) -> None:
        """Destroy the key of ``epoch``: whatever is still wrapped by it is gone, in backups too.

        The caller has rewrapped what shall survive. Raises Conflict for the current epoch; an epoch already
        destroyed is left so.
        """
        if epoch >= self.epochs[-1]:
            raise Conflict(
                f"Epoch {epoch} is the current one.",
                mend="Begin a new epoch and rewrap what shall survive first.",
            )
        destroy_secret(_epoch_file(self.folder, epoch))
        self._epochs.pop(epoch, None)

    def keyed_hash(self, value: str | bytes) -> bytes:
        """HMAC-SHA-256 of ``value`` under this ring's own key: equal values are found without being stored."""
        return hmac.digest(self._equality, value.encode() if isinstance(value, str) else value, "sha256")

    @cached_property
    def identity(self) -> str:
        """64 hex digits that name this ring and tell nothing of its keys: a database remembers its ring by it."""
        return self.keyed_hash(b"\x00outreach key ring").hex()


def _make_if_missing(path: Path) -> None:
    """Make a fresh 256-bit key at ``path`` unless there is one."""
    if not path.exists():
        write_secret(path, secrets.token_hex(32).encode() + b"\n")


def _epoch_file(folder: Path, epoch: int) -> Path:
    return folder / f"epoch-{epoch:06d}.key"


def _epochs_in(folder: Path) -> list[int]:
    return sorted(int(found[1]) for found in map(_EPOCH_FILE.fullmatch, os.listdir(folder)) if found)


def _read_key(path: Path) -> bytes:
    try:
        text = read_secret(path)
    except FileNotFoundError:
        raise Misconfigured(f"The key {path} is missing.", mend=_MEND) from None
    if not re.fullmatch(rb"[0-9a-f]{64}\n?", text):
        raise Misconfigured(f"The key file {path} is damaged.", mend=_MEND)
    return bytes.fromhex(text.decode())
