"""What a sandbox server answered for, it still knows after any kill."""

import json
import os
import resource
import signal
import smtplib
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.core.errors import Unavailable
from outreach.demo.sandbox.launch import Running, launch
from outreach.demo.sandbox.texting import message_id_in, segments
from tests.support.receiver import until


def send(server: Running, reference: str) -> None:
    head = f"From: care@example.com\r\nMessage-ID: <{reference}>\r\n\r\nx\r\n"
    with smtplib.SMTP("127.0.0.1", server.port, timeout=5) as client:
        client.sendmail("care@example.com", ["a@client.example"], head)


def reached(answered: list[str], number: int) -> bool:
    return len(answered) >= number


def test_nothing_answered_is_lost_by_kills_while_mail_comes_in(tmp_path: Path) -> None:
    server = launch("smtp", tmp_path)
    answered: list[str] = []
    attempted: list[str] = []
    over = threading.Event()

    def sender() -> None:
        while not over.is_set():
            reference = str(uuid4())
            attempted.append(reference)
            try:
                send(server, reference)
            except (OSError, smtplib.SMTPException):
                over.wait(0.01)
                continue
            answered.append(reference)

    threads = [threading.Thread(target=sender) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        enough = len(answered) + 20
        until(partial(reached, answered, enough))
        server.kill()
        server = launch("smtp", tmp_path, port=server.port, control_port=server.control_port)
    over.set()
    for thread in threads:
        thread.join()
    counts = server.client.counts()
    assert set(answered) <= set(counts["references"]) <= set(attempted)
    assert counts["total"] == counts["distinct"] == sum(counts["recipients"].values())
    server.stop()


def test_a_line_torn_by_a_kill_is_dropped_and_the_rest_kept(tmp_path: Path) -> None:
    server = launch("smtp", tmp_path)
    send(server, "first")
    server.kill()
    kept = (tmp_path / "smtp.jsonl").read_bytes()
    with open(tmp_path / "smtp.jsonl", "ab") as file:
        file.write(kept[: len(kept) // 2])
    server = launch("smtp", tmp_path)
    assert server.client.counts()["references"] == {"first": 1}
    assert (tmp_path / "smtp.jsonl").read_bytes() == kept
    send(server, "second")
    server.stop()
    lines = (tmp_path / "smtp.jsonl").read_text().splitlines()
    assert [json.loads(line)["key"] for line in lines] == ["first", "second"]


def test_a_damaged_file_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "smtp.jsonl").write_text("{}x\n")
    with pytest.raises(Unavailable, match="damaged at byte 0"):
        launch("smtp", tmp_path)


def test_two_servers_never_share_a_file(tmp_path: Path) -> None:
    first = launch("gateway", tmp_path)
    with pytest.raises(Unavailable, match="Another sandbox server uses"):
        launch("gateway", tmp_path)
    first.stop()


def test_a_server_stops_with_its_parent(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib, time\n"
        "from outreach.demo.sandbox.launch import launch\n"
        "running = launch('twilio', pathlib.Path(sys.argv[1]))\n"
        "print(running.process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    with parent.stdout as said:
        child = int(said.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    until(lambda: not alive(child))


def alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_full_disk_stops_the_server_instead_of_answering(tmp_path: Path) -> None:
    server = launch("smtp", tmp_path)
    send(server, "kept")
    size = (tmp_path / "smtp.jsonl").stat().st_size
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size + 50, size + 50))
    with pytest.raises((smtplib.SMTPException, OSError)):
        send(server, "lost")
    assert server.process.wait(10) == 1
    assert "can't store" in (tmp_path / "smtp.log").read_text()
    server = launch("smtp", tmp_path)
    assert server.client.counts()["references"] == {"kept": 1}
    server.stop()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("祝" * 70, 1),
        ("祝" * 71, 2),
        ("🎂" * 35, 1),
        ("🎂" * 36, 2),
        ("祝" * 135, 3),
    ],
)
def test_segments(text: str, number: int) -> None:
    assert segments(text) == number


@given(st.uuids(), st.text("xyz/=&?<.@", max_size=8))
def test_our_message_id_is_found_in_either_spelling(identifier: object, around: str) -> None:
    text = str(identifier)
    around = around.rstrip("xyz")
    assert message_id_in(f"{around}{text}@example.com") == text
    assert message_id_in(f"{around}{text.replace('-', '')}.{uuid4().hex}@example.com") == text
