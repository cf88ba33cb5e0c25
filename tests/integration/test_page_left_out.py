"""Who was left out and why: by rule, by occasion, page by page, and as a file that no spreadsheet runs."""

import csv
import io

import pytest

from outreach.core.access import Actor
from outreach.ledger.work import Opener
from outreach.messages.leftout import LeftOut, write_left_out
from tests.support.builders import Firm, firm, make_client, publish_starter
from tests.support.occurrences import make_occurrence
from tests.support.pages import SignIn


@pytest.fixture
def people(open_work: Opener) -> Firm:
    found = firm(open_work)
    publish_starter(open_work, found)
    with open_work() as work:
        occurrence_id = make_occurrence(work, "mid-autumn")
        rows = [
            LeftOut(make_client(work, found.b01, name="=已故", client_no="+L001"), found.b01.id, "deceased"),
            LeftOut(make_client(work, found.b01, name="乙"), found.b01.id, "closed"),
            LeftOut(make_client(work, found.b02, name="别处"), found.b02.id, "closed"),
        ]
        write_left_out(work, occurrence_id, rows)
    return found


def test_each_has_its_rule_article_reason_and_mend(people: Firm, sign_in: SignIn) -> None:
    said = sign_in(people.b01.manager).read("/left-out")
    assert "The client has died; nothing is sent." in said
    assert "art. 17" in said
    assert "Let a person speak to the family." in said
    assert "Mid-Autumn" in said
    assert "别处" not in said


def test_filtered_by_rule(people: Firm, sign_in: SignIn) -> None:
    said = sign_in(people.b01.manager).read("/left-out?rule=closed")
    assert "乙" in said
    assert "=已故" not in said


def test_an_advisor_sees_their_own_clients(people: Firm, sign_in: SignIn) -> None:
    assert "乙" in sign_in(people.b01.advisor).read("/left-out")
    assert "Nobody was left out here." in sign_in(people.b01.advisors[1]).read("/left-out")


def test_page_by_page(open_work: Opener, people: Firm, sign_in: SignIn) -> None:
    with open_work() as work:
        occurrence_id = make_occurrence(work, "new-year")
        rows = [LeftOut(make_client(work, people.b01), people.b01.id, "closed") for _ in range(60)]
        write_left_out(work, occurrence_id, rows)
    reader = sign_in(people.b01.manager)
    first = reader.get("/left-out").text
    assert first.count("<tr>") == 51
    following = first.partition("/left-out?rule=&amp;after=")[2].partition('"')[0]
    assert reader.get(f"/left-out?after={following}").text.count("<tr>") == 13


def test_the_file_is_safe_in_a_spreadsheet(people: Firm, sign_in: SignIn) -> None:
    answer = sign_in(people.b01.manager).get("/left-out.csv")
    assert answer.content.startswith("\ufeff".encode())
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    names = {row[3]: row[2] for row in rows[1:]}
    assert names.keys() == {"乙", "'=已故"}
    assert names["'=已故"] == "'+L001"


def test_the_file_stays_within_the_readers_walls(people: Firm, sign_in: SignIn) -> None:
    def names(reader: Actor) -> list[str]:
        answer = sign_in(reader).get("/left-out.csv")
        return [row[3] for row in csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))][1:]

    assert names(people.b02.manager) == ["别处"]
    assert names(people.b01.advisors[1]) == []
