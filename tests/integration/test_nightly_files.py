"""The client system's files in the watched folder: taken in by themselves, or left for a person who decides."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select, text

from outreach.app import DROPS, wire
from outreach.core.dropped import Dropped, Looks, take_dropped
from outreach.core.errors import Forbidden
from outreach.core.settings import Settings
from outreach.ledger.work import Opener
from outreach.people.apply import apply_import
from outreach.people.nightly import WaitingFile, discard_waiting, waiting_file, waiting_files
from outreach.people.tables import import_run, import_waiting
from tests.support.builders import Firm, firm
from tests.support.pages import Reader, SignIn

HEADER = "client_no,name,mobile,status,branch,advisor_id\n"
CLIENTS = 40


@pytest.fixture
def people(open_work: Opener) -> Firm:
    wire()
    return firm(open_work)


def rows(*, count: int = CLIENTS, closed: int = 0, named: str = "王小明", broken: int = 0) -> str:
    lines = [
        f"C{one:03d},{named},1470000{one:04d},{'销户' if one < closed else ''},B01,B01-A1\n"
        for one in range(count)
    ]
    return HEADER + "".join(lines) + ",无号,,,B01,\n" * broken


Night = Callable[..., Dropped]


@pytest.fixture
def night(open_work: Opener, settings: Settings, people: Firm) -> Night:
    numbers = iter(range(1, 100))

    def comes(content: str, kind: str = "clients") -> Dropped:
        folder = settings.drop_folder / kind
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"night{next(numbers)}.csv").write_text(content, encoding="utf-8")
        looks: Looks = {}
        found: list[Dropped] = []
        for _ in range(2):
            found += take_dropped(open_work, kind, folder, partial(DROPS[kind], open_work), looks)
        [dropped] = found
        return dropped

    return comes


def moved(dropped: Dropped) -> Path:
    assert dropped.moved_to is not None
    return dropped.moved_to


def count(open_work: Opener, where: str = "true") -> int:
    with open_work() as work:
        return int(work.conn.execute(text(f"SELECT count(*) FROM client WHERE {where}")).scalar_one())


def waiting(open_work: Opener, people: Firm) -> list[WaitingFile]:
    with open_work(people.operator) as work:
        return waiting_files(work)


def test_a_usual_file_is_taken_in_by_itself(open_work: Opener, people: Firm, night: Night) -> None:
    first = night(rows())
    assert (first.outcome, first.counts["new"]) == ("taken", CLIENTS)
    second = night(rows(closed=2, broken=1))
    assert second.counts["changed"] == 2
    assert second.counts["rejected"] == 1
    assert count(open_work) == CLIENTS
    assert waiting(open_work, people) == []
    assert moved(first).parent.name == "done"
    note = moved(second).parents[1] / "refused" / f"{moved(second).name}.reasons.txt"
    assert "client_no" in note.read_text(encoding="utf-8")
    with open_work() as work:
        assert set(work.conn.execute(select(import_run.c.by_staff_id)).scalars()) == {None}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (rows(closed=12), "ended"),
        (rows(named="李小红"), "changed"),
        (rows(broken=12), "rejected"),
    ],
    ids=["ended", "changed", "rejected"],
)
def test_a_file_that_would_change_too_much_waits_and_its_reader_is_told(
    open_work: Opener, people: Firm, night: Night, content: str, code: str
) -> None:
    night(rows())
    assert night(content).counts == {"waiting": 1}
    [left] = waiting(open_work, people)
    assert code in {one.code for one in left.doubts}
    assert left.path.read_text(encoding="utf-8") == content
    assert left.path.stat().st_mode & 0o777 == 0o600
    assert count(open_work, "name = '王小明' AND status <> 'closed'") == CLIENTS
    with open_work() as work:
        told = work.conn.execute(text("SELECT staff_id, kind FROM notice")).all()
    assert [(row.staff_id, row.kind) for row in told] == [(people.operator.staff_id, "file_waits")]


def test_the_same_file_again_does_not_wait_twice(open_work: Opener, people: Firm, night: Night) -> None:
    night(rows())
    night(rows(closed=12))
    assert night(rows(closed=12)).outcome == "known"
    assert len(waiting(open_work, people)) == 1


def test_importing_its_content_by_any_way_settles_it_and_its_copy_goes(
    open_work: Opener, people: Firm, night: Night
) -> None:
    night(rows())
    night(rows(closed=12))
    [left] = waiting(open_work, people)
    apply_import(open_work, people.operator, left.path)
    assert waiting(open_work, people) == []
    with open_work() as work:
        row = work.conn.execute(select(import_waiting)).one()
    assert (row.state, row.decided_by) == ("applied", people.operator.staff_id)
    night(rows(closed=13))
    assert not left.path.exists()


def test_a_discarded_one_changes_nothing_and_stays_in_done(
    open_work: Opener, people: Firm, night: Night
) -> None:
    night(rows())
    dropped = night(rows(closed=12))
    [left] = waiting(open_work, people)
    with open_work(people.operator) as work:
        discard_waiting(work, left.id)
    assert waiting(open_work, people) == []
    assert moved(dropped).read_text(encoding="utf-8") == rows(closed=12)
    assert count(open_work, "status = 'closed'") == 0
    with open_work() as work:
        said = work.conn.execute(
            text(
                "SELECT convert_from(envelope, 'UTF8')::jsonb ->> 'action' FROM ledger_entry WHERE kind = 'import'"
                " AND convert_from(envelope, 'UTF8')::jsonb ? 'action' ORDER BY at, id"
            )
        ).scalars()
        assert list(said) == ["waiting", "discarded"]


def test_a_branch_does_not_see_the_firms_files(open_work: Opener, people: Firm, night: Night) -> None:
    night(rows())
    night(rows(closed=12))
    [left] = waiting(open_work, people)
    with open_work(people.b01.manager) as work:
        assert waiting_files(work) == []
        with pytest.raises(Forbidden):
            waiting_file(work, left.id)
        with pytest.raises(Forbidden):
            discard_waiting(work, left.id)


def test_a_file_that_can_not_be_read_is_refused_with_its_reason(open_work: Opener, night: Night) -> None:
    dropped = night("a,b\n1,2\n")
    assert dropped.outcome == "refused"
    assert dropped.detail
    assert count(open_work) == 0


def test_holdings_come_the_same_way(open_work: Opener, people: Firm, night: Night) -> None:
    night(rows())
    good = "client_no,code,quantity,date\nC001,600000,100,2026-11-02\n"
    assert night(good, "holdings").counts["new"] == 1
    unknown = "".join(f"X{one:03d},600000,100,2026-11-02\n" for one in range(12))
    assert night(good.replace("100", "200") + unknown, "holdings").counts == {"waiting": 1}
    with open_work() as work:
        assert work.conn.execute(text("SELECT quantity FROM holding")).scalar_one() == 100
    [left] = waiting(open_work, people)
    assert (left.kind, [one.code for one in left.doubts]) == ("holdings", ["rejected"])


def test_the_page_shows_it_and_leads_to_its_preview(
    open_work: Opener, people: Firm, night: Night, sign_in: SignIn
) -> None:
    night(rows())
    night(rows(closed=12))
    [left] = waiting(open_work, people)
    reader = sign_in(people.operator)
    assert "12 of 40 clients would be closed or said to have died" in reader.read("/import")
    answer = reader.post(f"/import/waiting/{left.id}/open")
    assert answer.status_code == 303
    where = answer.headers["location"]
    page = _ended(reader, where, "Reading the file")
    assert "Import 12 rows" in page
    reader.post(f"{where}/apply")
    page = _ended(reader, where, "Importing …")
    assert "Imported, in one transaction, and recorded." in page
    assert "Files that wait for you" not in reader.read("/import")
    assert reader.post(f"/import/waiting/{left.id}/discard").status_code == 404


def _ended(reader: Reader, where: str, meanwhile: str) -> str:
    for _ in range(60):
        page = reader.read(where)
        if meanwhile not in page:
            return page
    raise AssertionError(page)


def test_dated_facts_come_the_same_way(open_work: Opener, people: Firm, night: Night) -> None:
    night(rows())
    header = "client_no,kind,date\n"
    good = header + "C001,product-maturity,2027-06-10\n"
    assert night(good, "dates").counts["new"] == 1
    unknown = "".join(f"X{one},product-maturity,2027-06-10\n" for one in range(20))
    assert night(good + unknown, "dates").counts == {"waiting": 1}
    [left] = waiting(open_work, people)
    assert (left.kind, [one.code for one in left.doubts]) == ("dates", ["rejected"])
