"""The phone and the mailbox beside the inbox, over the real loopback servers."""

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from outreach.demo.sandbox.client import Sandbox
from outreach.demo.sandbox.launch import sandbox
from outreach.ledger.work import Opener
from tests.support.builders import Firm, firm, make_client
from tests.support.pages import Reader, SignIn

NUMBER = "+8614700000077"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Sandbox, int]]:
    state = tmp_path_factory.mktemp("sandbox")
    with sandbox(state) as (client, running):
        urls = [running[name].url for name in ("smtp", "twilio", "gateway")]
        (state / "control").write_text("\n".join(urls) + "\n")
        yield state, client, running["smtp"].port


@pytest.fixture
def reader(open_work: Opener, servers: tuple[Path, Sandbox, int], sign_in: SignIn) -> Reader:
    people: Firm = firm(open_work)
    with open_work() as work:
        make_client(work, people.b01, name="孙女士", mobile=NUMBER)
    found: Reader = sign_in(people.b01.manager, sandbox_state=servers[0])
    return found


def test_what_is_typed_appears_and_an_unchanged_phone_answers_nothing(
    reader: Reader, servers: tuple[Path, Sandbox, int]
) -> None:
    servers[1].gateway.inbound(NUMBER, "早上好")
    page = reader.get("/sandbox").text
    assert "孙女士" in page
    assert "早上好" in page
    assert 'src="/inbox"' in page
    mark = page.partition("seen=")[2].partition("&")[0].partition('"')[0]
    quoted = NUMBER.replace("+", "%2B")
    shown = reader.get(f"/sandbox/phone?number={quoted}").text
    mark = shown.partition("seen=")[2].partition('"')[0]
    assert reader.get(f"/sandbox/phone?number={quoted}&seen={mark}").status_code == 204
    answer = reader.client.post(
        "/sandbox/type",
        data={"csrf": reader.csrf, "number": NUMBER, "body": "<i>退订</i>"},
        headers={"HX-Request": "true"},
    )
    assert "&lt;i&gt;退订&lt;/i&gt;" in answer.text
    assert reader.get(f"/sandbox/phone?number={quoted}&seen={mark}").status_code == 200
    assert reader.post("/sandbox/type", number=NUMBER, body=" ").status_code == 400
    assert reader.post("/sandbox/type", number=NUMBER, body="T").status_code == 303


def test_a_mail_is_shown_in_a_frame_that_can_do_nothing(
    reader: Reader, servers: tuple[Path, Sandbox, int]
) -> None:
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = "care@example.com", "client@example.net", "中秋快乐"
    letter.set_content("纯文本")
    letter.add_alternative("<p>网页 <script>alert(1)</script></p>", subtype="html")
    with smtplib.SMTP("127.0.0.1", servers[2]) as smtp:
        smtp.send_message(letter)
    assert "中秋快乐" in reader.read("/sandbox?show=mail")
    link = reader.get("/sandbox/mails").text.partition('href="')[2].partition('"')[0]
    assert "纯文本" in reader.read(link)
    framed = reader.get(f"{link}/html")
    assert framed.headers["content-security-policy"].startswith("sandbox;")
    assert reader.get("/sandbox/mail/99999").status_code == 404


def test_there_is_none_beside_real_providers(open_work: Opener, sign_in: SignIn, tmp_path: Path) -> None:
    people = firm(open_work)
    assert sign_in(people.b01.manager).get("/sandbox").status_code == 404
    assert sign_in(people.b01.manager, sandbox_state=tmp_path).get("/sandbox").status_code == 503
    (tmp_path / "control").write_text("http://203.0.113.1:1\nhttp://203.0.113.1:2\nhttp://203.0.113.1:3\n")
    assert sign_in(people.b01.manager, sandbox_state=tmp_path).get("/sandbox").status_code == 503
