"""Rehearsing a job shows real renderings for chosen or drawn clients and stores nothing."""

from datetime import date

import pytest
from sqlalchemy import text

from outreach.composing.rehearsal import rehearse
from outreach.core.errors import BadInput, Forbidden, NotFound
from outreach.ledger.work import Opener, Work
from tests.support.builders import Firm, firm, make_client, publish_starter
from tests.support.occurrences import make_item
from tests.support.pages import SignIn

TABLES = ("occurrence", "submission", "message", "left_out", "greeting_slot", "ledger_entry", "sealed_record")
FESTIVAL = date(2027, 2, 6)


@pytest.fixture
def people(open_work: Opener) -> Firm:
    found = firm(open_work)
    publish_starter(open_work, found)
    with open_work() as work:
        make_client(work, found.b01, client_no="K1", name="欧阳明", gender="male")
        make_client(work, found.b01, client_no="K2", name="Ann Carter", language="en")
        make_client(work, found.b01, client_no="K3", name="已故者", deceased=True)
        make_client(work, found.b02, client_no="K9", name="别处客户")
    return found


def _stored(work: Work) -> list[int]:
    waiting = work.conn.execute(text("SELECT count(*) FROM procrastinate_jobs")).scalar_one()
    return [waiting] + [
        work.conn.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in TABLES
    ]


def test_each_language_and_channel_is_shown_and_nothing_is_stored(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        before = _stored(work)
    with open_work(people.b01.manager) as work:
        found = rehearse(work, "spring-festival", FESTIVAL, client_nos=["K1", "K2"], locale="en")
    with open_work() as work:
        assert _stored(work) == before
    assert found.fires
    assert found.audience == 3  # the branch's own, before consent and limits
    first, second = found.clients
    assert [(v.channel, v.language) for v in first.variants] == [
        ("email", "en"),
        ("email", "zh-CN"),
        ("sms", "en"),
        ("sms", "zh-CN"),
    ]
    chinese = next(v for v in first.variants if (v.channel, v.language) == ("sms", "zh-CN"))
    assert "欧阳先生" in chinese.text
    assert chinese.segments == 1
    assert (first.channel, first.language) == ("sms", "zh-CN")
    assert second.language == "en"
    assert second.send_at is not None
    assert "****" in first.to


def test_whoever_would_get_nothing_is_told_why(open_work: Opener, people: Firm) -> None:
    with open_work(people.b01.manager) as work:
        found = rehearse(work, "spring-festival", FESTIVAL, client_nos=["K3"], locale="en")
        assert found.clients[0].stopped is not None
        assert "died" in found.clients[0].stopped.reason
        assert found.clients[0].variants[0].text  # and what it would have said
        birthday = rehearse(work, "birthday-solar", date(2027, 6, 1), client_nos=["K1"], locale="en")
    assert birthday.audience == 0
    assert birthday.clients[0].stopped is not None
    assert birthday.clients[0].stopped.reason == "This job is not for this client."


def test_a_birthday_job_draws_those_whose_day_it_is(open_work: Opener, people: Firm) -> None:
    with open_work(people.head_office) as work:
        found = rehearse(work, "birthday-solar", date(2027, 1, 2), size=2, seed="a")
        again = rehearse(work, "birthday-solar", date(2027, 1, 2), size=2, seed="a")
        every = rehearse(work, "birthday-solar", date(2027, 1, 2), size=10, seed="b")
    assert found.audience == 4
    assert [one.client_no for one in found.clients] == [one.client_no for one in again.clients]
    assert {one.client_no for one in every.clients} == {"K1", "K2", "K3", "K9"}


def test_a_day_on_which_it_does_not_fire_says_when_it_does(open_work: Opener, people: Firm) -> None:
    with open_work(people.b01.manager) as work:
        found = rehearse(work, "spring-festival", date(2027, 1, 20))
    assert (found.fires, found.next_on) == (False, FESTIVAL)


def test_a_feed_job_is_rehearsed_with_an_item(open_work: Opener, people: Firm) -> None:
    with open_work(people.head_office) as work, pytest.raises(NotFound, match="no item"):
        rehearse(work, "market-event", date(2027, 1, 20))
    with open_work() as work:
        make_item(work, "market-event", code="", risk_level=None)
    with open_work(people.head_office) as work:
        found = rehearse(work, "market-event", date(2027, 1, 20), client_nos=["K9"])
        assert found.item
        assert found.clients[0].variants
        with pytest.raises(NotFound, match="no such item"):
            rehearse(work, "market-event", date(2027, 1, 20), item_key="nobody's")


def test_bad_wishes_are_refused_in_words(open_work: Opener, people: Firm) -> None:
    with open_work(people.b01.manager) as work:
        with pytest.raises(NotFound, match="K9"):
            rehearse(work, "spring-festival", FESTIVAL, client_nos=["K9"])
        with pytest.raises(NotFound, match="there-is-none"):
            rehearse(work, "there-is-none", FESTIVAL)
        with pytest.raises(BadInput, match="1 to 50"):
            rehearse(work, "spring-festival", FESTIVAL, size=0)
        with pytest.raises(BadInput, match="too far"):
            rehearse(work, "spring-festival", date(2045, 1, 1))
    with open_work(people.operator) as work, pytest.raises(Forbidden):
        rehearse(work, "spring-festival", FESTIVAL)


def test_the_page_shows_it_and_its_mail(people: Firm, sign_in: SignIn) -> None:
    reader = sign_in(people.b01.manager)
    assert "Nothing is stored" in reader.read("/rehearse")
    said = reader.read("/rehearse?job=spring-festival&on=2027-02-06&clients=K1")
    assert "欧阳先生" in said
    assert "this one goes out" in said
    mail = reader.get("/rehearse/mail?job=spring-festival&on=2027-02-06&client=K1&language=zh-CN")
    assert "sandbox" in mail.headers["content-security-policy"]
    assert "欧阳先生" in mail.text


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("job=spring-festival&on=tomorrow", "That is no date."),
        ("job=spring-festival&on=2027-02-06&clients=K9", "There is no client K9 among yours."),
        ("job=nothing", "There is no job 'nothing' in force."),
        ("job=spring-festival&size=900", "A rehearsal shows 1 to 50 clients."),
    ],
)
def test_the_page_says_what_is_wrong(people: Firm, sign_in: SignIn, query: str, words: str) -> None:
    answer = sign_in(people.b01.manager).get(f"/rehearse?{query}")
    assert answer.status_code == 400
    assert words in answer.text.replace("&#39;", "'")
