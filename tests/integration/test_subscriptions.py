"""Subscriptions: recorded with their evidence, by page and by file, and read by the audience through their index."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from outreach.composing.audience import LEAST, Audience, read_chunk
from outreach.core.errors import BadInput, Forbidden
from outreach.core.ids import new_id
from outreach.ledger.append import unseal_bytes
from outreach.ledger.tables import ledger_entry
from outreach.ledger.work import Opener, Work
from outreach.people.subscriptions import (
    import_subscriptions,
    subscribe,
    subscriptions_of,
    unsubscribe,
)
from tests.support.builders import Firm, firm, make_client
from tests.support.occurrences import make_item


@pytest.fixture
def people(open_work: Opener) -> Firm:
    return firm(open_work)


def names(work: Work, audience: Audience) -> set[str]:
    rows = read_chunk(
        work.conn, audience, occurrence_id=new_id(), month=date(2026, 11, 1), after=LEAST, size=100
    )
    return {row.name for row in rows}


def test_a_wish_is_recorded_once_and_may_end_and_begin_again(open_work: Opener, people: Firm) -> None:
    with open_work(people.b01.advisor) as work:
        reader = make_client(work, people.b01)
        assert subscribe(work, reader, "research", "深度报告", source="page", evidence="电话中提出")
        assert not subscribe(work, reader, "research", "深度报告", source="page")
        assert [(one.feed, one.item_type) for one in subscriptions_of(work, reader)] == [
            ("research", "深度报告")
        ]
        assert unsubscribe(work, reader, "research", "深度报告", source="page")
        assert not unsubscribe(work, reader, "research", "深度报告", source="page")
        assert subscriptions_of(work, reader) == []
        assert subscribe(work, reader, "research", "深度报告", source="page")
        entries = work.conn.execute(
            select(ledger_entry).where(ledger_entry.c.client_id == reader).order_by(ledger_entry.c.id)
        ).all()
        assert len(entries) == 3
        assert "深度报告".encode() not in bytes(entries[0].envelope)
        assert "电话中提出" in unseal_bytes(work, entries[0].sealed_id).decode()


def test_an_unknown_feed_or_an_unusable_type_is_said(open_work: Opener, people: Firm) -> None:
    with open_work(people.b01.advisor) as work:
        reader = make_client(work, people.b01)
        for feed, item_type in (
            ("weather", "*"),
            ("research", " "),
            ("research", "x" * 101),
            ("research", "a\nb"),
        ):
            with pytest.raises(BadInput):
                subscribe(work, reader, feed, item_type, source="page")


def test_who_may_not_write_to_clients_changes_nothing(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        reader = make_client(work, people.b01)
    with open_work(people.compliance) as work:
        assert subscriptions_of(work, reader) == []
        with pytest.raises(Forbidden):
            subscribe(work, reader, "research", source="page")


# ── by file ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_a_file_is_imported_and_each_faulty_row_refused_by_itself(
    open_work: Opener, people: Firm, tmp_path: Path, encoding: str
) -> None:
    with open_work() as work:
        reader = make_client(work, people.b01, client_no="C1")
        make_client(work, people.b02, client_no="C2")
    file = tmp_path / "subscriptions.csv"
    file.write_text(
        "client_no,feed,type,action,source\n"
        "C1,research,深度报告,,书面申请\n"
        "C1,market-event,,subscribe,\n"
        "C2,research,,,\n"
        "C9,research,,,\n"
        "C1,weather,,,\n"
        "C1,research,,hold,\n",
        encoding=encoding,
    )
    done = import_subscriptions(open_work, people.b01.manager, file)
    assert (done.rows, done.changed, done.unchanged) == (6, 2, 0)
    assert [row for row, _, _ in done.refused] == [4, 5, 6, 7]
    assert all(reason and mend for _, reason, mend in done.refused)
    again = import_subscriptions(open_work, people.b01.manager, file)
    assert (again.changed, again.unchanged) == (0, 2)
    with open_work() as work:
        assert [one.item_type for one in subscriptions_of(work, reader)] == ["*", "深度报告"]


def test_a_file_without_the_columns_or_from_who_may_not_import_is_refused(
    open_work: Opener, people: Firm, tmp_path: Path
) -> None:
    file = tmp_path / "subscriptions.csv"
    file.write_text("number,feed\nC1,research\n", encoding="utf-8")
    with pytest.raises(BadInput):
        import_subscriptions(open_work, people.operator, file)
    with pytest.raises(Forbidden):
        import_subscriptions(open_work, people.b01.advisor, file)


# ── as an audience ────────────────────────────────────────────────────────────────────────────────────────


def test_holders_or_subscribers_of_the_type_narrowed_by_tier(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        for name, holdings, feed, item_type, tier in (
            ("holder", ("600000.SH",), "", "", "vip"),
            ("of the type", (), "research", "深度报告", "vip"),
            ("of all", (), "research", "*", "vip"),
            ("of another", (), "research", "晨会纪要", "vip"),
            ("of events", (), "market-event", "*", "vip"),
            ("ordinary", ("600000.SH",), "research", "*", "ordinary"),
        ):
            who = make_client(work, people.b01, name=name, holdings=holdings, tier=tier)
            if feed:
                subscribe(work, who, feed, item_type, source="import")
        of_type = {"subscribed_to": "research", "subscribed_types": ("深度报告", "*")}
        both = Audience(tiers=["vip"], holders_of=["600000.SH"], **of_type)
        assert names(work, both) == {"holder", "of the type", "of all"}
        assert names(work, Audience(**of_type)) == {"of the type", "of all", "ordinary"}
        assert names(work, Audience(subscribed_to="research")) == {
            "of the type", "of all", "of another", "ordinary",
        }  # fmt: skip


def test_the_audience_reads_holdings_and_subscriptions_by_their_index(
    open_work: Opener, people: Firm
) -> None:
    statement = (
        "SELECT c.id FROM client c WHERE c.id IN (SELECT h.client_id FROM holding h WHERE h.code = ANY(:codes)"
        " AND h.quantity > 0 UNION SELECT s.client_id FROM subscription s WHERE s.feed = :feed"
        " AND s.item_type = ANY(:types) AND s.ended_at IS NULL)"
    )
    with open_work() as work:
        work.conn.execute(text("SET LOCAL enable_seqscan = off"))
        values = {"codes": ["600000.SH"], "feed": "research", "types": ["深度报告", "*"]}
        plan = "\n".join(work.conn.execute(text(f"EXPLAIN {statement}"), values).scalars())
    assert "subscription_feed" in plan
    assert "Seq Scan on subscription" not in plan
    assert "Seq Scan on holding" not in plan


# ── on the client's page ──────────────────────────────────────────────────────────────────────────────────


def test_an_advisor_records_on_the_page_what_the_client_asked_for(
    open_work: Opener, people: Firm, sign_in: Callable[..., Any]
) -> None:
    with open_work() as work:
        reader: UUID = make_client(work, people.b01)
        work.conn.execute(
            text("UPDATE feed_item SET item_type = '深度报告' WHERE id = :id"), {"id": make_item(work)}
        )
    advisor = sign_in(people.b01.advisor)
    page = f"/clients/{reader}"
    assert "The client has not asked for any." in advisor.read(page)
    assert "Research reports · 深度报告" in advisor.read(page)
    told = advisor.after(f"{page}/subscriptions", act="begin", feed="research|深度报告")
    assert "The subscription is recorded." in told
    with open_work() as work:
        assert [one.item_type for one in subscriptions_of(work, reader)] == ["深度报告"]
    told = advisor.after(f"{page}/subscriptions", act="end", feed="research", item_type="深度报告")
    assert "The subscription has ended." in told
    assert advisor.post(f"{page}/subscriptions", feed="weather|*").status_code == 400
    assert sign_in(people.b02.advisor).post(f"{page}/subscriptions", feed="research|*").status_code == 404
    seen = sign_in(people.compliance)
    assert "Subscribe" not in seen.read(page).replace("Subscriptions", "")
    assert seen.post(f"{page}/subscriptions", feed="research|*").status_code == 403
