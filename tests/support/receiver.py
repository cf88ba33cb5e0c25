"""A web server in a thread that keeps what is posted to it: the firm's side of a provider's callbacks."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Posted:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass
class Receiver:
    """What came, and what is answered: each of ``statuses`` once, then 204; with ``answer`` as its body, then 200."""

    port: int = 0
    posted: list[Posted] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    answer: bytes = b""
    slow: threading.Event | None = None  # answers only once this is set

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait(self, number: int, seconds: float = 10.0) -> list[Posted]:
        """The requests, as soon as there are ``number`` of them."""
        until(lambda: len(self.posted) >= number, seconds)
        return self.posted


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for ``condition``; an AssertionError after ``seconds``."""
    end = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        pause.wait(0.01)


@contextmanager
def receiver(port: int = 0) -> Iterator[Receiver]:
    """Receive at a port (0: any free one) until the end of the block."""
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            kept.posted.append(Posted(self.path, dict(self.headers), body, time.time()))
            if kept.slow is not None:
                kept.slow.wait(30)
            plain = 200 if kept.answer else 204
            self.send_response(kept.statuses.pop(0) if kept.statuses else plain)
            self.send_header("Content-Length", str(len(kept.answer)))
            self.end_headers()
            self.wfile.write(kept.answer)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", port), Handler) as server:
        kept.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield kept
        finally:
            server.shutdown()
            thread.join()
