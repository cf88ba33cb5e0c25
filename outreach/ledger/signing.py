"""The firm's Ed25519 key: signs checkpoints and exports so that OpenSSH and OpenSSL can check them.

SSHSIG is OpenSSH's PROTOCOL.sshsig, version 1: the signature lies beside the file and is checked with
``ssh-keygen -Y verify -f allowed_signers -I outreach -n outreach-export -s FILE.sig < FILE``.
"""

import base64
import binascii
import hashlib
import struct
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import BufferedReader, BytesIO
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from outreach.core.errors import BadInput, Misconfigured
from outreach.ledger.errors import RecordAltered
from outreach.ledger.keyfiles import read_secret, write_secret

NAMESPACE = "outreach-export"
PRINCIPAL = "outreach"
_MAGIC = b"SSHSIG"
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"


@dataclass(frozen=True)
class SigningKey:
    """The private key and what is published of it."""

    private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def generate(cls) -> "SigningKey":
        """A fresh key, in memory only."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path, *, create: bool = False) -> "SigningKey":
        """The key in the PEM (PKCS #8) file ``path``; with ``create``, made there when there is none.

        Raises Misconfigured when the file is missing, is readable by others or holds no Ed25519 key.
        """
        if create and not path.exists():
            fresh = Ed25519PrivateKey.generate()
            write_secret(
                path,
                fresh.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()),
            )
        try:
            private = form.load_pem_private_key(read_secret(path), password=None)
        except FileNotFoundError:
            raise Misconfigured(
                f"The signing key {path} is missing.",
                mend="Restore it from its backup; without it nothing is signed.",
            ) from None
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise Misconfigured(
                f"{path} holds no key that can be read.", mend="Restore it from its backup."
            ) from error
        if not isinstance(private, Ed25519PrivateKey):
            raise Misconfigured(f"{path} holds no Ed25519 key.", mend="Restore it from its backup.")
        return cls(private)

    @property
    def public(self) -> Ed25519PublicKey:
        """The public key."""
        return self.private.public_key()

    @property
    def fingerprint(self) -> str:
        """``SHA256:…`` as ``ssh-keygen -lf`` prints it."""
        return fingerprint(self.public)

    def sign(self, data: bytes) -> bytes:
        """The bare Ed25519 signature (64 bytes, RFC 8032) of ``data``."""
        return self.private.sign(data)

    def sshsig(self, message: bytes | BufferedReader | BytesIO, namespace: str = NAMESPACE) -> str:
        """The armoured SSHSIG of ``message``, which may be a file opened in binary mode."""
        signature = self.private.sign(_signed_data(message, namespace))
        blob = (
            _MAGIC
            + struct.pack(">I", 1)
            + _strings(
                _blob(self.public),
                namespace.encode(),
                b"",
                b"sha512",
                _strings(b"ssh-ed25519", signature),
            )
        )
        return "\n".join([_BEGIN, *textwrap.wrap(base64.b64encode(blob).decode(), 70), _END, ""])


def public_openssh(public: Ed25519PublicKey, comment: str = PRINCIPAL) -> str:
    """The line of an OpenSSH ``.pub`` file, without line end."""
    return f"ssh-ed25519 {base64.b64encode(_blob(public)).decode()} {comment}"


def public_pem(public: Ed25519PublicKey) -> bytes:
    """The public key as PEM (SubjectPublicKeyInfo), for OpenSSL."""
    return public.public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)


def public_raw(public: Ed25519PublicKey) -> bytes:
    """The 32 bytes of the public key, RFC 8032."""
    return public.public_bytes(form.Encoding.Raw, form.PublicFormat.Raw)


def read_public(text: str) -> Ed25519PublicKey:
    """The public key in an OpenSSH ``.pub`` or ``allowed_signers`` line, or in a PEM.

    Raises BadInput when there is no Ed25519 key in ``text``.
    """
    try:
        if text.lstrip().startswith("-----"):
            key = form.load_pem_public_key(text.strip().encode())
        else:
            key = form.load_ssh_public_key(text[text.index("ssh-ed25519 ") :].strip().encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadInput("That is no public key.", mend="Give an OpenSSH or PEM Ed25519 public key.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise BadInput("That is no Ed25519 key.", mend="Give the Ed25519 public key of the firm.")
    return key


def fingerprint(public: Ed25519PublicKey) -> str:
    """``SHA256:…`` as ``ssh-keygen -lf`` prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(_blob(public)).digest()).decode().rstrip("=")


def allowed_signers(
    publics: Iterable[Ed25519PublicKey], principal: str = PRINCIPAL, namespace: str = NAMESPACE
) -> str:
    """The ``allowed_signers`` file (ssh-keygen(1), ALLOWED SIGNERS) that trusts ``publics`` for exports only."""
    return "".join(f'{principal} namespaces="{namespace}" {public_openssh(public)}\n' for public in publics)


def verify_sshsig(
    armoured: str,
    message: bytes | BufferedReader | BytesIO,
    public: Ed25519PublicKey,
    namespace: str = NAMESPACE,
) -> None:
    """Check an SSHSIG by ``public`` over ``message``, as ``ssh-keygen -Y verify`` does.

    Raises RecordAltered when it is malformed, by another key, for another namespace or does not hold.
    """
    try:
        key, used_for, _, algorithm, signature = _read_signature(armoured)
        kind, raw = _read_strings(signature, 2)
    except (ValueError, struct.error, binascii.Error) as error:
        raise RecordAltered("The signature file is malformed.") from error
    if key != _blob(public):
        raise RecordAltered("The signature was made by another key than the one trusted.")
    if used_for != namespace.encode() or algorithm != b"sha512" or kind != b"ssh-ed25519":
        raise RecordAltered("The signature was made for another purpose.")
    try:
        public.verify(raw, _signed_data(message, namespace))
    except InvalidSignature as error:
        raise RecordAltered("The signature does not belong to these bytes.") from error


def _blob(public: Ed25519PublicKey) -> bytes:
    """The public key in SSH wire form, RFC 8709 §4."""
    return _strings(b"ssh-ed25519", public_raw(public))


def _signed_data(message: bytes | BufferedReader | BytesIO, namespace: str) -> bytes:
    if isinstance(message, bytes):
        digest = hashlib.sha512(message).digest()
    else:
        digest = hashlib.file_digest(message, "sha512").digest()
    return _MAGIC + _strings(namespace.encode(), b"", b"sha512", digest)


def _strings(*values: bytes) -> bytes:
    """SSH strings, RFC 4251 §5: each preceded by its length."""
    return b"".join(struct.pack(">I", len(value)) + value for value in values)


def _read_strings(data: bytes, count: int) -> list[bytes]:
    values: list[bytes] = []
    for _ in range(count):
        (length,) = struct.unpack_from(">I", data)
        if len(data) < 4 + length:
            raise ValueError("cut short")
        values.append(data[4 : 4 + length])
        data = data[4 + length :]
    if data:
        raise ValueError("longer than it says")
    return values


def _read_signature(armoured: str) -> list[bytes]:
    lines = armoured.strip().splitlines()
    if len(lines) < 3 or lines[0] != _BEGIN or lines[-1] != _END:
        raise ValueError("not armoured")
    blob = base64.b64decode("".join(lines[1:-1]), validate=True)
    if blob[:10] != _MAGIC + struct.pack(">I", 1):
        raise ValueError("not version 1")
    return _read_strings(blob[10:], 5)
