"""Advice says who published it and when; without that it does not go out (art. 17, 79(7))."""

import pytest

from outreach.composing.checks import Requirements, check
from outreach.content.cited import cites_source
from outreach.content.matcher import compile_lexicons
from outreach.content.render import Rendered

CITED = """
来源：示例证券研究所，2026年11月20日
资料来源: 示例证券研究所《消费行业周报》2026-11-20
示例证券研究所2026-11-20发布报告《消费行业周报》
为您送上示例证券研究所于2026-11-20发布的研究报告：
示例证券研究所 · 2026-11-20发布 · 作者：王某
我们引自示例研究院 2026/11/20 的报告
Source: Example Research, 20 November 2026.
Sources: Example Research (2026-11-20)
Example Research published "Consumer weekly" on 2026-11-20.
According to Example Research of November 20, 2026, demand is recovering.
Example Research, published 2026-11-20, by A. Wang
""".strip().splitlines()

UNCITED = """
近期消费板块值得关注。
来源：示例证券研究所
来源：2026年11月20日
示例证券研究所的最新报告认为，消费正在恢复。
2026年11月20日，市场上涨。
Source: Example Research
Published on 2026-11-20.
We think that demand is recovering.
This resource is from 20 November 2026.
""".strip().splitlines()


@pytest.mark.parametrize("line", CITED)
def test_publisher_and_date_are_found(line: str) -> None:
    assert cites_source(f"您好！\n{line}\n谢谢。")


@pytest.mark.parametrize("line", UNCITED)
def test_one_without_the_other_is_no_source(line: str) -> None:
    assert not cites_source(f"您好！\n{line}\n谢谢。")


def test_they_stand_in_one_line() -> None:
    assert not cites_source("来源：示例证券研究所\n\n2026年11月20日")


@pytest.mark.parametrize(("advice", "text", "rules"), [
    (True, "请关注消费板块。", ["source_missing"]),
    (True, CITED[0], []),
    (False, "请关注消费板块。", []),
])  # fmt: skip
def test_only_advice_is_asked(advice: bool, text: str, rules: list[str]) -> None:
    wanted = Requirements(matcher=compile_lexicons([]), known={}, locale="en", advice=advice)
    found = check("sms", "zh-CN", Rendered(text=text, subject="", html=""), wanted)
    assert [(one.rule, one.severity) for one in found] == [(rule, "block") for rule in rules]
    assert all(one.advice and one.article for one in found)
