"""What a publication would change, told on the terminal before it is made."""

import sys

import click

from outreach.app import Outreach
from outreach.content.difference import Change, changes
from outreach.content.loader import ContentSet
from outreach.content.matcher import compile_lexicons
from outreach.content.publish import latest_versions
from outreach.core.access import Actor, Permission
from outreach.messages.tally import keeping
from outreach.review.impact import Impact, impact_of
from outreach.review.submissions import decided_under

_SHOWN = 400  # lines of difference; the rest is counted


def tell_changes(outreach: Outreach, actor: Actor, found: ContentSet, *, impact: bool) -> bool:
    """Print every difference, how many waiting messages keep an old version, and, where lexicons change, what they
    would hit. False when nothing would change."""
    with outreach.open_work(actor) as work:
        every = changes(work.conn, found)
        before = latest_versions(work.conn)
        ids = {
            before["template", one.name].id: one.name
            for one in every
            if one.kind == "template" and one.what != "new"
        }
        kept = keeping(work, ids)
        policies = {
            one.name: decided_under(work, before["policy", one.name].id)
            for one in every
            if one.kind == "policy" and one.what != "new"
        }
    if not every:
        return False
    _differences(every)
    _kept({f"template {ids[version_id]}": states for version_id, states in kept.items()})
    _kept({f"policy {name}": states for name, states in policies.items() if states})
    touches = any(one.kind == "lexicon" for one in every)
    may = actor.may(Permission.PUBLISH) and actor.may(Permission.READ_MESSAGES)
    if impact and touches and may and before:
        _impact(outreach, actor, found)
    return True


def _kept(by_name: dict[str, dict[str, int]]) -> None:
    for name, states in by_name.items():
        said = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        click.echo(f"{name}: waiting messages keep the old version: {said}")


def _differences(every: list[Change]) -> None:
    shown = 0
    for one in every:
        version = f" (in force: {one.version})" if one.version else ""
        click.echo(f"{one.what} {one.kind} {one.name}{version}")
        for file in one.files:
            click.echo(f"  {file.name}  +{file.added} -{file.removed}")
            if one.what != "changed":
                continue
            for line in file.lines:
                shown += 1
                if shown <= _SHOWN:
                    click.echo(f"    {line}")
    if shown > _SHOWN:
        click.echo(f"… and {shown - _SHOWN} lines more")


def _impact(outreach: Outreach, actor: Actor, found: ContentSet) -> None:
    coming = compile_lexicons([source.meta for source in found.lexicons.values()])
    with click.progressbar(length=1, label="looking through 90 days", file=sys.stderr) as bar:

        def progress(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        result = impact_of(outreach.open_work, actor, coming, progress)
    _tell(result)


def _tell(result: Impact) -> None:
    click.echo(
        f"new phrases: {result.sent} messages sent in 90 days would have been hit; {result.waiting} that wait are hit,"
        f" {result.back} approved ones go back to the inbox ({result.looked_at} looked at)"
    )
    for line in result.by_weight():
        click.echo(
            f"  {line.severity} {line.rule} “{line.phrase}” ({line.article}):"
            f" {line.sent} sent, {line.waiting.total()} waiting"
        )
        for one in line.examples:
            before, hit, after = one.text[: one.start], one.text[one.start : one.end], one.text[one.end :]
            click.echo(f"    {one.state}: {before}[{hit}]{after}".replace("\n", " "))
