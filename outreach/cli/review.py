"""``outreach review``: the inbox from the command line; the same services as the page."""

from uuid import UUID

import click

from outreach.cli.session import signed_in
from outreach.cli.tables import local, rows
from outreach.core.i18n import in_language
from outreach.review.batch import approve_batch, sample_of
from outreach.review.decide import Decided, approve, reject, return_
from outreach.review.detail import Detail, message_detail
from outreach.review.inbox import list_messages, list_waiting
from outreach.review.undo import undo


@click.group()
def review() -> None:
    """Read and decide what waits in the inbox."""


@review.command("list")
@click.option(
    "--submission", type=click.UUID, help="the messages of one submission instead of all submissions"
)
@click.option("--after", help="go on after this key, as the last line of a page says")
@click.option("--limit", default=50, show_default=True)
def list_(submission: UUID | None, after: str | None, limit: int) -> None:
    """What waits, alerts first, oldest due first."""
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        zone = outreach.settings.zone
        if submission is None:
            page = list_waiting(work, None, after, limit)
            table = [
                (
                    str(item.submission.id),
                    item.submission.mode,
                    str(item.waiting),
                    str(item.flagged),
                    local(item.submission.due_by, zone),
                    item.author_name,
                    in_language(item.submission.title, outreach.settings.locale),
                )
                for item in page.items
            ]
            rows(("SUBMISSION", "MODE", "WAITING", "FLAGGED", "DUE", "AUTHOR", "TITLE"), table)
            following = page.next_after
        else:
            lines = list_messages(work, submission, after, limit)
            texts = [
                (str(line.id), line.channel, line.client_no, ",".join(line.rules), line.excerpt)
                for line in lines.items
            ]
            rows(("MESSAGE", "CHANNEL", "CLIENT", "FINDINGS", "TEXT"), texts)
            following = lines.next_after
    if following:
        click.echo(f"more: --after {following}")


@review.command()
@click.argument("message", type=click.UUID)
def show(message: UUID) -> None:
    """One message as its client will get it, its findings, and the digest that a decision binds."""
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        _show(message_detail(work, message))


def _show(detail: Detail) -> None:
    payload = detail.payload
    click.echo(f"message    {detail.id}  revision {detail.revision}  {detail.state}")
    click.echo(f"digest     {detail.digest.hex()}")
    click.echo(f"client     {detail.client.name} ({detail.client.client_no}), {detail.client.tier}")
    click.echo(f"author     {detail.author_name}   last editor {detail.last_editor_name}")
    if payload is not None:
        click.echo(f"to         {payload.to} by {payload.channel}")
        if payload.subject:
            click.echo(f"subject    {payload.subject}")
        click.echo(f"\n{payload.text}\n")
    for one in detail.attachments:
        told = f"  material {one.material.standing}, {one.material.decider}" if one.material else ""
        click.echo(f"attached   {one.file_name}  {one.media_type}  {one.size} bytes  {one.sha256}{told}")
    for finding in detail.findings:
        click.echo(f"{finding.severity:6} {finding.rule} ({finding.article}): {finding.advice}")
    if detail.refusal is not None:
        click.echo(f"you may not approve it: {detail.refusal}")


def _told(done: Decided) -> None:
    click.echo(f"{done.verb}: {done.count} at {done.at.isoformat(timespec='seconds')}")
    for decision in done.decisions:
        click.echo(f"decision {decision}")
    for aside in done.set_aside:
        click.echo(f"not approved: {aside.message_id} is {aside.state} ({aside.code})")


_EXPECT = click.option("--digest", help="the digest you read; by default the present one")


def _expected(detail: Detail, digest: str | None) -> dict[UUID, tuple[int, bytes]]:
    """Bind the decision to what was read: a digest given is compared in the transaction."""
    if digest is None:
        return {detail.id: (detail.revision, detail.digest)}
    try:
        return {detail.id: (detail.revision, bytes.fromhex(digest))}
    except ValueError:
        raise click.BadParameter("not a hex digest; copy it from `outreach review show`") from None


@review.command("approve")
@click.argument("message", type=click.UUID, required=False)
@click.option("--batch", type=click.UUID, help="approve a whole submission after its sample")
@click.option("--yes", is_flag=True, help="with --batch: the sample below has been read")
@_EXPECT
def approve_(message: UUID | None, batch: UUID | None, yes: bool, digest: str | None) -> None:
    """Approve one message, or a batch after its sample was read."""
    if (message is None) == (batch is None):
        raise click.UsageError("Give one MESSAGE, or --batch SUBMISSION.")
    with signed_in() as (outreach, actor):
        if message is not None:
            with outreach.open_work(actor) as work:
                detail = message_detail(work, message)
                _told(approve(work, [message], _expected(detail, digest)))
            return
        assert batch is not None
        with outreach.open_work(actor) as work:
            sampled = sample_of(work, batch)
            for message_id in sampled.message_ids:
                _show(message_detail(work, message_id))
                click.echo("─" * 72)
        click.echo(f"{sampled.count} messages, {len(sampled.message_ids)} of them shown above.")
        if not yes and not click.confirm("Approve all of them?"):
            raise click.Abort
        typed = sampled.count if yes or not sampled.needs_count else click.prompt("How many?", type=int)
        with outreach.open_work(actor) as work:
            _told(approve_batch(work, batch, sampled.manifest_digest, sampled.message_ids, typed))


@review.command("return")
@click.argument("message", type=click.UUID)
@click.option("--reason", "reasons", multiple=True, required=True, help="a code of approvals/reasons.toml")
@click.option("--note", default="", help="in your own words")
@_EXPECT
def return__(message: UUID, reasons: tuple[str, ...], note: str, digest: str | None) -> None:
    """Send one message back to its author to be mended."""
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        detail = message_detail(work, message)
        _told(return_(work, [message], _expected(detail, digest), reasons, note))


@review.command("reject")
@click.argument("message", type=click.UUID)
@click.option("--reason", "reasons", multiple=True, required=True, help="a code of approvals/reasons.toml")
@click.option("--note", default="", help="in your own words")
@_EXPECT
def reject_(message: UUID, reasons: tuple[str, ...], note: str, digest: str | None) -> None:
    """Refuse one message for good."""
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        detail = message_detail(work, message)
        _told(reject(work, [message], _expected(detail, digest), reasons, note))


@review.command("undo")
@click.argument("decision", type=click.UUID)
def undo_(decision: UUID) -> None:
    """Take an approval back while its undo window is open."""
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        done = undo(work, decision)
        click.echo(f"undone: {done.count}, too late for {len(done.too_late)}")
