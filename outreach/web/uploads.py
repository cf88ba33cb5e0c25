"""Files that somebody hands in to be imported: kept until they are applied, discarded or a day old.

They are written as they arrive, so memory stays flat however large they are, and readable for us only.
"""

import json
import shutil
import unicodedata
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from outreach.core import clock
from outreach.core.errors import BadInput, NotFound
from outreach.core.ids import new_id

LARGEST = 1 << 30
KINDS = ("clients", "holdings", "dates")
_PIECE = 1 << 20
_KEPT_FOR = timedelta(days=1)


@dataclass(frozen=True)
class Upload:
    """A file that waits for its import."""

    id: UUID
    kind: str
    path: Path

    @property
    def name(self) -> str:
        """As its owner calls it."""
        return self.path.name


def store(home: Path, owner: UUID | None, kind: str, name: str, source: BinaryIO) -> Upload:
    """Keep a file. Raises BadInput for a kind that there is not, or a file beyond LARGEST."""
    if kind not in KINDS:
        raise BadInput(f"{kind!r} can't be imported here.", mend="Choose clients, holdings or dates.")
    _sweep(home)
    upload_id = new_id()
    folder = home / "uploads" / str(upload_id)
    folder.mkdir(parents=True, mode=0o700)
    path = folder / _plain(name)
    try:
        _write(path, source)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    (folder / "owner.json").write_text(json.dumps({"owner": str(owner), "kind": kind, "name": path.name}))
    return Upload(upload_id, kind, path)


def find(home: Path, owner: UUID | None, upload_id: UUID) -> Upload:
    """A file of this owner's. Raises NotFound."""
    try:
        said = json.loads((home / "uploads" / str(upload_id) / "owner.json").read_text())
    except OSError:
        said = {}
    if said.get("owner") != str(owner):
        raise NotFound("That file is no longer here.", mend="Choose it again.")
    return Upload(upload_id, said["kind"], home / "uploads" / str(upload_id) / said["name"])


def discard(upload: Upload) -> None:
    """Delete it."""
    shutil.rmtree(upload.path.parent, ignore_errors=True)


def _write(path: Path, source: BinaryIO) -> None:
    size = 0
    with path.open("xb") as target:
        path.chmod(0o600)
        while piece := source.read(_PIECE):
            size += len(piece)
            if size > LARGEST:
                raise BadInput(
                    "The file is larger than 1 GiB.", mend="Split it, or use: outreach clients import"
                )
            target.write(piece)


def _plain(name: str) -> str:
    """A file's name without a path, without what a file system or a log could take amiss."""
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    kept = "".join(sign if sign.isalnum() or sign in "._- ()（）" else "_" for sign in last).strip(" .")
    stem, dot, suffix = kept.rpartition(".")
    kept = f"{stem[:60]}{dot}{suffix[:10]}" if dot else kept[:60]
    return kept if kept and kept != "owner.json" else f"file-{kept}"


def _sweep(home: Path) -> None:
    """Delete what nobody came back for."""
    root = home / "uploads"
    old = (clock.now() - _KEPT_FOR).timestamp()
    for folder in root.iterdir() if root.is_dir() else ():
        if folder.stat().st_mtime < old:
            shutil.rmtree(folder, ignore_errors=True)
