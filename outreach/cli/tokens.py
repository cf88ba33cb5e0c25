"""``outreach token``: the tokens of programs that send feeds."""

from datetime import timedelta

import click

from outreach.auth.tokens import FEEDS, create_token, list_tokens, revoke_token
from outreach.cli.session import signed_in
from outreach.cli.tables import local, rows
from outreach.content.formats import parse_duration


def _duration(ctx: click.Context, param: click.Parameter, value: str | None) -> timedelta | None:
    try:
        return parse_duration(value) if value is not None else None
    except ValueError as error:
        raise click.BadParameter(f"{error}.", ctx, param) from error


@click.group()
def token() -> None:
    """Tokens with which programs send research reports and market events."""


@token.command()
@click.argument("name")
@click.option(
    "--for", "feeds", multiple=True, required=True, type=click.Choice(FEEDS), help="a feed; may be repeated"
)
@click.option("--expires", callback=_duration, help="such as 90d; without it, until it is revoked")
def create(name: str, feeds: tuple[str, ...], expires: timedelta | None) -> None:
    """Make a token called NAME, and print it: it is shown this once."""
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        made = create_token(work, name, feeds, expires)
    until = local(made.expires_at, outreach.settings.zone) if made.expires_at else "revoked"
    click.echo(
        f"{made.name}, for {', '.join(feeds)}, until {until}; keep it, it is not shown again:", err=True
    )
    click.echo(made.token)


@token.command("list")
def list_() -> None:
    """Every token, what it is for and when it was last used; never the token itself."""
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        zone = outreach.settings.zone
        rows(
            ("NAME", "FOR", "STATE", "CREATED", "EXPIRES", "LAST USED"),
            [
                (
                    line.name,
                    ", ".join(line.permissions),
                    line.state,
                    local(line.created_at, zone),
                    local(line.expires_at, zone) if line.expires_at else "–",
                    local(line.last_used_at, zone) if line.last_used_at else "–",
                )
                for line in list_tokens(work)
            ],
        )


@token.command()
@click.argument("name")
def revoke(name: str) -> None:
    """End the token NAME at once."""
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        revoke_token(work, name)
    click.echo(f"{name} is revoked")
