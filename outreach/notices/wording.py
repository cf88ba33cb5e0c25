"""The words of a notice, in the reader's language, and the page it leads to. Never client data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Wording:
    """One line, and the path of the page to open."""

    line: str
    path: str


_LINES: dict[str, dict[str, str]] = {
    "zh": {
        "submission_held": "有 {count} 条消息等待您审批：{title}",
        "submission_held.urgent": "紧急：有 {count} 条消息等待您审批：{title}",
        "decision.approve": "您提交的 {count} 条消息已批准：{title}",
        "decision.return": "您提交的 {count} 条消息被退回：{title}",
        "decision.reject": "您提交的 {count} 条消息被否决：{title}",
        "decision.undo": "对您提交的 {count} 条消息的批准已撤销，重新等待审批：{title}",
        "firm_approved": "总部统一服务已批准，将发给本营业部客户，如有需要可暂缓：{title}",
        "file_waits.clients": "今日的客户文件变动过大，未自动导入，请查看预览后决定",
        "file_waits.holdings": "今日的持仓文件拒收行过多，未自动导入，请查看预览后决定",
        "file_waits.dates": "今日的客户日期文件拒收行过多，未自动导入，请查看预览后决定",
        "reply": "有客户回复等待您答复（首问负责）",
    },
    "en": {
        "submission_held": "{count} messages wait for your approval: {title}",
        "submission_held.urgent": "Urgent: {count} messages wait for your approval: {title}",
        "decision.approve": "{count} of your messages were approved: {title}",
        "decision.return": "{count} of your messages were returned: {title}",
        "decision.reject": "{count} of your messages were rejected: {title}",
        "decision.undo": "The approval of {count} of your messages was taken back; they wait again: {title}",
        "firm_approved": "Approved by head office, to your clients too; hold it if need be: {title}",
        "file_waits.clients": "A client file would change too much and was not taken in: see its preview",
        "file_waits.holdings": "A holdings file has too many refused rows and was not taken in: see its preview",
        "file_waits.dates": "A file of dated facts has too many refused rows and was not taken in: see its preview",
        "reply": "A client's reply waits for your answer",
    },
}

_CATEGORIES: dict[str, dict[str, str]] = {
    "zh": {
        "channel": "渠道服务",
        "information": "信息服务",
        "consulting": "咨询服务",
        "product": "产品服务",
        "relationship": "客户关系",
    },
    "en": {
        "channel": "channel service",
        "information": "information",
        "consulting": "consulting",
        "product": "product",
        "relationship": "relationship",
    },
}


def word(kind: str, params: Mapping[str, Any], locale: str) -> Wording:
    """The words of a notice of ``kind`` in ``locale`` (zh… or English otherwise).

    Raises KeyError for a kind that has no words.
    """
    key = kind
    if kind == "decision":
        key = f"decision.{params['verb']}"
    elif kind == "submission_held" and params.get("urgent"):
        key = "submission_held.urgent"
    elif kind == "file_waits":
        key = f"file_waits.{params['title']}"
    line = _LINES["zh" if locale.startswith("zh") else "en"][key]
    category = str(params.get("category", ""))
    title = params.get("title") or _CATEGORIES["zh" if locale.startswith("zh") else "en"].get(
        category, category
    )
    filled = line.format(count=params.get("count", 0), title=title)
    return Wording(line=filled, path=_path(kind, params))


def _path(kind: str, params: Mapping[str, Any]) -> str:
    if kind == "submission_held":
        return f"/inbox/submission/{params['submission_id']}"
    if kind == "decision":
        return "/mine"
    if kind == "file_waits":
        return "/import"
    if kind == "firm_approved":
        return "/firm"
    return "/replies"
