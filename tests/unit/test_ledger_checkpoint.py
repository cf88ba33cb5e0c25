"""Checkpoints are signed notes that OpenSSL and the notes of others agree with."""

import base64
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from outreach.core.errors import BadInput
from outreach.ledger.checkpoint import Checkpoint, key_hash, sign_checkpoint, verifier_key, verify_checkpoint
from outreach.ledger.errors import RecordAltered
from outreach.ledger.signing import SigningKey, public_pem

KEY = SigningKey.generate()
ORIGIN = "example.com/outreach"
ROOT = bytes(range(32))


def test_the_text_is_as_the_specification_says() -> None:
    note = sign_checkpoint(ORIGIN, 20852163, ROOT, KEY)
    text, signature = note.split("\n\n")
    assert text == f"{ORIGIN}\n20852163\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    dash, name, encoded = signature.removesuffix("\n").split(" ")
    raw = base64.b64decode(encoded)
    assert (dash, name, raw[:4], len(raw)) == ("—", ORIGIN, key_hash(ORIGIN, KEY.public), 68)


@pytest.mark.parametrize("size", [0, 1, 2**62])
def test_what_was_signed_verifies(size: int) -> None:
    note = sign_checkpoint(ORIGIN, size, ROOT, KEY)
    assert verify_checkpoint(note, KEY.public, ORIGIN) == Checkpoint(ORIGIN, size, ROOT)


def test_a_note_of_another_implementation_has_the_same_key_name() -> None:
    # the verifier key in the documentation of golang.org/x/mod/sumdb/note
    name, hashed, encoded = ["PeterNeumann", "c74f20a3", "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"]
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(encoded)[1:])
    assert key_hash(name, public).hex() == hashed
    assert verifier_key(name, public) == f"{name}+{hashed}+{encoded}"
    signature = base64.b64decode(
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    )
    assert signature[:4].hex() == hashed
    public.verify(
        signature[4:],
        b"If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n",
    )


# What a third party types; it knows the checkpoint file and the public key only.
BY_HAND = r"""
sed '/^$/,$d' checkpoint > text
sed -n '/^$/,$p' checkpoint | tail -n 1 | cut -d ' ' -f 3 | base64 -d | tail -c +5 > signature
openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in text -sigfile signature
"""


def test_openssl_verifies_and_finds_a_changed_size(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(public_pem(KEY.public))
    note = sign_checkpoint(ORIGIN, 41, ROOT, KEY)
    for text, holds in ((note, True), (note.replace("\n41\n", "\n42\n"), False)):
        (tmp_path / "checkpoint").write_text(text, encoding="utf-8")
        done = subprocess.run(
            ["sh", "-euc", BY_HAND], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
        )
        assert (done.returncode == 0) is holds
        assert ("Verified Successfully" in done.stdout) is holds


def test_every_changed_character_is_found() -> None:
    note = sign_checkpoint(ORIGIN, 41, ROOT, KEY)
    for at, character in enumerate(note):
        changed = note[:at] + chr(ord(character) ^ 1) + note[at + 1 :]
        with pytest.raises(RecordAltered):
            verify_checkpoint(changed, KEY.public, ORIGIN)
        with pytest.raises(RecordAltered):
            verify_checkpoint(note[:at], KEY.public, ORIGIN)


def test_another_key_or_log_is_refused() -> None:
    note = sign_checkpoint(ORIGIN, 41, ROOT, SigningKey.generate())
    with pytest.raises(RecordAltered, match="trusted key"):
        verify_checkpoint(note, KEY.public)
    with pytest.raises(RecordAltered, match=r"example\.org/other"):
        verify_checkpoint(sign_checkpoint("example.org/other", 41, ROOT, KEY), KEY.public, ORIGIN)


def test_a_witness_beside_our_signature_is_ignored() -> None:
    note = sign_checkpoint(ORIGIN, 41, ROOT, KEY)
    witness = sign_checkpoint(ORIGIN, 41, ROOT, SigningKey.generate()).splitlines(keepends=True)[-1]
    both = note.replace("\n\n", f"\n\n{witness}")
    assert verify_checkpoint(both, KEY.public).size == 41
    assert verify_checkpoint(note + witness.replace(ORIGIN, "witness.example"), KEY.public).size == 41


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n041\n{base64.b64encode(ROOT).decode()}\n",
        f"{ORIGIN}\n-1\n{base64.b64encode(ROOT).decode()}\n",
        f"{ORIGIN}\n41\n{base64.b64encode(ROOT[:31]).decode()}\n",
        f"{ORIGIN}\n41\n",
        f"{ORIGIN}\n\n41\n{base64.b64encode(ROOT).decode()}\n",
        f"{ORIGIN}\n41\r\n{base64.b64encode(ROOT).decode()}\n",
    ],
)
def test_a_text_that_is_no_checkpoint_is_refused_even_signed(text: str) -> None:
    signature = base64.b64encode(key_hash(ORIGIN, KEY.public) + KEY.sign(text.encode())).decode()
    with pytest.raises(RecordAltered):
        verify_checkpoint(f"{text}\n— {ORIGIN} {signature}\n", KEY.public)


@pytest.mark.parametrize("origin", ["", "two words", "a+b", "line\nbreak", "bell\x07", "wide\u3000space"])
def test_a_name_that_a_note_cannot_bear_is_refused(origin: str) -> None:
    with pytest.raises(BadInput):
        sign_checkpoint(origin, 1, ROOT, KEY)


def test_an_impossible_tree_is_refused() -> None:
    for size, root in ((-1, ROOT), (1, ROOT[:31])):
        with pytest.raises(ValueError, match="checkpoint"):
            sign_checkpoint(ORIGIN, size, root, KEY)
