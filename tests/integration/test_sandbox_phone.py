"""A client's phone and mailbox, as the demonstration shows them."""

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
import requests

from outreach.core.errors import NotFound, Unavailable
from outreach.demo.sandbox.client import Sandbox, ServerClient
from outreach.demo.sandbox.launch import Running, sandbox
from outreach.demo.sandbox.twilio import ACCOUNT

HONG_KONG = "+12025550123"
MAINLAND = "+8610012345678"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, dict[str, Running]]]:
    state: Path = tmp_path_factory.mktemp("sandbox")
    with sandbox(state, {"twilio": ["--auth-token", "t"]}) as running:
        yield running
    assert all(server.process.returncode == 0 for server in running[1].values())


def test_a_phone_shows_what_came_and_what_was_typed(servers: tuple[Sandbox, dict[str, Running]]) -> None:
    client, running = servers
    address = f"{running['twilio'].url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    for text in ("生日快乐", "Happy birthday"):
        form = {"To": HONG_KONG, "From": "+12025550100", "Body": text}
        assert requests.post(address, data=form, auth=(ACCOUNT, "t"), timeout=5).status_code == 201
    entry = client.type_on_phone(HONG_KONG, "谢谢")
    assert entry["to"] == "+12025550100"
    client.type_on_phone(MAINLAND, "你好")
    bubbles = [(b.direction, b.body, b.channel) for b in client.conversation(HONG_KONG)]
    assert bubbles == [
        ("received", "生日快乐", "twilio"),
        ("received", "Happy birthday", "twilio"),
        ("typed", "谢谢", "twilio"),
    ]
    assert [(b.direction, b.channel) for b in client.conversation(MAINLAND)] == [("typed", "gateway")]
    assert client.conversation("+12025550199") == []


def test_a_mailbox_shows_mails_as_a_client_reads_them(servers: tuple[Sandbox, dict[str, Running]]) -> None:
    client, running = servers
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "care@example.com", "a@client.example", "中秋快乐"
    message["Message-ID"] = "<1@example.com>"
    message.set_content("祝您中秋快乐")
    message.add_alternative("<p>祝您中秋快乐</p>", subtype="html")
    with smtplib.SMTP("127.0.0.1", running["smtp"].port, timeout=5) as server:
        server.send_message(message)
    (mail,) = client.mailbox("a@client.example")
    assert (mail.subject, mail.sender, mail.message_id) == ("中秋快乐", "care@example.com", "1@example.com")
    assert (mail.text.strip(), mail.html.strip()) == ("祝您中秋快乐", "<p>祝您中秋快乐</p>")
    assert b"Message-ID: <1@example.com>" in mail.raw
    assert client.mailbox("b@client.example") == []


def test_a_server_that_is_not_there_is_named(servers: tuple[Sandbox, dict[str, Running]]) -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        ServerClient("http://127.0.0.1:1").health()
    with pytest.raises(NotFound):
        servers[0].smtp.inbound("a@client.example", "mail servers have no phones")
