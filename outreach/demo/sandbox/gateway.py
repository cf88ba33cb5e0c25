"""The HTTP gateway of a firm's SMS platform, as docs/reference/gateway.md describes it."""

import hmac
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from outreach.core.errors import BadInput
from outreach.core.ids import new_id
from outreach.demo.sandbox.control import body as body_of
from outreach.demo.sandbox.courier import Letter
from outreach.demo.sandbox.phones import ANSWERS, REFUSALS, PhoneServer, drop
from outreach.demo.sandbox.signatures import callback_signature, lookup_signature, send_signature
from outreach.demo.sandbox.store import INBOUND, MESSAGE, Record, stamp
from outreach.demo.sandbox.texting import E164, PLATFORM_STOP_WORDS

LONGEST_TEXT = 1000
LONGEST_REFERENCE = 64
SHORTEST_NONCE, LONGEST_NONCE = 8, 64
CLOCK_DIFFERENCE = 300
"""Seconds by which the caller's clock may differ."""
SENDER = "10690000"

MEANING: Mapping[int, str] = {
    101: "signature wrong",
    102: "account unknown",
    103: "timestamp too far from the gateway's clock",
    104: "number invalid",
    105: "text empty or too long",
    106: "the number has opted out",
    107: "content refused",
    108: "request malformed",
    109: "nonce used before",
    201: "too many requests",
    202: "internal fault, not taken",
    203: "operator's line busy",
}


class GatewayServer(PhoneServer):
    """One account at the platform."""

    name = "gateway"
    url_key = "callback_url"
    first_status = "accepted"
    stop_words = PLATFORM_STOP_WORDS

    def __init__(
        self,
        state: Path,
        *,
        account: str = "outreach",
        secret: str = "sandbox",  # noqa: S107
        fsync: bool = True,
        url: str | None = None,
        callback_delay: float = 0.1,
        callbacks: bool = True,
    ) -> None:
        self.account = account
        self.secret = secret
        self._nonces: tuple[set[str], set[str]] = (set(), set())
        self._turned = time.monotonic()
        super().__init__(state, fsync=fsync, url=url, callback_delay=callback_delay, callbacks=callbacks)

    def add_routes(self, app: web.Application) -> None:
        """The protocol's two routes."""
        app.router.add_post("/sms", self._send)
        app.router.add_get("/sms", self._look_up)

    async def _send(self, request: web.Request) -> web.Response:
        try:
            wish = await body_of(request)
        except BadInput as error:
            return _refusal(108, error.message)
        to, text, reference = wish.get("to"), wish.get("text"), wish.get("reference")
        account, nonce, stamped, sign = (wish.get(k) for k in ("account", "nonce", "timestamp", "sign"))
        if not (
            isinstance(to, str)
            and isinstance(text, str)
            and isinstance(reference, str)
            and isinstance(account, str)
            and isinstance(nonce, str)
            and isinstance(sign, str)
            and type(stamped) is int
            and 1 <= len(reference) <= LONGEST_REFERENCE
        ):
            return _refusal(108)
        right = send_signature(self.secret, account, stamped, nonce, to, reference, text)
        code = self._denied(account, stamped, nonce, sign, right) or self._problem(to, text)
        if code:
            return _refusal(code)
        refusal = self.faults.take(REFUSALS, to)
        if refusal is not None and refusal.mode == "drop":
            drop(request)
        if refusal is not None and refusal.status:
            return web.Response(status=refusal.status, text=refusal.text)
        if refusal is not None:
            return _refusal(refusal.code or 202, refusal.text)
        answer = self.faults.take(ANSWERS, to)
        record = {
            "kind": MESSAGE,
            "time": stamp(),
            "addresses": [to],
            "key": reference,
            "msg_id": new_id().hex,
            "from": SENDER,
            "to": to,
            "body": text,
            **self.plan(to, ("delivered",), self.url),
        }
        await self.accept(record, answer, request)
        return web.json_response({"code": 0, "msg_id": record["msg_id"]})

    async def _look_up(self, request: web.Request) -> web.Response:
        query = request.query
        try:
            account, nonce, sign = query["account"], query["nonce"], query["sign"]
            reference, stamped = query["reference"], int(query["timestamp"])
        except (KeyError, ValueError):
            return _refusal(108)
        right = lookup_signature(self.secret, account, stamped, nonce, reference)
        code = self._denied(account, stamped, nonce, sign, right)
        if code:
            return _refusal(code)
        number = self.store.first_by_key.get(reference)
        if number is None:
            return web.json_response({"code": 0, "found": False})
        record = self.store.read(number)
        return web.json_response(
            {
                "code": 0,
                "found": True,
                "msg_id": record["msg_id"],
                "status": self.status(record),
                "to": record["to"],
                "at": _instant(record["time"]),
                "times": self.store.duplicates.get(reference, 1),
            }
        )

    def _denied(self, account: str, stamped: int, nonce: str, sign: str, right: str) -> int:
        if account != self.account:
            return 102
        if not hmac.compare_digest(sign.encode(), right.encode()):
            return 101
        if abs(stamp() - stamped) > CLOCK_DIFFERENCE:
            return 103
        if not SHORTEST_NONCE <= len(nonce) <= LONGEST_NONCE:
            return 108
        return 0 if self._fresh(nonce) else 109

    def _fresh(self, nonce: str) -> bool:
        # A call is valid for twice the clock difference. Two sets, each filled for so long, remember that far
        # back without growing for ever.
        if time.monotonic() - self._turned > 2 * CLOCK_DIFFERENCE:
            self._nonces = (set(), self._nonces[0])
            self._turned = time.monotonic()
        if nonce in self._nonces[0] or nonce in self._nonces[1]:
            return False
        self._nonces[0].add(nonce)
        return True

    def _problem(self, to: str, text: str) -> int:
        if not E164.fullmatch(to):
            return 104
        if not 1 <= len(text) <= LONGEST_TEXT:
            return 105
        return 106 if to in self.opted_out else 0

    def inbound_record(self, sender: str, to: str, text: str) -> Record:
        """What a client typed, for the callback address."""
        last = self.last_message(sender)
        return {
            "kind": INBOUND,
            "time": stamp(),
            "addresses": [sender],
            "key": "",
            "msg_id": new_id().hex,
            "answers": last["msg_id"] if last else None,
            "from": sender,
            "to": to or SENDER,
            "body": text,
            "plan": ["received"],
            "url": self.url,
            "quirk": "",
        }

    def letter(self, record: Record, status: str) -> Letter:
        """A receipt or a reply, signed at this instant."""
        if record["kind"] == INBOUND:
            message: Record = {"type": "reply", "id": record["msg_id"], "msg_id": record["answers"]}
            message |= {"from": record["from"], "text": record["body"], "at": _instant(record["time"])}
        else:
            message = {"type": "receipt", "msg_id": record["msg_id"], "reference": record["key"]}
            message |= {"to": record["to"], "status": status, "at": _instant(stamp())}
            message["error"] = "UNDELIV" if status == "undelivered" else ""
        raw = json.dumps(message, ensure_ascii=False).encode()
        forged = record["quirk"] == "callback-forged"
        stamped = int(stamp())
        return Letter(
            url=record["url"],
            body=raw,
            headers={
                "Content-Type": "application/json",
                "X-Gateway-Timestamp": str(stamped),
                "X-Gateway-Signature": callback_signature("forged" if forged else self.secret, stamped, raw),
            },
            copies=2 if record["quirk"] == "callback-twice" else 1,
            insistent=not forged,
        )


def _refusal(code: int, text: str = "") -> web.Response:
    return web.json_response({"code": code, "message": text or MEANING.get(code, "refused")})


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")
