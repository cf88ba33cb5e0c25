"""The sandbox's mail server, spoken to by smtplib and aiosmtplib."""

import asyncio
import base64
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from uuid import uuid4

import aiosmtplib
import pytest

from outreach.core.errors import BadInput
from outreach.demo.sandbox.launch import Running, launch

FROM = "care@example.com"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    state: Path = tmp_path_factory.mktemp("smtp")
    running = launch("smtp", state)
    yield running
    assert running.stop() == 0
    assert (state / "smtp.log").read_text() == ""


@pytest.fixture(autouse=True)
def well(server: Running) -> None:
    server.client.clear_faults()


def address() -> str:
    return f"{uuid4().hex[:12]}@client.example"


def mail(to: str, message_id: str = "") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = FROM, to, "中秋快乐"
    message["Message-ID"] = message_id or f"<{uuid4().hex}.{uuid4().hex}@example.com>"
    message.set_content("祝您中秋快乐。\n.一行以点开头\n")
    return message


def send(server: Running, message: EmailMessage, timeout: float = 5.0) -> None:
    with smtplib.SMTP("127.0.0.1", server.port, timeout=timeout) as client:
        client.send_message(message)


def test_a_mail_is_kept_byte_for_byte_with_its_envelope(server: Running) -> None:
    to, message_id = address(), uuid4()
    message = mail(to, f"<{message_id.hex}.{uuid4().hex}@example.com>")
    raw = message.as_bytes(policy=message.policy.clone(linesep="\r\n", cte_type="8bit"))
    with smtplib.SMTP("127.0.0.1", server.port, timeout=5) as client:
        client.sendmail(FROM, [to, "second@client.example"], raw, ["BODY=8BITMIME"])
    (entry,) = server.client.messages(address=to)
    assert base64.b64decode(entry["raw"]) == raw
    assert (entry["from"], entry["to"]) == (FROM, [to, "second@client.example"])
    assert entry["message_id"] == message["Message-ID"].strip("<>")
    assert entry["reference"] == str(message_id)


def test_counts_show_what_came_twice(server: Running) -> None:
    to, message_id = address(), uuid4()
    before = server.client.counts(brief=True)
    for attempt in range(3):
        send(server, mail(to, f"<{message_id.hex}.{attempt:032x}@example.com>"))
    send(server, mail(to))
    counts = server.client.counts()
    assert counts["total"] == before["total"] + 4
    assert counts["distinct"] == before["distinct"] + 2
    assert counts["recipients"][to] == 4
    assert counts["references"][str(message_id)] == 3
    assert counts["duplicates"][str(message_id)] == 3


def test_messages_are_read_page_by_page(server: Running) -> None:
    to = address()
    for _ in range(5):
        send(server, mail(to))
    page = server.client.messages(limit=2, address=to)
    rest = server.client.messages(after=page[-1]["n"], address=to)
    assert len(page) == 2
    assert len(rest) == 3
    assert [m["n"] for m in page + rest] == sorted({m["n"] for m in page + rest})
    assert list(server.client.every_message(to)) == page + rest


def test_greylisting_puts_off_each_recipient(server: Running) -> None:
    server.client.fault("greylist", times=2)
    for to in (address(), address()):
        for _ in range(2):
            with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
                send(server, mail(to))
            assert caught.value.recipients[to][0] == 451
        send(server, mail(to))
        assert server.client.counts()["recipients"][to] == 1


def test_a_mailbox_that_does_not_exist(server: Running) -> None:
    to = address()
    server.client.fault("reject", pattern="^nobody@")
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        send(server, mail("nobody@client.example"))
    assert caught.value.recipients["nobody@client.example"][0] == 550
    send(server, mail(to))


def test_a_refused_connection_keeps_the_port_and_comes_back(server: Running) -> None:
    to = address()
    with smtplib.SMTP("127.0.0.1", server.port, timeout=5) as before:
        server.client.fault("refuse-connection")
        with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
            before.noop()
        before.close()
    with pytest.raises(ConnectionRefusedError):
        smtplib.SMTP("127.0.0.1", server.port, timeout=5)
    server.client.clear_faults()
    send(server, mail(to))
    assert server.client.counts()["recipients"][to] == 1


@pytest.mark.parametrize(("mode", "stored"), [("drop-before-data", 0), ("drop-after-data", 1), ("slow", 1)])
def test_the_answer_to_data_may_be_lost(server: Running, mode: str, stored: int) -> None:
    to = address()
    server.client.fault(mode, times=1, seconds=1.0)
    with pytest.raises((smtplib.SMTPServerDisconnected, OSError)):
        send(server, mail(to), timeout=0.3)
    assert len(server.client.messages(address=to)) == stored


def test_aiosmtplib_sends_many_over_a_few_connections(server: Running) -> None:
    to = address()

    async def batch() -> None:
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=server.port)
        async with client:
            for _ in range(50):
                await client.send_message(mail(to))

    async def many() -> None:
        await asyncio.gather(*(batch() for _ in range(4)))

    asyncio.run(many())
    assert server.client.counts()["recipients"][to] == 200


@pytest.mark.parametrize(
    ("mode", "options", "said"),
    [
        ("explode", {}, "Unknown mode"),
        ("slow", {"second": 1}, "Unknown: second"),
        ("slow", {"seconds": "1"}, "seconds is '1'"),
        ("reject", {"pattern": "("}, "pattern"),
    ],
)
def test_a_faulty_fault_is_refused_in_words(
    server: Running, mode: str, options: dict[str, object], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        server.client.fault(mode, **options)
