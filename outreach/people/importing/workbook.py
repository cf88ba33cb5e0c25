"""XLSX rows as text. Numbers keep what they say and nothing more: a lost digit stays visibly lost."""

import re
import warnings
import zipfile
from collections.abc import Generator, Iterator
from datetime import date, datetime, time
from itertools import count
from typing import Any

from openpyxl import load_workbook

from outreach.core.errors import BadInput
from outreach.people.importing.delimited import Record
from outreach.people.importing.encoding import FileFacts

# A spreadsheet keeps 15 significant digits of a number; what has more has been changed already.
_EXACT_DIGITS = 15
_MAX_ROWS = 1_048_576
_MAX_UNPACKED = 2 << 30
_MAX_STRINGS = 512 << 20
_MAX_RATIO = 400
_FORMULA = re.compile(rb"<(?:\w+:)?f[ />]")
_SAVE_AS = "Open it in a spreadsheet program, save it again as .xlsx or as “CSV UTF-8”, and import that."


def read_workbook(facts: FileFacts) -> Generator[Record, None, None]:
    """The rows of the first visible sheet that has any. Raises BadInput for a file that is no sound workbook.

    A formula counts as the value that was saved with it, and as its own text when none was.
    """
    name = facts.path.name
    try:
        with zipfile.ZipFile(facts.path) as archive:
            _refuse_bombs(archive, name)
            has_formulas = any(
                _has_formula(archive, part) for part in archive.namelist() if "worksheets/" in part
            )
        yield from _rows(facts, has_formulas)
    except BadInput:
        raise
    except MemoryError:
        raise
    except Exception as error:
        # zipfile, zlib, the XML parser and openpyxl each meet a malformed part with whatever comes up.
        raise _damaged(name) from error


def _damaged(name: str) -> BadInput:
    return BadInput(f"{name} is not a sound Excel workbook.", mend=_SAVE_AS)


def _refuse_bombs(archive: zipfile.ZipFile, name: str) -> None:
    parts = archive.infolist()
    unpacked = sum(part.file_size for part in parts)
    packed = sum(part.compress_size for part in parts) or 1
    strings = sum(part.file_size for part in parts if "sharedStrings" in part.filename)
    if (
        unpacked > _MAX_UNPACKED
        or strings > _MAX_STRINGS
        or (unpacked > 1 << 26 and unpacked / packed > _MAX_RATIO)
    ):
        raise BadInput(
            f"{name} would unpack to {unpacked >> 20} MB.", mend="Save it as “CSV UTF-8” and import that."
        )


def _has_formula(archive: zipfile.ZipFile, part: str) -> bool:
    with archive.open(part) as handle:
        tail = b""
        while chunk := handle.read(1 << 20):
            if _FORMULA.search(tail + chunk):
                return True
            tail = chunk[-32:]
    return False


def _rows(facts: FileFacts, has_formulas: bool) -> Iterator[Record]:
    shown = _values(facts, data_only=True)
    written = _values(facts, data_only=False) if has_formulas else None
    width = 0
    for row, values in zip(count(1), shown, strict=False):
        formulas = next(written, ()) if written is not None else ()
        if row > _MAX_ROWS:
            raise BadInput(f"{facts.path.name} has more than {_MAX_ROWS} rows.", mend="Split it.")
        cells = [
            _text(value if value is not None or at >= len(formulas) else formulas[at])
            for at, value in enumerate(values)
        ]
        while cells and not cells[-1].strip():
            cells.pop()
        if not cells:
            continue
        width = width or len(cells)
        if len(cells) > width:
            yield Record(row, tuple(cells), "cells_many", len(cells), width)
        else:
            yield Record(row, tuple(cells) + ("",) * (width - len(cells)))


def _values(facts: FileFacts, *, data_only: bool) -> Iterator[tuple[Any, ...]]:
    # openpyxl warns of styles and extensions it leaves out, which are nothing to us.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        book = load_workbook(facts.path, read_only=True, data_only=data_only)
    try:
        sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        for sheet in sheets:
            # A sheet's own word about its size is often wrong.
            sheet.reset_dimensions()
            found = False
            rows = iter(sheet.iter_rows(values_only=True))
            while True:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    values = next(rows, None)
                if values is None:
                    break
                found = found or any(value is not None for value in values)
                yield values
            if found:
                return
    finally:
        book.close()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "seconds")
    if isinstance(value, date | time):
        return value.isoformat()
    # An array formula or a data table is an object whose text is the formula.
    return str(getattr(value, "text", None) or value)


def _number(value: int | float) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 10**_EXACT_DIGITS:
        value = int(value)
    if isinstance(value, int):
        if abs(value) < 10**_EXACT_DIGITS:
            return str(value)
        return f"{value:.14E}" if abs(value) < 10**300 else "1E+300"
    return repr(value)
