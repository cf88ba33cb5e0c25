"""Faults that a test or a person asks a server to have. They live in memory: a restart clears them."""

import itertools
import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from outreach.core.errors import BadInput


@dataclass
class Fault:
    """One rule: the first that fits an address and is not used up applies."""

    id: int
    mode: str
    times: int | None = None
    pattern: re.Pattern[str] | None = None
    each: bool = False
    seconds: float = 0.0
    status: int | None = None
    code: int | None = None
    text: str = ""
    used: Counter[str] = field(default_factory=Counter)

    def fits(self, address: str) -> bool:
        """Whether it applies to ``address`` and has uses left."""
        if self.pattern is not None and not self.pattern.search(address):
            return False
        return self.times is None or self.used[address if self.each else ""] < self.times

    def to_json(self) -> dict[str, Any]:
        """As GET /faults shows it."""
        return {
            "id": self.id,
            "mode": self.mode,
            "times": self.times,
            "pattern": self.pattern.pattern if self.pattern else None,
            "each": self.each,
            "seconds": self.seconds,
            "status": self.status,
            "code": self.code,
            "text": self.text,
            "used": self.used.total(),
        }


class Faults:
    """The rules of one server, in the order they were given."""

    def __init__(self, modes: Collection[str]) -> None:
        self.modes = frozenset(modes)
        self.rules: list[Fault] = []
        self._ids = itertools.count(1)

    def add(self, wish: Mapping[str, Any]) -> Fault:
        """Take a rule as JSON. Raises BadInput naming what is wrong."""
        known = {"mode", "times", "pattern", "each", "seconds", "status", "code", "text"}
        if strange := set(wish) - known:
            raise BadInput(
                f"Unknown: {', '.join(sorted(strange))}.", mend=f"Known: {', '.join(sorted(known))}."
            )
        mode = wish.get("mode")
        if mode not in self.modes:
            raise BadInput(f"Unknown mode {mode!r}.", mend=f"Modes: {', '.join(sorted(self.modes))}.")
        numbers: dict[str, Any] = {}
        for name, kind in (("times", int), ("status", int), ("code", int), ("seconds", float)):
            value = wish.get(name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | kind) or value < 0:
                raise BadInput(f"{name} is {value!r}.", mend="Give a number, 0 or more.")
            numbers[name] = kind(value)
        try:
            pattern = re.compile(wish["pattern"]) if wish.get("pattern") else None
        except (re.error, TypeError) as error:
            raise BadInput(f"pattern: {error}.", mend="Give a regular expression.") from error
        rule = Fault(
            id=next(self._ids),
            mode=mode,
            pattern=pattern,
            each=bool(wish.get("each", mode == "greylist")),
            text=str(wish.get("text", "")),
            **numbers,
        )
        self.rules.append(rule)
        return rule

    def clear(self) -> None:
        """Forget every rule."""
        self.rules.clear()

    def take(self, modes: Collection[str], address: str) -> Fault | None:
        """The rule of one of ``modes`` that applies to ``address``, counted as used; None when there is none."""
        for rule in self.rules:
            if rule.mode in modes and rule.fits(address):
                rule.used[address if rule.each else ""] += 1
                return rule
        return None
