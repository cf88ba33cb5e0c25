"""The words of a notice, in the reader's language, and the page it leads to. Never client data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from outreach.core.i18n import in_language

# What can be told, by the names of a target's ``tells``, and the kinds of notices that belong there.
TELLS: dict[str, tuple[str, ...]] = {
    "waits": ("submission_held", "pending"),
    "late": ("escalated",),
    "questions": ("question", "answer"),
    "decisions": ("decision", "stopped", "firm_approved", "claim", "taken_back"),
    "replies": ("reply",),
    "files": ("file_waits",),
}


@dataclass(frozen=True)
class Wording:
    """One line, and the path of the page to open."""

    line: str
    path: str


_LINES: dict[str, dict[str, str]] = {
    "zh": {
        "submission_held": "有 {count} 条消息等待您审批：{title}",
        "submission_held.urgent": "紧急：有 {count} 条消息等待您审批：{title}{by}",
        "submission_held.group": "{whose}有 {count} 条消息等待审批：{title}",
        "submission_held.urgent.group": "紧急：{whose}有 {count} 条消息等待审批：{title}{by}",
        "escalated": "已逾期：{whose}的 {count} 条消息无人审批，现也请您处理：{title}",
        "escalated.again": "已逾期：{count} 条消息仍在等待您审批：{title}",
        "escalated.away": "{whose}的审批人均不在岗，{count} 条消息现请您处理：{title}",
        "escalated.away.group": "{whose}的审批人均不在岗，{count} 条消息等待审批：{title}",
        "escalated.group": "已逾期：{whose}的 {count} 条消息仍无人审批：{title}",
        "decision.approve": "您提交的 {count} 条消息已批准：{title}",
        "decision.return": "您提交的 {count} 条消息被退回：{title}{reasons}",
        "decision.return.clients": "您客户的 {count} 条消息被退回，可修改后重新提交：{title}{reasons}",
        "decision.reject": "您提交的 {count} 条消息被否决：{title}{reasons}",
        "decision.undo": "对您提交的 {count} 条消息的批准已撤销，重新等待审批：{title}",
        "stopped": "抽样有消息被退回，整批已停止：{title}{reasons}",
        "firm_approved": "总部统一服务已批准，将发给本营业部客户，如有需要可暂缓：{title}",
        "file_waits.clients": "今日的客户文件变动过大，未自动导入，请查看预览后决定",
        "file_waits.holdings": "今日的持仓文件拒收行过多，未自动导入，请查看预览后决定",
        "file_waits.dates": "今日的客户日期文件拒收行过多，未自动导入，请查看预览后决定",
        "question": "{whose}就一份待审内容向合规提问，请答复：{title}",
        "answer": "合规已答复您的提问，无异议：{title}",
        "answer.objects": "合规已答复您的提问，有异议：{title}",
        "pending": "顾问从待批的一批中{what}了消息，其余照常待批：{title}",
        "taken_back": "顾问取回了您已批准、尚未发出的一条消息，其余照常发送：{title}",
        "claim": "{who}已接手您正在处理的内容：{title}",
        "reply": "有客户回复等待您答复（首问负责）",
        "reply.group": "{whose}有客户回复等待答复（首问负责）",
        "test": "测试：通知能够送达",
    },
    "en": {
        "submission_held": "{messages} {wait} for your approval: {title}",
        "submission_held.urgent": "Urgent: {messages} {wait} for your approval: {title}{by}",
        "submission_held.group": "{whose}: {messages} {wait} for approval: {title}",
        "submission_held.urgent.group": "Urgent, {whose}: {messages} {wait} for approval: {title}{by}",
        "escalated": "Late, now also with you: {messages} of {whose}: {title}",
        "escalated.again": "Late: {messages} still {wait} for your approval: {title}",
        "escalated.away": "All approvers of {whose} are away: {messages} now {wait} for you: {title}",
        "escalated.away.group": "{whose}: all approvers are away, {messages} {wait}: {title}",
        "escalated.group": "Late, {whose}: {messages} still {wait} for approval: {title}",
        "decision.approve": "{count} of your messages {was} approved: {title}",
        "decision.return": "{count} of your messages {was} returned: {title}{reasons}",
        "decision.return.clients": "{messages} to your clients {was} returned, to be mended: {title}{reasons}",
        "decision.reject": "{count} of your messages {was} rejected: {title}{reasons}",
        "decision.undo": "The approval of {count} of your messages was taken back; waiting again: {title}",
        "stopped": "One of the sample was returned, so the whole batch is stopped: {title}{reasons}",
        "firm_approved": "Approved by head office, to your clients too; hold it if need be: {title}",
        "file_waits.clients": "A client file would change too much and was not taken in: see its preview",
        "file_waits.holdings": "A holdings file has too many refused rows and was not taken in: see its preview",
        "file_waits.dates": "A file of dated facts has too many refused rows and was not taken in: see its preview",
        "question": "{whose} asks compliance about something that waits; please answer: {title}",
        "answer": "Compliance has answered your question and does not object: {title}",
        "answer.objects": "Compliance has answered your question and objects: {title}",
        "pending": "An advisor {what} out of a batch; the rest waits on: {title}",
        "taken_back": "An advisor took back a message that you had approved; the rest goes on: {title}",
        "claim": "{who} went on with what you were working through: {title}",
        "reply": "A client's reply waits for your answer",
        "reply.group": "{whose}: a client's reply waits for an answer",
        "test": "Test: notices arrive here",
    },
}
_BY = {"zh": "（请于 {by} 前处理）", "en": " (by {by})"}
_PENDING: dict[str, dict[str, str]] = {
    "zh": {"skipped": "跳过", "withdrawn": "撤回", "edited": "改写"},
    "en": {
        "skipped": "left a client",
        "withdrawn": "took a message",
        "edited": "took a message, in words of its own,",
    },
}
_FOR = {"zh": "（代 {name}）", "en": " (for {name})"}
FIRM = {"zh": "总部", "en": "Head office"}

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


def tongue(locale: str) -> str:
    """``zh`` or ``en``."""
    return "zh" if locale.startswith("zh") else "en"


def category_name(category: str, locale: str) -> str:
    """A category in the reader's language."""
    return _CATEGORIES[tongue(locale)].get(category, category)


def word(kind: str, params: Mapping[str, Any], locale: str, *, group: bool = False) -> Wording:
    """The words of a notice of ``kind`` in ``locale`` (zh… or English otherwise); ``group``: to several people.

    Raises KeyError for a kind that has no words.
    """
    lines = _LINES[tongue(locale)]
    key = _key(kind, params)
    line = lines[key]
    if group:
        line = lines.get(f"{key}.group", lines.get(f"{kind}.group", line))
    title = _in(params.get("title"), locale) or category_name(str(params.get("category", "")), locale)
    count = int(params.get("count", 0))
    line = line.format(
        count=count,
        messages="1 message" if count == 1 else f"{count} messages",
        wait="waits" if count == 1 else "wait",
        was="was" if count == 1 else "were",
        title=title,
        whose=_in(params.get("branch"), locale) or FIRM[tongue(locale)],
        by=_BY[tongue(locale)].format(by=params["by"]) if params.get("by") else "",
        reasons=_reasons(params, locale),
        who=params.get("who", ""),
        what=_PENDING[tongue(locale)].get(str(params.get("what", "")), ""),
    )
    if params.get("for") and not group:
        line += _FOR[tongue(locale)].format(name=params["for"])
    return Wording(line=" ".join(line.split()), path=_path(kind, params))


def _key(kind: str, params: Mapping[str, Any]) -> str:
    if kind == "decision":
        clients = params["verb"] == "return" and params.get("own") is False
        return f"decision.{params['verb']}{'.clients' if clients else ''}"
    if kind == "submission_held" and params.get("urgent"):
        return "submission_held.urgent"
    if kind == "escalated" and (params.get("again") or params.get("away")):
        return "escalated.again" if params.get("again") else "escalated.away"
    if kind == "answer" and params.get("objects"):
        return "answer.objects"
    if kind == "file_waits":
        return f"file_waits.{params['title']}"
    return kind


def _in(said: Any, locale: str) -> str:
    """A text, or the one of two languages."""
    if isinstance(said, Mapping):
        return str(said.get(tongue(locale), ""))
    return in_language(str(said or ""), locale)


def _reasons(params: Mapping[str, Any], locale: str) -> str:
    """The reasons by their names in approvals/reasons.toml; what was written in own words stays on the page."""
    named = [_in(one, locale) for one in params.get("because", [])]
    if not named:
        return ""
    return f"（{'、'.join(named)}）" if tongue(locale) == "zh" else f" ({', '.join(named)})"


def _path(kind: str, params: Mapping[str, Any]) -> str:
    if kind in ("submission_held", "escalated", "question", "answer", "claim", "pending", "taken_back") or (
        kind == "stopped" and not params.get("own")
    ):
        return f"/inbox/submission/{params['submission_id']}"
    if kind in ("decision", "stopped"):
        return "/mine"
    if kind == "file_waits":
        return "/import"
    if kind == "firm_approved":
        return "/firm"
    if kind == "test":
        return "/notices"
    return "/replies"
