"""What Twilio's Messages API puts on the wire: the Message resource, the errors, the dates of its filters."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime

from aiohttp import web

from outreach.demo.sandbox.store import INBOUND, Record
from outreach.demo.sandbox.texting import segments

VERSION = "2010-04-01"
SENDER = "+12025550100"
"""Who a message seems to come from when a messaging service sent it."""
UNREACHABLE = 30003

# code -> status and text, as the service words them; {} takes the value.
ERRORS: Mapping[int, tuple[int, str]] = {
    20003: (401, "Authenticate"),
    20404: (404, "The requested resource {} was not found"),
    20429: (429, "Too Many Requests"),
    20500: (500, "Internal Server Error"),
    20503: (503, "Service Unavailable"),
    21211: (400, "Invalid 'To' Phone Number: {}"),
    21212: (400, "Invalid 'From' Phone Number: {}"),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' phone number is required."),
    21604: (400, "A 'To' phone number is required."),
    21609: (400, "The StatusCallback URL {} is not a valid URL."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit."),
    30003: (400, "Unreachable destination handset"),
}
CODE_FOR = {400: 21211, 401: 20003, 404: 20404, 429: 20429, 500: 20500, 503: 20503}


def resource(account_sid: str, record: Record, status: str) -> Record:
    """A Message resource with every field of the real one."""
    path = f"/{VERSION}/Accounts/{account_sid}/Messages/{record['sid']}"
    at = format_datetime(datetime.fromtimestamp(int(record["time"]), UTC))
    gone = status not in {"queued", "accepted"}
    failed = status == "undelivered"
    return {
        "account_sid": account_sid,
        "api_version": VERSION,
        "body": record["body"],
        "date_created": at,
        "date_sent": at if gone else None,
        "date_updated": at,
        "direction": "inbound" if record["kind"] == INBOUND else "outbound-api",
        "error_code": UNREACHABLE if failed else None,
        "error_message": ERRORS[UNREACHABLE][1] if failed else None,
        "from": record["from"] or (SENDER if gone else None),
        "messaging_service_sid": record["service"] or None,
        "num_media": "0",
        "num_segments": str(0 if status == "accepted" else segments(record["body"])),
        "price": "-0.00750" if gone else None,
        "price_unit": "USD",
        "sid": record["sid"],
        "status": status,
        "subresource_uris": {"media": f"{path}/Media.json"},
        "to": record["to"],
        "uri": f"{path}.json",
    }


_DAY = timedelta(days=1)


def days(query: Mapping[str, str]) -> tuple[float, float]:
    """The instants between which a listed message was sent. Raises ValueError for what is no date."""

    def midnight(text: str, days: int = 0) -> float:
        day = date.fromisoformat(text[:10])
        return (datetime(day.year, day.month, day.day, tzinfo=UTC) + days * _DAY).timestamp()

    first, last = float("-inf"), float("inf")
    if text := query.get("DateSent"):
        first, last = midnight(text), midnight(text, 1)
    if text := query.get("DateSent>"):
        first = max(first, midnight(text))
    if text := query.get("DateSent<"):
        last = min(last, midnight(text, 1))
    return first, last


def answer(value: Record, status: int) -> web.Response:
    return web.Response(
        body=json.dumps(value, ensure_ascii=False).encode(),
        status=status,
        content_type="application/json",
        charset="utf-8",
    )


def error_answer(code: int, value: str = "", status: int | None = None, text: str = "") -> web.Response:
    """An error as the real service words it."""
    known_status, known_text = ERRORS.get(code, (400, "Error"))
    status = status or known_status
    return answer(
        {
            "code": code,
            "message": text or known_text.format(value),
            "more_info": f"https://www.twilio.com/docs/errors/{code}",
            "status": status,
        },
        status,
    )
