"""``outreach absence``: out of office, from the command line; the same services as the page."""

from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import click

from outreach.cli.session import signed_in
from outreach.cli.tables import local, rows
from outreach.core.access import Actor
from outreach.core.errors import BadInput
from outreach.ledger.work import Work
from outreach.people.absence import absences_of, end_absence, set_absence
from outreach.people.staff import staff_numbers


@click.group()
def absence() -> None:
    """Who is out of office, and who stands in for them."""


@absence.command("list")
def list_() -> None:
    """Who is or will be away: yourself, those for whom you stand in, and the people of your branches."""
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        zone = outreach.settings.zone
        table = [
            (
                str(one.id),
                one.name,
                local(one.starts_at, zone),
                local(one.ends_at, zone),
                one.deputy,
                one.note,
            )
            for one in absences_of(work)
        ]
        rows(("ABSENCE", "WHO", "FROM", "UNTIL", "DEPUTY", "NOTE"), table)


@absence.command("set")
@click.option("--who", help="staff number; yourself by default")
@click.option("--from", "first", required=True, help="2026-11-30, or 2026-11-30T13:00")
@click.option("--until", "last", required=True, help="the last day, or the time of the return")
@click.option("--deputy", help="staff number of who decides meanwhile")
@click.option("--note", default="")
def set_(who: str | None, first: str, last: str, deputy: str | None, note: str) -> None:
    """Enter an absence. A deputy gets the rights to decide, nothing else, and never on what you wrote."""
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        zone = outreach.settings.zone
        entered = set_absence(
            work,
            _number(work, who) if who else _self(actor),
            _instant(first, zone, last=False),
            _instant(last, zone, last=True),
            _number(work, deputy) if deputy else None,
            note,
        )
        click.echo(f"absence {entered}")


@absence.command("end")
@click.argument("absence_id", type=click.UUID)
def end(absence_id: UUID) -> None:
    """Back again, or not away after all: at once nobody stands in."""
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        end_absence(work, absence_id)
    click.echo("ended")


def _self(actor: Actor) -> UUID:
    if actor.staff_id is None:
        raise BadInput("Who is away?", mend="Give --who STAFF-NUMBER.")
    return actor.staff_id


def _number(work: Work, staff_no: str) -> UUID:
    found = staff_numbers(work.conn).get(staff_no)
    if found is None:
        raise BadInput(f"There is no member of staff {staff_no}.", mend="Check the staff number.")
    return found


def _instant(written: str, zone: ZoneInfo, *, last: bool) -> datetime:
    """A date or a local time; a last day counts whole. Raises BadInput."""
    try:
        if "T" in written:
            return datetime.fromisoformat(written).replace(tzinfo=zone)
        day = date.fromisoformat(written) + timedelta(days=1 if last else 0)
    except ValueError:
        raise BadInput(f"{written!r} is no date.", mend="Write 2026-11-30 or 2026-11-30T13:00.") from None
    return datetime.combine(day, time(), zone)
