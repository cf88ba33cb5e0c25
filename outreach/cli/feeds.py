"""``outreach subscriptions``: what clients asked to be told of, as a file."""

from pathlib import Path

import click

from outreach.cli.session import signed_in
from outreach.people.subscriptions import import_subscriptions


@click.group()
def subscriptions() -> None:
    """Clients' subscriptions to research reports and market events."""


@subscriptions.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_(file: Path) -> None:
    """Import FILE (CSV: client_no, feed, type, action, source); each faulty row is refused by itself."""
    with signed_in() as (outreach, actor):
        done = import_subscriptions(outreach.open_work, actor, file)
    click.echo(
        f"{done.rows} rows: {done.changed} changed, {done.unchanged} unchanged, {len(done.refused)} refused"
    )
    for row, reason, mend in done.refused:
        click.echo(f"  row {row}: {reason} {mend}")
