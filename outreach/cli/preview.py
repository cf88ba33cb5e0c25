"""``outreach jobs preview``: what a job would say on a date, to real clients, storing nothing."""

from datetime import datetime

import click

from outreach.cli.session import signed_in
from outreach.cli.tables import local
from outreach.composing.rehearsal import Rehearsed, Variant, rehearse
from outreach.core import clock


@click.command()
@click.argument("job")
@click.option("--date", "on", type=click.DateTime(["%Y-%m-%d"]), help="the day; today when left out")
@click.option("--client", "clients", multiple=True, metavar="NO", help="this client; again for more")
@click.option("--count", default=3, show_default=True, help="so many drawn clients when none is named")
@click.option("--seed", default="", help="another seed draws others")
@click.option("--item", default="", help="the feed's item by its id; the newest when left out")
@click.option("--channel", default="", help="only this channel's text")
@click.option("--language", default="", help="only this language's text")
def preview(
    job: str,
    on: datetime | None,
    clients: tuple[str, ...],
    count: int,
    seed: str,
    item: str,
    channel: str,
    language: str,
) -> None:
    """Show what JOB would say on a date, in each language and channel. Nothing is stored."""
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        zone = outreach.settings.zone
        day = on.date() if on is not None else clock.today(zone)
        found = rehearse(
            work,
            job,
            day,
            client_nos=clients,
            size=count,
            seed=seed,
            item_key=item,
            locale=outreach.settings.locale,
        )
        title = found.title_zh if outreach.settings.locale.startswith("zh") else found.title_en
        click.echo(
            f"{found.job} · {title} · {day.isoformat()} · {found.audience} clients before consent and limits"
        )
        if found.item:
            click.echo(f"item {found.item}")
        if not found.fires:
            after = found.next_on.isoformat() if found.next_on else "not within two years"
            click.echo(f"The job does not fire on this day; next: {after}. Shown as if it did.")
        for one in found.clients:
            _client(one, channel, language)
            if one.send_at is not None:
                click.echo(
                    f"  goes out {local(one.send_at, zone)} by {one.channel} to {one.to} in {one.language}"
                )
        if not found.clients:
            click.echo("Nobody is in its audience.")


def _client(one: Rehearsed, channel: str, language: str) -> None:
    click.echo(f"\n── {one.client_no} {one.client_name}")
    if one.stopped is not None:
        click.echo(f"  gets nothing: {one.stopped.reason} {one.stopped.mend}")
    for variant in one.variants:
        if channel in ("", variant.channel) and language in ("", variant.language):
            _variant(variant)


def _variant(variant: Variant) -> None:
    size = f" · {variant.segments} segments" if variant.segments else ""
    click.echo(f"  [{variant.channel} {variant.language}{size}]")
    if variant.error:
        click.echo(f"    can't be rendered: {variant.error}")
        return
    for line in [f"Subject: {variant.subject}"] * bool(variant.subject) + variant.text.splitlines():
        click.echo(f"    {line}".rstrip())
    for finding in variant.findings:
        click.echo(f"    {finding.severity}: {finding.rule} ({finding.article}) {finding.advice}")
