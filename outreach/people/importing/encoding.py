"""What a file is: its encoding, proven over the whole file before a row is believed.

About half of all UTF-8 lines that hold a Chinese name are also valid GB18030, and mean something else there.
So UTF-8 is tried first and strictly, and a file that is only mostly UTF-8 is refused, never read as GB18030.
"""

import codecs
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, TextIO

from outreach.core.errors import BadInput

_CHUNK = 1 << 20
_LINE = 1 << 16
# A line with so many non-ASCII bytes that is valid UTF-8 is UTF-8: by chance once in more than 10^10 lines.
_TELLING_BYTES = 24
_NON_ASCII = re.compile(rb"[\x80-\xff]")
_SAVE_AS = "Save the file again as “CSV UTF-8” or as an Excel workbook (.xlsx), and import that."

_OTHER_FILES = (
    (b"\xd0\xcf\x11\xe0", "an old Excel (.xls) or password-protected workbook"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "a compressed (gzip) file"),
    (b"Rar!", "a compressed (RAR) file"),
    (b"7z\xbc\xaf", "a compressed (7z) file"),
    (b"\xff\xfe\x00\x00", "UTF-32 text"),
    (b"\x00\x00\xfe\xff", "UTF-32 text"),
)
# Private-use characters that Python's GB18030 (2000) yields where the 2022 edition has the real character.
_GB18030_2022 = {
    0xE816: 0x20087, 0xE817: 0x20089, 0xE818: 0x200CC, 0xE81E: 0x9FB4, 0xE826: 0x9FB5, 0xE82B: 0x9FB6,
    0xE82C: 0x9FB7, 0xE831: 0x215D7, 0xE832: 0x9FB8, 0xE83B: 0x2298F, 0xE843: 0x9FB9, 0xE854: 0x9FBA,
    0xE855: 0x241FE, 0xE864: 0x9FBB,
}  # fmt: skip
_PRIVATE_USE = re.compile("[\ue816-\ue864]")


@dataclass(frozen=True)
class FileFacts:
    """A file that can be read: ``encoding`` is utf-8, utf-8-sig, utf-16, gb18030 or xlsx; ``size`` in bytes."""

    path: Path
    encoding: str
    size: int
    sha256: bytes


def inspect(path: Path) -> FileFacts:
    """Look at the whole file once, in constant memory, and say how it is to be read.

    Raises BadInput, with the byte offset where there is one, for a file that is missing, empty or not text in
    one encoding that is known here.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as handle:
            start = handle.read(4096)
            digest = hashlib.sha256(start)
            while chunk := handle.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise BadInput(
            f"{path.name} can't be read: {error.strerror}.", mend="Check the file's name."
        ) from error
    if not start:
        raise BadInput(f"{path.name} is empty.", mend="Export it again; a header row and one row are needed.")
    _refuse_other_files(path, start)
    return FileFacts(path, _encoding(path, start), size, digest.digest())


def _refuse_other_files(path: Path, start: bytes) -> None:
    for magic, what in _OTHER_FILES:
        if start.startswith(magic):
            raise BadInput(f"{path.name} is {what}.", mend=_SAVE_AS)
    if (
        start.lstrip(b"\xef\xbb\xbf \t\r\n")[:9]
        .lower()
        .startswith((b"<html", b"<!doctype", b"<table", b"<?xml"))
    ):
        raise BadInput(f"{path.name} is a web page, whatever its name says.", mend=_SAVE_AS)


def _encoding(path: Path, start: bytes) -> str:
    if start.startswith(b"PK\x03\x04"):
        return "xlsx"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        fault = _first_fault(path, "utf-16")
        if fault is not None:
            raise _bad_bytes(path, "UTF-16", fault)
        return "utf-16"
    bare = start.replace(b"\x00", b"")
    if len(start) > 4 and len(start) - len(bare) >= len(start) // 4 and bare:
        raise BadInput(
            f"{path.name} looks like UTF-16 without its mark (byte-order mark), or is damaged.", mend=_SAVE_AS
        )
    fault = _first_fault(path, "utf-8")
    if fault is None:
        return "utf-8-sig" if start.startswith(codecs.BOM_UTF8) else "utf-8"
    if start.startswith(codecs.BOM_UTF8):
        raise _bad_bytes(path, "UTF-8", fault)
    line = _line_of_other_encoding(path)
    if line:
        raise BadInput(
            f"{path.name} mixes encodings or is damaged: line {line} is UTF-8, but byte {fault} does not fit.",
            mend="Export the whole file again in one encoding, UTF-8 for choice.",
            offset=fault,
        )
    other_fault = _first_fault(path, "gb18030")
    if other_fault is not None:
        raise BadInput(
            f"{path.name} is neither UTF-8 (first fault at byte {fault}) nor GB18030 (at byte {other_fault}).",
            mend=_SAVE_AS,
            offset=fault,
        )
    return "gb18030"


def _bad_bytes(path: Path, encoding: str, offset: int) -> BadInput:
    return BadInput(
        f"{path.name} is marked as {encoding}, but byte {offset} does not fit.", mend=_SAVE_AS, offset=offset
    )


def _first_fault(path: Path, encoding: str) -> int | None:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    done = 0
    with path.open("rb") as handle:
        while True:
            chunk = handle.read(_CHUNK)
            done += len(chunk)
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                return done - len(error.object) + error.start
            if not chunk:
                return None


def _line_of_other_encoding(path: Path) -> int:
    """The first line that proves that text which is not all UTF-8 is no GB18030 either; 0 when none does."""
    first = as_utf8 = telling = 0
    with path.open("rb") as handle:
        number = 0
        while line := handle.readline(_LINE):
            number += 1
            count = len(_NON_ASCII.findall(line)) if not line.isascii() else 0
            if not count:
                continue
            telling += 1
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                continue
            if count >= _TELLING_BYTES:
                return number
            as_utf8 += 1
            first = first or number
    return first if as_utf8 * 2 > telling else 0


@contextmanager
def open_text(facts: FileFacts) -> Iterator[TextIO]:
    """The file as text, line ends untouched. Raises BadInput when it changed since it was inspected."""
    try:
        with facts.path.open("rb") as handle:
            yield _Text(handle, encoding=facts.encoding, newline="")
    except (UnicodeError, OSError) as error:
        raise BadInput(f"{facts.path.name} changed while it was read.", mend="Import it again.") from error


class _Text(TextIOWrapper):
    """Text whose GB18030 private-use characters are the real ones of the 2022 edition."""

    def __init__(self, handle: BinaryIO, *, encoding: str, newline: str) -> None:
        super().__init__(handle, encoding=encoding, newline=newline)
        self._is_gb = encoding == "gb18030"

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        line = super().readline(size)
        if self._is_gb and _PRIVATE_USE.search(line):
            return line.translate(_GB18030_2022)
        return line
