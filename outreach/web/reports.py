"""The day sheet and the month's report, as pages and as workbooks."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from outreach.care.report_tables import tables_of
from outreach.care.reports import Report, report
from outreach.care.workbook import workbook_of
from outreach.content.approval_formats import ReasonWords
from outreach.content.in_force import anything_published, reasons_in_force
from outreach.core import clock
from outreach.core.errors import BadInput
from outreach.ledger.work import Work
from outreach.occasions.periods import Period, month_of, one_day
from outreach.review.figures import reported_branches
from outreach.web.branch import branch_called
from outreach.web.frame import Desk, Desks, Page

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def router(desk: Desks) -> APIRouter:
    """The routes."""
    routes = APIRouter(route_class=Page)
    here = Annotated[Desk, Depends(desk)]

    @routes.get("/reports/day")
    def day(desk: here, branch: str = "", date: str = "") -> Response:
        return _page(desk, branch, _day(desk, date), monthly=False)

    @routes.get("/reports/month")
    def month(desk: here, branch: str = "", month: str = "") -> Response:
        return _page(desk, branch, _month(desk, month), monthly=True)

    @routes.get("/reports/day.xlsx")
    def day_book(desk: here, branch: str = "", date: str = "") -> Response:
        return _book(desk, branch, _day(desk, date), monthly=False)

    @routes.get("/reports/month.xlsx")
    def month_book(desk: here, branch: str = "", month: str = "") -> Response:
        return _book(desk, branch, _month(desk, month), monthly=True)

    return routes


def _day(desk: Desk, text: str) -> Period:
    zone = desk.site.settings.zone
    return one_day(_date(text) if text else clock.today(zone), zone)


def _month(desk: Desk, text: str) -> Period:
    zone = desk.site.settings.zone
    return month_of(_date(f"{text}-01") if text else clock.today(zone), zone)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{text!r} is no date.", mend="Choose one, such as 2026-11-25.") from None


def _branch_id(work: Work, code: str) -> UUID | None:
    return branch_called(work, code).id if code else None


def _reasons(work: Work) -> Mapping[str, ReasonWords]:
    return reasons_in_force(work.conn) if anything_published(work.conn) else {}


def _page(desk: Desk, code: str, period: Period, *, monthly: bool) -> Response:
    with desk.work() as work:
        branches = reported_branches(work)
        chosen = code or (branches[0].code if len(branches) == 1 else "")
        made: Report = report(work, period, _branch_id(work, chosen), monthly=monthly)
        return desk.page(
            "report.html",
            report=made,
            tables=tables_of(made, desk.locale, _reasons(work)),
            branches=branches,
            chosen=chosen,
            monthly=monthly,
            period=period,
            month=f"{period.first:%Y-%m}",
            nothing=not any(made.total.values()),
        )


def _book(desk: Desk, code: str, period: Period, *, monthly: bool) -> Response:
    with desk.work() as work:
        made = report(work, period, _branch_id(work, code), monthly=monthly)
        data = workbook_of(made, desk.locale, _reasons(work))
    name = f"{'month' if monthly else 'day'}-{code or 'all'}-{period.first:{'%Y-%m' if monthly else '%Y-%m-%d'}}.xlsx"
    return Response(
        data, media_type=XLSX, headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    )
