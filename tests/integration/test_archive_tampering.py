"""Whatever is altered in an export is found; a forgery that is signed anew is found by the fingerprint."""

import base64
import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from outreach.archive.verify import verify_bag
from outreach.core.errors import BadInput
from outreach.ledger import merkle
from outreach.ledger.checkpoint import sign_checkpoint
from outreach.ledger.signing import SigningKey, allowed_signers, public_openssh, public_pem
from tests.support.archive_rows import Exported, exported


@pytest.fixture(scope="module")
def made(postgres: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exported]:
    with exported(postgres, tmp_path_factory.mktemp("tampering")) as made:
        yield made


@pytest.fixture
def bag(made: Exported, tmp_path: Path) -> Path:
    """A copy to spoil."""
    shutil.copytree(made.result.path, tmp_path / "bag")
    shutil.copy(made.result.signature, tmp_path)
    return tmp_path / "bag"


def files_of(bag: Path) -> list[Path]:
    return [file for file in sorted(bag.parent.rglob("*")) if file.is_file()]


def test_an_untouched_export_holds(made: Exported, bag: Path) -> None:
    report = verify_bag(bag, made.result.fingerprint)
    assert report.faults == []
    assert report.ok
    assert "VERIFIED" in report.lines()[-1]


def test_p6_a_flipped_bit_in_any_file_is_found(made: Exported, bag: Path) -> None:
    seen = set()
    for file in files_of(bag):
        whole = file.read_bytes()
        seen.add("".join(file.suffixes))
        for at in {0, len(whole) // 2, len(whole) - 1} if whole else set():
            file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            assert not verify_bag(bag, made.result.fingerprint).ok, f"byte {at} of {file.name}"
        file.write_bytes(whole)
    assert {
        ".envelope.json",
        ".proof",
        ".payload.json",
        ".salt",
        ".reply.txt",
        ".note.txt",
        ".eml",
        ".tagmanifest.sig",
    } <= seen
    assert {".html", ".csv", ".jsonl", ".pub", ".pem", ".txt"} <= seen
    assert verify_bag(bag, made.result.fingerprint).ok


def test_every_character_of_the_signature_counts(made: Exported, bag: Path) -> None:
    file = bag.parent / "bag.tagmanifest.sig"
    whole = file.read_bytes()
    for at in range(len(whole)):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 2]) + whole[at + 1 :])
        assert not verify_bag(bag, made.result.fingerprint).ok, f"byte {at}"


def added(bag: Path) -> None:
    (bag / "data/records/000000000/000000000099.payload.json").write_text("{}")


def added_beside(bag: Path) -> None:
    (bag / "data/read-me-first.html").write_text("forged")


def added_tag(bag: Path) -> None:
    (bag / "notes.txt").write_text("forged")


def removed(bag: Path) -> None:
    next(bag.glob("data/records/*/*.reply.txt")).unlink()


def cut_short(bag: Path) -> None:
    file = bag / "data/ledger/leaves.jsonl"
    file.write_bytes(file.read_bytes()[:-50])


def unsigned(bag: Path) -> None:
    (bag.parent / "bag.tagmanifest.sig").unlink()


def led_outside(bag: Path) -> None:
    manifest = bag / "manifest-sha256.txt"
    manifest.write_text(manifest.read_text() + f"{'0' * 64}  data/../../../etc/hostname\n")


def linked(bag: Path) -> None:
    file = next(bag.glob("data/records/*/*.reply.txt"))
    shutil.move(file, bag.parent / "elsewhere")
    file.symlink_to(bag.parent / "elsewhere")


@pytest.mark.parametrize(
    "spoil", [added, added_beside, added_tag, removed, cut_short, unsigned, led_outside, linked]
)
def test_what_is_added_or_missing_is_found(made: Exported, bag: Path, spoil: Callable[[Path], None]) -> None:
    spoil(bag)
    report = verify_bag(bag, made.result.fingerprint)
    assert not report.ok
    assert report.faults


def relist(bag: Path) -> bytes:
    """The manifests as they must be for what is there now."""
    for name, pattern in (("manifest-sha256.txt", "data/"), ("tagmanifest-sha256.txt", "")):
        lines = []
        for line in (bag / name).read_text().splitlines():
            path = line[66:]
            if path.startswith(pattern):
                lines.append(f"{hashlib.sha256((bag / path).read_bytes()).hexdigest()}  {path}\n")
        (bag / name).write_text("".join(lines))
    return (bag / "tagmanifest-sha256.txt").read_bytes()


def test_p6_a_forgery_signed_anew_passes_all_but_the_fingerprint(made: Exported, bag: Path) -> None:
    attacker = SigningKey.generate()
    text = next(bag.glob("data/records/*/*.reply.txt"))
    index = int(text.name.split(".")[0])
    text.write_bytes("我同意".encode())
    envelope = text.with_name(text.name.replace(".reply.txt", ".envelope.json"))
    salt = text.with_name(text.name.replace(".reply.txt", ".salt")).read_bytes()
    old = envelope.read_bytes()
    start = old.index(b'"commitment":"') + 14
    commitment = hashlib.sha256(salt + text.read_bytes()).hexdigest().encode()
    envelope.write_bytes(old[:start] + commitment + old[start + 64 :])
    # The whole ledger is in this bag, so the attacker can build the tree anew.
    envelopes = [file.read_bytes() for file in sorted(bag.glob("data/records/*/*.envelope.json"))]
    nodes = {
        (level, at): digest
        for level, at, digest in merkle.extend(
            0, lambda level, at: b"", [merkle.leaf_hash(e) for e in envelopes]
        )
    }
    size = len(envelopes)
    for at in range(size):
        proof = merkle.inclusion_proof(at, size, lambda level, n: nodes[(level, n)])
        (bag / f"data/records/000000000/{at:012d}.proof").write_text(
            "".join(f"{step.hex()}\n" for step in proof)
        )
    root = merkle.root(size, lambda level, n: nodes[(level, n)])
    origin = (bag / "data/ledger/checkpoint").read_text().splitlines()[0]
    (bag / "data/ledger/checkpoint").write_text(sign_checkpoint(origin, size, root, attacker))
    leaves = bag / "data/ledger/leaves.jsonl"
    changed = leaves.read_text().replace(
        merkle.leaf_hash(old).hex(), merkle.leaf_hash(envelopes[index]).hex()
    )
    leaves.write_text(changed)
    (bag / "keys/outreach.pub").write_text(public_openssh(attacker.public) + "\n")
    (bag / "keys/outreach.pem").write_bytes(public_pem(attacker.public))
    (bag / "keys/allowed_signers").write_text(allowed_signers([attacker.public]))
    info = bag / "bag-info.txt"
    octets = sum(file.stat().st_size for file in (bag / "data").rglob("*") if file.is_file())
    lines = [
        f"Payload-Oxum: {octets}.{line.split('.')[1]}" if line.startswith("Payload-Oxum") else line
        for line in info.read_text().splitlines()
    ]
    info.write_text("\n".join(lines) + "\n")
    (bag.parent / "bag.tagmanifest.sig").write_text(attacker.sshsig(relist(bag)))

    without = verify_bag(bag)
    assert without.faults == []
    assert attacker.fingerprint in without.checks[0].skipped
    with_it = verify_bag(bag, made.result.fingerprint)
    assert not with_it.ok
    assert [check.name for check in with_it.checks if not check.ok] == ["fingerprint of the key"]
    assert "not this firm's" in with_it.faults[0]


def test_what_is_no_bag_is_refused_with_words(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no bag at"):
        verify_bag(tmp_path)


def test_the_bag_may_lie_anywhere_when_its_signature_is_named(made: Exported, bag: Path) -> None:
    moved = bag.rename(bag.parent / "renamed")
    assert not verify_bag(moved, made.result.fingerprint).ok
    assert verify_bag(moved, made.result.fingerprint, signature=bag.parent / "bag.tagmanifest.sig").ok


def test_the_checkpoint_is_base64_of_the_root(made: Exported) -> None:
    lines = (made.result.path / "data/ledger/checkpoint").read_text().splitlines()
    assert base64.b64decode(lines[2]) == made.result.root
