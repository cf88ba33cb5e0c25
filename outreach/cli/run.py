"""``outreach run``: everything on this machine, with the demonstration institution and loopback providers."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import click

from outreach.app import Outreach
from outreach.core import embedded
from outreach.core.database import migrate, open_database
from outreach.core.settings import Settings
from outreach.demo.institution import PASSWORD, PEOPLE
from outreach.demo.stage import set_stage
from outreach.demo.supervisor import Sandbox, Supervisor, answers, free_port, interruptible, wait_until


@click.command()
def run() -> None:
    """Start database, sandbox, scheduler, worker and web, with the demonstration institution."""
    settings = Settings.from_environment()
    settings = replace(settings, demonstration=True, port=free_port(settings.port, settings.host))
    if "OUTREACH_PUBLIC_URL" not in os.environ:
        settings = replace(settings, public_url=f"http://{settings.host}:{settings.port}")
    interruptible(lambda: _run(settings))
    click.echo(f"stopped; the data stays in {settings.home}")


def _run(settings: Settings) -> None:
    with standing_database(settings), loopback(settings) as environment:
        supervisor = Supervisor(environment, settings.home / "logs")
        try:
            told = Settings.from_environment({**os.environ, **environment})
            outreach = Outreach.open(told)
            try:
                set_stage(outreach.open_work, told, click.echo)
            finally:
                outreach.close()
            supervisor.start()
            wait_until(lambda: answers(settings), "The web server's first answer")
            _tell(settings)
            while True:
                supervisor.look_after()
                time.sleep(0.5)
        finally:
            click.echo("stopping …")
            supervisor.stop()


@contextmanager
def standing_database(settings: Settings) -> Iterator[None]:
    """The database started and migrated; the embedded one is stopped at the end, unless it ran before."""
    data = settings.home / "postgres"
    ours = settings.database_url is None and not (data.exists() and embedded.answers(data))
    database = open_database(settings)
    try:
        click.echo("database      " + ("embedded PostgreSQL in " + str(data) if ours else "as it was found"))
        migrate(database.owner_conninfo)
        database.close()
        yield
    finally:
        database.close()
        if ours:
            embedded.stop(data)


@contextmanager
def loopback(settings: Settings) -> Iterator[dict[str, str]]:
    """The environment of every role; the sandbox's servers run meanwhile, unless a real provider is configured."""
    environment = {
        "OUTREACH_HOME": str(settings.home),
        "OUTREACH_HOST": settings.host,
        "OUTREACH_PORT": str(settings.port),
        "OUTREACH_PUBLIC_URL": settings.public_url,
        "OUTREACH_DEMONSTRATION": "1",
        "OUTREACH_LINK_HOSTS": os.environ.get("OUTREACH_LINK_HOSTS", "example.com"),
    }
    if settings.smtp or settings.twilio or settings.gateway:
        click.echo("providers     as configured")
        yield environment
        return
    # The phone and the mailbox are nobody's; an approved greeting may arrive at any hour.
    environment["OUTREACH_SEND_WINDOW"] = os.environ.get("OUTREACH_SEND_WINDOW", "00:00-24:00")
    sandbox = Sandbox(settings.home / "sandbox")
    try:
        environment |= sandbox.start(settings.public_url)
        click.echo("providers     SMTP, Twilio API and SMS gateway on loopback")
        yield environment
    finally:
        sandbox.stop()


def _tell(settings: Settings) -> None:
    click.echo("")
    click.echo(f"  {settings.public_url}")
    click.echo("")
    click.echo(f"  sign in as (password {PASSWORD}):")
    for person in PEOPLE:
        where = person.branch or "head office"
        click.echo(
            f"    {person.username:<14} {person.role.value.replace('_', ' '):<12} {where:<12} {person.name_en}"
        )
    click.echo("")
    click.echo(f"  logs in {settings.home / 'logs'}; Ctrl-C stops everything")
