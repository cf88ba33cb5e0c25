"""Twilio's Messages API, version 2010-04-01, as its official SDK uses it.

Source: Twilio's API description, and the answers of the real service. Nothing of Twilio's is imported: the SDK
must meet an independent server.
"""

import base64
import re
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

from aiohttp import web

from outreach.core.errors import BadInput
from outreach.demo.sandbox.control import number as number_in
from outreach.demo.sandbox.courier import Letter
from outreach.demo.sandbox.phones import ANSWERS, REFUSALS, PhoneServer, drop
from outreach.demo.sandbox.signatures import twilio_signature
from outreach.demo.sandbox.store import INBOUND, MESSAGE, Record, stamp
from outreach.demo.sandbox.texting import E164, keyword, message_id_in, segments
from outreach.demo.sandbox.twilio_wire import (
    CODE_FOR,
    ERRORS,
    SENDER,
    UNREACHABLE,
    VERSION,
    answer,
    days,
    error_answer,
    resource,
)

LONGEST_BODY = 1600
LARGEST_PAGE = 1000
ACCOUNT = "AC" + "5a" * 16
FORM = "application/x-www-form-urlencoded; charset=utf-8"

_SENDER = re.compile(r"\+[1-9]\d{7,14}|\d{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")
_FILTERS = (("To", "to"), ("From", "from"))
_SERVICE = re.compile(r"MG[0-9a-f]{32}")


class TwilioServer(PhoneServer):
    """One account at Twilio."""

    name = "twilio"
    url_key = "inbound_url"
    first_status = "queued"

    def __init__(
        self,
        state: Path,
        *,
        account_sid: str = ACCOUNT,
        auth_token: str = "sandbox",  # noqa: S107
        fsync: bool = True,
        url: str | None = None,
        callback_delay: float = 0.1,
        callbacks: bool = True,
    ) -> None:
        self.account_sid = account_sid
        self.auth_token = auth_token
        pair = f"{account_sid}:{auth_token}".encode()
        self._authorization = f"Basic {base64.b64encode(pair).decode()}"
        super().__init__(state, fsync=fsync, url=url, callback_delay=callback_delay, callbacks=callbacks)

    def add_routes(self, app: web.Application) -> None:
        """Twilio's own routes."""
        base = f"/{VERSION}/Accounts/{{account}}"
        app.router.add_post(f"{base}/Messages.json", self._create)
        app.router.add_get(f"{base}/Messages.json", self._list)
        app.router.add_get(f"{base}/Messages/{{sid}}.json", self._fetch)

    async def _create(self, request: web.Request) -> web.Response:
        denied = self._denied(request)
        if denied is not None:
            return denied
        form = dict(parse_qsl((await request.read()).decode(errors="replace"), keep_blank_values=True))
        problem = self._problem(form)
        if problem is not None:
            return problem
        to = form["To"]
        refusal = self.faults.take(REFUSALS, to)
        if refusal is not None and refusal.mode == "drop":
            drop(request)
        if refusal is not None:
            status = refusal.status or ERRORS.get(refusal.code or 0, (400, ""))[0]
            return error_answer(refusal.code or CODE_FOR.get(status, 20500), to, status, refusal.text)
        behaviour = self.faults.take(ANSWERS, to)
        callback = form.get("StatusCallback", "")
        record = {
            "kind": MESSAGE,
            "time": stamp(),
            "addresses": [to],
            "key": message_id_in(callback) or callback,
            "sid": f"SM{secrets.token_hex(12)}{self.store.upcoming:08x}",
            "from": form.get("From", ""),
            "service": form.get("MessagingServiceSid", ""),
            "to": to,
            "body": form.get("Body", ""),
            **self.plan(to, ("sent", "delivered"), callback),
        }
        await self.accept(record, behaviour, request)
        created = resource(self.account_sid, record, "accepted" if record["service"] else "queued")
        return answer(created, 201)

    async def _fetch(self, request: web.Request) -> web.Response:
        denied = self._denied(request)
        if denied is not None:
            return denied
        sid = request.match_info["sid"]
        record = self._by_sid(sid)
        if record is None:
            return error_answer(20404, request.path)
        return answer(resource(self.account_sid, record, self._status_of(record)), 200)

    async def _list(self, request: web.Request) -> web.Response:
        denied = self._denied(request)
        if denied is not None:
            return denied
        query = request.query
        try:
            size = max(1, min(number_in(request, "PageSize", 50), LARGEST_PAGE))
            page = number_in(request, "Page", 0)
            below = int(query.get("PageToken", "PA")[2:] or "0", 16) or self.store.total + 1
            first, last = days(query)
        except (BadInput, ValueError) as error:
            return error_answer(20500, "", 400, str(error))
        found: list[Record] = []
        more = False
        for number in self._candidates(query):
            if number >= below or not first <= self.store.times[number - 1] < last:
                continue
            record = self.store.read(number)
            if any(query.get(name, record[field]) != record[field] for name, field in _FILTERS):
                continue
            if len(found) == size:
                more = True
                break
            found.append(record)
        kept = [(k, v) for k, v in query.items() if k not in {"Page", "PageToken", "PageSize"}]
        path = f"/{VERSION}/Accounts/{self.account_sid}/Messages.json?"
        following = (
            [("PageSize", size), ("Page", page + 1), ("PageToken", f"PA{found[-1]['n']:x}")] if more else []
        )
        return answer(
            {
                "messages": [resource(self.account_sid, r, self._status_of(r)) for r in found],
                "page": page,
                "page_size": size,
                "start": page * size,
                "end": page * size + max(len(found) - 1, 0),
                "first_page_uri": path + urlencode([*kept, ("PageSize", size), ("Page", 0)]),
                "previous_page_uri": None,
                "next_page_uri": path + urlencode([*kept, *following]) if more else None,
                "uri": path + urlencode(list(query.items())),
            },
            200,
        )

    def _candidates(self, query: Mapping[str, str]) -> Iterable[int]:
        for name in ("To", "From"):
            if query.get(name) in self.store.by_address:
                return reversed(self.store.by_address[query[name]])
        return range(self.store.total, 0, -1)

    def _denied(self, request: web.Request) -> web.Response | None:
        if not secrets.compare_digest(
            request.headers.get("Authorization", "").encode(), self._authorization.encode()
        ):
            return error_answer(20003)
        if request.match_info["account"] != self.account_sid:
            return error_answer(20404, request.path)
        return None

    def _problem(self, form: Mapping[str, str]) -> web.Response | None:
        to, sender = form.get("To", ""), form.get("From", "")
        callback = urlsplit(form.get("StatusCallback", "http://none"))
        if not to:
            return error_answer(21604)
        if not E164.fullmatch(to.removeprefix("whatsapp:")):
            return error_answer(21211, to)
        if not sender and not form.get("MessagingServiceSid"):
            return error_answer(21603)
        if sender and not _SENDER.fullmatch(sender.removeprefix("whatsapp:")):
            return error_answer(21212, sender)
        if not sender and not _SERVICE.fullmatch(form["MessagingServiceSid"]):
            return error_answer(20404, form["MessagingServiceSid"])
        if not form.get("Body"):
            return error_answer(21602)
        if len(form["Body"]) > LONGEST_BODY:
            return error_answer(21617)
        if callback.scheme not in {"http", "https"} or not callback.hostname:
            return error_answer(21609, form["StatusCallback"])
        if to in self.opted_out:
            return error_answer(21610, to)
        return None

    def _by_sid(self, sid: str) -> Record | None:
        # The last eight digits are the entry's number, so that no index by sid is needed.
        try:
            record = self.store.read(int(sid[-8:], 16))
        except (IndexError, ValueError):
            return None
        return record if record["sid"] == sid else None

    def _status_of(self, record: Record) -> str:
        return "received" if record["kind"] == INBOUND else self.status(record)

    def inbound_record(self, sender: str, to: str, text: str) -> Record:
        """What a client typed, for the inbound address."""
        return {
            "kind": INBOUND,
            "time": stamp(),
            "addresses": [sender],
            "key": "",
            "sid": f"SM{secrets.token_hex(12)}{self.store.upcoming:08x}",
            "from": sender,
            "service": "",
            "to": to or SENDER,
            "body": text,
            "plan": ["received"],
            "url": self.url,
            "quirk": "",
        }

    def letter(self, record: Record, status: str) -> Letter:
        """The signed form that Twilio posts: an inbound message, or a message's new status."""
        sid = record["sid"]
        form = {"ApiVersion": VERSION, "AccountSid": self.account_sid, "MessageSid": sid, "SmsSid": sid}
        form |= {"SmsStatus": status, "To": record["to"], "From": record["from"] or SENDER}
        if record["kind"] == INBOUND:
            form |= {"SmsMessageSid": sid, "Body": record["body"], "NumMedia": "0"}
            form["NumSegments"] = str(segments(record["body"]))
            if said := keyword(record["body"], self.stop_words):
                form["OptOutType"] = said
        else:
            form["MessageStatus"] = status
            if record["service"]:
                form["MessagingServiceSid"] = record["service"]
            if status == "undelivered":
                form |= {"ErrorCode": str(UNREACHABLE), "ErrorMessage": ERRORS[UNREACHABLE][1]}
        forged = record["quirk"] == "callback-forged"
        token = "forged" if forged else self.auth_token
        return Letter(
            url=record["url"],
            body=urlencode(form).encode(),
            headers={
                "Content-Type": FORM,
                "X-Twilio-Signature": twilio_signature(token, record["url"], form),
            },
            copies=2 if record["quirk"] == "callback-twice" else 1,
            insistent=not forged,
        )
