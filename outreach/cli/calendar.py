"""``outreach calendar``: what goes out in a year, when, to how many, and under which policy."""

import json
from dataclasses import asdict

import click

from outreach.cli.session import signed_in
from outreach.cli.tables import rows
from outreach.composing.year import Year, YearLine, year_ahead
from outreach.core import clock
from outreach.occasions.cron_words import cron_in_words


@click.command()
@click.option("--year", type=int, help="the year; this one when left out")
@click.option("--json", "as_json", is_flag=True, help="as JSON, for other programs")
def calendar(year: int | None, as_json: bool) -> None:
    """What goes out in a year: when, to how many (before consent and limits), through which policy."""
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        found = year_ahead(work, year or clock.today(outreach.settings.zone).year)
        chinese = outreach.settings.locale.startswith("zh")
    if as_json:
        click.echo(json.dumps(_plain(found), ensure_ascii=False, indent=1, default=str))
        return
    _print(found, chinese)


def _plain(found: Year) -> dict[str, object]:
    return {
        "year": found.year,
        "provisional": found.provisional,
        "source": found.source,
        "jobs": [{**asdict(line), "total": line.total} for line in found.lines],
    }


def _print(found: Year, chinese: bool) -> None:
    click.echo(f"{found.year} · clients as they are today, before consent and limits")
    if found.provisional:
        click.echo("PROVISIONAL: the public holidays of this year are not announced yet; leads may shift.")
        click.echo("Once they are, name them in jobs/closures.toml and publish it.")
    elif found.source:
        click.echo(f"closures: {found.source} (jobs/closures.toml)")
    else:
        click.echo("closures: the State Council's notice of the year")
    for month in range(1, 13):
        table: list[tuple[str, str, str, str]] = [
            (day.isoformat(), _title(line, chinese), str(count), _policy(line, chinese))
            for day, line, count in found.on(month)
        ]
        table += [
            (
                f"{found.year}-{month:02d}",
                _title(line, chinese),
                f"{one.count} on {one.days} days, most on {one.busiest} ({one.busiest_count})",
                _policy(line, chinese),
            )
            for line, one in found.sums(month)
        ]
        if table:
            click.echo(f"\n── {found.year}-{month:02d}")
            rows(("WHEN", "WHAT", "CLIENTS", "POLICY"), table)
    other = [
        (_when(line, chinese), _title(line, chinese), f"up to {line.audience}", _policy(line, chinese))
        for line in found.lines
        if line.kind in ("trading_day", "cron", "feed")
    ]
    if other:
        click.echo("\n── throughout")
        rows(("WHEN", "WHAT", "CLIENTS", "POLICY"), other)


def _when(line: YearLine, chinese: bool) -> str:
    if line.kind == "feed":
        return f"each item of {line.rule}"
    rule = cron_in_words(line.rule, "zh-CN" if chinese else "en") if line.rule else "trading days"
    return f"{line.firings} times ({rule})"


def _title(line: YearLine, chinese: bool) -> str:
    return f"{line.title_zh if chinese else line.title_en} [{line.job}]"


def _policy(line: YearLine, chinese: bool) -> str:
    return line.policy_zh if chinese else line.policy_en
