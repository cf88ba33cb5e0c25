"""Choosing clients by filters, and from a pasted list with an answer for each line that fits nobody."""

import pytest
from sqlalchemy import text

from outreach.core.errors import BadInput
from outreach.ledger.work import Opener
from outreach.people.picking import (
    LONGEST_LIST,
    Pick,
    count_picked,
    match_lines,
    pick_clients,
    picked_ids,
    tags_in_use,
)
from tests.support.builders import Firm, firm, make_client


@pytest.fixture
def people(open_work: Opener) -> Firm:
    found = firm(open_work)
    with open_work() as work:
        b01 = found.b01
        make_client(work, b01, client_no="P1", name="王伟", tier="vip", tags=["IPO"], risk_class=5)
        make_client(work, b01, client_no="P2", name="王伟", tier="gold", holdings=("600000.SH",))
        make_client(
            work, b01, client_no="P3", name="Ann Carter", language="en", mobile="+8614700099999", risk_class=2
        )
        make_client(work, b01, client_no="P4", name="李娜", email="li.na@example.net", tags=["IPO", "高净值"])
        work.conn.execute(text("UPDATE client SET status = 'dormant' WHERE client_no = 'P2'"))
        work.conn.execute(text("UPDATE client SET status = 'closed' WHERE client_no = 'P4'"))
        make_client(work, found.b02, client_no="Q1", name="赵别处", tier="vip")
    return found


@pytest.mark.parametrize(
    ("pick", "numbers"),
    [
        (Pick(), ["P1", "P2", "P3", "P4"]),
        (Pick(tiers=("vip", "gold")), ["P1", "P2"]),
        (Pick(holding=" 600000.sh "), ["P2"]),
        (Pick(tags=("IPO",)), ["P1", "P4"]),
        (Pick(tags=("IPO",), tiers=("vip",)), ["P1"]),
        (Pick(languages=("en",)), ["P3"]),
        (Pick(risk_at_least=3), ["P1", "P2", "P4"]),
        (Pick(statuses=("dormant",)), ["P2"]),
        (Pick(statuses=("dormant", "closed")), ["P2", "P4"]),
        (Pick(statuses=("normal",), tags=("IPO",)), ["P1"]),
        (Pick(search="王"), ["P1", "P2"]),
        (Pick(search="P4"), ["P4"]),
        (Pick(search="147 0009 9999"), ["P3"]),
        (Pick(search="LI.NA@example.net"), ["P4"]),
        (Pick(search="%"), []),
        (Pick(search="赵别处"), []),
    ],
)
def test_filters_narrow_within_the_scope(
    open_work: Opener, people: Firm, pick: Pick, numbers: list[str]
) -> None:
    with open_work(people.b01.advisor) as work:
        assert [one.client_no for one in pick_clients(work, pick)] == numbers
        assert count_picked(work, pick) == len(numbers)
        assert len(picked_ids(work, pick, limit=10)) == len(numbers)


def test_a_choice_is_never_cut_off_silently(open_work: Opener, people: Firm) -> None:
    with open_work(people.b01.advisor) as work:
        with pytest.raises(BadInput, match="More than 3 clients fit"):
            picked_ids(work, Pick(), limit=3)
        with pytest.raises(BadInput, match="C9"):
            pick_clients(work, Pick(risk_at_least=9))
        assert tags_in_use(work) == ["IPO", "高净值"]
        first = pick_clients(work, Pick(), limit=2)
        assert [one.client_no for one in pick_clients(work, Pick(), after=first[-1].client_no)] == [
            "P3",
            "P4",
        ]


def test_each_pasted_line_finds_its_client_or_says_why_not(open_work: Opener, people: Firm) -> None:
    pasted = "\n".join(
        [
            "客户号\t姓名",
            "P1 王伟",
            "",
            "Ann Carter",
            "李娜，li.na@example.net",
            "王伟",  # two have this name
            "P2\t李娜",  # the number is another's
            "P1",  # stood there already
            "赵别处",  # another branch's
            "+86 147 0009 9999",
            "P2，1.38E+10",  # a float is no number; the client number is one
        ]
    )
    with open_work(people.b01.advisor) as work:
        found, unmatched = match_lines(work, pasted)
    assert sorted(one.client_no for one in found) == ["P1", "P2", "P3", "P4"]
    assert [(one.line, one.why) for one in unmatched] == [
        (6, "several"),
        (7, "disagree"),
        (8, "twice"),
        (9, "unknown"),
        (10, "twice"),
    ]
    assert [one.client_no for one in unmatched[0].candidates] == ["P1", "P2"]


def test_a_mobile_or_mail_address_finds_its_client(open_work: Opener, people: Firm) -> None:
    with open_work(people.b01.advisor) as work:
        found, unmatched = match_lines(work, "+8614700099999\nLi.Na@Example.net")
    assert [one.client_no for one in found] == ["P3", "P4"]
    assert unmatched == []


def test_a_list_that_is_too_long_is_refused(open_work: Opener, people: Firm) -> None:
    with open_work(people.b01.advisor) as work:
        with pytest.raises(BadInput, match="1001 lines"):
            match_lines(work, "\n".join(f"N{number}" for number in range(LONGEST_LIST + 1)))
        assert match_lines(work, "") == ([], [])
        found, unmatched = match_lines(work, "\n".join(f"N{number}" for number in range(LONGEST_LIST)))
        assert (found, len(unmatched)) == ([], LONGEST_LIST)
