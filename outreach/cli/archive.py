"""``outreach archive``: exports that anybody can check, and the checks themselves."""

from datetime import datetime, time, timedelta
from pathlib import Path

import click

from outreach.archive.export import ExportResult, export_client, export_period
from outreach.archive.verify import Report, verify_bag, verify_database
from outreach.cli.session import signed_in
from outreach.core.errors import BadInput

_DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.group()
def archive() -> None:
    """Export the record, and verify an export or the database."""


@archive.command()
@click.option("--from", "first", type=_DAY, help="First day, in the firm's time zone.")
@click.option("--to", "last", type=_DAY, help="Last day, included.")
@click.option("--client", "client_no", help="All that was recorded about this client.")
@click.argument("out", type=click.Path(path_type=Path))
def export(first: datetime | None, last: datetime | None, client_no: str | None, out: Path) -> None:
    """Write a bag to OUT: a period (--from, --to) or one client (--client)."""
    if bool(client_no) == bool(first or last) or bool(first) != bool(last):
        raise BadInput("What shall be exported?", mend="Give --from and --to, or --client.")
    with signed_in() as (outreach, actor), click.progressbar(length=0, label="Exporting", file=None) as bar:

        def tell(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        if client_no:
            result = export_client(outreach.open_work, actor, client_no, out, tell)
        elif first and last:
            zone = outreach.settings.zone
            start = datetime.combine(first.date(), time.min, zone)
            end = datetime.combine(last.date() + timedelta(days=1), time.min, zone)
            result = export_period(outreach.open_work, actor, start, end, out, tell)
    _tell(result)


def _tell(result: ExportResult) -> None:
    click.echo(f"{result.records:,} records, {result.messages:,} messages, {result.withheld:,} withheld")
    click.echo(f"bag          {result.path}")
    click.echo(f"signature    {result.signature}")
    click.echo(f"read         {result.path / 'data' / 'index.html'}")
    click.echo(f"verify       cd {result.path} && bash VERIFY.txt {result.fingerprint}")


@archive.command()
@click.argument("bag", type=click.Path(path_type=Path), required=False)
@click.option("--database", is_flag=True, help="Check the database instead of a bag.")
@click.option("--fingerprint", help="The key's fingerprint (SHA256:…), as you know it from elsewhere.")
@click.option(
    "--signature", type=click.Path(path_type=Path), help="Where the bag's signature is, if not beside it."
)
@click.pass_context
def verify(
    ctx: click.Context, bag: Path | None, database: bool, fingerprint: str | None, signature: Path | None
) -> None:
    """Check BAG, or with --database everything this installation holds. Exit status 1 when something fails."""
    if (bag is not None) == database:
        raise BadInput("What shall be verified?", mend="Name a bag, or give --database.")
    if bag is not None:
        report = verify_bag(bag, fingerprint, signature=signature)
    else:
        with signed_in() as (outreach, actor):
            report = verify_database(outreach.open_work, actor=actor)
    _show(report)
    ctx.exit(0 if report.ok else 1)


def _show(report: Report) -> None:
    for line in report.lines():
        click.echo(line)
