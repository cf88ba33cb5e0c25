"""The words for what is refused in a feed, Chinese and English, with what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass

# code: (message zh, message en, mend zh, mend en)
_TEXTS: Mapping[str, tuple[str, str, str, str]] = {
    "too_long": (
        "该行超过 1 MB。",
        "The line is longer than 1 MB.",
        "请让发布方缩短内容。",
        "Have the publisher shorten it.",
    ),
    "not_utf8": (
        "该行不是 UTF-8（第 {offset} 字节起）。",
        "The line is not UTF-8 (from byte {offset} of the line).",
        "请让发布方以 UTF-8 输出。",
        "Have the publisher write UTF-8.",
    ),
    "cut_off": (
        "该行不完整，像是被截断。",
        "The line is incomplete, as if cut off.",
        "请重新获取文件。",
        "Fetch the file again.",
    ),
    "not_json": (
        "该行不是有效的 JSON（第 {offset} 个字符）。",
        "The line is no valid JSON (at character {offset}).",
        "每行一个 JSON 对象，请让发布方更正。",
        "One JSON object a line; have the publisher correct it.",
    ),
    "not_object": (
        "该行不是 JSON 对象。",
        "The line is no JSON object.",
        "每行一个 JSON 对象。",
        "Write one JSON object a line.",
    ),
    "doubled_key": (
        "同一字段出现两次。",
        "The field comes twice.",
        "只保留一个。",
        "Keep one.",
    ),
    "unknown_key": (
        "未知字段。",
        "An unknown field.",
        "请删除该字段。",
        "Remove it.",
    ),
    "unknown_key_near": (
        "未知字段，是否为“{near}”？",
        "An unknown field; did you mean “{near}”?",
        "请删除，或改为“{near}”。",
        "Remove it, or rename it to “{near}”.",
    ),
    "missing": (
        "缺少必填字段。",
        "A required field is missing.",
        "请让发布方补上。",
        "Have the publisher add it.",
    ),
    "empty": (
        "必填字段为空。",
        "A required field is empty.",
        "请让发布方补上。",
        "Have the publisher fill it in.",
    ),
    "risk_text": (
        "缺少风险提示。",
        "The risk text is missing.",
        "研究观点须提示风险，补上后重新导入。",
        "Research must show its risk; add it and import again.",
    ),
    "advice_source": (
        "投资建议缺少发布机构、作者或作者执业编号。",
        "Advice without publisher, author or author's licence number.",
        "补上后重新导入；无资格者不得发布建议。",
        "Add it and import again; nobody advises without a licence.",
    ),
    "licence_count": (
        "作者与执业编号的个数不一致。",
        "There are not as many licence numbers as authors.",
        "每位作者一个编号，用分号隔开。",
        "Give one number for each author, separated by semicolons.",
    ),
    "wrong_type": (
        "字段类型不对，应为 {wanted}。",
        "The field has the wrong type; it must be {wanted}.",
        "请让发布方更正。",
        "Have the publisher correct it.",
    ),
    "too_many_characters": (
        "内容超过 {limit} 个字符。",
        "The content is longer than {limit} characters.",
        "请让发布方缩短内容。",
        "Have the publisher shorten it.",
    ),
    "control_characters": (
        "含有控制字符或改变文字方向的字符。",
        "It holds control characters, or some that turn the text's direction.",
        "请让发布方清除。",
        "Have the publisher remove them.",
    ),
    "bad_form": (
        "格式不对，应如 {wanted}。",
        "The form is wrong; it must be like {wanted}.",
        "请让发布方更正。",
        "Have the publisher correct it.",
    ),
    "not_one_of": (
        "取值不在允许的范围内。",
        "The value is none of those allowed.",
        "可用：{wanted}。",
        "Allowed: {wanted}.",
    ),
    "naive_time": (
        "时间没有时区。",
        "The time has no time zone.",
        "请写成 2026-11-23T08:10:00+08:00。",
        "Write it like 2026-11-23T08:10:00+08:00.",
    ),
    "bad_url": (
        "不是可用的网址：只接受 http 和 https，不得带用户名或控制字符。",
        "Not an address that can be used: only http and https, without user name or control characters.",
        "请让发布方更正。",
        "Have the publisher correct it.",
    ),
    "expires_first": (
        "失效时间不晚于发布时间。",
        "It expires no later than it was published.",
        "请让发布方更正。",
        "Have the publisher correct it.",
    ),
    "supersedes_itself": (
        "不能取代自己。",
        "It can't supersede itself.",
        "请写被取代的编号。",
        "Name the item that it replaces.",
    ),
    "repeated": (
        "与第 {first} 行相同。",
        "The same as line {first}.",
        "无需处理。",
        "Nothing needs doing.",
    ),
    "conflicting": (
        "与第 {first} 行编号和时间相同，内容不同。",
        "The same id and time as line {first}, with other content.",
        "更正须有更晚的发布时间。",
        "A correction needs a later time.",
    ),
    "supersedes_later": (
        "要取代的信息比它更晚。",
        "What it supersedes is later than it.",
        "更正须有更晚的发布时间。",
        "Give the correction a later time.",
    ),
    "needs_code": (
        "这一类资讯须带证券代码：接收它的任务都只发给持有人。",
        "This type needs a ts_code: every job that listens to it is for holders only.",
        "请让发布方补上证券代码。",
        "Have the publisher add the security's code.",
    ),
    "conflicting_known": (
        "此编号和时间已经收录过，内容不同。",
        "This id was taken in with the same time and another content.",
        "更正须有更晚的发布时间。",
        "Give the correction a later time.",
    ),
}
FAULT_CODES = frozenset(_TEXTS)


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong. ``field`` is empty when it is the whole line."""

    field: str
    code: str
    params: tuple[tuple[str, object], ...] = ()

    def reason(self, locale: str = "zh-CN") -> str:
        """What is wrong."""
        return _TEXTS[self.code][0 if locale.startswith("zh") else 1].format_map(dict(self.params))

    def mend(self, locale: str = "zh-CN") -> str:
        """What to do next."""
        return _TEXTS[self.code][2 if locale.startswith("zh") else 3].format_map(dict(self.params))


@dataclass(frozen=True)
class FeedRejected:
    """A line that was refused, with all that was found wrong (at least one). ``line`` counts from 1.

    ``field``, ``code``, ``reason`` and ``mend`` are those of the first fault. ``item_id`` is empty when the line
    could not be read that far.
    """

    line: int
    item_id: str
    faults: tuple[Fault, ...]

    @property
    def field(self) -> str:
        """The field of the first fault."""
        return self.faults[0].field

    @property
    def code(self) -> str:
        """The code of the first fault."""
        return self.faults[0].code

    @property
    def is_repeat(self) -> bool:
        """Whether the line only says again what a line above says: no fault of the publisher's."""
        return self.code == "repeated"

    def reason(self, locale: str = "zh-CN") -> str:
        """What is wrong first."""
        return self.faults[0].reason(locale)

    def mend(self, locale: str = "zh-CN") -> str:
        """What to do about that."""
        return self.faults[0].mend(locale)
