"""The site over real HTTP, without a browser: somebody signed in, their requests, and what they read."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from sqlalchemy import insert, select

from outreach.auth import sessions
from outreach.auth.tables import account, web_session
from outreach.core.access import Actor
from outreach.core.settings import Settings
from outreach.ledger.work import Opener, Work
from outreach.web.frame import COOKIE, LANGUAGE_COOKIE
from outreach.web.site import create_site


@dataclass
class Site:
    """What the pages ask of the composition root."""

    settings: Settings
    open_work: Opener


@dataclass
class Reader:
    """Somebody signed in."""

    client: httpx.Client
    csrf: str

    def get(self, path: str, **headers: str) -> httpx.Response:
        """GET, following no redirect."""
        return self.client.get(path, headers=headers, follow_redirects=False)

    def read(self, path: str) -> str:
        """The words of a page that must be there, tags and runs of space taken out."""
        answer = self.client.get(path, follow_redirects=True)
        assert answer.status_code == 200, (answer.status_code, words(answer.text))
        return words(answer.text)

    def post(self, path: str, files: Any = None, **fields: str) -> httpx.Response:
        """POST a form with this session's token, following no redirect."""
        data = {"csrf": self.csrf, **fields}
        return self.client.post(path, data=data, files=files, follow_redirects=False)

    def after(self, path: str, files: Any = None, **fields: str) -> str:
        """The words of the page to which a form that was taken leads."""
        answer = self.post(path, files, **fields)
        assert answer.status_code == 303, (answer.status_code, words(answer.text))
        return self.read(answer.headers["location"])


SignIn = Callable[..., Reader]


@contextmanager
def serving(open_work: Opener, settings: Settings) -> Iterator[str]:
    """The site on a port of its own, in a thread; gives its address."""
    with served(create_site(Site(settings, open_work))) as address:
        yield address


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """An application on a port of its own, in a thread; gives its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="error", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            until = time.monotonic() + 20
            while not server.started and time.monotonic() < until:
                time.sleep(0.005)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def signed_in(open_work: Opener, address: str, actor: Actor, language: str = "en") -> Iterator[Reader]:
    """``actor`` at the site."""
    assert actor.staff_id is not None
    with open_work() as work:
        _account(work, actor)
        cookie = sessions.begin(work, actor.staff_id)
        query = select(web_session.c.csrf_token).where(web_session.c.staff_id == actor.staff_id)
        token = work.conn.execute(query.order_by(web_session.c.created_at.desc()).limit(1)).scalar_one()
    cookies = {COOKIE: cookie, LANGUAGE_COOKIE: language}
    with httpx.Client(base_url=address, cookies=cookies, trust_env=False, timeout=30) as client:
        yield Reader(client, token)


def _account(work: Work, actor: Actor) -> None:
    known = work.conn.execute(select(account.c.staff_id).where(account.c.staff_id == actor.staff_id)).first()
    if known is None:
        work.conn.execute(
            insert(account).values(staff_id=actor.staff_id, username=str(actor.staff_id), password_hash="-")
        )


def words(html: str) -> str:
    """What a page says."""
    bare = re.sub(r"<(script|style)\b.*?</\1>", " ", html, flags=re.S)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", bare))).strip()
