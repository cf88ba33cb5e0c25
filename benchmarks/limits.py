"""The raw limits: the bare client libraries against the same servers, on the same machine, in the same run."""

import asyncio
import smtplib
import time
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage

from twilio.rest import Client

from outreach.delivery.channels.twilio.channel import _Rebased
from outreach.demo.sandbox.twilio import ACCOUNT

CONNECTIONS = 8  # as many as our mail channel keeps
CONCURRENCY = 64  # as many calls as our Twilio channel has under way


def bare_smtp(port: int, count: int) -> dict[str, float]:
    """Messages a second of smtplib: one connection, and as many as we keep, each mail prepared beforehand."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "care@example.com", "client@example.net", "提示"
    mail.set_content("您好，" + "请结合自身风险承受能力决策。" * 8)
    data = mail.as_bytes()

    def send(start: int, step: int) -> None:
        with smtplib.SMTP("127.0.0.1", port) as server:
            for number in range(start, count, step):
                server.sendmail("care@example.com", [f"limit{number}@example.net"], data)

    began = time.perf_counter()
    send(0, 1)
    one = count / (time.perf_counter() - began)
    began = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(lambda start: send(start, CONNECTIONS), range(CONNECTIONS)))
    return {
        "smtplib, 1 connection": one,
        f"smtplib, {CONNECTIONS} connections": count / (time.perf_counter() - began),
    }


def bare_sdk(url: str, count: int) -> dict[str, float]:
    """Messages a second of the SDK's asynchronous client, with as many calls under way as we have."""
    return {f"SDK, {CONCURRENCY} calls at once": asyncio.run(_sdk(url, count))}


async def _sdk(url: str, count: int) -> float:
    http = _Rebased(url)
    client = Client(ACCOUNT, "sandbox", http_client=http)
    places = asyncio.Semaphore(CONCURRENCY)

    async def one(number: int) -> None:
        async with places:
            await client.messages.create_async(
                to=f"+853{number:08d}", from_="+12025550100", body="您好，请结合自身风险承受能力决策。" * 4
            )

    began = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(count)))
    seconds = time.perf_counter() - began
    await http.close()
    return count / seconds
