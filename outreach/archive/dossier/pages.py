"""Writing the dossier: index.html with the cover and the first cards, further pages beside it."""

import base64
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from uuid import UUID

from outreach.archive.bag import BagWriter
from outreach.archive.dossier.cards import message_card, other_card
from outreach.archive.dossier.facts import facts_of
from outreach.archive.dossier.html import both, data, el, words
from outreach.archive.names import Names
from outreach.archive.opening import Evidence, evidence
from outreach.archive.selection import messages, other_records, records_at, records_of_messages
from outreach.ledger.signing import public_raw
from outreach.ledger.work import Work

PER_PAGE = 500
_STEP = 100  # messages whose texts are in memory at once, beside the page being written


@dataclass(frozen=True)
class Cover:
    """What the first page says of the whole."""

    firm: tuple[str, str]
    question: tuple[str, str]
    exported_by: tuple[str, str]
    exported_at: str
    messages: int
    others: int
    withheld: int
    checkpoint: str
    tree_size: int
    fingerprint: str


def write_dossier(work: Work, bag: BagWriter, names: Names, cover: Cover, per_page: int = PER_PAGE) -> int:
    """Write every page; returns how many. A page holds ``per_page`` cards, messages first."""
    total = cover.messages + cover.others
    count = max(1, -(-total // per_page))
    for page in range(1, count + 1):
        first, last = (page - 1) * per_page + 1, min(page * per_page, total)
        body = [_cover(cover) if page == 1 else "", _turn(page, count)]
        body += _cards(work, names, cover, first, last)
        body.append(_turn(page, count))
        bag.write(f"data/{page_name(page)}", _seal(work, cover, "".join(body), page))
    return count


def page_name(page: int) -> str:
    """Where a page lies below ``data/``."""
    return "index.html" if page == 1 else f"dossier-{page:05d}.html"


def _cards(work: Work, names: Names, cover: Cover, first: int, last: int) -> Iterator[str]:
    zone, size = work.settings.zone, cover.tree_size
    if first <= min(last, cover.messages):
        yield el("h2", both("消息", "Messages"))
    for start in range(first, min(last, cover.messages) + 1, _STEP):
        ids = messages(work, start, min(start + _STEP - 1, last, cover.messages))
        items = _by_message(evidence(work, records_of_messages(work, ids), size))
        facts = facts_of(work, ids)
        answers = evidence(work, records_at(work, sorted(set().union(*facts.replies.values()))), size)
        by_leaf = {item.row.leaf_index: item for item in answers}
        names.meet(work, (row.client_id for row in facts.message.values()))
        for number, message_id in enumerate(ids, start=start):
            replies = [by_leaf[leaf] for leaf in facts.replies.get(message_id, [])]
            yield message_card(number, message_id, items[message_id], replies, facts, names, zone)
    start = max(first, cover.messages + 1)
    if start <= last:
        yield el("h2", both("其他记录", "Other records"))
    for begin in range(start, last + 1, _STEP):
        end = min(begin + _STEP - 1, last)
        rows = other_records(work, begin - cover.messages, end - cover.messages)
        names.meet(work, (row.client_id for row in rows))
        for number, item in enumerate(evidence(work, rows, size), start=begin):
            yield other_card(number, item, names, zone)


def _by_message(items: Sequence[Evidence]) -> dict[UUID, list[Evidence]]:
    grouped: dict[UUID, list[Evidence]] = defaultdict(list)
    for item in items:
        grouped[item.row.message_id].append(item)
    return grouped


def _cover(cover: Cover) -> str:
    pairs = (
        (("查询范围", "Question"), both(*cover.question)),
        (("导出人", "Exported by"), both(*cover.exported_by)),
        (("导出时间", "Exported at"), words(cover.exported_at)),
        (
            ("内容", "Contents"),
            both(
                f"消息 {cover.messages} 条,其他记录 {cover.others} 条,未予出具 {cover.withheld} 项",
                f"{cover.messages} messages, {cover.others} other records, {cover.withheld} items withheld",
            ),
        ),
        (
            ("台账", "Ledger"),
            both(f"共 {cover.tree_size} 条,已由公司签名", f"{cover.tree_size} leaves, signed by the firm"),
        ),
        (("公钥指纹", "Key's fingerprint"), el("code", words(cover.fingerprint))),
    )
    return el(
        "section",
        el("p", both(*cover.firm), cls="firm"),
        el("h1", both("客户服务留痕档案", "Record of client communication")),
        el("dl", *(el("div", el("dt", both(*name)), el("dd", value)) for name, value in pairs)),
        el(
            "p",
            both(
                "本页在浏览器内离线自检:页面、原文、台账证明均与登记比对,改动任何一个字符即转为红色。"
                "请用从公司另行取得的公钥指纹核对上列指纹;整包核验步骤见 VERIFY.txt,未予出具的项目见 withheld.json。",
                "This page checks itself offline: its own characters, the texts and the proofs are compared with what"
                " was recorded, and one altered character turns it red. Compare the fingerprint above with the one"
                " you got from the firm by another way. VERIFY.txt says how to check the whole bag; withheld.json"
                " lists what is withheld and why.",
            ),
            cls="note",
        ),
        cls="cover",
    )


def _turn(page: int, count: int) -> str:
    if count == 1:
        return ""
    near = sorted({1, count, *range(max(1, page - 4), min(count, page + 4) + 1)})
    return el(
        "nav",
        *(el("b", words(n)) if n == page else el("a", words(n), href=page_name(n)) for n in near),
        cls="pages",
    )


def _asset(name: str) -> str:
    return files("outreach.archive.dossier").joinpath(name).read_text(encoding="utf-8")


def _seal(work: Work, cover: Cover, body: str, page: int) -> bytes:
    """The whole page, its digest and the signature over it in the banner."""
    key = work.keys.signing
    script = _asset("check.js")
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'"
    facts = data(
        {
            "key": base64.b64encode(public_raw(key.public)).decode(),
            "checkpoint": cover.checkpoint,
            "page": page,
        },
        id="page",
    )
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="referrer", content="no-referrer"),
        el("title", words(f"{cover.firm[0]} · {cover.question[0]} · {page}")),
        el("style", _asset("page.css")),
    )
    main = el("main", body, facts)
    code = el("script", script)
    digest = hashlib.sha256((head + main + code).encode()).hexdigest()
    signature = base64.b64encode(key.sign(f"outreach-dossier-page\n{digest}\n".encode())).decode()
    banner = el(
        "header",
        el(
            "div",
            el("strong", words("尚未核验 · Not checked")),
            el(
                "p",
                words(
                    "若停留在此,说明脚本未能运行:请按 VERIFY.txt 核验。"
                    " If this stays, the check could not run: follow VERIFY.txt."
                ),
            ),
            cls="status",
        ),
        data_seal=digest,
        data_signature=signature,
    )
    zh = work.settings.locale.startswith("zh")
    page_text = el(
        "html",
        head,
        el("body", banner, main, code),
        lang="zh-CN" if zh else "en",
        data_lang="zh" if zh else "en",
        data_state="unchecked",
    )
    return f"<!DOCTYPE html>{page_text}".encode()
