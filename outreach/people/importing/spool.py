"""Findings on disk while a file is read, so that memory stays flat however bad the file is."""

import pickle
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from outreach.people.importing.findings import Finding


class Spool:
    """Keeps findings in an unnamed temporary file of this process, in order; may be read again and again."""

    def __init__(self) -> None:
        self.count = 0
        self._file = tempfile.SpooledTemporaryFile(max_size=1 << 20)  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def keep(self, finding: Finding) -> None:
        """Add one finding."""
        self._file.seek(0, 2)
        pickle.dump(finding, self._file)
        self.count += 1

    def __iter__(self) -> Iterator[Finding]:
        self._file.seek(0)
        for _ in range(self.count):
            yield pickle.load(self._file)  # noqa: S301 - written by this process, in a file without a name
