"""Slots that nobody filled in: what a hurried author leaves behind."""

import re

_SLOT = re.compile(
    r"\{\{.*?\}\}|\{%.*?%\}|\{[A-Za-z_\u4e00-\u9fff][\w .\u4e00-\u9fff]{0,30}\}"
    r"|\[(?:姓名|客户|客户姓名|称呼|日期|时间|电话|产品|名称|name|client|date|time|phone|amount|product)\]"
    r"|【\s*】|《\s*》|\b[Xx]{3,}\b|_{3,}|\bTBD\b|\bN/A\b|\bNone\b|\bundefined\b|\bnull\b|＿{2,}",
    re.IGNORECASE,
)


def unfilled_slots(text: str) -> list[tuple[int, int]]:
    """The positions of everything in ``text`` that looks like a slot still to be filled in."""
    return [match.span() for match in _SLOT.finditer(text)]
