"""``outreach material``: what may be attached is put up, read and decided; the same services as the pages."""

from datetime import date, datetime
from pathlib import Path
from uuid import UUID

import click

from outreach.cli.session import signed_in
from outreach.cli.tables import local, rows
from outreach.content.formats import CATEGORIES, LANGUAGES
from outreach.core.errors import BadInput
from outreach.ledger.work import Work
from outreach.messages.files import LARGEST
from outreach.messages.material import STATES, Material, Particulars, list_material, material_for
from outreach.review.material import (
    approve_material,
    material_file,
    mend_material,
    put_up,
    reject_material,
    return_material,
    withdraw_material,
)


@click.group()
def material() -> None:
    """Proposals and marketing material, approved before they have a recipient."""


@material.command("list")
@click.option("--state", type=click.Choice(STATES), help="only what stands so")
@click.option("--mine", is_flag=True, help="only what you put up")
@click.option("--after", type=click.UUID, help="go on after this id, as the last line of a page says")
@click.option("--limit", default=50, show_default=True)
def list_(state: str | None, mine: bool, after: UUID | None, limit: int) -> None:
    """Your branch's and the firm's material, newest first."""
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        found = list_material(work, (state,) if state else STATES, mine=mine, after=after, limit=limit + 1)
        table = [
            (
                str(one.id),
                one.standing,
                one.category,
                f"R{one.risk_level}" if one.risk_level else "-",
                "yes" if one.advice else "-",
                local(one.last_day, outreach.settings.zone)[:10] if one.last_day else "-",
                one.author,
                one.title,
            )
            for one in found[:limit]
        ]
        rows(("MATERIAL", "STATE", "CATEGORY", "RISK", "ADVICE", "UNTIL", "AUTHOR", "TITLE"), table)
    if len(found) > limit:
        click.echo(f"more: --after {found[limit - 1].id}")


@material.command()
@click.argument("material_id", metavar="MATERIAL", type=click.UUID)
@click.option(
    "--save", type=click.Path(dir_okay=False, path_type=Path), help="write the file here, to be read"
)
def show(material_id: UUID, save: Path | None) -> None:
    """One material, and the digest that a decision binds."""
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        _show(material_for(work, material_id))
        if save is not None:
            file = material_file(work, material_id)
            try:
                with save.open("xb") as target:
                    target.write(file.data)
            except OSError as error:
                raise BadInput(
                    f"{save} can't be written: {error.strerror}.", mend="Choose a name that is free."
                ) from error
            click.echo(f"saved      {save} ({len(file.data)} bytes)")


@material.command("put-up")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--mend", type=click.UUID, help="put this returned material up again, with FILE instead of its own"
)
@click.option("--title", required=True, help="what it is, in a few words")
@click.option("--category", type=click.Choice(CATEGORIES), required=True, help="the kind of service")
@click.option("--language", type=click.Choice(LANGUAGES), default="zh-CN", show_default=True)
@click.option("--risk", type=click.IntRange(1, 5), help="R1 to R5, as a number")
@click.option("--advice", is_flag=True, help="it is investment advice")
def put_up_(
    file: Path,
    mend: UUID | None,
    title: str,
    category: str,
    language: str,
    risk: int | None,
    advice: bool,
) -> None:
    """Put FILE (PDF, PNG or JPEG) up for approval by a second person."""
    said = Particulars(title, category, language, risk, advice)
    with file.open("rb") as source:
        data = source.read(LARGEST + 1)
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        if mend is None:
            made = put_up(work, said, file.name, data)
        else:
            made = mend_material(work, mend, said, file.name, data)
        _show(made)


_DIGEST = click.option("--digest", help="the digest you read; by default the present one")
_NOTE = click.option("--note", default="", help="in your own words")
_REASON = click.option(
    "--reason", "reasons", multiple=True, help="a code of approvals/reasons.toml; repeatable"
)
_MATERIAL = click.argument("material_id", metavar="MATERIAL", type=click.UUID)


@material.command("approve")
@_MATERIAL
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="the last day on which it may be used")
@_DIGEST
@_NOTE
def approve_(material_id: UUID, until: datetime | None, digest: str | None, note: str) -> None:
    """Approve material as you read it."""
    last_day: date | None = until.date() if until else None
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        _show(
            approve_material(
                work, material_id, _bound(work, material_id, digest), last_day=last_day, note=note
            )
        )


@material.command("return")
@_MATERIAL
@_REASON
@_DIGEST
@_NOTE
def return_(material_id: UUID, reasons: tuple[str, ...], digest: str | None, note: str) -> None:
    """Give material back to be mended, with a reason."""
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        _show(return_material(work, material_id, _bound(work, material_id, digest), reasons, note))


@material.command("reject")
@_MATERIAL
@_REASON
@_DIGEST
@_NOTE
def reject_(material_id: UUID, reasons: tuple[str, ...], digest: str | None, note: str) -> None:
    """Refuse material for good, with a reason."""
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        _show(reject_material(work, material_id, _bound(work, material_id, digest), reasons, note))


@material.command("withdraw")
@_MATERIAL
@_NOTE
def withdraw_(material_id: UUID, note: str) -> None:
    """Take material back: it can't be attached from then on."""
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        _show(withdraw_material(work, material_id, note))


def _bound(work: Work, material_id: UUID, digest: str | None) -> bytes:
    """Bind the decision to what was read: a digest given is compared in the transaction."""
    if digest is None:
        return material_for(work, material_id).digest
    try:
        return bytes.fromhex(digest)
    except ValueError:
        raise click.BadParameter("not a hex digest; copy it from `outreach material show`") from None


def _show(one: Material) -> None:
    risk = f"R{one.risk_level}" if one.risk_level else "no product risk"
    click.echo(f"material   {one.id}  {one.standing}")
    click.echo(f"title      {one.title}")
    click.echo(
        f"kind       {one.category}, {one.language}, {risk}{', investment advice' if one.advice else ''}"
    )
    click.echo(f"file       {one.file_name}, {one.media_type}, {one.size} bytes")
    click.echo(f"sha256     {one.sha256.hex()}")
    click.echo(f"digest     {one.digest.hex()}")
    click.echo(f"author     {one.author}")
    if one.decided_at:
        reasons = f" ({', '.join(one.reasons)})" if one.reasons else ""
        click.echo(f"decided    by {one.decider}{reasons} {one.note}".rstrip())
