"""What a check found in a text: the rule, its article, where, and what to do. Never the text itself."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["block", "flag", "hint"]


@dataclass(frozen=True)
class Finding:
    """One finding in one ``field`` (``text``, ``subject`` or ``html``).

    ``start`` and ``end`` are offsets in characters of the field's original text (0, 0: the whole of it).
    ``rule`` is a rule of a lexicon or a code of ``messages.reasons``; ``article`` its source.
    """

    rule: str
    article: str
    severity: Severity
    field: str = "text"
    start: int = 0
    end: int = 0
    advice: str = ""

    def to_json(self) -> dict[str, Any]:
        """As it is stored in ``message.findings``."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Finding":
        """The finding that ``to_json`` wrote."""
        return cls(**stored)


def blocks(findings: Iterable[Finding]) -> bool:
    """Whether one of them forbids sending."""
    return any(finding.severity == "block" for finding in findings)


def flags(findings: Iterable[Finding]) -> bool:
    """Whether a person has to look: a block or a flag (hints do not count)."""
    return any(finding.severity in ("block", "flag") for finding in findings)


def read_findings(stored: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """The findings of a ``message.findings`` column."""
    return [Finding.from_json(item) for item in stored]
