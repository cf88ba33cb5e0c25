"""Attaching in the composer: files that were handed in, and material that was chosen; each refused with its reason."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from outreach.composing.drafts import RequestDraft
from outreach.core.access import Permission
from outreach.core.errors import OutreachError
from outreach.ledger.work import Work
from outreach.messages.attachments import chosen_attachments, take_attachment
from outreach.messages.material import fits, material_for, unusable
from outreach.web.frame import Desk
from outreach.web.handed_in import HandedIn


@dataclass(frozen=True)
class Refused:
    """What was not attached, and why. ``name`` as the file was handed in; of material the reason names it."""

    name: str
    error: OutreachError


def with_files(
    desk: Desk,
    draft: RequestDraft,
    material: UUID | None,
    detach: UUID | None,
    files: Sequence[HandedIn],
) -> tuple[RequestDraft, tuple[Refused, ...]]:
    """The draft with what was chosen and handed in, without what was taken out. One bad file stops no other."""
    draft = replace(draft, attachments=tuple(one for one in draft.attachments if one != detach))
    refused: list[Refused] = []
    if material is not None:
        try:
            with desk.work() as work:
                found = material_for(work, material, Permission.COMPOSE)
                if not found.usable:
                    raise unusable(work, found)
                draft = _attaching(work, draft, found.attachment_id)
            # Advice and products go with their own kind of service only; the form shows which it is now.
            if not draft.template and not fits(found.category, draft.category):
                draft = replace(draft, category=found.category)
        except OutreachError as error:
            refused.append(Refused("", error))
    for file in files:
        try:
            with desk.work() as work:
                draft = _attaching(work, draft, take_attachment(work, file.name, file.data).id)
        except OutreachError as error:
            refused.append(Refused(file.name, error))
    return draft, tuple(refused)


def _attaching(work: Work, draft: RequestDraft, attachment_id: UUID) -> RequestDraft:
    """The draft with one more attachment. Raises BadInput when they become too many or too large together."""
    together = tuple(dict.fromkeys([*draft.attachments, attachment_id]))
    chosen_attachments(work, together)
    return replace(draft, attachments=together)
