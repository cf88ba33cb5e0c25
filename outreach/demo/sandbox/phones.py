"""The half that both SMS servers share: clients' phones, their opt-outs, callbacks that survive a kill, faults."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from outreach.core.errors import BadInput
from outreach.demo.sandbox.control import add_control, body, say_errors
from outreach.demo.sandbox.courier import Courier, Letter
from outreach.demo.sandbox.faults import Fault, Faults
from outreach.demo.sandbox.serve import listen
from outreach.demo.sandbox.store import INBOUND, Record, Store
from outreach.demo.sandbox.texting import STOP_WORDS, keyword

REFUSALS = ("error", "drop")
ANSWERS = ("drop-after-recording", "no-answer", "slow", "callback-first")
CALLBACKS = ("callback-twice", "callback-forged", "callback-never", "undelivered")
NEVER = 3600.0
"""Seconds after which a call that is never answered is dropped."""


class PhoneServer(ABC):
    """An SMS provider. Its subclasses speak one protocol each.

    An entry has ``plan`` (the states it goes through after it was stored), ``url`` (where each is reported; '' for
    nowhere) and ``quirk`` (a mode of CALLBACKS, or ''). A ``step`` record says how far its reports were
    acknowledged; after a restart the rest is reported.
    """

    name = ""
    url_key = ""
    first_status = ""
    stop_words = STOP_WORDS

    def __init__(
        self,
        state: Path,
        *,
        fsync: bool = True,
        url: str | None = None,
        callback_delay: float = 0.1,
        callbacks: bool = True,
    ) -> None:
        self.url = ""
        self.callback_delay = callback_delay
        self.callbacks = callbacks
        self.opted_out: set[str] = set()
        self._steps = bytearray()
        self._reached = bytearray()
        self._reported = bytearray()
        self.faults = Faults((*REFUSALS, *ANSWERS, *CALLBACKS))
        self.store = Store(state / f"{self.name}.jsonl", fsync=fsync, on_record=self._on_record)
        if url is not None:
            self.url = url
        self.courier = Courier(self._letter, self._reported_step)
        self._runner: web.AppRunner | None = None

    async def start(self, port: int, control_port: int) -> tuple[int, int]:
        """Listen, and go on with the reports that were not acknowledged before. Both ports are one."""
        del control_port
        app = web.Application(middlewares=[say_errors])
        add_control(
            app, "/control", self.store, self.faults, present=self.present, extra_counts=self._extra_counts
        )
        app.router.add_post("/control/inbound", self._inbound)
        app.router.add_post("/control/config", self._configure)
        app.router.add_get("/control/config", self._show_config)
        app.router.add_get("/control/callbacks", self._show_callbacks)
        self.add_routes(app)
        self.courier.start()
        for index, steps in enumerate(self._steps):
            if self._reported[index] < steps:
                self.courier.send(index + 1, self._reported[index])
        self._runner, chosen = await listen(app, port)
        return chosen, chosen

    async def close(self) -> None:
        """Stop listening and carrying."""
        if self._runner is not None:
            await self._runner.cleanup()
        await self.courier.close()

    @abstractmethod
    def add_routes(self, app: web.Application) -> None:
        """Add the protocol's own routes."""

    @abstractmethod
    def letter(self, record: Record, status: str) -> Letter:
        """The callback that reports ``status`` of an entry."""

    @abstractmethod
    def inbound_record(self, sender: str, to: str, text: str) -> Record:
        """The entry for what a client typed."""

    def present(self, record: Record) -> Record:
        """An entry as /control/messages shows it."""
        status = "received" if record["kind"] == INBOUND else self.status(record)
        shown = {k: v for k, v in record.items() if k not in {"addresses", "key", "plan"}}
        return shown | {"reference": record["key"], "status": status}

    def status(self, record: Record) -> str:
        """Where a message is by now."""
        reached = self._reached[record["n"] - 1]
        return str(record["plan"][reached - 1]) if reached else self.first_status

    async def accept(self, record: Record, answer: Fault | None, request: web.Request) -> None:
        """Store a message, have its reports carried, and do what the fault says before the answer."""
        number = await self.store.append(record)
        if answer is not None and answer.mode == "callback-first":
            for step in range(len(record["plan"])):
                letter = self._letter(number, step)
                if letter is not None:
                    await self.courier.post(letter)
                self._reported_step(number, step, onward=False)
        elif self._reported[number - 1] < len(record["plan"]):
            self.courier.send(number, 0, self.callback_delay)
        if answer is not None and answer.mode == "slow":
            await asyncio.sleep(answer.seconds)
        elif answer is not None and answer.mode == "no-answer":
            await asyncio.sleep(answer.seconds or NEVER)
            drop(request)
        elif answer is not None and answer.mode == "drop-after-recording":
            drop(request)

    def plan(self, address: str, states: tuple[str, ...], url: str) -> Record:
        """The fields ``plan``, ``url`` and ``quirk`` of a new message; the last state may be made to fail."""
        rule = self.faults.take(CALLBACKS, address)
        quirk = rule.mode if rule else ""
        if quirk == "undelivered":
            states = (*states[:-1], "undelivered")
        return {"plan": states, "url": url if self.callbacks else "", "quirk": quirk}

    def _on_record(self, record: Record, number: int) -> None:
        if record["kind"] == "step":
            self._reported[record["of"] - 1] = record["step"]
            self._reached[record["of"] - 1] = max(record["step"], self._reached[record["of"] - 1])
        elif record["kind"] == "config":
            self.url = record.get("url", self.url)
            self.callback_delay = record.get("callback_delay", self.callback_delay)
        elif number:
            steps = len(record["plan"])
            silent = steps if not record["url"] or record["quirk"] == "callback-never" else 0
            self._steps.append(steps)
            self._reached.append(silent)
            self._reported.append(silent)
            if record["kind"] == INBOUND:
                said = keyword(record["body"], self.stop_words)
                change: dict[str, Callable[[str], None]] = {
                    "STOP": self.opted_out.add,
                    "START": self.opted_out.discard,
                }
                if said in change:
                    change[said](record["from"])

    def _letter(self, number: int, step: int) -> Letter | None:
        record = self.store.read(number)
        self._reached[number - 1] = max(step + 1, self._reached[number - 1])
        return self.letter(record, record["plan"][step]) if record["url"] else None

    def _reported_step(self, number: int, step: int, onward: bool = True) -> None:
        self.store.note({"kind": "step", "of": number, "step": step + 1})
        if onward and step + 1 < self._steps[number - 1]:
            self.courier.send(number, step + 1, self.callback_delay)

    def _extra_counts(self) -> Record:
        waiting = sum(1 for n, steps in enumerate(self._steps) if self._reported[n] < steps)
        return {"callbacks": dict(self.courier.answers), "callbacks_waiting": waiting}

    async def _inbound(self, request: web.Request) -> web.Response:
        wish = await body(request)
        sender, text = wish.get("from"), wish.get("body", wish.get("text"))
        if not isinstance(sender, str) or not isinstance(text, str) or not sender:
            raise BadInput("An inbound message needs from and body.", mend="Send both as strings.")
        record = self.inbound_record(sender, str(wish.get("to") or self.last_sender(sender)), text)
        number = await self.store.append(record)
        if record["url"]:
            self.courier.send(number, 0)
        return web.json_response(self.present(self.store.read(number)), status=201)

    def last_sender(self, address: str) -> str:
        """Who last wrote to that phone, or ''."""
        last = self.last_message(address)
        return str(last["from"]) if last else ""

    def last_message(self, address: str) -> Record | None:
        """The last message to that phone."""
        for number in reversed(self.store.by_address.get(address, ())):
            if not self.store.is_inbound(number):
                return self.store.read(number)
        return None

    async def _configure(self, request: web.Request) -> web.Response:
        wish = await body(request)
        known = {self.url_key: str, "callback_delay": float | int}
        for name, value in wish.items():
            if name not in known or isinstance(value, bool) or not isinstance(value, known[name]):
                raise BadInput(f"{name} can't be set to {value!r}.", mend=f"Known: {', '.join(known)}.")
        record: Record = {"kind": "config"}
        if self.url_key in wish:
            record["url"] = wish[self.url_key]
        if "callback_delay" in wish:
            record["callback_delay"] = float(wish["callback_delay"])
        await self.store.note(record)
        return await self._show_config(request)

    async def _show_config(self, _request: web.Request) -> web.Response:
        return web.json_response({self.url_key: self.url, "callback_delay": self.callback_delay})

    async def _show_callbacks(self, _request: web.Request) -> web.Response:
        return web.json_response({"callbacks": list(self.courier.recent)})


def drop(request: web.Request) -> None:
    """Break the connection: the caller learns nothing."""
    if request.transport is not None:
        request.transport.abort()
