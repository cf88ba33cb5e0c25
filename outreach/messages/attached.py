"""What a message has attached, as its readers see it: name, kind, size, digest, and the material that it is."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from outreach.core.access import Permission
from outreach.ledger.work import Work
from outreach.messages.attachments import named
from outreach.messages.material import Material, material_of
from outreach.messages.tables import attachment


@dataclass(frozen=True)
class Attached:
    """One file of a message. ``sha256`` is hex; ``size`` in bytes, None when it is no longer kept.

    ``material``: what was decided on these bytes before they had a recipient."""

    sha256: str
    media_type: str
    file_name: str
    size: int | None
    material: Material | None = None

    @property
    def is_picture(self) -> bool:
        """Whether a page can show it in place."""
        return self.media_type.startswith("image/")


def attached_of(
    work: Work, lines: Sequence[str], permission: Permission = Permission.READ_MESSAGES
) -> tuple[Attached, ...]:
    """What these lines of a payload name, in their order."""
    if not lines:
        return ()
    files = [named(line) for line in lines]
    digests = {bytes.fromhex(one.sha256) for one in files}
    sizes = {
        bytes(row.sha256).hex(): row.size
        for row in work.conn.execute(
            select(attachment.c.sha256, attachment.c.size).where(attachment.c.sha256.in_(digests))
        )
    }
    known = {sha256.hex(): found[0] for sha256, found in material_of(work, digests, permission).items()}
    return tuple(
        Attached(one.sha256, one.media_type, one.file_name, sizes.get(one.sha256), known.get(one.sha256))
        for one in files
    )
