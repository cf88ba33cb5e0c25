"""An advisor's day: birthdays and what becomes of the greeting, who waits, what came back, what goes out; each with its
next step, behind the branch's walls."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from freezegun import freeze_time
from sqlalchemy import select, text

from outreach.app import wire
from outreach.care.advisor_day import advisor_day, advisors_of
from outreach.composing.compose import compose_occurrence
from outreach.composing.requests import RequestDraft, queue_request
from outreach.core import clock
from outreach.core.errors import Forbidden, NotFound
from outreach.delivery import sends
from outreach.delivery.replies import ReplyIn, take_reply
from outreach.delivery.sends import sends_of
from outreach.ledger.work import Opener
from outreach.people.birthdays import birthdays_of
from outreach.people.consent import opt_out
from outreach.people.tables import contact_point
from outreach.review import mending
from outreach.review.decide import approve, return_
from tests.support.builders import Firm, firm, make_client, publish_starter
from tests.support.figures_rows import called
from tests.support.occurrences import make_occurrence
from tests.support.pages import SignIn
from tests.support.review_rows import as_read

NOW = datetime(2026, 9, 25, 2, tzinfo=UTC)  # ten in Shanghai, on 八月十五
DAY = date(2026, 9, 25)


@pytest.fixture
def people(open_work: Opener) -> Firm:
    wire()
    made = firm(open_work)
    publish_starter(open_work, made)
    return made


def queued(open_work: Opener, people: Firm, client: Any, words: str = "{称呼}，您好！资料已备妥。") -> Any:
    with open_work(people.b01.advisor) as work:
        return queue_request(work, RequestDraft((client,), text=words)).message_ids[0]


def test_birthdays_by_either_calendar(open_work: Opener, people: Firm) -> None:
    team = people.b01
    with freeze_time(NOW), open_work(team.advisor) as work:
        solar = make_client(work, team, birth_date=date(1980, 9, 25))
        lunar = make_client(work, team, birth_date=date(1980, 3, 3), lunar_month=8, lunar_day=15)
        # Whoever keeps the lunar birthday doesn't keep the other.
        make_client(work, team, birth_date=date(1980, 9, 25), lunar_month=1, lunar_day=1)
        make_client(work, team, birth_date=date(1980, 9, 25), deceased=True)
        make_client(work, team, birth_date=date(1980, 9, 25), status="closed")
        make_client(work, team, birth_date=date(1980, 9, 25), advisor_id=team.advisors[1].staff_id)
        assert team.advisor.staff_id is not None
        found = birthdays_of(work, team.advisor.staff_id, DAY)
        assert {(one.client_id, one.lunar, one.age) for one in found} == {
            (solar, False, 46),
            (lunar, True, None),
        }
        leap = make_client(work, team, birth_date=date(1984, 2, 29))
        assert [one.client_id for one in birthdays_of(work, team.advisor.staff_id, date(2027, 2, 28))] == [
            leap
        ]


def test_what_becomes_of_a_greeting(open_work: Opener, people: Firm) -> None:
    team = people.b01
    with freeze_time(NOW):
        with open_work() as work:
            greeted = make_client(work, team, birth_date=date(1980, 9, 25))
            silent = make_client(work, team, birth_date=date(1980, 9, 25))
            opt_out(work, [silent], source="page")
        with open_work(team.advisor) as work:
            before = advisor_day(work, locale="en")
        assert [(one.expected, one.greetings) for one in before.birthdays] == [(True, ()), (True, ())]
        with open_work() as work:
            occurrence = make_occurrence(work, "birthday-solar", send_date=DAY)
        compose_occurrence(open_work, occurrence)
        with open_work(team.advisor) as work:
            after = {one.client.client_id: one for one in advisor_day(work, locale="en").birthdays}
    assert [made.state for made in after[greeted].greetings] == ["held"]
    [why] = after[silent].greetings
    assert why.state == "left_out"
    assert why.why is not None
    assert why.why.mend


def test_a_day_has_all_that_waits_for_the_advisor(open_work: Opener, people: Firm, sign_in: SignIn) -> None:
    team = people.b01
    with open_work() as work:
        client = make_client(work, team, name="张甲甲")
        number = work.conn.execute(
            select(contact_point.c.address).where(
                contact_point.c.client_id == client, contact_point.c.channel == "sms"
            )
        ).scalar_one()
    back = queued(open_work, people, client)
    sent = queued(open_work, people, client, "{称呼}，您好！请您有空回电。")
    with open_work(team.manager) as work:
        return_(work, [back], as_read(work, (back,)), ["typo"], "请写明地址")
        approve(work, [sent], as_read(work, (sent,)))
    with open_work() as work:
        called(work, sent, "undelivered")
        reply = take_reply(work, ReplyIn("gateway", "R1", "sms", number, "几点开门"))
        task = work.conn.execute(text("SELECT id FROM task WHERE reply_id = :id"), {"id": reply}).scalar_one()
    with open_work(team.advisor) as work:
        found = advisor_day(work, locale="en")
    assert [one.id for one in found.answers] == [task]
    assert [one.id for one in found.returned] == [back]
    assert (found.returned[0].reasons, found.returned[0].returned_by) == (("typo",), team.manager.name)
    assert [(one.id, one.state) for one in found.sends] == [(sent, "undelivered")]

    answer = sign_in(team.advisor).get("/day")
    for link in (f'/tasks/{task}/answer"', f'/mine/{back}"', f'/clients/{client}"'):
        assert f'href="{link}' in answer.text
    page = sign_in(team.advisor, "zh-CN").read("/day")
    for said in ("几点开门", "错别字或格式", "请写明地址", "改为致电", "未送达"):
        assert said in page

    # The manager looks at it, and gets what a manager can do.
    seen = sign_in(team.manager).get(f"/day?advisor={team.advisor.staff_id}")
    assert seen.status_code == 200
    assert "请写明地址" in seen.text
    assert f'href="/mine/{back}"' not in seen.text


def test_a_day_that_is_empty_says_so(people: Firm, sign_in: SignIn) -> None:
    page = sign_in(people.b01.advisor).read("/day")
    for said in ("Nobody waits for an answer.", "Nothing came back.", "Nobody has a birthday."):
        assert said in page


def test_p7_a_day_is_the_advisors_own_and_their_managers(
    open_work: Opener, people: Firm, sign_in: SignIn
) -> None:
    team, whose = people.b01, people.b01.advisor.staff_id
    assert whose is not None
    with open_work() as work:
        client = make_client(work, team, birth_date=clock.today(work.settings.zone).replace(year=1980))
    back = queued(open_work, people, client)
    with open_work(team.manager) as work:
        return_(work, [back], as_read(work, (back,)), ["typo"], "")
    for actor in (team.advisors[1], people.b02.manager, people.b02.advisor):
        with open_work(actor) as work:
            with pytest.raises(NotFound):
                advisor_day(work, whose)
            assert sends_of(work, whose, clock.today(work.settings.zone)) == []
            assert birthdays_of(work, whose, clock.today(work.settings.zone)) == []
        assert sign_in(actor).get(f"/day?advisor={whose}").status_code == 404
    for actor in (people.operator, people.compliance):
        with open_work(actor) as work, pytest.raises((Forbidden, NotFound)):
            advisor_day(work, whose)
    for actor in (team.manager, team.deputy, people.head_office):
        with open_work(actor) as work:
            found = advisor_day(work, whose)
            assert (len(found.returned), len(found.birthdays), found.own) == (1, 1, False)
    with open_work(team.manager) as work:
        assert {one.id for one in advisors_of(work)} == {one.staff_id for one in team.advisors}
    # A manager who is no advisor has nobody's day of their own, but a list.
    assert people.b01.advisors[1].name in sign_in(team.manager).read("/day")


def test_a_day_is_the_firms_civil_day(open_work: Opener, people: Firm) -> None:
    team = people.b01
    with freeze_time(datetime(2026, 9, 25, 15, 30, tzinfo=UTC)) as frozen:  # half an hour before midnight
        with open_work() as work:
            client = make_client(work, team)
        sent = queued(open_work, people, client)
        with open_work() as work:
            called(work, sent, "sent")
        with open_work(team.advisor) as work:
            assert [one.id for one in advisor_day(work).sends] == [sent]
        frozen.tick(timedelta(hours=1))
        with open_work(team.advisor) as work:
            assert advisor_day(work).sends == ()
            assert [one.id for one in advisor_day(work, day=DAY).sends] == [sent]


# A branch that writes to 2,000 clients of eight advisors ten times in two months.
_MANY = """
INSERT INTO client (id, client_no, name, branch_id, advisor_id, created_at, updated_at)
SELECT gen_random_uuid(), 'X' || n || right(s.branch_id::text, 6), 'x', s.branch_id,
       (array_agg(s.staff_id))[1 + n % count(*)::int], now(), now()
  FROM generate_series(1, 2000) n, staff_role s WHERE s.role = 'advisor' GROUP BY n, s.branch_id;
INSERT INTO message (id, scheduled_month, occurrence_id, submission_id, branch_id, client_id, advisor_id, channel,
                     address_hash, category, language, lexicon_digest, digest, payload_id, state, state_at, send_at,
                     time_zone, expires_at, created_at)
SELECT gen_random_uuid(), date_trunc('month', t.at), gen_random_uuid(), gen_random_uuid(), c.branch_id, c.id,
       c.advisor_id, 'sms', '', 'information', 'zh-CN', '', '', gen_random_uuid(),
       CASE WHEN n = 1 THEN 'returned' ELSE 'delivered' END, t.at, t.at, 'Asia/Shanghai', t.at, t.at
  FROM client c, generate_series(1, 10) n, LATERAL (SELECT now() - n * interval '6 days' AS at) t;
ANALYZE client; ANALYZE message;
"""


def test_what_a_day_asks_for_is_found_by_index(open_work: Opener, people: Firm, conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as owner:
        owner.execute(_MANY)
    with open_work() as work:
        today = clock.today(work.settings.zone)
        values = {
            "advisor": people.b01.advisor.staff_id,
            "firm": False,
            "branches": [people.b01.id],
            "since": clock.now() - timedelta(hours=12),
            "until": clock.now() + timedelta(hours=12),
            "oldest": today.replace(day=1) - timedelta(days=62),
            "newest": today.replace(day=1) + timedelta(days=31),
            "limit": 10,
        }
        for query in (sends.SENDS, mending.TO_MEND):
            plan = list(work.conn.execute(text(f"EXPLAIN {query}"), values).scalars())
            through = [line for line in plan if "Seq Scan on message" in line and "rows=1 " not in line]
            assert through == [], plan
