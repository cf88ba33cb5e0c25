"""Brings the demonstration onto the stage: content, people, clients, holdings, feeds, prepared batches.

Each step is the service that an institution would use, and each can be taken again: whatever was stopped half way
goes on where it stood.
"""

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import select

from outreach.composing.compose import compose_occurrence
from outreach.content.check import check_folder
from outreach.content.publish import publish
from outreach.content.starter import starter_root
from outreach.core import clock
from outreach.core.access import SYSTEM, Actor
from outreach.core.errors import Misconfigured
from outreach.core.settings import Settings
from outreach.demo.institution import load_people, loaded, write_clients
from outreach.demo.leaflet import TITLE, leaflet
from outreach.demo.planted import plant, write_traps
from outreach.feeds.take_in import import_feed
from outreach.ledger.work import Opener
from outreach.messages.material import Particulars, list_material
from outreach.occasions.festivals import next_festival
from outreach.people.apply import apply_import
from outreach.people.holdings import import_holdings
from outreach.people.staff import actor_by_number
from outreach.people.tables import staff
from outreach.review.material import approve_material, put_up
from outreach.scheduling.tables import occurrence
from outreach.scheduling.tick import prepare_next, tick

# Festivals of which the starter set has a job; job name = festival name.
FESTIVAL_JOBS = ("new-year", "spring-festival", "mid-autumn")
_LEAFLET = Particulars(TITLE, "relationship", "zh-CN")
_BIRTHDAY_UNTIL = time(17, 0)  # later than this, today's birthday jobs are too late to catch up
Say = Callable[[str], None]


@dataclass(frozen=True)
class Stage:
    """Where the demonstration's own files lie, and who does what in it."""

    open_work: Opener
    settings: Settings
    say: Say
    people: dict[str, UUID] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The demonstration's files below the home folder."""
        return self.settings.home / "demonstration"

    def actor(self, staff_no: str) -> Actor:
        """The person with that staff number, as they are today."""
        with self.open_work(SYSTEM) as work:
            return actor_by_number(work.conn, staff_no, clock.today(self.settings.zone))


def set_stage(open_work: Opener, settings: Settings, say: Say) -> None:
    """Load the demonstration institution into a migrated database, as far as it is not there yet.

    ``say`` gets a line for each step. Raises Misconfigured when the database holds another institution.
    """
    stage = Stage(open_work, settings, say)
    _people(stage)
    done = stage.folder / "complete"
    if done.exists():
        return
    _content(stage)
    _clients(stage)
    _feeds(stage)
    _fire(stage)
    _material(stage)
    plant(stage.open_work, stage.actor)
    say(f"traps         {write_traps(stage.open_work, stage.folder)} planted, each stopped by its rule")
    done.parent.mkdir(parents=True, exist_ok=True)
    done.write_text(clock.now().isoformat() + "\n", encoding="utf-8")


def care_day(now: datetime, settings: Settings) -> date:
    """The day whose birthdays can still be composed at ``now``: today, or late in the day tomorrow."""
    local = now.astimezone(settings.zone)
    return local.date() if local.time() < _BIRTHDAY_UNTIL else local.date() + timedelta(days=1)


def _people(stage: Stage) -> None:
    with stage.open_work(SYSTEM) as work:
        if loaded(work):
            return
        if work.conn.execute(select(staff.c.id).limit(1)).first() is not None:
            raise Misconfigured(
                "The database holds an institution of its own.",
                mend="Start outreach web, scheduler and worker, or give the demonstration its own OUTREACH_HOME.",
            )
    people = load_people(stage.open_work)
    stage.say(f"institution   2 branches, {len(people)} people")


def _content(stage: Stage) -> None:
    content, faults = check_folder(stage.settings.content or starter_root())
    if faults:
        raise Misconfigured(
            f"The content has {len(faults)} faults: {faults[0]}", mend="Run: outreach content check"
        )
    author, second = stage.actor("H001"), stage.actor("K001")
    assert author.staff_id is not None
    assert second.staff_id is not None
    with stage.open_work(author) as work:
        release = publish(
            work, content, author.staff_id, second.staff_id, bootstrap=True, note="the starter set"
        )
    stage.say(f"content       release {release.number}: {len(release.versions)} new versions")


def _clients(stage: Stage) -> None:
    path = stage.folder / "clients.csv"
    if not path.exists():
        write_clients(path, care_day(clock.now(), stage.settings))
    operator = stage.actor("O001")
    done = apply_import(stage.open_work, operator, path)
    stage.say(
        f"clients       {done.preview.rows} rows: {done.preview.new} new, {done.preview.rejected} refused,"
        f" {done.preview.birthdays_today} birthdays today"
    )
    holdings = stage.folder / "holdings.csv"
    if not holdings.exists():
        _write_holdings(holdings, clock.today(stage.settings.zone))
    held = import_holdings(stage.open_work, operator, holdings)
    stage.say(f"holdings      {held.rows} rows: {held.new} new")


def _write_holdings(path: Path, today: date) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(("client_no", "code", "quantity", "date"))
        for number in range(1, 201):
            if number % 3 == 1 or number == 52:
                writer.writerow((f"C{number:07d}", "600000.SH", 100 * (number % 9 + 1), today.isoformat()))
            if number % 4 == 2 or number == 52:
                writer.writerow((f"C{number:07d}", "300750.SZ", 100 * (number % 5 + 1), today.isoformat()))


def _feeds(stage: Stage) -> None:
    """A report of risk R3, one of R4 (not for every holder), and a market event, all of a few minutes ago."""
    now = clock.now().astimezone(stage.settings.zone).replace(microsecond=0)
    research, events = stage.folder / "research.jsonl", stage.folder / "market-events.jsonl"
    if not events.exists():
        _write_lines(research, _reports(now))
        _write_lines(events, _events(now))
    operator = stage.actor("O001")
    for kind, path in (("research", research), ("market-event", events)):
        done = import_feed(stage.open_work, operator, kind, path)
        stage.say(f"feed          {kind}: {done.accepted} accepted, {len(done.refused)} refused")


def _reports(now: datetime) -> list[dict[str, object]]:
    common = {
        "publisher": "示例证券研究院",
        "expires_at": (now + timedelta(days=7)).isoformat(),
        "previous_rating": "推荐",
    }
    return [
        {
            "report_id": f"R{now:%Y%m%d}01",
            "ts_code": "600000.SH",
            "title": "银行业周报：息差企稳，关注高股息",
            "report_type": "行业周报",
            "authors": "李晓明",
            "author_licence": "S0000000000001",
            "published_at": (now - timedelta(minutes=20)).isoformat(),
            "rating": "推荐",
            "product_risk": "R3",
            "abstract": "息差环比企稳，高股息银行配置价值仍在。",
            "risk_text": "经济下行超预期；资产质量恶化。",
            "url": f"https://research.example.com/R{now:%Y%m%d}01",
            **common,
        },
        {
            "report_id": f"R{now:%Y%m%d}02",
            "ts_code": "300750.SZ",
            "title": "动力电池：海外产能进入兑现期",
            "report_type": "公司深度",
            "authors": "王珂;陈一",
            "author_licence": "S0000000000002;S0000000000003",
            "published_at": (now - timedelta(minutes=15)).isoformat(),
            "rating": "买入",
            "product_risk": "R4",
            "abstract": "海外基地投产节奏快于预期。",
            "risk_text": "原材料价格波动；海外政策变化。",
            "url": f"https://research.example.com/R{now:%Y%m%d}02",
            **common,
        },
    ]


def _events(now: datetime) -> list[dict[str, object]]:
    return [
        {
            "event_id": f"E{now:%Y%m%d}01",
            "type": "policy",
            "ts_code": "",
            "headline": "央行宣布下调存款准备金率0.5个百分点",
            "announced_at": (now - timedelta(minutes=5)).isoformat(),
            "record_date": None,
            "ex_date": None,
            "pay_date": None,
            "deadline": None,
            "source_url": "https://news.example.com/1",
            "severity": "high",
            "firm_view": "流动性预期改善；短期波动可能加大，请结合自身风险承受能力决策。",
            "supersedes": None,
        }
    ]


def _write_lines(path: Path, items: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items), encoding="utf-8")


def _material(stage: Stage) -> None:
    """A leaflet of head office, approved by a second person there: every branch may attach it."""
    with stage.open_work(stage.actor("H001")) as work:
        found = [one for one in list_material(work) if one.title == TITLE]
        made = found[0] if found else put_up(work, _LEAFLET, f"{TITLE}.pdf", leaflet())
    if made.state == "held":
        with stage.open_work(stage.actor("H002")) as work:
            approve_material(work, made.id, made.digest)
    stage.say("material      1 leaflet for every branch, approved by a second person")


def _fire(stage: Stage) -> None:
    """Catch up what is due, prepare the next festival, and compose all of it now rather than within seconds."""
    tick(stage.open_work)
    today = clock.today(stage.settings.zone)
    nearest = min(FESTIVAL_JOBS, key=lambda name: next_festival(name, today))
    with stage.open_work(SYSTEM) as work:
        prepare_next(work, nearest)
    with stage.open_work(SYSTEM) as work:
        due = list(
            work.conn.execute(
                select(occurrence.c.id, occurrence.c.job_name)
                .where(occurrence.c.state == "due", occurrence.c.requested_by.is_(None))
                .order_by(occurrence.c.created_at)
            )
        )
    for row in due:
        made = compose_occurrence(stage.open_work, row.id)
        stage.say(f"composed      {row.job_name}: {made.count} messages, {made.left_out} left out")
