"""``outreach crm``: what the client system gets back."""

import sys
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from outreach.app import Outreach
from outreach.archive.write_back import WriteBack, write_again, write_next, write_since
from outreach.cli.session import signed_in
from outreach.core.access import Actor
from outreach.core.errors import BadInput


@click.group()
def crm() -> None:
    """The client system: its files come in by the watched folder or `outreach clients import`."""


@crm.command("write-back")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--number", type=int, help="write this numbered file again, byte for byte")
@click.option("--since", help="all since an instant (2027-03-05, 2027-03-05T08:00+08:00), out of turn")
def write_back(folder: Path, number: int | None, since: str | None) -> None:
    """Write into DIR what changed about clients and what they were sent, since the last file."""
    if number is not None and since is not None:
        raise click.UsageError("give --number or --since, not both")
    with signed_in() as (outreach, actor):
        start = None if since is None else _instant(since, outreach.settings.zone)
        made = _written(outreach, actor, folder, number, start)
        click.echo(f"{made.path}: {made.changes} changes, {made.contacts} contacts")


def _written(
    outreach: Outreach, actor: Actor, folder: Path, number: int | None, since: datetime | None
) -> WriteBack:
    with click.progressbar(length=1, label="writing", file=sys.stderr) as bar:

        def progress(done: int, length: int) -> None:
            bar.length = length
            bar.update(done - bar.pos)

        if number is not None:
            return write_again(outreach.open_work, actor, folder, number, progress=progress)
        if since is not None:
            return write_since(outreach.open_work, actor, folder, since, progress=progress)
        return write_next(outreach.open_work, actor, folder, progress=progress)


def _instant(written: str, zone: ZoneInfo) -> datetime:
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        raise BadInput(
            f"{written!r} is no instant.", mend="Write 2027-03-05 or 2027-03-05T08:00+08:00."
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=zone)
