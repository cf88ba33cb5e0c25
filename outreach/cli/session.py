"""What every command needs: the settings, the open whole, and who is acting."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import click

from outreach.app import Outreach
from outreach.auth.signin import sign_in_as
from outreach.core.access import Actor
from outreach.core.settings import Settings


@contextmanager
def opened(*, pool_size: int = 4) -> Iterator[Outreach]:
    """Outreach over the environment's settings, closed at the end."""
    outreach = Outreach.open(Settings.from_environment(), pool_size=pool_size)
    try:
        yield outreach
    finally:
        outreach.close()


@contextmanager
def signed_in() -> Iterator[tuple[Outreach, Actor]]:
    """The same, with the member of staff who acts: ``OUTREACH_USER`` and ``OUTREACH_PASSWORD``, or asked for."""
    username = os.environ.get("OUTREACH_USER") or click.prompt("User name", err=True)
    password = os.environ.get("OUTREACH_PASSWORD") or click.prompt("Password", hide_input=True, err=True)
    with opened() as outreach:
        yield outreach, sign_in_as(outreach.open_work, username, password)


def second_person(outreach: Outreach, username: str) -> Actor:
    """A second person beside whoever acts, who gives their own password: asked for without echo, or
    ``OUTREACH_SECOND_PASSWORD``. Raises SignInRefused as any sign-in does, and is counted as one."""
    password = os.environ.get("OUTREACH_SECOND_PASSWORD") or click.prompt(
        f"Password of {username}", hide_input=True, err=True
    )
    return sign_in_as(outreach.open_work, username, password)
