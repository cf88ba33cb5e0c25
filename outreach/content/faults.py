"""What is wrong in a content file: where, what, and what to do."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Fault:
    """Something in a content file that must be mended before it can be published. ``mend_zh``: what to do in the
    content's own Chinese, where it has one; any other sentence is translated by whoever shows it."""

    file: str
    line: int
    message: str
    mend: str = ""
    mend_zh: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message} {self.mend}".rstrip()


def line_of(text: str, path: list[str]) -> int:
    """The line where the last part of ``path`` stands (1 when it stands nowhere). A number counts the tables of the
    array that the name before it names, from 0."""
    lines = text.splitlines()
    start = 0
    best = 1
    for at, part in enumerate(path):
        name, number = (path[at - 1], int(part)) if at and part.isdigit() else (part, 0)
        key = rf'"?{re.escape(name)}"?'
        if part is name:
            pattern = re.compile(rf"^\s*(\[+\s*([\w\"-]+\.)*{key}\s*[\].]|{key}\s*[=.])")
        else:
            pattern = re.compile(rf"^\s*\[\[\s*([\w\"-]+\.)*{key}\s*\]\]")
        for line in range(start, len(lines)):
            if pattern.match(lines[line]):
                if number:
                    number -= 1
                    continue
                best, start = line + 1, line
                break
    return best
