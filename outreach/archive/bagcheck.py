"""Checking a bag: every byte of it, in memory that does not grow with it.

The chain is: the fingerprint that the reader brings names the key; the key signed the tag manifest; this lists the
manifest; this lists every file. Beside it, the key signed the checkpoint; every envelope is a leaf under its root;
every text is what its envelope binds; every message was among those of its decision.
"""

import base64
import bisect
import hashlib
import json
import mmap
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from outreach.archive.bag import DECLARATION, MANIFEST, TAG_MANIFEST
from outreach.archive.checks import Check, Progress, Report, silent
from outreach.archive.records import stem
from outreach.core.errors import BadInput
from outreach.ledger import merkle
from outreach.ledger.checkpoint import Checkpoint, verify_checkpoint
from outreach.ledger.errors import RecordAltered
from outreach.ledger.seal import commit
from outreach.ledger.signing import fingerprint as fingerprint_of
from outreach.ledger.signing import read_public, verify_sshsig

_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9._/-]+)\n")
_TAGS = {"VERIFY.txt", "bag-info.txt", "bagit.txt", MANIFEST}
_TAGS |= {"keys/outreach.pub", "keys/outreach.pem", "keys/allowed_signers"}
_LARGEST_TAG = 1 << 20


def verify_bag(
    path: Path,
    fingerprint: str | None = None,
    progress: Progress | None = None,
    signature: Path | None = None,
) -> Report:
    """Check the bag at ``path`` against the key that ``fingerprint`` (``SHA256:…``) names.

    The signature is looked for beside the bag unless ``signature`` names it. What does not hold is in the report,
    in words. Raises BadInput when there is no bag at ``path``.
    """
    path = Path(path)
    if not (path / "bagit.txt").is_file() or not (path / TAG_MANIFEST).is_file():
        raise BadInput(f"There is no bag at {path}.", mend="Name the folder that holds bagit.txt.")
    report = Report()
    public = _check_key(report.begin("fingerprint of the key"), path, fingerprint)
    _check_signature(
        report.begin("signature over the tag manifest"),
        path,
        signature or path.absolute().with_name(f"{path.absolute().name}.tagmanifest.sig"),
        public,
    )
    _check_tags(report.begin("tag files"), path)
    _check_files(report.begin("files"), path, progress or silent)
    checkpoint = _check_checkpoint(report.begin("signed checkpoint"), path, public)
    _check_consistency(report.begin("consistency with the export before"), path, public, checkpoint)
    _check_records(report, path, checkpoint)
    return report


def _check_key(check: Check, path: Path, fingerprint: str | None) -> Ed25519PublicKey | None:
    public = None
    for name in ("keys/outreach.pub", "keys/outreach.pem", "keys/allowed_signers"):
        try:
            found = read_public(_small(path / name).decode("ascii"))
        except (OSError, UnicodeDecodeError, BadInput) as error:
            check.fault(f"{name} can't be read: {error}")
            continue
        if public is not None and fingerprint_of(found) != fingerprint_of(public):
            check.fault(f"{name} is another key than keys/outreach.pub.")
        public = public or found
    if public is None:
        return None
    named = fingerprint_of(public)
    if fingerprint is None:
        check.skipped = (
            ""
            if check.fault_count
            else (
                f"not compared; the bag says {named}. Without a fingerprint from outside, anybody could have made it."
            )
        )
    elif fingerprint.strip() != named:
        check.fault(f"The bag was signed by {named}, not by {fingerprint.strip()}: it is not this firm's.")
    return public


def _check_signature(check: Check, path: Path, signature: Path, public: Ed25519PublicKey | None) -> None:
    try:
        armoured = _small(signature).decode("ascii")
        if public is None:
            raise RecordAltered("There is no key to check it with.")
        verify_sshsig(armoured, _small(path / TAG_MANIFEST, limit=None), public)
        if _canonical(armoured) != armoured:
            raise RecordAltered("The signature file was altered.")
    except (OSError, UnicodeDecodeError) as error:
        check.fault(f"{signature.name} can't be read ({error}).")
    except RecordAltered as error:
        check.fault(error.message)


def _canonical(armoured: str) -> str:
    """The same signature, written as it is when it is made: what differs was altered without changing it."""
    begin, *middle, end = armoured.strip().splitlines()
    text = base64.b64encode(base64.b64decode("".join(middle))).decode()
    lines = [text[at : at + 70] for at in range(0, len(text), 70)]
    return "\n".join([begin, *lines, end, ""])


def _check_tags(check: Check, path: Path) -> None:
    listed: set[str] = set()
    with (path / TAG_MANIFEST).open("rb") as manifest:
        for digest, name in _lines(check, manifest, TAG_MANIFEST):
            listed.add(name)
            _compare(check, path, name, digest)
    if listed != _TAGS:
        check.fault(f"The tag manifest should list {', '.join(sorted(_TAGS))}.")
    there = {
        str(found.relative_to(path)) for found in _walk(path) if found.relative_to(path).parts[0] != "data"
    }
    for name in sorted(there - _TAGS - {TAG_MANIFEST}):
        check.fault(f"{name} does not belong to the bag.")
    if (path / "bagit.txt").read_bytes() != DECLARATION:
        check.fault("bagit.txt does not declare a bag of RFC 8493.")


def _check_files(check: Check, path: Path, progress: Progress) -> None:
    """Every file that the manifest lists, and no other. Records are listed a folder after the other."""
    info = (path / "bag-info.txt").read_text(encoding="utf-8", errors="replace")
    oxum = re.search(r"^Payload-Oxum: (\d+)\.(\d+)$", info, re.MULTILINE)
    total = int(oxum[2]) if oxum else 0
    octets, few, folders = 0, set[str](), set[str]()
    folder, names = "", set[str]()

    def leave() -> None:
        if not folder:
            return
        if folder in folders:
            check.fault(f"{folder} is listed in two places.")
        folders.add(folder)
        for extra in sorted(_names_in(path / folder) - names):
            check.fault(f"{folder}/{extra} is not listed in the manifest.")

    with (path / MANIFEST).open("rb") as manifest:
        for digest, name in _lines(check, manifest, MANIFEST):
            octets += _compare(check, path, name, digest)
            if name.startswith("data/attachments/") and name.rpartition("/")[2].partition(".")[0] != digest:
                check.fault(f"{name} is not the attachment that its name says.")
            parent, _, base = name.rpartition("/")
            if not parent.startswith("data/records/"):
                few.add(name)
            else:
                if parent != folder:
                    leave()
                    folder, names = parent, set()
                names.add(base)
            progress(check.count, total)
    leave()
    for found in _walk(path / "data", stop_at=path / "data" / "records"):
        name = str(found.relative_to(path))
        if name not in few:
            check.fault(f"{name} is not listed in the manifest.")
    for extra in sorted({f"data/records/{name}" for name in _names_in(path / "data" / "records")} - folders):
        check.fault(f"{extra} is not listed in the manifest.")
    if oxum is None or (int(oxum[1]), total) != (octets, check.count):
        check.fault("Payload-Oxum does not say how much is there.")


def _check_checkpoint(check: Check, path: Path, public: Ed25519PublicKey | None) -> Checkpoint | None:
    return _checkpoint(check, path / "data/ledger/checkpoint", public)


def _checkpoint(check: Check, file: Path, public: Ed25519PublicKey | None) -> Checkpoint | None:
    try:
        if public is None:
            raise RecordAltered("There is no key to check it with.")
        return verify_checkpoint(_small(file).decode(), public)
    except (OSError, UnicodeDecodeError) as error:
        check.fault(f"{file.name} can't be read ({error}).")
    except RecordAltered as error:
        check.fault(error.message)
    return None


def _check_consistency(
    check: Check, path: Path, public: Ed25519PublicKey | None, checkpoint: Checkpoint | None
) -> None:
    if not (path / "data/ledger/consistency.json").exists():
        check.skipped = "this is the first export"
        return
    old = _checkpoint(check, path / "data/ledger/previous-checkpoint", public)
    if old is None or checkpoint is None:
        check.fault("Without both checkpoints nothing can be compared.")
        return
    try:
        said = json.loads(_small(path / "data/ledger/consistency.json"))
        proof = [bytes.fromhex(step) for step in said["proof"]]
        sizes = (said["old_size"], said["new_size"], said["old_root"], said["new_root"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        check.fault(f"consistency.json can't be read ({error}).")
        return
    if sizes != (old.size, checkpoint.size, old.root.hex(), checkpoint.root.hex()):
        check.fault("consistency.json speaks of other trees.")
    if not merkle.verify_consistency(old.size, checkpoint.size, old.root, checkpoint.root, proof):
        check.fault("The ledger does not continue the one of the export before.")


def _check_records(report: Report, path: Path, checkpoint: Checkpoint | None) -> None:
    leaves = report.begin("records in the tree")
    texts = report.begin("texts as recorded")
    bound = report.begin("messages as decided")
    with ExitStack() as stack:
        manifests = _Manifests(path / "data/decisions", stack)
        bound.count = len(manifests.digests)
        try:
            lines = stack.enter_context((path / "data/ledger/leaves.jsonl").open("rb"))
        except OSError as error:
            leaves.fault(f"leaves.jsonl can't be read ({error.strerror}).")
            return
        before = -1
        for line in lines:
            try:
                said = json.loads(line)
                index, files = int(said["leaf_index"]), stem(int(said["leaf_index"]))
                envelope = (path / f"{files}.envelope.json").read_bytes()
                proof = [
                    bytes.fromhex(step) for step in (path / f"{files}.proof").read_text("ascii").splitlines()
                ]
                fields = json.loads(envelope)
            except (OSError, ValueError, TypeError, KeyError, UnicodeDecodeError) as error:
                leaves.fault(f"A record can't be read: {error}.")
                continue
            leaves.count += 1
            leaf = merkle.leaf_hash(envelope)
            told = (said.get("entry_id"), said.get("kind"), said.get("leaf_hash"))
            if index <= before or told != (fields.get("id"), fields.get("kind"), leaf.hex()):
                leaves.fault(f"leaves.jsonl does not say what record {index} says.")
            before = index
            if checkpoint is None or not merkle.verify_inclusion(
                index, checkpoint.size, leaf, proof, checkpoint.root
            ):
                leaves.fault(f"Record {index} is not in the signed tree.")
            _check_text(texts, path, files, said, fields)
            manifests.check(bound, index, fields)


def _check_text(check: Check, path: Path, files: str, said: dict[str, Any], fields: dict[str, Any]) -> None:
    names = [said.get(name) for name in ("envelope", "proof", "body", "salt", "payload", "eml")]
    if any(name is not None and not str(name).startswith(f"{files}.") for name in names):
        check.fault(f"leaves.jsonl names files of another record for {files}.")
        return
    try:
        if said.get("body"):
            check.count += 1
            data = (path / said["body"]).read_bytes()
            if commit((path / said["salt"]).read_bytes(), data).hex() != fields.get("commitment"):
                check.fault(f"{said['body']} is not what was recorded.")
        if said.get("payload"):
            check.count += 1
            if hashlib.sha256((path / said["payload"]).read_bytes()).hexdigest() != fields.get("digest"):
                check.fault(f"{said['payload']} is not what was recorded.")
        if said.get("eml"):
            mail = hashlib.sha256((path / said["eml"]).read_bytes()).hexdigest()
            if mail != fields.get("wire_digest"):
                check.fault(f"{said['eml']} is not what was sent.")
    except (OSError, KeyError) as error:
        check.fault(f"The text of {files} can't be read ({error}).")


class _Manifests:
    """The decisions' lists: sorted by message id, so one line is found without reading the list."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack = folder, stack
        self.digests: dict[str, str] = {}
        self.maps: dict[str, mmap.mmap] = {}
        for file in sorted(folder.glob("*.txt")) if folder.is_dir() else []:
            with file.open("rb") as opened:
                self.digests[file.stem] = hashlib.file_digest(opened, "sha256").hexdigest()

    def check(self, check: Check, index: int, fields: dict[str, Any]) -> None:
        """Whether a decision's list is the one it signed, and whether what was sent is in its decision's list."""
        decision_id, kind = str(fields.get("decision_id", "")), fields.get("kind")
        if decision_id not in self.digests:
            return
        if kind in {"decision", "release"} and fields.get("manifest_digest") != self.digests[decision_id]:
            check.fault(f"The list of decision {decision_id} is not the one it signed (record {index}).")
        if kind != "message.sent":
            return
        line = f"{fields.get('message_id')}, {fields.get('revision')}, {fields.get('digest')}"
        if self._line(decision_id, str(fields.get("message_id"))) != line:
            check.fault(f"The message of record {index} is not among those of its decision.")

    def _line(self, decision_id: str, message_id: str) -> str:
        lines = _SortedLines(self._map(decision_id))
        try:
            wanted = str(UUID(message_id))
        except ValueError:
            return ""
        return lines.find(wanted)

    def _map(self, decision_id: str) -> bytes | mmap.mmap:
        if decision_id not in self.maps:
            if len(self.maps) >= 64:
                self.maps.pop(next(iter(self.maps))).close()
            opened = (self.folder / f"{decision_id}.txt").open("rb")
            with opened:
                if opened.seek(0, 2) == 0:
                    return b""
                self.maps[decision_id] = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        return self.maps[decision_id]


class _SortedLines:
    """Binary search over the lines of a file, by the offset into it."""

    def __init__(self, data: bytes | mmap.mmap) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, offset: int) -> str:
        return self._line_at(offset)[:36]

    def _line_at(self, offset: int) -> str:
        start = self.data.rfind(b"\n", 0, offset) + 1
        end = self.data.find(b"\n", start)
        return bytes(self.data[start : end if end >= 0 else len(self.data)]).decode("ascii", "replace")

    def find(self, key: str) -> str:
        """The line that begins with ``key``, or nothing."""
        if not len(self.data):
            return ""
        at = bisect.bisect_left(self, key)
        line = self._line_at(at) if at < len(self.data) else ""
        return line if line.startswith(f"{key}, ") else ""


def _lines(check: Check, manifest: Any, name: str) -> Iterator[tuple[str, str]]:
    """The lines of a manifest; each must be exactly as RFC 8493 and we write it, inside the bag."""
    for raw in manifest:
        found = _LINE.fullmatch(raw.decode("utf-8", "replace"))
        if found is None or ".." in found[2].split("/") or found[2].startswith("/"):
            check.fault(f"{name} has a line that is none: {raw[:120]!r}.")
            continue
        check.count += 1
        yield found[1], found[2]


def _compare(check: Check, path: Path, name: str, digest: str) -> int:
    """Compare one file with its digest; returns its size."""
    file = path / name
    try:
        if file.is_symlink():
            raise OSError("it is a link")
        with file.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
            size = opened.tell()
    except OSError as error:
        check.fault(f"{name} can't be read ({error.strerror or error}).")
        return 0
    if found != digest:
        check.fault(f"{name} was altered.")
    return size


def _names_in(folder: Path) -> set[str]:
    return {found.name for found in folder.iterdir()} if folder.is_dir() else set()


def _walk(folder: Path, stop_at: Path | None = None) -> Iterator[Path]:
    for found in sorted(folder.iterdir()):
        if found.is_dir() and not found.is_symlink():
            if found != stop_at:
                yield from _walk(found, stop_at)
        else:
            yield found


def _small(file: Path, limit: int | None = _LARGEST_TAG) -> bytes:
    """A file that has no reason to be large."""
    with file.open("rb") as opened:
        return opened.read() if limit is None else opened.read(limit)
