"""Writing a bag (RFC 8493) file by file: digests are taken while bytes pass, and nothing is kept in memory."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
MANIFEST = "manifest-sha256.txt"
TAG_MANIFEST = "tagmanifest-sha256.txt"
_BUFFER = 1 << 20


@dataclass
class HashedFile:
    """A file being written whose SHA-256 and size are known at its end."""

    _file: IO[bytes]
    size: int = 0
    _running: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def write(self, data: bytes) -> None:
        """Append ``data``."""
        self._file.write(data)
        self._running.update(data)
        self.size += len(data)

    @property
    def sha256(self) -> str:
        """The digest of what was written so far, in hex."""
        return self._running.hexdigest()


@dataclass
class BagWriter:
    """A bag under way in ``folder``. Paths are relative, with ``/``; those under ``data/`` are payload."""

    folder: Path
    octets: int = 0
    files: int = 0
    _manifest: IO[bytes] = field(init=False)
    _tags: list[str] = field(default_factory=list)
    _made: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._manifest = (self.folder / MANIFEST).open("wb", _BUFFER)

    def write(self, path: str, data: bytes) -> None:
        """One small file. Raises OSError, as everything here, when the disk does."""
        self._make_room(path)
        with (self.folder / path).open("xb") as file:
            file.write(data)
        self._list(path, hashlib.sha256(data).hexdigest(), len(data))

    @contextmanager
    def stream(self, path: str) -> Iterator[HashedFile]:
        """A file that is written piece by piece."""
        self._make_room(path)
        with (self.folder / path).open("xb", _BUFFER) as file:
            hashed = HashedFile(file)
            yield hashed
        self._list(path, hashed.sha256, hashed.size)

    def finish(self, info: Mapping[str, str]) -> bytes:
        """Write the tag files; returns the bytes of the tag manifest, which bind every byte of the bag."""
        self._manifest.close()
        with (self.folder / MANIFEST).open("rb") as manifest:
            self._tags.append(f"{hashlib.file_digest(manifest, 'sha256').hexdigest()}  {MANIFEST}\n")
        self.write("bagit.txt", DECLARATION)
        lines = {**info, "Payload-Oxum": f"{self.octets}.{self.files}"}
        self.write("bag-info.txt", "".join(f"{name}: {value}\n" for name, value in lines.items()).encode())
        listed = "".join(sorted(self._tags, key=lambda line: line[66:])).encode()
        (self.folder / TAG_MANIFEST).write_bytes(listed)
        return listed

    def close(self) -> None:
        """Let go of the manifest, whether or not the bag was finished."""
        self._manifest.close()

    def _make_room(self, path: str) -> None:
        parent, _, _ = path.rpartition("/")
        if parent and parent not in self._made:
            (self.folder / parent).mkdir(parents=True, exist_ok=True)
            self._made.add(parent)

    def _list(self, path: str, digest: str, size: int) -> None:
        line = f"{digest}  {path}\n"
        if path.startswith("data/"):
            self._manifest.write(line.encode())
            self.octets += size
            self.files += 1
        else:
            self._tags.append(line)
