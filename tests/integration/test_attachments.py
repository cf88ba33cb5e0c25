"""What is attached is in the digest, in the mail byte for byte, and stopped when it is no longer what was approved."""

import email
import email.policy
import hashlib
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Connection, NullPool, create_engine, select, text

from outreach.app import wire
from outreach.archive.export import export_period
from outreach.archive.verify import verify_bag
from outreach.composing.drafts import RequestDraft
from outreach.composing.pending import personalise
from outreach.composing.requests import queue_request
from outreach.core import clock
from outreach.core.errors import BadInput, Forbidden, NotFound
from outreach.ledger.integrator import integrate
from outreach.messages.attachments import Attachment, attachments_by_id, take_attachment
from outreach.messages.payload import digest, to_bytes
from outreach.messages.tables import attachment, message
from outreach.review.decide import approve
from tests.support.builders import make_client
from tests.support.papers import pdf, picture
from tests.support.sending import Post, mail, mobile

NAME = "2027年度 投资建议书.pdf"


@pytest.fixture
def taken(post: Post) -> Attachment:
    wire()
    with post.open_work(post.people.b01.advisor) as work:
        return take_attachment(work, NAME, pdf("proposal"))


def owner(post: Post) -> Connection:
    """The database as its owner: whoever may do anything to it."""
    address = post.database.owner_conninfo.replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(address, poolclass=NullPool)
    return engine.connect().execution_options(isolation_level="AUTOCOMMIT")


def queue(post: Post, *attached: UUID, to: str | None = None, **fields: str) -> tuple[UUID, ...]:
    with post.open_work() as work:
        client = make_client(work, post.people.b01, mobile=mobile(), email=to or mail())
    with post.open_work(post.people.b01.advisor) as work:
        draft = RequestDraft(
            (client,), text="{称呼}，您好！附件是为您准备的资料。", attachments=attached, **fields
        )
        return queue_request(work, draft).message_ids


def send(post: Post, message_id: UUID) -> None:
    with post.open_work(post.people.b01.manager) as work:
        row = work.conn.execute(select(message).where(message.c.id == message_id)).one()
        approve(work, [row.id], {row.id: (row.revision, bytes(row.digest))})
    post.due_now()
    post.send(urgent=False)


def received(post: Post, address: str) -> EmailMessage:
    [one] = post.servers.sandbox.mailbox(address)
    parsed = email.message_from_bytes(one.raw, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def test_it_is_in_the_payload_and_so_in_the_digest(post: Post, taken: Attachment) -> None:
    [message_id] = queue(post, taken.id)
    payload = post.payload(message_id)
    assert payload.channel == "email"
    assert payload.attachments == (f"{hashlib.sha256(pdf('proposal')).hexdigest()} application/pdf {NAME}",)
    assert bytes(post.row(message_id).digest) == digest(to_bytes(payload))


def test_the_mail_carries_the_bytes_as_approved_under_their_own_name(post: Post, taken: Attachment) -> None:
    with post.open_work(post.people.b01.advisor) as work:
        chart = take_attachment(work, "chart.png", picture())
    address = mail()
    [message_id] = queue(post, taken.id, chart.id, to=address)
    send(post, message_id)
    assert post.state(message_id) == ("sent", None)
    mail_ = received(post, address)
    assert mail_.get_content_type() == "multipart/mixed"
    files = list(mail_.iter_attachments())
    assert [(one.get_filename(), one.get_content_type()) for one in files] == [
        (NAME, "application/pdf"),
        ("chart.png", "image/png"),
    ]
    assert [one.get_content() for one in files] == [pdf("proposal"), picture()]
    body = mail_.get_body(("plain",))
    assert body is not None
    assert "附件是为您准备的资料" in body.get_content()


def test_an_export_holds_the_file_once_and_the_mail_as_it_was_sent(
    post: Post, taken: Attachment, tmp_path: Path
) -> None:
    sent = [*queue(post, taken.id), *queue(post, taken.id)]
    for message_id in sent:
        send(post, message_id)
    integrate(post.open_work)
    start = clock.now() - timedelta(hours=1)
    made = export_period(
        post.open_work, post.people.compliance, start, start + timedelta(hours=2), tmp_path / "all"
    )
    [file] = (made.path / "data/attachments").iterdir()
    assert file.name == f"{taken.sha256.hex()}.pdf"
    assert file.read_bytes() == pdf("proposal")
    mails = [one.read_bytes() for one in made.path.glob("data/records/*/*.eml")]
    wires = {post.attempts(one)[0].wire_digest for one in sent}
    assert {hashlib.sha256(one).digest() for one in mails} == wires
    pages = [one.read_text(encoding="utf-8") for one in made.path.glob("data/**/*.html")]
    assert any(f"{taken.sha256.hex()} application/pdf {NAME}" in one for one in pages)
    assert verify_bag(made.path, made.fingerprint).ok
    script = made.path / "VERIFY.txt"
    assert "data/attachments" in script.read_text(encoding="utf-8")
    file.write_bytes(pdf("another"))
    assert not verify_bag(made.path, made.fingerprint).ok


@pytest.mark.parametrize("how", ["altered", "disposed", "renamed"])
def test_what_is_no_longer_what_was_approved_does_not_go_out(post: Post, taken: Attachment, how: str) -> None:
    [message_id] = queue(post, taken.id)
    with post.open_work(post.people.b01.manager) as work:
        row = work.conn.execute(select(message).where(message.c.id == message_id)).one()
        approve(work, [row.id], {row.id: (row.revision, bytes(row.digest))})
    with owner(post) as conn:
        if how == "altered":
            conn.execute(
                text(
                    "UPDATE sealed_record SET ciphertext = set_byte(ciphertext, 9, get_byte(ciphertext, 9) # 1)"
                    " WHERE id = (SELECT sealed_id FROM attachment)"
                )
            )
        elif how == "disposed":
            conn.execute(text("DELETE FROM sealed_record WHERE id = (SELECT sealed_id FROM attachment)"))
        else:
            conn.execute(text("UPDATE attachment SET sha256 = sha256(sha256)"))
    post.due_now()
    post.send(urgent=False)
    assert post.state(message_id) == ("held", "payload_altered")


def test_a_message_with_an_attachment_goes_by_mail_only(post: Post, taken: Attachment) -> None:
    with pytest.raises(BadInput, match="Only a mail"):
        queue(post, taken.id, channel="sms")
    with post.open_work() as work:
        client = make_client(work, post.people.b01, email=None)
    with post.open_work(post.people.b01.advisor) as work:
        queued = queue_request(work, RequestDraft((client,), text="您好", attachments=(taken.id,)))
    assert (queued.message_ids, queued.left_out) == ((), 1)


def test_the_same_file_is_kept_once_and_more_than_five_are_refused(post: Post, taken: Attachment) -> None:
    with post.open_work(post.people.b01.advisor) as work:
        assert take_attachment(work, NAME, pdf("proposal")).id == taken.id
        other = take_attachment(work, "其他名称.pdf", pdf("proposal"))
        more = [take_attachment(work, f"{n}.pdf", pdf(str(n))).id for n in range(6)]
    assert other.id != taken.id
    with post.open_work() as work:
        sealed = work.conn.execute(
            select(attachment.c.sealed_id).where(attachment.c.sha256 == taken.sha256)
        ).scalars()
        assert len(set(sealed)) == 1
    with pytest.raises(BadInput, match="up to 5"):
        queue(post, *more)


def test_another_branchs_attachment_is_not_found_and_head_offices_is_everybodys(
    post: Post, taken: Attachment
) -> None:
    with post.open_work(post.people.b02.advisor) as work, pytest.raises(NotFound):
        attachments_by_id(work, [taken.id])
    with post.open_work(post.people.head_office) as work:
        everybodys = take_attachment(work, "反诈手册.pdf", pdf("handbook"))
    with post.open_work(post.people.b02.advisor) as work:
        assert attachments_by_id(work, [everybodys.id])[0].branch_id is None
    with post.open_work(post.people.compliance) as work, pytest.raises(Forbidden):
        take_attachment(work, NAME, pdf())


def test_a_revision_keeps_what_is_attached(post: Post, taken: Attachment) -> None:
    [message_id] = queue(post, taken.id)
    before = post.payload(message_id)
    with post.open_work(post.people.b01.advisor) as work:
        personalise(work, message_id, 1, "您好！资料见附件，如有疑问请随时来电。")
    after = post.payload(message_id)
    assert after.text != before.text
    assert after.attachments == before.attachments
