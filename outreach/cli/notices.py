"""``outreach notices``: by what staff is told, and whether it arrives. Never what a notice says."""

import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import click
from sqlalchemy import select

from outreach.app import Outreach
from outreach.cli.session import signed_in
from outreach.cli.tables import rows
from outreach.core.access import Permission, require
from outreach.core.errors import BadInput, OutreachError
from outreach.ledger.work import Work
from outreach.notices.letters import Letter, mail_of
from outreach.notices.outbox import MAIL
from outreach.notices.targets import Target, tell_target
from outreach.notices.wording import word
from outreach.people.tables import branch, staff


@click.group()
def notices() -> None:
    """By what staff is told of what waits and what was decided."""


@notices.command()
def targets() -> None:
    """The targets of OUTREACH_NOTICE_TARGETS: whose each is, what it is told; never its address."""
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        require(actor, Permission.RUN_JOBS)
        found = outreach.ways().targets
        unknown = _unknown(work, found)
        rows(
            ("TARGET", "SERVICE", "WHOSE", "TOLD", "REMARK"),
            [
                (one.name, one.service, one.whose, ", ".join(sorted(one.tells)), unknown.get(one.name, ""))
                for one in found
            ],
        )


@notices.command()
@click.option("--target", "names", multiple=True, help="only this one; may be repeated")
@click.option("--mail", "address", help="send a test mail there, too")
def test(names: tuple[str, ...], address: str | None) -> None:
    """Send a test notice to every target, and say what came back; exit status 1 when one did not take it."""
    with signed_in() as (outreach, actor), outreach.open_work(actor) as work:
        require(actor, Permission.RUN_JOBS)
        ways = outreach.ways()
        chosen = _chosen(ways.targets, names)
        unknown = _unknown(work, chosen)
    if address and ways.mailer is None:
        raise BadInput("There is no mail server.", mend="Set OUTREACH_SMTP_HOST.")
    if not chosen and not address:
        click.echo("There are no targets: OUTREACH_NOTICE_TARGETS names none.")
        return
    table: list[tuple[str, str, str, str]] = []
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda one: _told(outreach, one), chosen))
    for one, (took, wrong) in zip(chosen, said, strict=True):
        remark = "; ".join(part for part in (wrong or "told", unknown.get(one.name, "")) if part)
        table.append((one.name, one.service, took, remark))
    failed = any(wrong for _, wrong in said)
    if address and ways.mailer is not None:
        letter = _letter(outreach, outreach.settings.locale)
        began = time.monotonic()
        try:
            ways.mailer(mail_of(letter, address))
            wrong = ""
        except (OutreachError, OSError) as error:
            wrong, failed = str(error), True
        table.append((MAIL, "SMTP", f"{time.monotonic() - began:.1f} s", wrong or "told"))
    rows(("TARGET", "SERVICE", "TOOK", "WHAT CAME BACK"), table)
    if failed:
        sys.exit(1)


def _chosen(found: Sequence[Target], names: Sequence[str]) -> list[Target]:
    known = {one.name: one for one in found}
    for name in names:
        if name not in known:
            raise BadInput(
                f"There is no target {name!r}.",
                mend=f"Use {', '.join(known)}." if known else "Name it in the file first.",
            )
    return [known[name] for name in names] if names else list(found)


def _told(outreach: Outreach, target: Target) -> tuple[str, str]:
    """How long it took, and what went wrong."""
    began = time.monotonic()
    try:
        tell_target(target, _letter(outreach, target.language or outreach.settings.locale))
        wrong = ""
    except OutreachError as error:
        wrong = str(error)
    return f"{time.monotonic() - began:.1f} s", wrong


def _letter(outreach: Outreach, locale: str) -> Letter:
    wording = word("test", {}, locale)
    firm = outreach.settings.firm_name if locale.startswith("zh") else outreach.settings.firm_name_en
    url = f"{outreach.settings.public_url}{wording.path}"
    return Letter(wording.line, f"{url}\n\n— {firm} · Outreach\n")


def _unknown(work: Work, found: Sequence[Target]) -> dict[str, str]:
    """Targets whose branch or member of staff there is not, in words."""
    codes = set(work.conn.execute(select(branch.c.code)).scalars())
    numbers = set(work.conn.execute(select(staff.c.staff_no).where(staff.c.status == "active")).scalars())
    said: dict[str, str] = {}
    for one in found:
        if one.branch and one.branch not in codes:
            said[one.name] = f"there is no branch {one.branch}"
        elif one.staff_no and one.staff_no not in numbers:
            said[one.name] = f"there is no member of staff {one.staff_no} in service"
    return said
