"""A report as a workbook (XLSX): the same tables as on its page, one a sheet, numbers as numbers.

Texts are written as texts and never as formulas, whatever a branch is called.
"""

import io
import re
from collections.abc import Mapping

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from outreach.care.report_tables import Cell, Column, Kind, Table, tables_of
from outreach.care.reports import Report
from outreach.content.approval_formats import ReasonWords
from outreach.core.i18n import instant_text, translate
from outreach.people.importing.rejects import formula_safe

_FORMATS = {Kind.COUNT: "#,##0", Kind.HOURS: "0.00", Kind.SHARE: "0.0%"}
_HEAD = 4  # the row of the headings
_NO_TITLE = re.compile(r"[\[\]:*?/\\]")


def workbook_of(report: Report, locale: str, reasons: Mapping[str, ReasonWords]) -> bytes:
    """The file's bytes, in the reader's language. Times are hours, shares are percentages."""
    book = Workbook()
    first = book.active
    for table in tables_of(report, locale, reasons):
        title = _NO_TITLE.sub(" ", table.title)[:31]
        if first is not None:
            sheet, first = first, None
            sheet.title = title
        else:
            sheet = book.create_sheet(title)
        if isinstance(sheet, Worksheet):
            _fill(sheet, table, report, locale)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _fill(sheet: Worksheet, table: Table, report: Report, locale: str) -> None:
    period, zone = report.period, report.period.zone
    _words(sheet, 1, 1, table.title, Font(bold=True, size=13))
    days = f"{period.first}" if period.first == period.last else f"{period.first} – {period.last}"
    made = translate(locale, "as known on %(at)s", at=instant_text(locale, report.made_at, zone))
    _words(sheet, 2, 1, f"{days} ({zone}), {made}")
    for number, column in enumerate(table.columns, 1):
        _words(sheet, _HEAD, number, column.heading, Font(bold=True))
        sheet.cell(_HEAD, number).alignment = Alignment(wrap_text=True, vertical="top")
        sheet.column_dimensions[get_column_letter(number)].width = 30 if column.kind is Kind.WORDS else 13
    for number, row in enumerate(table.rows, _HEAD + 1):
        _row(sheet, number, table.columns, row)
    if table.total is not None:
        _row(sheet, _HEAD + 1 + len(table.rows), table.columns, table.total, Font(bold=True))
    sheet.freeze_panes = f"A{_HEAD + 1}"


def _row(
    sheet: Worksheet,
    number: int,
    columns: tuple[Column, ...],
    cells: tuple[Cell, ...],
    font: Font | None = None,
) -> None:
    for place, (column, value) in enumerate(zip(columns, cells, strict=True), 1):
        if isinstance(value, str):
            _words(sheet, number, place, value, font)
        elif value is not None:
            cell = sheet.cell(number, place, value)
            cell.number_format = _FORMATS.get(column.kind, "General")
            if font is not None:
                cell.font = font


def _words(sheet: Worksheet, row: int, column: int, text: str, font: Font | None = None) -> None:
    """A text that stays one: no formula, though a spreadsheet be asked to take the cell up again."""
    cell = sheet.cell(row, column, formula_safe(text))
    if font is not None:
        cell.font = font
