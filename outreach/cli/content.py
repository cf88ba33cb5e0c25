"""``outreach init`` and ``outreach content``: an institution's folders, checked and published."""

import sys
from pathlib import Path

import click

from outreach.cli.changes import tell_changes
from outreach.cli.session import second_person, signed_in
from outreach.content.check import check_folder
from outreach.content.export import export_content, write_folder, zipped
from outreach.content.faults import Fault
from outreach.content.loader import ContentSet
from outreach.content.publish import publish_together
from outreach.content.starter import DEFAULT, lay_out, starter_root
from outreach.core.errors import BadInput
from outreach.core.settings import Settings

_CONTENT = click.option(
    "--content",
    "folder",
    type=click.Path(path_type=Path),
    help="the folder that holds templates/, jobs/ and approvals/ (else OUTREACH_CONTENT, else the starter set)",
)


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--policies",
    default=DEFAULT,
    metavar="SET",
    show_default=True,
    help="who must approve what: china (the Chinese guideline) or us (FINRA's rules)",
)
def init(folder: Path, policies: str) -> None:
    """Lay the starter set out in DIR: templates/, jobs/ and approvals/, to be made your own."""
    try:
        files = lay_out(folder, policies)
    except OSError as error:
        raise BadInput(
            f"{folder} can't be written: {error.strerror}.", mend="Choose a folder that you may write to."
        ) from error
    click.echo(f"{len(files)} files in {folder}")
    click.echo(f"check them    outreach content check --content {folder}")
    click.echo(f"publish them  outreach content publish --content {folder} --second USER")


@click.group()
def content() -> None:
    """Templates, jobs, policies and lexicons."""


@content.command()
@_CONTENT
@click.pass_context
def check(ctx: click.Context, folder: Path | None) -> None:
    """Read and try everything; each fault with file, line and mend. Exit status 1 when there is one."""
    root = _root(folder)
    found, faults = check_folder(root)
    _tell(faults, root)
    if faults:
        click.echo(f"{len(faults)} faults", err=True)
        ctx.exit(1)
    click.echo(_count(found))


@content.command("diff")
@_CONTENT
@click.option("--impact/--no-impact", default=True, help="look through 90 days of messages for new phrases")
@click.pass_context
def diff_(ctx: click.Context, folder: Path | None, impact: bool) -> None:
    """What publishing would change: each line, the waiting messages that keep the old version, and what new phrases
    would have hit in the past 90 days and hit now among what waits. Stores nothing."""
    found = _checked(ctx, _root(folder))
    with signed_in() as (outreach, actor):
        tell_changes(outreach, actor, found, impact=impact)


@content.command("publish")
@_CONTENT
@click.option(
    "--second", required=True, metavar="USER", help="the second person, who gives their own password"
)
@click.option("--note", default="", help="why, in your own words")
@click.pass_context
def publish_(ctx: click.Context, folder: Path | None, second: str, note: str) -> None:
    """Make immutable versions of what changed, under a record of two persons: you, and --second.

    The second person looks at what would change and gives their own password: OUTREACH_SECOND_PASSWORD, or asked for.
    """
    found = _checked(ctx, _root(folder))
    with signed_in() as (outreach, actor):
        if tell_changes(outreach, actor, found, impact=True) and sys.stdin.isatty():
            click.confirm("Publish this?", abort=True)
        approver = second_person(outreach, second)
        with outreach.open_work(actor) as work:
            release = publish_together(work, found, approver, note=note)
    if release.id is None:
        click.echo(f"nothing has changed since release {release.number}")
        return
    click.echo(
        f"release {release.number}: {len(release.versions)} new versions, {len(release.retired)} ended"
    )
    for kind, name, version in release.versions:
        click.echo(f"  {kind} {name} {version}")
    for kind, name, version in release.retired:
        click.echo(f"  {kind} {name} {version} (ended)")


@content.command()
@click.argument("target", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--zip", "as_zip", is_flag=True, help="write one ZIP archive of that name instead of a folder")
def export(target: Path, as_zip: bool) -> None:
    """Write what is in force back as files: templates/, jobs/ and approvals/ in DIR, as they were published.

    Publishing that folder again changes nothing.
    """
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        tree = export_content(work)
        try:
            if as_zip:
                with target.open("xb") as archive:
                    archive.write(zipped(tree))
            else:
                write_folder(target, tree)
        except FileExistsError as error:
            raise BadInput(f"{target} is there already.", mend="Choose another name.") from error
        except OSError as error:
            raise BadInput(
                f"{target} can't be written: {error.strerror}.", mend="Choose a place that you may write to."
            ) from error
    click.echo(f"{len(tree)} files in {target}")


def _checked(ctx: click.Context, root: Path) -> ContentSet:
    found, faults = check_folder(root)
    if faults:
        _tell(faults, root)
        click.echo(f"{len(faults)} faults; nothing was published", err=True)
        ctx.exit(1)
    return found


def _root(folder: Path | None) -> Path:
    root = folder or Settings.from_environment().content or starter_root()
    if not root.is_dir():
        raise BadInput(
            f"{root} is not a folder.",
            mend=f"Name the folder that holds templates/, jobs/ and approvals/, or run: outreach init {root}",
        )
    return root


def _tell(faults: list[Fault], root: Path) -> None:
    for fault in faults:
        click.echo(f"{root / fault.file}:{fault.line}: {fault.message} {fault.mend}".rstrip(), err=True)


def _count(found: ContentSet) -> str:
    return (
        f"no faults: {len(found.templates)} templates, {len(found.jobs)} jobs, {len(found.policies)} policies,"
        f" {len(found.lexicons)} lexicons"
    )
