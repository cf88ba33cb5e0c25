"""``outreach report``: a branch's or the firm's day sheet and month, printed or as a workbook."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import click
from sqlalchemy import select

from outreach.care.report_tables import Cell, Column, Kind, tables_of
from outreach.care.reports import report as figures_of
from outreach.care.workbook import workbook_of
from outreach.cli.session import signed_in
from outreach.cli.tables import local, rows
from outreach.content.approval_formats import ReasonWords
from outreach.content.in_force import anything_published, reasons_in_force
from outreach.core import clock
from outreach.core.errors import NotFound
from outreach.ledger.work import Work
from outreach.occasions.periods import month_of, one_day
from outreach.people.tables import branch

_DAY = click.DateTime(formats=["%Y-%m-%d"])
_MONTH = click.DateTime(formats=["%Y-%m"])
_OUT = click.Path(path_type=Path, dir_okay=False)


@click.group()
def report() -> None:
    """What a branch did on a day or in a month, in figures."""


@report.command()
@click.option("--branch", "code", help="the branch's code; all that you may see when left out")
@click.option("--date", "day", type=_DAY, help="the civil day in the firm's zone; today when left out")
@click.argument("out", type=_OUT, required=False)
def day(code: str | None, day: datetime | None, out: Path | None) -> None:
    """The day sheet, printed or (OUT.xlsx) as a workbook."""
    _make(code, day, out, monthly=False)


@report.command()
@click.option("--branch", "code", help="the branch's code; all that you may see when left out")
@click.option("--month", "month", type=_MONTH, help="such as 2026-11; this month when left out")
@click.argument("out", type=_OUT, required=False)
def month(code: str | None, month: datetime | None, out: Path | None) -> None:
    """The month's report, printed or (OUT.xlsx) as a workbook."""
    _make(code, month, out, monthly=True)


def _make(code: str | None, at: datetime | None, out: Path | None, *, monthly: bool) -> None:
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        settings = outreach.settings
        on = at.date() if at else clock.today(settings.zone)
        period = (month_of if monthly else one_day)(on, settings.zone)
        found = None
        if code is not None:
            found = work.conn.execute(select(branch.c.id).where(branch.c.code == code)).scalar_one_or_none()
            if found is None:
                raise NotFound(f"There is no branch {code!r}.", mend="Check its code.")
        made = figures_of(work, period, found, monthly=monthly)
        reasons = _reasons(work)
        if out is not None:
            out.write_bytes(workbook_of(made, settings.locale, reasons))
            click.echo(f"written      {out}")
            return
        click.echo(
            f"{period.first} – {period.last} ({settings.zone}), as of {local(made.made_at, settings.zone)}"
        )
        for table in tables_of(made, settings.locale, reasons):
            click.echo(f"\n── {table.title}")
            lines = [*table.rows, *([table.total] if table.total else [])]
            rows(
                [one.heading for one in table.columns],
                [[_shown(*pair) for pair in zip(table.columns, line, strict=True)] for line in lines],
            )


def _reasons(work: Work) -> Mapping[str, ReasonWords]:
    return reasons_in_force(work.conn) if anything_published(work.conn) else {}


def _shown(column: Column, value: Cell) -> str:
    if value is None:
        return "–"
    return f"{value:.0%}" if column.kind is Kind.SHARE and not isinstance(value, str) else str(value)
