"""What leaves: one letter to one person or one group, whatever it goes by."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Letter:
    """A line that says it all, and the text below it. Never client data: they are words of ``notices.wording``."""

    subject: str
    text: str
    urgent: bool = False


@dataclass(frozen=True)
class Mail:
    """One mail to a member of staff."""

    to: str
    subject: str
    text: str


class Mailer(Protocol):
    """Sends one mail; raises an OutreachError or OSError when it was not taken."""

    def __call__(self, mail: Mail) -> None: ...
