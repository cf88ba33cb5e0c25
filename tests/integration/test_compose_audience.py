"""Who an occurrence is for."""

from datetime import date
from uuid import UUID

import pytest

from outreach.composing.audience import LEAST, Audience, read_chunk
from outreach.core.errors import BadInput
from outreach.core.ids import new_id
from outreach.ledger.work import Opener, Work
from outreach.people.consent import opt_out
from tests.support.builders import Firm, firm, make_client


def _names(work: Work, audience: Audience, size: int = 100) -> set[str]:
    rows = read_chunk(
        work.conn, audience, occurrence_id=new_id(), month=date(2026, 11, 1), after=LEAST, size=size
    )
    return {row.name for row in rows}


@pytest.fixture
def people(open_work: Opener) -> Firm:
    staff = firm(open_work)
    with open_work() as work:
        make_client(work, staff.b01, name="solar", birth_date=date(1970, 9, 25))
        make_client(work, staff.b01, name="leap day", birth_date=date(1972, 2, 29), tier="vip")
        make_client(
            work,
            staff.b02,
            name="lunar",
            birth_date=date(1970, 9, 15),
            lunar_month=8,
            lunar_day=15,
            lunar_leap=False,
            language="en",
            tags=["golf"],
        )
        make_client(
            work,
            staff.b02,
            name="last of a short month",
            lunar_month=9,
            lunar_day=30,
            lunar_leap=False,
            risk_class=5,
            holdings=("600000.SH",),
        )
        make_client(work, staff.b01, name="company", kind="company", margin_expiry=date(2026, 12, 1))
    return staff  # fmt: skip


@pytest.mark.parametrize(
    ("audience", "expected"),
    [
        (Audience(), {"solar", "leap day", "lunar", "last of a short month", "company"}),
        (Audience(tiers=["vip"]), {"leap day"}),
        (Audience(branches=["B02"]), {"lunar", "last of a short month"}),
        (Audience(branches=["B02"], languages=["en"]), {"lunar"}),
        (Audience(tags=["golf", "tea"]), {"lunar"}),
        (Audience(risk_classes=[5]), {"last of a short month"}),
        (Audience(holders_of=["600000.SH", "000001.SZ"]), {"last of a short month"}),
        (Audience(kinds=["company"]), {"company"}),
        # 2026-09-25 is 八月十五: who gave a lunar birthday is not greeted on the solar one.
        (Audience(birthday_on=date(2026, 9, 25)), {"solar", "lunar"}),
        (Audience(birthday_on=date(2026, 9, 15)), set()),
        (Audience(birthday_on=date(2027, 2, 28)), {"leap day"}),
        (Audience(birthday_on=date(2027, 2, 28), leap_day="03-01"), set()),
        (Audience(birthday_on=date(2027, 3, 1), leap_day="03-01"), {"leap day"}),
        (Audience(birthday_on=date(2028, 2, 29)), {"leap day"}),
        (Audience(dated_field="margin_expiry", dated_on=[date(2026, 12, 1)]), {"company"}),
        (Audience(dated_field="opened_on", dated_on=[date(2026, 1, 1)], yearly=True),
         {"solar", "leap day", "lunar", "last of a short month", "company"}),
        (Audience(dated_field="opened_on", dated_on=[date(2020, 1, 1)], yearly=True), set()),
    ],
)  # fmt: skip
def test_audience(open_work: Opener, people: Firm, audience: Audience, expected: set[str]) -> None:
    with open_work() as work:
        assert _names(work, audience) == expected


def test_chunks_follow_the_key_and_never_overlap(open_work: Opener, people: Firm) -> None:
    seen: list[UUID] = []
    with open_work() as work:
        occurrence_id, after = new_id(), LEAST
        while rows := read_chunk(
            work.conn, Audience(), occurrence_id=occurrence_id, month=date(2026, 11, 1), after=after, size=2
        ):
            seen += [row.id for row in rows]
            after = rows[-1].id
    assert len(seen) == len(set(seen)) == 5


def test_a_row_has_what_a_message_needs(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        client_id = make_client(work, people.b01, name="one", tier="gold")
        opt_out(work, [client_id], channel="sms", source="page")
        (row,) = read_chunk(
            work.conn, Audience(tiers=["gold"]), occurrence_id=new_id(), month=date(2026, 11, 1), after=LEAST,
            size=10,
        )  # fmt: skip
    assert row.consents == ["sms:*"]
    assert sorted(point[0] for point in row.points) == ["email", "sms"]
    assert row.signer_name == people.b01.advisor.name


def test_an_unknown_field_is_refused(open_work: Opener) -> None:
    with open_work() as work, pytest.raises(BadInput, match="not a date of a client"):
        _names(work, Audience(dated_field="name", dated_on=[date(2026, 1, 1)]))
