"""A file as a header and a stream of records, whatever it is stored as."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass

from outreach.core.errors import BadInput
from outreach.people.importing.delimited import Record, read_delimited
from outreach.people.importing.encoding import FileFacts, open_text
from outreach.people.importing.headers import match_headers, plain_header
from outreach.people.importing.workbook import read_workbook

_MAX_COLUMNS = 500


@dataclass(frozen=True)
class Table:
    """``header`` as the file writes it; ``fields`` beside it, None for a column that is passed over."""

    header: tuple[str, ...]
    fields: tuple[str | None, ...]
    records: Iterator[Record]

    @property
    def columns(self) -> dict[str, str]:
        """Field → the header under which the file has it."""
        return {field: head for head, field in zip(self.header, self.fields, strict=True) if field}


@contextmanager
def open_table(
    facts: FileFacts,
    known: Mapping[str, tuple[str, ...]],
    required: Collection[str],
    ignored: Collection[str] = (),
) -> Iterator[Table]:
    """Open the file and match its header; the records that follow stream in constant memory.

    A header that comes again (files strung together) is passed over. Raises BadInput for a file without header
    or with one that does not match.
    """
    if facts.encoding == "xlsx":
        with closing(read_workbook(facts)) as records:
            yield _table(facts, records, known, required, ignored)
    else:
        with open_text(facts) as handle:
            yield _table(facts, read_delimited(handle), known, required, ignored)


def _table(
    facts: FileFacts,
    records: Iterator[Record],
    known: Mapping[str, tuple[str, ...]],
    required: Collection[str],
    ignored: Collection[str],
) -> Table:
    first = next(records, None)
    if first is None:
        raise BadInput(
            f"{facts.path.name} is empty.", mend="Export it again; a header row and one row are needed."
        )
    if first.fault or len(first.cells) > _MAX_COLUMNS:
        raise BadInput(
            f"The first row of {facts.path.name} is no header.", mend="Put the column names in the first row."
        )
    header = tuple(cell.strip().strip("\ufeff\x00") for cell in first.cells)
    fields = tuple(match_headers(header, known, required, ignored))
    return Table(header, fields, _after_header(header, records))


def _after_header(header: tuple[str, ...], records: Iterator[Record]) -> Iterator[Record]:
    plain = [plain_header(cell) for cell in header]
    for record in records:
        # The first cell alone is compared for nearly every row.
        is_header = bool(plain[0]) and bool(record.cells) and plain_header(record.cells[0]) == plain[0]
        if not (is_header and [plain_header(cell) for cell in record.cells] == plain):
            yield record
