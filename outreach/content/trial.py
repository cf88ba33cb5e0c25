"""Renders a template's samples in a process of its own (``python -m outreach.content.trial``), bounded.

The sandbox keeps a template from reaching into the program; it does not keep it from running for ever or from
making a text of a thousand million characters. So what is not yet trusted runs here first.
"""

import contextlib
import json
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from outreach.content.render import RenderFailed, render

CPU_SECONDS = 2
WALL_SECONDS = 20.0
MEMORY = 512 << 20


@dataclass(frozen=True)
class Try:
    """One rendering to try."""

    channel: str
    language: str
    context: Mapping[str, Any]


@dataclass(frozen=True)
class Tried:
    """What became of it: the parts, or why it failed."""

    parts: Mapping[str, str]
    error: str = ""


def try_out(files: Mapping[str, str], tries: list[Try]) -> list[Tried]:
    """Render each of ``tries``. When the process had to be ended, every one that was not done says so."""
    request = {"files": dict(files), "tries": [vars(one) for one in tries]}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "outreach.content.trial"],
            input=json.dumps(request, default=str).encode(),
            capture_output=True,
            timeout=WALL_SECONDS,
            check=False,
        )
        output = done.stdout
    except subprocess.TimeoutExpired as error:
        output = error.stdout or b""
    answers: list[Tried] = []
    for line in output.splitlines():
        with contextlib.suppress(ValueError):
            fields = json.loads(line)
            answers.append(Tried(fields["parts"], fields["error"]))
    while len(answers) < len(tries):
        answers.append(
            Tried({}, f"it did not end within {CPU_SECONDS} seconds or used more than {MEMORY >> 20} MB")
        )
    return answers


Renderer = Callable[[Mapping[str, str], list[Try]], list[Tried]]


def try_here(files: Mapping[str, str], tries: list[Try]) -> list[Tried]:
    """``try_out`` within this process, unbounded: for what has been tried before and is in force."""
    return [_tried(files, one.channel, one.language, one.context) for one in tries]


def _tried(files: Mapping[str, str], channel: str, language: str, context: Mapping[str, Any]) -> Tried:
    try:
        made = render(files, channel, language, context)
    except RenderFailed as error:
        return Tried({}, error.message)
    return Tried({"text": made.text, "subject": made.subject, "html": made.html})


def main() -> None:
    """Read a request, bound this process, and answer line by line."""
    request = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    with contextlib.suppress(ValueError, OSError):  # macOS does not bound the address space
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for one in request["tries"]:
        try:
            answer = _tried(request["files"], one["channel"], one["language"], one["context"])
        except MemoryError:
            answer = Tried({}, f"it used more than {MEMORY >> 20} MB")
        sys.stdout.write(json.dumps({"parts": answer.parts, "error": answer.error}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
