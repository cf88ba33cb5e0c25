"""A report as tables in the reader's language: what its page, its workbook and the terminal show, all the same."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import partial

from outreach.care.reports import Line, Report
from outreach.content.approval_formats import ReasonWords
from outreach.core.i18n import translate
from outreach.delivery.figures import Reach
from outreach.review.figures import Branch, Times

Cell = str | int | float | None
Say = Callable[[str], str]


class Kind(StrEnum):
    """What a column holds: words, a whole number, hours, or a share from 0 to 1."""

    WORDS = "words"
    COUNT = "count"
    HOURS = "hours"
    SHARE = "share"


@dataclass(frozen=True)
class Column:
    """A column's heading and what its cells are. A cell without a value is None."""

    heading: str
    kind: Kind = Kind.COUNT


@dataclass(frozen=True)
class Table:
    """One table. ``total`` is its last row, where there are several branches."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: tuple[Cell, ...] | None = None


CHANNELS = {
    "sms": "SMS",
    "email": "Mail",
    "letter": "Letter",
    "call": "Call",
    "wecom": "WeCom",
    "whatsapp": "WhatsApp",
}
CATEGORIES = {
    "channel": "Service notice",
    "information": "Information",
    "consulting": "Advice",
    "product": "Product",
    "relationship": "Relationship",
}
SOURCES = {
    "sms": "by SMS",
    "email": "by mail",
    "page": "noted by staff",
    "import": "from the client file",
    "provider": "told by the provider",
}
WORDS = {
    "put_up": "Put up",
    "approved": "Approved",
    "released": "Released",
    "returned": "Returned",
    "rejected": "Rejected",
    "undone": "Undone",
    "late": "Decided late",
    "expired": "Expired",
    "waiting": "Waiting now",
    "left": "Went out",
    "delivered": "Delivered",
    "sent": "Sent, no receipt yet",
    "handed_over": "With a person",
    "undelivered": "Not delivered",
    "unknown": "Outcome unknown",
    "failed": "Failed",
    "suppressed": "Suppressed",
    "cancelled": "Cancelled",
    "replies_in": "Replies in",
    "answered": "Answered",
    "replies_open": "Still open",
    "opt_outs": "Opt-outs",
}
TITLES = {
    "decisions": "Put up and decided",
    "pace": "Time to decision",
    "sends": "What went out, by how it stands now",
    "replies": "Replies",
    "coverage": "Coverage: clients who got something",
    "opt_outs": "Opt-outs, by how they became known",
    "messages": "By category and channel",
    "categories": "Decisions by category",
    "returned": "Returned for",
}
OTHER = (
    "Branch", "Total", "Category", "Channel", "Decisions", "In time", "Median, hours", "90% within, hours", "Reason",
    "no reason given", "Clients", "Reached", "Share", "How it became known",
)  # fmt: skip
_DECIDED = ("put_up", "approved", "released", "returned", "rejected", "undone", "late", "expired", "waiting")
_SENDS = (
    "left", "delivered", "sent", "handed_over", "undelivered", "unknown", "failed", "suppressed", "cancelled",
)  # fmt: skip
_REPLIES = ("replies_in", "answered", "replies_open", "opt_outs")
_FLOW = ("put_up", "left", "delivered", "undelivered", "unknown", "failed", "suppressed", "expired")
_VERBS = ("approved", "released", "returned", "rejected", "late", "undone")


def tables_of(report: Report, locale: str, reasons: Mapping[str, ReasonWords]) -> tuple[Table, ...]:
    """The report's tables in the order in which they are read. ``reasons``: approvals/reasons.toml in force."""
    say = partial(translate, locale)
    name = partial(_branch, locale)
    several = len(report.branches) > 1
    made = [
        _per_branch(report, say, name, "decisions", _DECIDED),
        _paces(report, say, name),
        _per_branch(report, say, name, "sends", _SENDS),
        _per_branch(report, say, name, "replies", _REPLIES),
    ]
    if report.monthly:
        made += [_coverage(report, say, name), _opt_outs(report, say, name)]
    made += [
        _split(report.messages, say, name, "messages", _FLOW, channel=True),
        _split(report.decisions, say, name, "categories", _VERBS, channel=False),
        _reasons(report, say, name, locale, reasons),
    ]
    return tuple(made if several else [_alone(one) for one in made])


def hours(time: timedelta | None) -> float | None:
    """A length of time as hours, to two digits."""
    return None if time is None else round(time.total_seconds() / 3600, 2)


def _branch(locale: str, branch: Branch) -> str:
    return f"{branch.code} {branch.called(locale)}"


def _alone(table: Table) -> Table:
    """One branch only: it needs no sum."""
    return Table(table.name, table.title, table.columns, table.rows)


def _per_branch(
    report: Report, say: Say, name: Callable[[Branch], str], table: str, counts: Sequence[str]
) -> Table:
    return Table(
        table,
        say(TITLES[table]),
        (Column(say("Branch"), Kind.WORDS), *(Column(say(WORDS[one])) for one in counts)),
        tuple((name(line.branch), *(line.counts.get(one, 0) for one in counts)) for line in report.branches),
        (say("Total"), *(report.total.get(one, 0) for one in counts)),
    )


def _paces(report: Report, say: Say, name: Callable[[Branch], str]) -> Table:
    def cells(times: Times) -> tuple[Cell, ...]:
        return times.decisions, times.share, hours(times.median), hours(times.p90)

    return Table(
        "pace",
        say(TITLES["pace"]),
        (
            Column(say("Branch"), Kind.WORDS),
            Column(say("Decisions")),
            Column(say("In time"), Kind.SHARE),
            Column(say("Median, hours"), Kind.HOURS),
            Column(say("90% within, hours"), Kind.HOURS),
        ),
        tuple((name(line.branch), *cells(report.times(line.branch))) for line in report.branches),
        (say("Total"), *cells(report.pace.overall)),
    )


def _coverage(report: Report, say: Say, name: Callable[[Branch], str]) -> Table:
    def cells(one: Reach | None) -> tuple[Cell, ...]:
        return (one.clients, one.reached, one.share) if one else (0, 0, None)

    return Table(
        "coverage",
        say(TITLES["coverage"]),
        (
            Column(say("Branch"), Kind.WORDS),
            Column(say("Clients")),
            Column(say("Reached")),
            Column(say("Share"), Kind.SHARE),
        ),
        tuple((name(line.branch), *cells(report.reach.get(line.branch.id))) for line in report.branches),
        (say("Total"), *cells(report.reached)),
    )


def _opt_outs(report: Report, say: Say, name: Callable[[Branch], str]) -> Table:
    by_id = {line.branch.id: line.branch for line in report.branches}
    ordered = sorted(report.opted_out, key=lambda one: (by_id[one.branch_id].code, one.source))
    return Table(
        "opt_outs",
        say(TITLES["opt_outs"]),
        (
            Column(say("Branch"), Kind.WORDS),
            Column(say("How it became known"), Kind.WORDS),
            Column(say("Clients")),
        ),
        tuple(
            (name(by_id[one.branch_id]), say(SOURCES.get(one.source, one.source)), one.clients)
            for one in ordered
        ),
        (say("Total"), None, sum(one.clients for one in ordered)),
    )


def _split(
    lines: Sequence[Line],
    say: Say,
    name: Callable[[Branch], str],
    table: str,
    counts: Sequence[str],
    *,
    channel: bool,
) -> Table:
    heads = [Column(say("Branch"), Kind.WORDS), Column(say("Category"), Kind.WORDS)]
    heads += [Column(say("Channel"), Kind.WORDS)] if channel else []
    rows = tuple(
        (
            name(line.branch),
            say(CATEGORIES.get(line.category, line.category)),
            *((say(CHANNELS.get(line.channel, line.channel)),) if channel else ()),
            *(line.counts.get(one, 0) for one in counts),
        )
        for line in lines
    )
    sums = tuple(sum(line.counts.get(one, 0) for line in lines) for one in counts)
    return Table(
        table,
        say(TITLES[table]),
        (*heads, *(Column(say(WORDS[one])) for one in counts)),
        rows,
        (say("Total"), *(None for _ in heads[1:]), *sums),
    )


def _reasons(
    report: Report,
    say: Say,
    name: Callable[[Branch], str],
    locale: str,
    reasons: Mapping[str, ReasonWords],
) -> Table:
    return Table(
        "returned",
        say(TITLES["returned"]),
        (
            Column(say("Branch"), Kind.WORDS),
            Column(say("Reason"), Kind.WORDS),
            Column(say("Returned")),
            Column(say("Rejected")),
        ),
        tuple(
            (name(branch), reason_words(reason, locale, reasons), returned, rejected)
            for branch, reason, returned, rejected in report.by_reason()
        ),
    )


def reason_words(code: str, locale: str, reasons: Mapping[str, ReasonWords]) -> str:
    """A reason for returning in the reader's language, as it is in force; a code that is no more stays itself."""
    if not code:
        return translate(locale, "no reason given")
    found = reasons.get(code)
    if found is None:
        return code
    return found.zh if locale.startswith("zh") else found.en
