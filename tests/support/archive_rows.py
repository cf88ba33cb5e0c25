"""What an institution has on record after some days: messages of each kind with their lives, written as rows."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from outreach.archive.export import ExportResult, export_period
from outreach.core import clock
from outreach.core.access import Actor
from outreach.core.database import Database
from outreach.core.ids import new_id
from outreach.core.settings import Settings, Smtp
from outreach.delivery.channels.smtp import eml
from outreach.delivery.tables import attempt, receipt, reply
from outreach.ledger.append import Entry, SealedRef, record, seal_bytes
from outreach.ledger.integrator import integrate
from outreach.ledger.seal import KeyRing
from outreach.ledger.work import Opener, Work, opener
from outreach.messages.payload import Payload, digest, to_bytes
from outreach.messages.tables import message, message_revision
from outreach.review.manifest import Bound, manifest_digest
from outreach.review.tables import decision, decision_digest
from tests.support.builders import Firm, Team, firm, make_client
from tests.support.database import fresh_database

CHINESE = "尊敬的测试甲客:\n您好!祝您生日快乐,万事顺意。<b>&amp;\u00a0\r\n第二行【示例证券】"
ENGLISH = "Dear client,\nhappy birthday from all of us at Example Securities."
SENDER = "care@example.com"


@dataclass(frozen=True)
class Sent:
    """A message on record."""

    id: UUID
    client_id: UUID
    payload: Payload
    digest: bytes
    sealed: SealedRef
    team: Team


@dataclass(frozen=True)
class Institution:
    """The firm and what it has on record."""

    firm: Firm
    greeting: Sent  # SMS, approved in a batch, delivered, answered
    mail: Sent  # mail in English, approved in the same batch, sent
    refused: Sent  # returned by the manager, never sent
    foreign: Sent  # of the other branch
    client_no: str


def institution(open_work: Opener, *, more: int = 0) -> Institution:
    """Four messages with all that can happen to one, and ``more`` plain ones."""
    people = firm(open_work)
    with open_work() as work:
        manager = people.b01.manager
        greeting = _message(work, people.b01, _sms(CHINESE), client_no="=T1,甲", author=None)
        mail = _message(work, people.b01, _mail(ENGLISH), author=people.b01.advisor)
        refused = _message(
            work, people.b01, _sms("草稿:推荐产品"), author=people.b01.advisor, state="returned"
        )
        foreign = _message(work, people.b02, _sms("浦东客户您好"), author=None)
        rest = [_message(work, people.b01, _sms(f"第 {n} 位客户您好"), author=None) for n in range(more)]
        batch = _decide(work, manager, [greeting, mail, *rest], "approve")
        _decide(work, manager, [refused], "return", note="请删去产品推荐")
        other = _decide(work, people.b02.manager, [foreign], "approve")
        for item in (greeting, mail, *rest):
            _send(work, item, batch)
        _send(work, foreign, other)
        _delivered(work, greeting)
        _answered(work, greeting, "谢谢!也祝你们<新年>好")
        record(work, Entry("import", {"object": "clients", "rows": 4, "accepted": 4}))
    integrate(open_work)
    return Institution(people, greeting, mail, refused, foreign, "=T1,甲")


def _sms(text: str) -> Payload:
    return Payload(
        channel="sms", to="+8610010000001", text=text, sender="示例证券", recipient_name="测试甲客"
    )


def _mail(text: str) -> Payload:
    return Payload(
        channel="email",
        to="client@example.net",
        text=text,
        html=f"<p>{text}</p>",
        subject="Happy birthday",
        sender="Example Securities",
        recipient_name="A. Client",
    )


def _message(
    work: Work, team: Team, payload: Payload, *, author: Actor | None, state: str = "sent", **client: Any
) -> Sent:
    client_id = make_client(work, team, **client)
    body = to_bytes(payload)
    sealed, now = seal_bytes(work, body), clock.now()
    month = now.date().replace(day=1)
    message_id = new_id()
    work.conn.execute(
        insert(message).values(
            id=message_id,
            scheduled_month=month,
            occurrence_id=new_id(),
            submission_id=new_id(),
            branch_id=team.id,
            client_id=client_id,
            author_id=author.staff_id if author else None,
            last_editor_id=author.staff_id if author else None,
            channel=payload.channel,
            address_hash=work.keys.keyed_hash(payload.to),
            category="relationship",
            language="zh-CN",
            lexicon_digest=b"\x00" * 32,
            digest=digest(body),
            payload_id=sealed.id,
            state=state,
            state_at=now,
            send_at=now,
            time_zone="Asia/Shanghai",
            expires_at=now + timedelta(days=1),
            created_at=now,
        )
    )
    work.conn.execute(
        insert(message_revision).values(
            message_id=message_id,
            scheduled_month=month,
            revision=1,
            digest=digest(body),
            payload_id=sealed.id,
            editor_id=author.staff_id if author else None,
            at=now,
        )
    )
    return Sent(message_id, client_id, payload, digest(body), sealed, team)


def _decide(work: Work, actor: Actor, items: list[Sent], verb: str, note: str = "") -> UUID:
    # The foreign keys to submission and content are other rooms' business; here the rows only have to be joined.
    decision_id, now = new_id(), clock.now()
    bounds = [Bound(item.id, 1, item.digest) for item in items]
    work.conn.exec_driver_sql("SET CONSTRAINTS ALL DEFERRED")
    submission_id, policy_id = _submission(work, actor, items[0].team)
    work.conn.execute(
        insert(decision).values(
            id=decision_id,
            submission_id=submission_id,
            verb=verb,
            actor_id=actor.staff_id,
            at=now,
            undo_until=now,
            note=note,
            manifest_digest=manifest_digest(bounds),
            count=len(bounds),
            policy_version_id=policy_id,
        )
    )
    work.conn.execute(
        insert(decision_digest),
        [
            {"decision_id": decision_id, "message_id": item.message_id, "revision": 1, "digest": item.digest}
            for item in bounds
        ],
    )
    only = items[0] if len(items) == 1 else None
    record(
        Work(work.conn, actor, work.keys, work.settings),
        Entry(
            "decision",
            {
                "decision_id": decision_id,
                "verb": verb,
                "count": len(items),
                "manifest_digest": manifest_digest(bounds),
                **({"revision": 1, "digest": only.digest} if only else {}),
            },
            sealed=seal_bytes(work, note.encode()) if note else None,
            message_id=only.id if only else None,
            client_id=only.client_id if only else None,
            branch_id=items[0].team.id,
        ),
    )
    return decision_id


def _submission(work: Work, actor: Actor, team: Team) -> tuple[UUID, UUID]:
    """A submission under a policy, as rows."""
    now = clock.now()
    names = {"now": now, "staff": actor.staff_id, "other": team.deputy.staff_id, "branch": team.id}
    names["month"] = now.date().replace(day=1)
    names |= {name: new_id() for name in ("release", "version", "occurrence", "submission")}
    for statement in (
        "INSERT INTO content_release (id, at, published_by, approved_by)"
        " VALUES (%(release)s, %(now)s, %(staff)s, %(other)s)",
        "INSERT INTO content_version (id, kind, name, version, sha256, files, release_id, last_editor)"
        " VALUES (%(version)s, 'policy', %(version)s::text, 1, '', '{}', %(release)s, %(staff)s)",
        "INSERT INTO occurrence (id, job_name, occurrence_key, scheduled_month, send_at, expires_at, created_at)"
        " VALUES (%(occurrence)s, 'advisor', %(occurrence)s::text, %(month)s, %(now)s, %(now)s, %(now)s)",
        "INSERT INTO submission (id, occurrence_id, scheduled_month, branch_id, mode, policy_version_id, title,"
        " category, sample_seed, created_at, due_by, send_at, expires_at)"
        " VALUES (%(submission)s, %(occurrence)s, %(month)s, %(branch)s, 'batch', %(version)s,"
        " '生日祝福', 'relationship', 's', %(now)s, %(now)s, %(now)s, %(now)s)",
    ):
        work.conn.exec_driver_sql(statement, names)
    return names["submission"], names["version"]


def _send(work: Work, item: Sent, decision_id: UUID) -> None:
    attempt_id, now = new_id(), clock.now()
    started = now.astimezone(UTC).replace(microsecond=now.microsecond // 1000 * 1000)
    mail = item.payload.channel == "email"
    wire = eml(item.payload, item.id, attempt_id, started, SENDER) if mail else item.payload.text.encode()
    provider = "smtp" if mail else "gateway"
    work.conn.execute(
        insert(attempt).values(
            id=attempt_id,
            message_id=item.id,
            scheduled_month=now.date().replace(day=1),
            provider=provider,
            decision_id=decision_id,
            digest=item.digest,
            wire_digest=hashlib.sha256(wire).digest(),
            state="accepted",
            claimed_at=now,
            started_at=started,
            finished_at=now,
            provider_ref=f"ref-{attempt_id}",
        )
    )
    record(
        work,
        Entry(
            "message.sent",
            {
                "revision": 1,
                "digest": item.digest,
                "channel": item.payload.channel,
                "decision_id": decision_id,
                "attempt_id": attempt_id,
                "provider": provider,
                "provider_ref": f"ref-{attempt_id}",
                "wire_digest": hashlib.sha256(wire).digest(),
                "outcome": "accepted",
                "started_at": started,
            },
            sealed=item.sealed,
            message_id=item.id,
            client_id=item.client_id,
            branch_id=item.team.id,
        ),
    )


def _delivered(work: Work, item: Sent) -> None:
    receipt_id = new_id()
    work.conn.execute(
        insert(receipt).values(
            id=receipt_id,
            message_id=item.id,
            provider="gateway",
            provider_ref=f"ref-{item.id}",
            status="delivered",
            provider_status="DELIVRD",
            received_at=clock.now(),
            settled=True,
        )
    )
    record(
        work,
        Entry(
            "receipt",
            {
                "receipt_id": receipt_id,
                "provider": "gateway",
                "provider_status": "DELIVRD",
                "outcome": "delivered",
            },
            message_id=item.id,
            client_id=item.client_id,
            branch_id=item.team.id,
        ),
    )


def _answered(work: Work, item: Sent, text: str) -> None:
    reply_id, body, now = new_id(), seal_bytes(work, text.encode()), clock.now() + timedelta(seconds=1)
    work.conn.execute(
        insert(reply).values(
            id=reply_id,
            channel="sms",
            provider="gateway",
            provider_ref=f"in-{reply_id}",
            from_hash=work.keys.keyed_hash(item.payload.to),
            client_id=item.client_id,
            branch_id=item.team.id,
            kind="reply",
            body_id=body.id,
            received_at=now,
        )
    )
    record(
        work,
        Entry(
            "reply",
            {
                "reply_id": reply_id,
                "channel": "sms",
                "provider": "gateway",
                "intent": "reply",
                "received_at": now,
            },
            sealed=body,
            client_id=item.client_id,
            branch_id=item.team.id,
        ),
    )


def whole_day() -> tuple[datetime, datetime]:
    """A period that holds everything these builders write."""
    now = clock.now()
    return now - timedelta(hours=1), now + timedelta(hours=1)


@dataclass(frozen=True)
class Exported:
    """An institution whose whole record lies in a bag."""

    institution: Institution
    result: ExportResult
    open_work: Opener
    keys: KeyRing
    conninfo: str


@contextmanager
def exported(postgres: Path, folder: Path, *, more: int = 0) -> Iterator[Exported]:
    """A database of its own with an institution, and the bag of its day in ``folder``."""
    with fresh_database(postgres) as conninfo:
        settings = Settings(home=folder / "var", keys=folder / "keys", smtp=Smtp("localhost", 25, SENDER))
        keys, database = KeyRing.open(settings.keys, create=True), Database(conninfo, pool_size=4)
        try:
            open_work = opener(database, keys, settings)
            made = institution(open_work, more=more)
            result = export_period(open_work, made.firm.compliance, *whole_day(), folder / "bag")
            yield Exported(made, result, open_work, keys, conninfo)
        finally:
            database.close()
