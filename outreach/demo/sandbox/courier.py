"""Carries callbacks to the firm, again with growing pauses while its address does not answer."""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds before each repetition; after the last, the callback is given up, as providers do."""


@dataclass(frozen=True)
class Letter:
    """One POST."""

    url: str
    body: bytes
    headers: Mapping[str, str]
    copies: int = 1
    insistent: bool = True
    """Repeated until it is acknowledged or given up."""


class Courier:
    """A fixed number of carriers and a queue of (entry, step, tries).

    ``letter(entry, step)`` writes what to post, None for nothing; ``done(entry, step)`` is told when it was
    acknowledged or given up.
    """

    def __init__(
        self,
        letter: Callable[[int, int], Letter | None],
        done: Callable[[int, int], None],
        carriers: int = 16,
    ) -> None:
        self._letter = letter
        self._done = done
        self._queue: asyncio.Queue[tuple[int, int, int]] = asyncio.Queue()
        self._carriers = carriers
        self._tasks: list[asyncio.Task[None]] = []
        self._session: aiohttp.ClientSession | None = None
        self.answers: Counter[str] = Counter()
        self.recent: deque[dict[str, Any]] = deque(maxlen=200)

    def start(self) -> None:
        """Begin to carry."""
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=10), cookie_jar=aiohttp.DummyCookieJar()
        )
        self._tasks = [asyncio.create_task(self._carry()) for _ in range(self._carriers)]

    async def close(self) -> None:
        """Stop; what waits is carried after the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def send(self, entry: int, step: int, delay: float = 0.0, tries: int = 0) -> None:
        """Have a callback carried after ``delay`` seconds."""
        if delay > 0:
            asyncio.get_running_loop().call_later(delay, self._queue.put_nowait, (entry, step, tries))
        else:
            self._queue.put_nowait((entry, step, tries))

    async def post(self, letter: Letter) -> bool:
        """Post it now, each copy; whether the last was acknowledged by a 2xx."""
        answers = [await self._post_once(letter) for _ in range(letter.copies)]
        return answers[-1]

    async def _carry(self) -> None:
        while True:
            entry, step, tries = await self._queue.get()
            letter = self._letter(entry, step)
            if letter is None or await self.post(letter) or not letter.insistent or tries >= len(PAUSES):
                self._done(entry, step)
            else:
                self.send(entry, step, PAUSES[tries], tries + 1)

    async def _post_once(self, letter: Letter) -> bool:
        assert self._session is not None
        call: Callable[..., Awaitable[aiohttp.ClientResponse]] = self._session.post
        try:
            # encoded=True: the signature covers the address as it was given, so it must not be rewritten.
            response = await call(
                URL(letter.url, encoded=True), data=letter.body, headers=letter.headers, allow_redirects=False
            )
            answer: str = str(response.status)
            await response.read()
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
            answer = type(error).__name__
        self.answers[answer] += 1
        self.recent.append({"url": letter.url, "answer": answer})
        return answer.startswith("2")
