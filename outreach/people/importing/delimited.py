"""CSV records as they come: line breaks in cells, unclosed quotes, lines without end, ragged rows.

A record that can't be read is handed on as such, and reading goes on with the next line: one stray quote must
not swallow the rows after it.
"""

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

MAX_LINE = 1 << 20
_MAX_RECORD_LINES = 200
_MAX_RECORD = 1 << 20
_DELIMITERS = (",", "\t", ";", "|")
_TOO_LONG = "\x00 a line that is too long"


@dataclass(frozen=True)
class Record:
    """One record. ``row`` counts records, the header's included, from 1; ``fault`` is a code of texts.py."""

    row: int
    cells: tuple[str, ...]
    fault: str = ""
    found: int = 0
    expected: int = 0


class _Unclosed(Exception):
    """A quoted cell goes on for too long."""


class _TooLong(Exception):
    """One line is longer than any row can be."""


class _Feed:
    """Lines for the csv reader, which may be given back."""

    def __init__(self, handle: TextIO) -> None:
        self._handle = handle
        self._waiting: deque[str] = deque()
        self.taken: list[str] = []
        self._size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.taken) >= _MAX_RECORD_LINES or self._size > _MAX_RECORD:
            raise _Unclosed
        line = self._waiting.popleft() if self._waiting else self._read()
        if line is _TOO_LONG:
            if self.taken:
                self._waiting.appendleft(line)
                raise _Unclosed
            raise _TooLong
        if not line:
            raise StopIteration
        self.taken.append(line)
        self._size += len(line)
        return line

    def _read(self) -> str:
        line = self._handle.readline(MAX_LINE)
        if len(line) < MAX_LINE or line.endswith(("\n", "\r")):
            return line
        while len(line) == MAX_LINE and not line.endswith(("\n", "\r")):
            line = self._handle.readline(MAX_LINE)
        return _TOO_LONG

    def begin(self) -> None:
        """Forget the record before."""
        self.taken.clear()
        self._size = 0

    def give_back(self) -> None:
        """All lines of this record but the first are read again."""
        self._waiting.extendleft(reversed(self.taken[1:]))


def sniff_delimiter(header_line: str) -> str:
    """The delimiter that the header line has most of, outside quotes; a comma when it has none."""
    outside = "".join(header_line.split('"')[::2])
    return max(_DELIMITERS, key=outside.count)


def read_delimited(handle: TextIO) -> Iterator[Record]:
    """The records of a CSV file; the first that is not blank is the header and sets the width.

    A blank record is passed over but counted, as a spreadsheet counts its rows. Excel's ``sep=`` line is
    obeyed and not counted.
    """
    feed = _Feed(handle)
    delimiter = _delimiter(feed)
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
    width = row = 0
    while True:
        feed.begin()
        row += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except _TooLong:
            yield Record(row, (), "row_too_long")
            continue
        except (_Unclosed, csv.Error) as error:
            feed.give_back()
            too_long = "field larger" in str(error)
            yield Record(
                row, _first_cells(feed.taken[0], delimiter), "cell_too_long" if too_long else "quote_open"
            )
            continue
        if len(feed.taken) > 1 and width and len(cells) != width:
            rest = [_parse(line, delimiter) for line in feed.taken[1:]]
            if any(len(found) == width for found in rest):
                feed.give_back()
                yield Record(row, _first_cells(feed.taken[0], delimiter), "quote_open")
                continue
        if not any(cell.strip("\x00 \t\r\n\u3000\ufeff") for cell in cells):
            continue
        width = width or len(cells)
        yield _fitted(row, cells, width)


def _fitted(row: int, cells: list[str], width: int) -> Record:
    if len(cells) > width and not any(cell.strip() for cell in cells[width:]):
        cells = cells[:width]
    if len(cells) > width:
        return Record(row, tuple(cells), "cells_many", len(cells), width)
    if len(cells) < width:
        return Record(row, tuple(cells), "cells_few", len(cells), width)
    return Record(row, tuple(cells))


def _delimiter(feed: _Feed) -> str:
    """Look at the first line that is not blank, without consuming it unless it is Excel's ``sep=``."""
    blank = []
    found = ","
    try:
        for line in feed:
            bare = line.strip("\ufeff\r\n")
            if bare.lower().startswith("sep=") and len(bare) == 5:
                found = bare[4]
                feed.taken.pop()
                break
            if bare.strip():
                found = sniff_delimiter(bare)
                break
            blank.append(line)
    except (_TooLong, _Unclosed):
        pass
    feed.taken.insert(0, "")
    feed.give_back()
    return found if found in _DELIMITERS else ","


def _parse(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _first_cells(line: str, delimiter: str) -> tuple[str, ...]:
    """What can be shown of a broken row."""
    return tuple(cell[:200] for cell in line.split(delimiter)[:3])
