"""The rejected rows as a file: what to mend, for whoever keeps the source."""

import csv
from collections.abc import Iterable
from pathlib import Path

from outreach.people.importing.findings import Finding

_HEADERS = {
    "zh": ("行", "列", "内容", "原因", "处理方法"),
    "en": ("row", "column", "value", "reason", "mend"),
}
# A spreadsheet runs what starts so; it skips leading spaces, and some read full-width signs alike.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def formula_safe(text: str) -> str:
    """``text`` with a leading apostrophe when a spreadsheet would take it for a formula."""
    return (
        f"'{text}"
        if text.startswith(_FORMULA_STARTS) or text.lstrip(" \u3000").startswith(_FORMULA_STARTS)
        else text
    )


def write_rejects(path: Path, findings: Iterable[Finding], locale: str = "zh-CN") -> int:
    """Write one line a finding to ``path`` (UTF-8 with BOM, formula-safe), replacing it; returns how many.

    The file holds personal data: it is made readable for its owner only. Raises OSError when it can't be written.
    """
    count = 0
    path.touch(mode=0o600)
    path.chmod(0o600)
    with path.open("w", encoding="utf-8-sig", errors="replace", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(_HEADERS["zh" if locale.startswith("zh") else "en"])
        for finding in findings:
            cells = (finding.column, finding.value, finding.message(locale), finding.mend(locale))
            writer.writerow((finding.row, *map(formula_safe, cells)))
            count += 1
    return count
