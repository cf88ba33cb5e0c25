"""The branch's page, the day sheet and the month report: page, workbook and figures say the same, to whom they may."""

import io
import re
from datetime import UTC, date, datetime, timedelta

import pytest
from freezegun import freeze_time
from openpyxl import load_workbook
from sqlalchemy import text

from outreach.care.report_tables import CATEGORIES, CHANNELS, OTHER, SOURCES, TITLES, WORDS, Kind, tables_of
from outreach.care.reports import report
from outreach.care.workbook import workbook_of
from outreach.content.in_force import reasons_in_force
from outreach.core import clock
from outreach.core.i18n import catalogue
from outreach.ledger.work import Opener
from outreach.occasions.periods import month_of, one_day
from outreach.review.standing import grant_standing
from tests.support.desk import Desk
from tests.support.figures_rows import a_busy_day, approved, called, put_up, sent_back
from tests.support.pages import SignIn, words
from tests.support.review_rows import hold

MORNING = datetime(2026, 11, 10, 1, tzinfo=UTC)
DAY = date(2026, 11, 10)


def test_the_workbook_has_the_pages_figures(open_work: Opener, desk: Desk, sign_in: SignIn) -> None:
    with freeze_time(MORNING) as frozen:
        a_busy_day(open_work, desk, frozen)
    reader = sign_in(desk.firm.head_office)
    page = reader.get("/reports/day?date=2026-11-10")
    assert page.status_code == 200
    shown = re.findall(r"<(tbody|tfoot)>(.*?)</\1>", page.text, re.S)
    on_page = [words(row) for _, body in shown for row in re.findall(r"<tr>(.*?)</tr>", body, re.S)]
    answer = reader.get("/reports/day.xlsx?date=2026-11-10")
    assert answer.headers["content-type"].endswith("spreadsheetml.sheet")
    book = load_workbook(io.BytesIO(answer.content))
    with open_work(desk.firm.head_office) as work:
        made = report(work, one_day(DAY, work.settings.zone))
        tables = tables_of(made, "en", reasons_in_force(work.conn))
    assert len(book.worksheets) == len(tables) == len([one for one in shown if one[0] == "tbody"])
    counted = 0
    for sheet, table in zip(book.worksheets, tables, strict=True):
        rows = [*table.rows, *([table.total] if table.total and table.rows else [])]
        written = [
            tuple(cell.value for cell in row) for row in sheet.iter_rows(min_row=5, max_row=4 + len(rows))
        ]
        assert written == [tuple(row) for row in rows]
        for row in rows:
            said = [
                f"{value:,}"
                for column, value in zip(table.columns, row, strict=True)
                if column.kind is Kind.COUNT and isinstance(value, int)
            ]
            line = on_page[counted]
            assert [one for one in line.split() if re.fullmatch(r"[\d,]+", one)][-len(said) :] == said, line
            counted += 1
    assert counted == len(on_page)
    assert made.total["put_up"] == 14


def test_a_name_in_a_workbook_is_never_a_formula(open_work: Opener, desk: Desk) -> None:
    with open_work() as work:
        work.conn.execute(
            text("UPDATE branch SET code = '=1+1', name = '=cmd()', name_en = '' WHERE code = 'B01'")
        )
        made = report(work, one_day(clock.today(work.settings.zone), work.settings.zone))
        book = load_workbook(io.BytesIO(workbook_of(made, "zh-CN", {})))
    for sheet in book.worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                assert cell.data_type != "f"
                assert not str(cell.value or "").startswith("=")


def test_a_month_report_in_either_language(open_work: Opener, desk: Desk, sign_in: SignIn) -> None:
    with freeze_time(MORNING) as frozen:
        a_busy_day(open_work, desk, frozen)
    page = sign_in(desk.firm.head_office).read("/reports/month?month=2026-11")
    assert "Coverage: clients who got something" in page
    assert "海淀" not in page
    chinese = sign_in(desk.firm.head_office, "zh-CN").read("/reports/month?month=2026-11&branch=B01")
    assert "覆盖面：收到过消息的客户" in chinese
    assert "语气不当" in chinese
    assert "合计" not in chinese  # one branch needs no sum
    with open_work(desk.firm.head_office) as work:
        made = report(work, month_of(DAY, work.settings.zone), monthly=True)
        assert len(load_workbook(io.BytesIO(workbook_of(made, "zh-CN", {}))).worksheets) == 9


def test_every_word_of_a_report_has_its_chinese() -> None:
    known = catalogue("zh-CN")
    said = [
        *CHANNELS.values(),
        *CATEGORIES.values(),
        *SOURCES.values(),
        *WORDS.values(),
        *TITLES.values(),
        *OTHER,
    ]
    assert [one for one in [*said, "as known on %(at)s"] if one not in known] == []


def test_an_empty_day_says_so(desk: Desk, sign_in: SignIn) -> None:
    reader = sign_in(desk.firm.b01.manager)
    assert "Nothing happened yet" in reader.read("/reports/day?date=2026-01-05")
    page = reader.read("/branch")
    assert "Nothing is late." in page
    assert "Nobody decided anything in these days." in page
    assert "None. A standing submission" in page


def test_the_branch_page_tells_what_is_late_returned_and_undone(
    open_work: Opener, desk: Desk, sign_in: SignIn
) -> None:
    team = desk.firm.b01
    now = clock.now()
    a_late = put_up(open_work, desk, team, 3, due_by=now - timedelta(minutes=5), title="晚了的")
    mine = put_up(open_work, desk, team, author=team.advisors[1])
    sent_back(open_work, team, mine.ids, "tone")
    done = put_up(open_work, desk, team, 2)
    approved(open_work, team, done.ids)
    with open_work() as work:
        called(work, done.first, "delivered")
    answer = sign_in(team.deputy).get("/branch")
    page = words(answer.text)
    assert f'href="/inbox/submission/{a_late.submission_id}"' in answer.text
    assert "晚了的" in page
    assert f"{team.advisors[1].name} 语气不当" in page or f"{team.advisors[1].name} Tone" in page
    assert '<script type="application/json" id="plot-data">' in answer.text
    assert not re.search(r"<script(?![^>]*(src=|application/json))", answer.text)
    assert " style=" not in answer.text
    # Without a script the figures stand as tables.
    assert answer.text.count("<summary>The figures as a table</summary>") == 2


def test_a_standing_approval_is_revoked_from_the_branch_page(
    open_work: Opener, desk: Desk, sign_in: SignIn
) -> None:
    team = desk.firm.b01
    with open_work() as work:
        held = hold(
            work,
            desk.firm,
            team,
            policy=desk.standing,
            template=desk.birthday,
            lexicon=desk.lexicon_digest(work),
            count=3,
            mode="standing",
            author=desk.firm.head_office,
            send_at=clock.now() + timedelta(hours=3),
        )
    with open_work(team.manager) as work:
        granted = grant_standing(work, held.submission_id, clock.now() + timedelta(days=30))
    reader = sign_in(team.manager)
    page = reader.read("/branch")
    assert f"Granted by {team.manager.name}" in page
    assert "Released so far: 3." in page
    path = f"/branch/B01/standing/{granted.standing_approval_id}/revoke"
    assert sign_in(desk.firm.operator).post(path).status_code == 403
    assert sign_in(team.advisor).post(path).status_code == 403
    assert sign_in(desk.firm.b02.manager).post(path).status_code == 404
    assert "Back in the inbox: 3." in reader.after(path)
    assert "None. A standing submission" in reader.read("/branch")


def test_p7_reports_stop_at_the_branch(desk: Desk, sign_in: SignIn) -> None:
    firm = desk.firm
    other = sign_in(firm.b02.manager)
    for path in (
        "/branch/B01",
        "/reports/day?branch=B01",
        "/reports/month?branch=B01",
        "/reports/day.xlsx?branch=B01",
    ):
        answer = other.get(path)
        assert answer.status_code == 404, path
        assert "海淀" not in answer.text
        assert "Haidian" not in answer.text
    assert "Haidian" not in other.read("/reports/month")
    for actor in (firm.b01.advisor, firm.operator):
        assert sign_in(actor).get("/reports/day").status_code == 403
        assert sign_in(actor).get("/branch").status_code == 403
    for actor in (firm.head_office, firm.compliance):
        listed = sign_in(actor).read("/branch")
        assert "Haidian Branch" in listed
        assert "Pudong Branch" in listed
    assert sign_in(firm.compliance).get("/branch/B01").status_code == 200


@pytest.mark.parametrize("path", ["/reports/day?date=x", "/reports/month?month=2026-13", "/day?on=yesterday"])
def test_what_is_no_date_is_told(desk: Desk, sign_in: SignIn, path: str) -> None:
    actor = desk.firm.b01.advisor if path.startswith("/day") else desk.firm.b01.manager
    assert sign_in(actor).get(path).status_code == 400
