"""An export is verified by tools that are not ours: coreutils, OpenSSH, OpenSSL, bagit and pymerkle."""

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from email import message_from_bytes, policy
from hashlib import sha256
from pathlib import Path

import bagit
import pymerkle
import pytest

from outreach.archive.export import export_client
from tests.support.archive_rows import ENGLISH, Exported, exported

# All that VERIFY.txt may use.
TOOLS = "bash sha256sum ssh-keygen openssl cut tail od tr cat sed grep find sort diff base64 mktemp basename rm".split()


@pytest.fixture(scope="module")
def made(postgres: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exported]:
    with exported(postgres, tmp_path_factory.mktemp("third-party")) as made:
        yield made


def by_hand(bag: Path, fingerprint: str, tools: Path) -> subprocess.CompletedProcess[str]:
    """Follow VERIFY.txt with nothing on the path but the tools it names."""
    tools.mkdir(exist_ok=True)
    for name in TOOLS:
        found = shutil.which(name)
        assert found is not None, f"{name} is not installed"
        if not (tools / name).exists():
            (tools / name).symlink_to(found)
    return subprocess.run(
        [tools / "bash", "VERIFY.txt", fingerprint],
        cwd=bag,
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_p6_verify_txt_passes_with_common_tools_alone(made: Exported, tmp_path: Path) -> None:
    done = by_hand(made.result.path, made.result.fingerprint, tmp_path / "tools")
    assert (done.returncode, done.stderr) == (0, "")
    assert "VERIFIED" in done.stdout
    assert f"{made.result.records} records in the tree of {made.result.tree_size} leaves" in done.stdout


def test_verify_txt_finds_another_key_and_an_altered_text(made: Exported, tmp_path: Path) -> None:
    other = by_hand(made.result.path, "SHA256:" + "A" * 43, tmp_path / "tools")
    assert other.returncode == 1
    assert "FAULT  fingerprint is" in other.stdout
    bag = tmp_path / "bag"
    shutil.copytree(made.result.path, bag)
    shutil.copy(made.result.signature, tmp_path)
    body = next(bag.glob("data/records/*/*.reply.txt"))
    body.write_bytes(body.read_bytes().replace("谢谢".encode(), "多谢".encode()))
    done = by_hand(bag, made.result.fingerprint, tmp_path / "tools")
    assert done.returncode == 1
    assert "FAULT  a file was altered" in done.stdout
    assert "is not what was recorded" in done.stdout


def test_bagit_validates_it(made: Exported) -> None:
    bag = bagit.Bag(str(made.result.path))
    assert bag.validate()
    assert bag.version_info == (1, 0)
    assert bag.info["External-Identifier"] == str(made.result.export_id)


def test_ssh_keygen_verifies_the_signature(made: Exported) -> None:
    bag, signature = made.result.path, made.result.signature
    command = [
        "ssh-keygen",
        "-Y",
        "verify",
        "-f",
        "keys/allowed_signers",
        "-I",
        "outreach",
        "-n",
        "outreach-export",
    ]
    listed = (bag / "tagmanifest-sha256.txt").read_bytes()
    for message, status in ((listed, 0), (listed.replace(b"a", b"b", 1), 255)):
        done = subprocess.run(
            [*command, "-s", signature], cwd=bag, input=message, capture_output=True, check=False, timeout=60
        )
        assert done.returncode == status


def test_p6_pymerkle_agrees_with_the_root_and_every_path(made: Exported) -> None:
    data = made.result.path / "data"
    leaves = [json.loads(line) for line in (data / "ledger/leaves.jsonl").read_text().splitlines()]
    assert [leaf["leaf_index"] for leaf in leaves] == list(range(made.result.tree_size))
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for leaf in leaves:
        tree.append_entry((made.result.path / leaf["envelope"]).read_bytes())
    root = base64.b64decode((data / "ledger/checkpoint").read_text().splitlines()[2])
    assert tree.get_root() == root == made.result.root
    for leaf in leaves:
        proof = tree.prove_inclusion(leaf["leaf_index"] + 1, made.result.tree_size)
        ours = [bytes.fromhex(step) for step in (made.result.path / leaf["proof"]).read_text().split()]
        assert proof.path == [bytes.fromhex(leaf["leaf_hash"]), *ours]


def test_the_next_export_proves_that_the_ledger_went_on_unchanged(made: Exported, tmp_path: Path) -> None:
    out = tmp_path / "client"
    result = export_client(made.open_work, made.institution.firm.compliance, made.institution.client_no, out)
    said = json.loads((out / "data/ledger/consistency.json").read_text())
    assert (said["old_size"], said["new_size"]) == (made.result.tree_size, result.tree_size)
    assert said["old_root"] == made.result.root.hex()
    # RFC 9162 §2.1.4.2, written out anew
    path = [bytes.fromhex(step) for step in said["proof"]]
    old, new = said["old_size"] - 1, said["new_size"] - 1
    if said["old_size"] & old == 0:
        path.insert(0, bytes.fromhex(said["old_root"]))
    while old & 1:
        old, new = old >> 1, new >> 1
    before = after = path[0]
    for step in path[1:]:
        if old & 1 or old == new:
            before, after = sha256(b"\x01" + step + before).digest(), sha256(b"\x01" + step + after).digest()
            while old and not old & 1:
                old, new = old >> 1, new >> 1
        else:
            after = sha256(b"\x01" + after + step).digest()
        old, new = old >> 1, new >> 1
    assert (before, after, new) == (made.result.root, result.root, 0)


def test_the_mail_is_there_as_it_went_over_the_wire(made: Exported) -> None:
    [mail] = made.result.path.glob("data/records/*/*.eml")
    envelope = json.loads(mail.with_suffix(".envelope.json").read_bytes())
    assert sha256(mail.read_bytes()).hexdigest() == envelope["wire_digest"]
    letter = message_from_bytes(mail.read_bytes(), policy=policy.default)
    assert letter["To"].addresses[0].addr_spec == "client@example.net"
    text = letter.get_body(("plain",))
    assert text is not None
    assert text.get_content().strip().replace("\r\n", "\n") == ENGLISH
