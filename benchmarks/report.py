"""docs/performance.md from the figures of one run."""

import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import psutil

from benchmarks.compose import Composed
from benchmarks.deliver import Delivered
from benchmarks.inbox import BARE, PAUSE, TARGETS
from benchmarks.inbox import Measured as Managed
from benchmarks.match import PHRASES, Matched
from benchmarks.peer import AT_ONCE, Enqueued

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
NOTES = Path(__file__).with_name("notes.md")


def write(
    composed: list[Composed],
    enqueued: Enqueued,
    managed: Managed,
    delivered: list[Delivered],
    matched: list[Matched],
    command: str,
) -> None:
    """Write the page: the tables of this run, then what is said about them in notes.md."""
    PAGE.write_text(page(composed, enqueued, managed, delivered, matched, command), encoding="utf-8")


def page(
    composed: list[Composed],
    enqueued: Enqueued,
    managed: Managed,
    delivered: list[Delivered],
    matched: list[Matched],
    command: str,
) -> str:
    """The page's text."""
    lines = [
        "# Performance",
        "",
        f"Measured {datetime.now(UTC):%Y-%m-%d} by `{command}` on {_machine()}. Ratios are within one run: ours against"
        " the bare library or COPY, on the same rows and the same loopback servers.",
        "",
        "## Composing",
        "",
        "One festival: audience by SQL, rendering, lexicon and other checks, digest, sealing, COPY, ledger entry.",
        "",
        "| messages | messages/s | COPY of the same rows, rows/s | ratio | peak memory of all processes |",
        "|---:|---:|---:|---:|---:|",
    ]
    for one in composed:
        ratio = one.per_second / one.limit_per_second
        speeds = f"{one.per_second:,.0f} | {one.limit_per_second:,.0f} | {ratio:.2f}"
        lines.append(f"| {one.messages:,} | {speeds} | {_mb(one.memory)} |")
    if len(composed) > 1:
        growth = composed[-1].memory / composed[0].memory - 1
        lines += [
            "",
            f"Memory at {composed[-1].messages / composed[0].messages:.0f} times the rows: {growth:+.0%}.",
        ]
    ours = composed[-1].per_second
    lines += [
        "",
        f"The same greetings enqueued by django-post_office {metadata.version('django-post-office')}, which renders and"
        " stores them and does nothing else, on the same database:",
        "",
        "| by | messages/s | composing is |",
        "|---|---:|---:|",
        f"| `mail.send`, a transaction each | {enqueued.singly_per_second:,.0f}"
        f" | {ours / enqueued.singly_per_second:.1f} times as fast |",
        f"| `mail.send_many`, {AT_ONCE:,} at once | {enqueued.together_per_second:,.0f}"
        f" | {ours / enqueued.together_per_second:.1f} times as fast |",
        "",
        "## Delivery",
        "",
        "Claim, last look (consent, state, digest against the decision), call, outcome and leaf; to a server that"
        " stores each message durably.",
        "",
        "| by | messages | messages/s | bare library, messages/s | ratio | peak memory |",
        "|---|---:|---:|---|---:|---:|",
    ]
    for item in delivered:
        best = max(item.limits.values())
        bare = "; ".join(f"{name}: {value:,.0f}" for name, value in item.limits.items())
        lines.append(
            f"| {item.channel} | {item.messages:,} | {item.per_second:,.0f} | {bare}"
            f" | {item.per_second / best:.2f} | {_mb(item.memory)} |"
        )
    lines += [
        "",
        "## The inbox",
        "",
        f"{managed.held:,} held messages in {managed.branches} branches; {managed.users} managers at once, each with"
        f" {PAUSE} s between two requests, at one web process; the time on the server, from the request's first byte to"
        " the answer's last, waiting for the processor included. The limit is the same server's answer to nothing, with"
        " one empty question to the database.",
        "",
        "| | requests | median, ms | 95th percentile, ms | aim, ms | medians: times the limit | SQL's share |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    limit = next(kind["median"] for kind in managed.kinds if kind["kind"] == BARE)
    for kind in managed.kinds:
        aim = f"{TARGETS[kind['kind']]:,}" if kind["kind"] in TARGETS else ""
        lines.append(
            f"| {kind['kind']} | {kind['count']:,} | {kind['median']:.1f} | {kind['p95']:.1f} | {aim}"
            f" | {kind['median'] / limit:.1f} | {kind['sql_share']:.0%} |"
        )
    lines += [
        "",
        "## The lexicon",
        "",
        f"{PHRASES:,} phrases, half Chinese, half English; distinct short messages, one in twenty with a phrase; one"
        " core, processor time. The limit is the bare automaton over the bare text, which sees no disguise, knows no"
        " exception and tells no place.",
        "",
        "| language | messages | hits | messages/s | pyahocorasick alone, messages/s | ratio |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for found in matched:
        lines.append(
            f"| {found.language} | {found.texts:,} | {found.hits:,} | {found.per_second:,.0f}"
            f" | {found.limit_per_second:,.0f} | {found.per_second / found.limit_per_second:.2f} |"
        )
    return "\n".join([*lines, "", NOTES.read_text("utf-8").strip(), ""])


def _mb(size: int) -> str:
    return f"{size / 1_000_000:,.0f} MB"


def _machine() -> str:
    memory = psutil.virtual_memory().total / 1_000_000_000
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GB, Python {platform.python_version()},"
        f" PostgreSQL 18 (embedded), SQLAlchemy {metadata.version('sqlalchemy')}"
    )
