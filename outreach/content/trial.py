"""Renders a template's samples in a process of its own (``python -m outreach.content.trial``), bounded.

The sandbox keeps a template from reaching into the program; it does not keep it from running for ever or from
making a text of a thousand million characters. So what is not yet trusted runs here first: one helper process takes
templates line by line, and each is rendered in a bounded child of it.
"""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

from outreach.content.render import RenderFailed, render

CPU_SECONDS = 2
WALL_SECONDS = 20
MEMORY = 512 << 20
_END = b"end\n"


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


Renderer = Callable[[Mapping[str, str], list[Try]], list[Tried]]


@contextlib.contextmanager
def trials() -> Iterator[Renderer]:
    """``try_out`` for many templates: the helper is started once."""
    command = [sys.executable, "-m", "outreach.content.trial"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as helper:
        yield partial(_ask, helper)


def try_out(files: Mapping[str, str], tries: list[Try]) -> list[Tried]:
    """Render each of ``tries``. When the child had to be ended, every one that was not done says so."""
    with trials() as tried:
        return tried(files, tries)


def _ask(helper: "subprocess.Popen[bytes]", files: Mapping[str, str], tries: list[Try]) -> list[Tried]:
    assert helper.stdin
    assert helper.stdout
    request = {"files": dict(files), "tries": [vars(one) for one in tries]}
    with contextlib.suppress(BrokenPipeError):
        helper.stdin.write(json.dumps(request, default=str).encode() + b"\n")
        helper.stdin.flush()
    answers: list[Tried] = []
    for line in iter(helper.stdout.readline, b""):
        if line == _END:
            break
        with contextlib.suppress(ValueError):
            fields = json.loads(line)
            answers.append(Tried(fields["parts"], fields["error"]))
    while len(answers) < len(tries):
        answers.append(
            Tried({}, f"it did not end within {CPU_SECONDS} seconds or used more than {MEMORY >> 20} MB")
        )
    return answers


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
    """Read requests line by line, and answer each in a child that is bounded, ended by a line of its own."""
    for line in sys.stdin.buffer:
        child = os.fork()
        if child == 0:
            _answer(line)
        os.waitpid(child, 0)
        # The child may have been ended in the middle of a line.
        sys.stdout.buffer.write(b"\n" + _END)
        sys.stdout.buffer.flush()


def _answer(line: bytes) -> NoReturn:
    """The child's whole life."""
    try:
        request = json.loads(line)
        signal.alarm(WALL_SECONDS)
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
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
