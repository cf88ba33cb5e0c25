"""The six traps: what a branch runs into, each stopped with rule, article and mend in words.

A report and a birthday are stopped by their jobs; three drafts of advisors by the composer; one message waits in the
inbox for somebody other than its author.
"""

import json
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select, text

from outreach.composing.requests import RequestDraft, queue_request
from outreach.core.access import SYSTEM, Actor
from outreach.ledger.work import Opener, Work
from outreach.messages.reasons import words
from outreach.people.clients import search_clients
from outreach.review.wording import refuse
from outreach.scheduling.occurrences import REQUEST
from outreach.scheduling.tables import occurrence

Who = Callable[[str], Actor]

GREETING = "{称呼}，您好！上次您问到的季度服务报告已经为您准备好，方便时请回电，我为您讲解。祝您工作顺利！"
_GUARANTEE = "{称呼}，您好！这款产品保.本，收益稳定，请您放心。"
_UNLICENSED = "{称呼}，您好！本周的客户交流会欢迎您参加，地点在营业部二楼。"
_OWN = "{称呼}，您好！我是营业部的许知行，今后由我协助您的服务，请多指教。"

# What each trap is called, by the code of the rule that stops it.
_TITLES: dict[str, tuple[str, str]] = {
    "lexicon": ("文稿里写了“保.本”", "“保.本” (capital guaranteed) in an advisor's text"),
    "suitability": ("R4 报告推给 C2 客户", "An R4 report to a C2 client"),
    "deceased": ("已故客户的生日", "A deceased client's birthday"),
    "securities_licence": ("无从业资格的作者", "An author without licence"),
    "four_eyes": ("审批自己写的消息", "Approving one's own message"),
    "names_other_client": ("文稿提到另一位客户", "A text that names another client"),
}


def plant(open_work: Opener, who: Who) -> None:
    """Queue what the advisors of the demonstration wrote: one greeting to be approved, and the drafts that are
    stopped. Whoever has queued something already does not queue it again."""
    _queue(open_work, who("A001"), [(GREETING, 3)])
    with open_work(who("A002")) as work:
        other = search_clients(work, limit=8)[-1].name
    names_other = f"{{称呼}}，您好！您的朋友{other}也选择了我们的服务，欢迎您了解。"
    _queue(open_work, who("A002"), [(_GUARANTEE, 1), (names_other, 1)])
    _queue(open_work, who("A003"), [(_UNLICENSED, 1)])
    _queue(open_work, who("A004"), [(GREETING, 2)])
    _queue(open_work, who("D001"), [(_OWN, 1)])


def _queue(open_work: Opener, actor: Actor, drafts: list[tuple[str, int]]) -> None:
    with open_work(actor) as work:
        if _has_asked(work, actor):
            return
        for said, count in drafts:
            lines = [one for one in search_clients(work, limit=40) if _fit(one.status, one.language)]
            queue_request(work, RequestDraft(tuple(one.id for one in lines[:count]), text=said))


def _fit(status: str, language: str) -> bool:
    return status == "normal" and language == "zh-CN"


def _has_asked(work: Work, actor: Actor) -> bool:
    asked = select(occurrence.c.id).where(
        occurrence.c.job_name == REQUEST, occurrence.c.requested_by == actor.staff_id
    )
    return work.conn.execute(asked.limit(1)).first() is not None


_STOPPED = text(
    """
    SELECT DISTINCT ON (rule) rule, params, article FROM left_out WHERE rule = ANY(:rules)
     ORDER BY rule, (params->>'risk_level' = '4' AND params->>'risk_class' = '2') DESC, at
    """
)


def write_traps(open_work: Opener, folder: Path) -> int:
    """Write what the start page tells of the traps; returns how many of them stand."""
    with open_work(SYSTEM) as work:
        stopped = {row.rule: row for row in work.conn.execute(_STOPPED, {"rules": sorted(_TITLES)})}
    told: list[dict[str, str]] = []
    for rule, (zh, en) in _TITLES.items():
        trap = {"title_zh": zh, "title_en": en, "rule": rule}
        if rule == "four_eyes":
            said = {tongue: refuse(rule, tongue) for tongue in ("zh-CN", "en")}
            told.append(
                trap
                | {"article": f"art. {said['en'].article}", "where_url": "/inbox"}
                | {f"mend_{tongue[:2]}": f"{one.reason} {one.mend}" for tongue, one in said.items()}
            )
            continue
        if rule not in stopped:
            continue
        row = stopped[rule]
        texts = {tongue: words(rule, row.params, tongue) for tongue in ("zh-CN", "en")}
        told.append(
            trap
            | {"article": row.article, "where_url": f"/left-out?rule={rule}"}
            | {f"mend_{tongue[:2]}": f"{one.reason} {one.mend}" for tongue, one in texts.items()}
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "traps.json").write_text(json.dumps(told, ensure_ascii=False, indent=1), encoding="utf-8")
    return len(told)
