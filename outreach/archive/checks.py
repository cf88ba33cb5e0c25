"""What a verification found: each check by name, whether it held, and in words what did not."""

from collections.abc import Callable
from dataclasses import dataclass, field

SHOWN = 20

Progress = Callable[[int, int], None]


@dataclass
class Check:
    """One thing that was checked. ``skipped`` says why it was not."""

    name: str
    count: int = 0
    faults: list[str] = field(default_factory=list)
    fault_count: int = 0
    skipped: str = ""

    def fault(self, words: str) -> None:
        """Note what does not hold; the first of many are kept in words."""
        self.fault_count += 1
        if len(self.faults) < SHOWN:
            self.faults.append(words)

    @property
    def ok(self) -> bool:
        """Whether nothing was found that does not hold."""
        return self.fault_count == 0


@dataclass
class Report:
    """All checks, in order."""

    checks: list[Check] = field(default_factory=list)

    def begin(self, name: str) -> Check:
        """Begin a check."""
        check = Check(name)
        self.checks.append(check)
        return check

    @property
    def ok(self) -> bool:
        """Whether every check that was made held."""
        return all(check.ok for check in self.checks)

    @property
    def faults(self) -> list[str]:
        """What does not hold, in words."""
        return [f"{check.name}: {words}" for check in self.checks for words in check.faults]

    def lines(self) -> list[str]:
        """The report as lines of text."""
        said: list[str] = []
        for check in self.checks:
            if check.skipped:
                said.append(f"–      {check.name}: {check.skipped}")
                continue
            count = f" ({check.count:,})" if check.count else ""
            said.append(f"{'ok   ' if check.ok else 'FAULT'}  {check.name}{count}")
            said += [f"         {words}" for words in check.faults]
            if check.fault_count > len(check.faults):
                said.append(f"         … and {check.fault_count - len(check.faults):,} more")
        said.append("核验通过 VERIFIED" if self.ok else "核验不通过 NOT VERIFIED")
        return said


def silent(done: int, total: int) -> None:
    """A Progress that says nothing."""
    del done, total
