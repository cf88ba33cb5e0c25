"""``outreach clients``, ``outreach holdings``, ``outreach dates``, ``outreach feeds``: what comes in as files."""

import sys
from pathlib import Path
from typing import TextIO

import click

from outreach.cli.session import signed_in
from outreach.cli.tables import rows
from outreach.feeds.take_in import KINDS, import_feed
from outreach.people.apply import ImportPreview, apply_import, preview_import
from outreach.people.dated_facts import import_dates, preview_dates
from outreach.people.holdings import import_holdings, preview_holdings

_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group()
def clients() -> None:
    """Client files."""


@clients.command("import")
@_FILE
@click.option("--yes", is_flag=True, help="import without asking after the preview")
@click.option("--preview", "only_preview", is_flag=True, help="say what would happen, and stop")
def import_clients(file: Path, yes: bool, only_preview: bool) -> None:
    """Read FILE (CSV or XLSX), say what it holds, and import it in one transaction."""
    with signed_in() as (outreach, actor):
        with click.progressbar(
            length=max(1, file.stat().st_size // 180), label="reading", file=_stderr()
        ) as bar:
            seen = 0

            def progress(count: int) -> None:
                nonlocal seen
                bar.update(count - seen)
                seen = count

            preview = preview_import(outreach.open_work, actor, file, progress=progress)
        tell(preview)
        if only_preview or (not yes and not click.confirm("Import it?", err=True)):
            return
        result = apply_import(outreach.open_work, actor, file)
        click.echo(f"imported: {result.preview.new} new, {result.preview.changed} changed")
        if result.rejects:
            click.echo(f"what to look at: {result.rejects}")


def _stderr() -> TextIO:
    return sys.stderr


def tell(preview: ImportPreview) -> None:
    """The preview in words."""
    click.echo(f"{preview.file_name} ({preview.encoding}): {preview.rows} rows")
    click.echo(
        f"  {preview.new} new, {preview.changed} changed, {preview.unchanged} unchanged,"
        f" {preview.duplicates} repeated, {preview.rejected} refused, {preview.warnings} warnings"
    )
    click.echo(
        f"  {preview.birthdays_today} birthdays today, {preview.orphans} VIP and core clients without advisor,"
        f" {preview.expired_assessments} risk assessments expired"
    )
    if preview.clashes.conflicts or preview.clashes.settled or preview.clashes.kept:
        click.echo(
            f"  of what was put right here: {preview.clashes.conflicts} in conflict, {preview.clashes.kept} as before,"
            f" {preview.clashes.settled} settled by this file"
        )
    for why, count in sorted(preview.suppressed.items()):
        click.echo(f"  {count} {why}: nothing is ever sent")
    if preview.changes:
        rows(
            ("ROW", "CLIENT", "FIELD", "BEFORE", "AFTER"),
            [
                (str(one.row), one.client_no, one.column, one.before or "–", one.after or "–")
                for one in preview.changes[:40]
            ],
        )
    for finding in preview.findings[:20]:
        click.echo(f"  row {finding.row}, {finding.column}: {finding.message('en')} {finding.mend('en')}")


@click.group()
def holdings() -> None:
    """Holdings files: client_no, code, quantity, date."""


@holdings.command("import")
@_FILE
@click.option("--preview", "only_preview", is_flag=True, help="say what would happen, and stop")
def import_holdings_(file: Path, only_preview: bool) -> None:
    """Import who holds what."""
    with signed_in() as (outreach, actor):
        act = preview_holdings if only_preview else import_holdings
        done = act(outreach.open_work, actor, file)
        click.echo(
            f"{done.rows} rows: {done.new} new, {done.changed} changed, {done.unchanged} unchanged,"
            f" {done.duplicates} repeated, {done.rejected} refused"
        )
        if done.rejects:
            click.echo(f"what was refused: {done.rejects}")


@click.group()
def dates() -> None:
    """Files of dated facts: client_no, kind, date, subject, withdrawn."""


@dates.command("import")
@_FILE
@click.option("--preview", "only_preview", is_flag=True, help="say what would happen, and stop")
def import_dates_(file: Path, only_preview: bool) -> None:
    """Add the dates that jobs go by (a product's maturity …); a row with withdrawn = yes ends one."""
    with signed_in() as (outreach, actor):
        act = preview_dates if only_preview else import_dates
        done = act(outreach.open_work, actor, file)
        click.echo(
            f"{done.rows} rows: {done.new} new, {done.withdrawn} withdrawn, {done.unchanged} unchanged,"
            f" {done.duplicates} repeated, {done.rejected} refused"
        )
        for kind, count in sorted(done.kinds.items()):
            click.echo(f"  {kind}: {count}")
        for finding in done.findings[:20]:
            click.echo(f"  row {finding.row}, {finding.column}: {finding.message('en')} {finding.mend('en')}")
        if done.rejects:
            click.echo(f"what to look at: {done.rejects}")


@click.group()
def feeds() -> None:
    """Research reports and market events."""


@feeds.command("import")
@click.argument("kind", type=click.Choice(KINDS))
@_FILE
def import_feed_(kind: str, file: Path) -> None:
    """Take in FILE, JSON Lines of research or of market-event items; each faulty line is refused by itself."""
    with signed_in() as (outreach, actor):
        done = import_feed(outreach.open_work, actor, kind, file)
        click.echo(
            f"{done.lines} lines: {done.accepted} accepted, {done.corrections} of them corrections,"
            f" {done.known} known already, {len(done.refused)} refused"
        )
        for refusal in done.refused:
            click.echo(f"  line {refusal.line}: {refusal.reason} {refusal.mend}")
