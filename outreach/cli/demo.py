"""``outreach demo --once``: the whole path in a folder of its own, without a person, ending by itself."""

import os
from dataclasses import replace
from pathlib import Path

import click

from outreach.app import Outreach
from outreach.cli.run import loopback, standing_database
from outreach.core import clock
from outreach.core.errors import BadInput
from outreach.core.settings import Settings
from outreach.demo.sandbox.client import Sandbox
from outreach.demo.stage import set_stage
from outreach.demo.supervisor import Supervisor, answers, free_port, wait_until
from outreach.demo.walk import walk


@click.command()
@click.option(
    "--once", is_flag=True, help="walk the path once and end (the only way there is: to stay, use run)"
)
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="an empty folder to work in")
def demo(once: bool, folder: Path | None) -> None:
    """Walk the whole path once: import, compose, approve, send, answer, export, verify."""
    if not once:
        raise BadInput(
            "The demonstration without a person runs once.", mend="Run: outreach demo --once, or outreach run"
        )
    settings = Settings.from_environment()
    home = (folder or settings.home / "demo" / f"{clock.now():%Y%m%d-%H%M%S}").resolve()
    if home.exists() and any(home.iterdir()):
        raise BadInput(f"{home} is not empty.", mend="Name an empty folder, or none.")
    # Whatever the environment says of providers and databases, this is a world of its own.
    port = free_port(settings.port + 400)
    alone = replace(
        settings,
        home=home,
        keys=home / "keys",
        database_url=None,
        smtp=None,
        twilio=None,
        gateway=None,
        demonstration=True,
        host="127.0.0.1",
        port=port,
        public_url=f"http://127.0.0.1:{port}",
    )
    _walk(alone)


def _walk(settings: Settings) -> None:
    with standing_database(settings), loopback(settings) as environment:
        environment |= {
            "OUTREACH_KEYS": str(settings.keys),
            "OUTREACH_DATABASE_URL": "",
            "OUTREACH_DATABASE_URL_FILE": "",
        }
        told = Settings.from_environment({**os.environ, **environment})
        supervisor = Supervisor(environment, settings.home / "logs")
        outreach = Outreach.open(told)
        try:
            set_stage(outreach.open_work, told, click.echo)
            supervisor.start()
            wait_until(lambda: answers(told), "The web server's first answer")
            smtp, twilio, gateway = (settings.home / "sandbox" / "control").read_text("utf-8").split()
            sandbox = Sandbox.at(smtp, twilio, gateway)
            done = walk(outreach.open_work, told, sandbox, settings.home / "export", click.echo)
        finally:
            supervisor.stop()
            outreach.close()
    click.echo(f"the export    {done.path}")
    click.echo(f"verify it     outreach archive verify {done.path} --fingerprint {done.fingerprint}")
