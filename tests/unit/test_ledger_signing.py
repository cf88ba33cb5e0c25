"""What the firm's key signs, OpenSSH checks: with its own program, knowing nothing of ours."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from outreach.core.errors import BadInput, Misconfigured
from outreach.ledger.errors import RecordAltered
from outreach.ledger.keyfiles import write_secret
from outreach.ledger.signing import (
    SigningKey,
    allowed_signers,
    fingerprint,
    public_openssh,
    public_pem,
    public_raw,
    read_public,
    verify_sshsig,
)

KEY = SigningKey.generate()
TEXT = "sha256 of everything 客户\n".encode()


def run(*command: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=60)


def ssh_verify(folder: Path, text: bytes, *, namespace: str = "outreach-export") -> bool:
    signers, signature = str(folder / "allowed_signers"), str(folder / "text.sig")
    done = run(
        "ssh-keygen",
        "-Y",
        "verify",
        "-f",
        signers,
        "-I",
        "outreach",
        "-n",
        namespace,
        "-s",
        signature,
        stdin=text,
    )
    return done.returncode == 0


@pytest.mark.parametrize("text", [b"", TEXT, b"\x00\r\n" * 100_000])
def test_ssh_keygen_verifies_and_finds_a_changed_byte(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "allowed_signers").write_text(allowed_signers([SigningKey.generate().public, KEY.public]))
    (tmp_path / "text").write_bytes(text)
    with (tmp_path / "text").open("rb") as file:
        (tmp_path / "text.sig").write_text(KEY.sshsig(file))
    assert KEY.sshsig(text) == (tmp_path / "text.sig").read_text()
    assert ssh_verify(tmp_path, text)
    assert not ssh_verify(tmp_path, text + b"!")
    assert not ssh_verify(tmp_path, text, namespace="git")


def test_ssh_keygen_refuses_a_key_that_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "allowed_signers").write_text(allowed_signers([KEY.public]))
    (tmp_path / "text.sig").write_text(SigningKey.generate().sshsig(TEXT))
    assert not ssh_verify(tmp_path, TEXT)


def test_we_verify_what_ssh_keygen_signs(tmp_path: Path) -> None:
    key, text = tmp_path / "id", tmp_path / "text"
    text.write_bytes(TEXT)
    assert run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)).returncode == 0
    assert run("ssh-keygen", "-Y", "sign", "-f", str(key), "-n", "outreach-export", str(text)).returncode == 0
    public = read_public(key.with_suffix(".pub").read_text())
    signature = (tmp_path / "text.sig").read_text()
    verify_sshsig(signature, TEXT, public)
    with pytest.raises(RecordAltered, match="bytes"):
        verify_sshsig(signature, TEXT + b"!", public)
    with pytest.raises(RecordAltered, match="purpose"):
        verify_sshsig(signature, TEXT, public, "git")
    with pytest.raises(RecordAltered, match="another key"):
        verify_sshsig(signature, TEXT, KEY.public)


def test_a_damaged_signature_is_refused() -> None:
    whole = KEY.sshsig(TEXT)
    lines = whole.splitlines()
    for damaged in (
        "",
        whole.replace("BEGIN SSH", "BEGIN PGP"),
        "\n".join([lines[0], lines[1], lines[-1]]),
        "\n".join([lines[0], "*" * 70, *lines[2:]]),
        "\n".join([lines[0], "AAAA" + lines[1][4:], *lines[2:]]),
        "\n".join([*lines[:-1], "AAAA", lines[-1]]),
    ):
        with pytest.raises(RecordAltered):
            verify_sshsig(damaged, TEXT, KEY.public)
    verify_sshsig(whole, TEXT, KEY.public)


def test_the_fingerprint_is_the_one_ssh_keygen_prints(tmp_path: Path) -> None:
    public = tmp_path / "key.pub"
    public.write_text(public_openssh(KEY.public) + "\n")
    printed = run("ssh-keygen", "-lf", str(public)).stdout.decode()
    assert printed == f"256 {KEY.fingerprint} outreach (ED25519)\n"
    assert fingerprint(KEY.public) == KEY.fingerprint


@pytest.mark.parametrize(
    "text",
    [public_openssh(KEY.public), allowed_signers([KEY.public]), public_pem(KEY.public).decode()],
    ids=["openssh", "allowed-signers", "pem"],
)
def test_a_published_key_is_read_back(text: str) -> None:
    assert public_raw(read_public(text)) == public_raw(KEY.public)


OTHER = generate_private_key(SECP256R1())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-ed25519 AAAA",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        OTHER.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo).decode(),
    ],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        read_public(text)


def test_the_key_on_disk_is_the_same_and_private(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    made = SigningKey.load(path, create=True)
    assert SigningKey.load(path).fingerprint == made.fingerprint
    assert "PRIVATE KEY" in path.read_text()
    assert "private" not in repr(made)
    printed = run("openssl", "pkey", "-in", str(path), "-pubout").stdout
    assert printed == public_pem(made.public)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    write_secret(path, OTHER.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))
    with pytest.raises(Misconfigured, match="Ed25519"):
        SigningKey.load(path)
