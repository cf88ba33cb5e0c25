"""Submissions and messages as composing would leave them, straight into the tables, for tests of review."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select, update

from outreach.content.tables import content_release, content_version
from outreach.core import clock
from outreach.core.access import Actor
from outreach.core.ids import new_id
from outreach.ledger.append import seal_bytes, unseal_bytes
from outreach.ledger.work import Work
from outreach.messages.copying import NewMessage, text_hash, write_messages
from outreach.messages.findings import Finding
from outreach.messages.payload import Payload, digest, from_bytes, to_bytes
from outreach.messages.tables import message, message_revision
from outreach.people.tables import client, contact_point
from outreach.review.tables import submission
from outreach.scheduling.tables import occurrence
from tests.support.builders import Firm, Team, make_client

Expected = dict[UUID, tuple[int, bytes]]


@dataclass(frozen=True)
class Held:
    """A submission and its messages, in the order of their ids."""

    submission_id: UUID
    ids: tuple[UUID, ...]

    @property
    def first(self) -> UUID:
        return self.ids[0]


def placed(work: Work, ids: Iterable[UUID]) -> Sequence[Row[Any]]:
    """These messages, as rows."""
    return work.conn.execute(select(message).where(message.c.id.in_(list(ids)))).all()


def content(
    work: Work, kind: str, name: str, files: dict[str, str], editor: Actor, approver: Actor, version: int = 1
) -> UUID:
    """One version of content under a two-person release; returns the version's id."""
    release = new_id()
    work.conn.execute(
        insert(content_release).values(
            id=release, at=clock.now(), published_by=editor.staff_id, approved_by=approver.staff_id
        )
    )
    identifier = new_id()
    work.conn.execute(
        insert(content_version).values(
            id=identifier,
            kind=kind,
            name=name,
            version=version,
            sha256=b"\0" * 32,
            files=files,
            release_id=release,
            last_editor=editor.staff_id,
        )
    )
    return identifier


def hold(
    work: Work,
    firm: Firm,
    team: Team | None,
    *,
    policy: UUID,
    count: int = 1,
    mode: str = "each",
    author: Actor | None = None,
    template: UUID | None = None,
    lexicon: bytes = b"",
    findings: tuple[Finding, ...] = (),
    urgent: bool = False,
    send_at: datetime | None = None,
    due_by: datetime | None = None,
    expires_at: datetime | None = None,
    text: str = "您好，{name}，祝您节日快乐！",
    client_ids: tuple[UUID, ...] = (),
    title: str = "中秋祝福",
    category: str = "relationship",
    job: str = "mid-autumn",
) -> Held:
    """A submission of ``count`` held messages to clients of ``team`` (None: of both branches, for the firm)."""
    now = clock.now()
    send = send_at or now
    expires = expires_at or now + timedelta(days=3)
    month = send.date().replace(day=1)
    occurrence_id, submission_id = new_id(), new_id()
    work.conn.execute(
        insert(occurrence).values(
            id=occurrence_id,
            job_name="advisor" if author else job,
            occurrence_key=str(occurrence_id),
            template_version_id=template,
            policy_version_id=policy,
            scheduled_month=month,
            send_at=send,
            expires_at=expires,
            requested_by=author.staff_id if author else None,
            state="composed",
            created_at=now,
        )
    )
    work.conn.execute(
        insert(submission).values(
            id=submission_id,
            occurrence_id=occurrence_id,
            scheduled_month=month,
            branch_id=team.id if team else None,
            mode=mode,
            policy_version_id=policy,
            template_version_id=template,
            title=title,
            category=category,
            author_id=author.staff_id if author else None,
            urgent=urgent,
            sample_seed=str(submission_id),
            created_at=now,
            due_by=due_by or now + timedelta(hours=4),
            escalate_at=due_by or now + timedelta(hours=4),
            send_at=send,
            expires_at=expires,
        )
    )
    teams = [team] if team else [firm.b01, firm.b02]
    clients = client_ids or tuple(make_client(work, teams[n % len(teams)]) for n in range(count))
    batch = [
        _message(
            work,
            client_id,
            occurrence_id=occurrence_id,
            submission_id=submission_id,
            scheduled_month=month,
            author_id=author.staff_id if author else None,
            template_version_id=template,
            lexicon_digest=lexicon,
            findings=findings,
            urgent=urgent,
            send_at=send,
            expires_at=expires,
            text=text,
            category=category,
        )
        for client_id in clients
    ]
    write_messages(work, batch)
    return Held(submission_id, tuple(sorted(item.id for item in batch)))


def _message(work: Work, client_id: UUID, *, text: str, **fields: Any) -> NewMessage:
    person = work.conn.execute(select(client).where(client.c.id == client_id)).one()
    point = work.conn.execute(
        select(contact_point).where(contact_point.c.client_id == client_id, contact_point.c.channel == "sms")
    ).one()
    return NewMessage(
        id=new_id(),
        branch_id=person.branch_id,
        client_id=client_id,
        advisor_id=person.advisor_id,
        channel="sms",
        contact_point_id=point.id,
        address_hash=work.keys.keyed_hash(point.address),
        language="zh-CN",
        risk_level=None,
        product_codes=[],
        advice=False,
        send_window="00:00-24:00",
        time_zone="Asia/Shanghai",
        payload=Payload(channel="sms", to=point.address, text=text.format(name=person.name)),
        **fields,
    )


def edit(work: Work, message_id: UUID, text: str, editor: Actor) -> None:
    """A new revision by ``editor``, as personalising a held message makes it."""
    row = work.conn.execute(select(message).where(message.c.id == message_id)).one()
    payload = replace(from_bytes(unseal_bytes(work, row.payload_id)), text=text)
    data = to_bytes(payload)
    sealed = seal_bytes(work, data)
    work.conn.execute(
        update(message)
        .where(message.c.id == message_id)
        .values(
            revision=row.revision + 1,
            digest=digest(data),
            payload_id=sealed.id,
            last_editor_id=editor.staff_id,
            flagged=True,
            reason="edited",
            text_hash=text_hash(work.keys, payload),
        )
    )
    work.conn.execute(
        insert(message_revision).values(
            message_id=message_id,
            scheduled_month=row.scheduled_month,
            revision=row.revision + 1,
            digest=digest(data),
            payload_id=sealed.id,
            editor_id=editor.staff_id,
            at=clock.now(),
        )
    )


def as_read(work: Work, ids: tuple[UUID, ...]) -> Expected:
    """What a page would have shown of these messages: revision and digest of each."""
    rows = work.conn.execute(
        select(message.c.id, message.c.revision, message.c.digest).where(message.c.id.in_(ids))
    )
    return {row.id: (row.revision, bytes(row.digest)) for row in rows}


def states(work: Work, ids: tuple[UUID, ...]) -> list[str]:
    """The states of these messages, in the order of their ids."""
    rows = work.conn.execute(select(message.c.state).where(message.c.id.in_(ids)).order_by(message.c.id))
    return list(rows.scalars())
