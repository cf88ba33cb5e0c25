"""``outreach jobs``: when each job fires next, firing one ahead of its time, and one tick by hand."""

from datetime import timedelta

import click
from sqlalchemy import select

from outreach.cli.preview import preview
from outreach.cli.session import opened, signed_in
from outreach.cli.tables import local, rows
from outreach.core import clock
from outreach.core.access import Permission, require
from outreach.occasions.triggers import next_firing
from outreach.scheduling.jobs import plans_in_force
from outreach.scheduling.tables import occurrence, schedule
from outreach.scheduling.tick import prepare_next, tick

_AHEAD = timedelta(days=400)


@click.group()
def jobs() -> None:
    """Jobs and their occurrences."""


@jobs.command("list")
@click.option("--recent", default=0, help="also the last so many occurrences")
def list_(recent: int) -> None:
    """Every job in force: when it is composed and sent next, and whether it is switched on."""
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        require(actor, Permission.WATCH_DELIVERY)
        zone, now = outreach.settings.zone, clock.now()
        switched = {row.job_name: row.enabled for row in work.conn.execute(select(schedule))}
        table: list[tuple[str, str, str, str]] = []
        for plan in plans_in_force(work.conn):
            on = "" if switched.get(plan.job_name, True) else "off"
            if plan.feed:
                table.append((plan.job_name, f"at each item of {plan.feed}", "", on))
                continue
            firing = next_firing(plan.trigger, now, _AHEAD)
            table.append(
                (
                    plan.job_name,
                    local(firing.compose_at, zone) if firing else "not within a year",
                    local(firing.send_at, zone) if firing else "",
                    on,
                )
            )
        rows(("JOB", "COMPOSED", "SENT", ""), table)
        if recent > 0:
            click.echo()
            found = work.conn.execute(
                select(occurrence).order_by(occurrence.c.created_at.desc()).limit(recent)
            ).all()
            rows(
                ("OCCURRENCE", "JOB", "SENT", "STATE", "NOTE"),
                [(str(row.id), row.job_name, local(row.send_at, zone), row.state, row.note) for row in found],
            )


@jobs.command()
@click.argument("job")
def prepare(job: str) -> None:
    """Compose the next firing of JOB now, ahead of its time; it waits in the inbox and is sent on its day."""
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        click.echo(f"occurrence {prepare_next(work, job)}")


@jobs.command("tick")
def tick_() -> None:
    """Look once whether anything is due, as the scheduler does all the time."""
    with opened() as outreach:
        done = tick(outreach.open_work)
        click.echo(f"{done.added} occurrences added, {done.missed} missed")


jobs.add_command(preview)
