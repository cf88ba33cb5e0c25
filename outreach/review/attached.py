"""Opening what a message has attached: by whoever may read the message, and recorded when compliance does."""

from uuid import UUID

from sqlalchemy import select

from outreach.core.access import Permission, Role, visible
from outreach.core.errors import NotFound
from outreach.ledger.append import Entry, record, unseal_many
from outreach.ledger.work import Work
from outreach.messages.attachments import Contents, read_contents
from outreach.messages.payload import from_bytes
from outreach.messages.tables import message


def open_attached(work: Work, message_id: UUID, number: int) -> Contents:
    """File ``number`` (from 0) of a message as its present revision names it: bytes of that very digest.

    Raises NotFound beyond the actor's scope, for a number that there is not, and for a file that was disposed of or is
    no longer what was attached.
    """
    scope = visible(work.actor, Permission.READ_MESSAGES, message.c.branch_id)
    row = work.conn.execute(select(message).where(message.c.id == message_id, scope)).one_or_none()
    if row is None:
        raise NotFound("There is no such message that you may see.", mend="Look in the inbox again.")
    body = unseal_many(work, [row.payload_id]).get(row.payload_id)
    lines = from_bytes(body).attachments if body is not None else ()
    if not 0 <= number < len(lines):
        raise NotFound("This message has no such attachment.", mend="Open the message again.")
    found = read_contents(work, [lines[number]]).get(lines[number])
    if found is None:
        raise NotFound(
            "This file is no longer kept.", mend="The record says when and why it was disposed of."
        )
    if Role.COMPLIANCE in work.actor.roles():
        record(
            work,
            Entry(
                "view",
                {"object": "attachment", "purpose": "review", "submission_id": row.submission_id},
                message_id=row.id,
                client_id=row.client_id,
                branch_id=row.branch_id,
            ),
        )
    return found
