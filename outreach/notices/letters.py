"""What leaves: one letter to one person or one group, whatever it goes by."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Letter:
    """A line that says it all, and the text below it, which does not say it again. Never client data: they are words of
    ``notices.wording``."""

    subject: str
    text: str
    urgent: bool = False


@dataclass(frozen=True)
class Mail:
    """One mail to a member of staff."""

    to: str
    subject: str
    text: str


def mail_of(letter: Letter, to: str) -> Mail:
    """A letter as a mail: its line above its text, for whoever prints it."""
    return Mail(to, letter.subject, f"{letter.subject}\n\n{letter.text}")


class Mailer(Protocol):
    """Sends one mail; raises an OutreachError or OSError when it was not taken."""

    def __call__(self, mail: Mail) -> None: ...
