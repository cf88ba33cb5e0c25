"""What was found in a cell, and where. The words for it are in texts.py."""

from dataclasses import dataclass

from outreach.people.importing import texts

Params = tuple[tuple[str, object], ...]


@dataclass(frozen=True)
class Issue:
    """What a field's parser noticed: a code of texts.py and what its words need."""

    code: str
    params: Params = ()


@dataclass(frozen=True)
class Finding:
    """An issue in its place. ``row`` counts from 1, the header's; ``column`` is the header as the file has it.

    ``value`` is the cell as it came and may be personal data: it belongs in the rejects file and on the page of
    whoever imports, not in a log.
    """

    row: int
    column: str
    code: str
    value: str = ""
    params: Params = ()

    @property
    def severity(self) -> str:
        """reject (the row is not taken), warning (something was dropped or needs a look) or info."""
        return texts.TEXTS[self.code].severity

    def message(self, locale: str = "zh-CN") -> str:
        """What is wrong, in the reader's language; never with the value."""
        return texts.message(self.code, dict(self.params), locale)

    def mend(self, locale: str = "zh-CN") -> str:
        """What to do next."""
        return texts.mend(self.code, dict(self.params), locale)


def issue(code: str, **params: object) -> Issue:
    """An Issue with its parameters."""
    return Issue(code, tuple(params.items()))
