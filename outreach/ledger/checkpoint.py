"""Checkpoints: the size and root of the tree as a signed note (c2sp.org/tlog-checkpoint, signed-note).

The text that is signed ends before the blank line; a signature line carries the key's name, four bytes that
name the key, and the bare Ed25519 signature, so ``openssl pkeyutl -verify -rawin`` checks it too.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from outreach.core.errors import BadInput
from outreach.ledger.errors import RecordAltered
from outreach.ledger.signing import SigningKey, public_raw

_ED25519 = b"\x01"
_SIGNATURE_LINE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_LONGEST = 64 * 1024


@dataclass(frozen=True)
class Checkpoint:
    """What the log said of itself: who, how many leaves, and the root over them."""

    origin: str
    size: int
    root: bytes


def sign_checkpoint(origin: str, size: int, root: bytes, key: SigningKey) -> str:
    """The signed checkpoint of a tree of ``size`` leaves with ``root``.

    ``origin`` names the log, a URL without scheme such as ``example.com/outreach``. Raises BadInput when it
    holds spaces, a plus or control characters, and ValueError for an impossible size or root.
    """
    if not origin or re.search(r"[\s+]", origin) or _CONTROL.search(origin):
        raise BadInput(
            f"{origin!r} can't name the log.",
            mend="Use a name such as example.com/outreach, without spaces or plus.",
        )
    if size < 0 or len(root) != 32:
        raise ValueError("a checkpoint wants a size of 0 or more and a root of 32 bytes")
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    signature = key_hash(origin, key.public) + key.sign(text.encode())
    return f"{text}\n— {origin} {base64.b64encode(signature).decode()}\n"


def verify_checkpoint(note: str, public: Ed25519PublicKey, origin: str | None = None) -> Checkpoint:
    """The checkpoint in ``note``, if ``public`` signed it under the name in its first line.

    Signatures by other keys (witnesses) are ignored, as the specification asks. Raises RecordAltered when the
    note is malformed, is from another log than ``origin`` (if given), lacks a signature by ``public``, or
    that signature does not hold.
    """
    text, signatures = _split(note)
    checkpoint = _read(text)
    if origin is not None and checkpoint.origin != origin:
        raise RecordAltered(f"The checkpoint is from {checkpoint.origin}, not from {origin}.")
    name = key_hash(checkpoint.origin, public)
    ours = [raw[4:] for signer, raw in signatures if signer == checkpoint.origin and raw[:4] == name]
    if not ours:
        raise RecordAltered("The checkpoint bears no signature by the trusted key.")
    for signature in ours:
        try:
            public.verify(signature, text.encode())
        except InvalidSignature as error:
            raise RecordAltered("The checkpoint's signature does not hold.") from error
    return checkpoint


def key_hash(name: str, public: Ed25519PublicKey) -> bytes:
    """The four bytes that name a key in a signed note: SHA-256(name ‖ LF ‖ 0x01 ‖ key), cut."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public_raw(public)).digest()[:4]


def verifier_key(name: str, public: Ed25519PublicKey) -> str:
    """The key as other tools for signed notes take it: ``name+hash+base64``."""
    encoded = base64.b64encode(_ED25519 + public_raw(public)).decode()
    return f"{name}+{key_hash(name, public).hex()}+{encoded}"


def _split(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    text, blank, rest = note.rpartition("\n\n")
    if not blank or not rest.endswith("\n") or len(note) > _LONGEST or _CONTROL.search(note):
        raise RecordAltered("The checkpoint is not a signed note.")
    signatures: list[tuple[str, bytes]] = []
    for line in rest[:-1].split("\n"):
        found = _SIGNATURE_LINE.fullmatch(line)
        if found is None:
            raise RecordAltered("A signature line of the checkpoint is malformed.")
        signatures.append((found[1], _decode(found[2])))
    return text + "\n", signatures


def _read(text: str) -> Checkpoint:
    lines = text[:-1].split("\n")
    if len(lines) < 3 or not all(lines) or not re.fullmatch(r"0|[1-9][0-9]{0,18}", lines[1]):
        raise RecordAltered("The checkpoint's text is malformed.")
    root = _decode(lines[2])
    if len(root) != 32:
        raise RecordAltered("The checkpoint's root is not 32 bytes.")
    return Checkpoint(lines[0], int(lines[1]), root)


def _decode(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error:
        raw = b""
    if base64.b64encode(raw).decode() != text:  # also refuses stray bits in the last character
        raise RecordAltered("The checkpoint holds malformed base64.")
    return raw
