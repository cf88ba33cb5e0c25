"""The starter lexicon: what it must find however it is disguised, and what it must leave alone."""

import re
from functools import cache
from itertools import product

import pytest

from outreach.content.loader import load_folder
from outreach.content.matcher import Hit, Matcher, compile_lexicons
from outreach.content.starter import starter_root

BLOCKED = """
保本 保收益 保本保息 稳赚 稳赚不赔 只赚不赔 包赚 零风险 无风险 承诺收益
亏了算我的 赔了我补 内幕 内部消息 小道消息 庄家 未公开信息 我有渠道 代客理财
帮您操作 账户给我 密码告诉我 利润分成 转我个人账户
""".split()
FLAGGED = """
必涨 肯定涨 涨停在即 翻倍 闭眼买 百分百 绝对安全 最高收益 第一名 躺赚
错过不再有 业绩冠军 别家都骗人 垃圾券商 其他公司不靠谱 快倒闭 某客户买了
您朋友的持仓 身份证号 银行卡号 交易密码 不知道 喊什么 着什么急 我解决不了
怎么还问 有完没完 自己看去 我有什么办法 有意见找它去 你管不着 废话 讨厌
那不是我的工作 那不是我的错 冷静一点 自己找 怎么填的 手续不齐 电脑算
你是对是吗 你需要和经理通话 你马上就要吗 我现在很忙
""".split()
ENGLISH = """
guaranteed return
risk-free
no risk
can't lose
can't go wrong
sure thing
safe as cash
will double
will definitely rise
locked-in profit
best ever
#1 broker
once in a lifetime
act now
I'll cover losses
split the profits
inside information
hot tip
don't tell anyone
keep this between us
delete this message
use my personal email
send me your password
other firms are crooks
""".strip().split("\n")


@cache
def matcher() -> Matcher:
    content, faults = load_folder(starter_root())
    assert faults == []
    return compile_lexicons(source.meta for source in content.lexicons.values())


def hits(text: str) -> list[Hit]:
    return list(matcher().find(text))


@pytest.mark.parametrize("phrase", BLOCKED)
def test_blocked_phrases(phrase: str) -> None:
    found = hits(f"您好，这款产品{phrase}，欢迎了解。")
    assert "block" in {hit.severity for hit in found}
    assert all(hit.article for hit in found)


@pytest.mark.parametrize("phrase", FLAGGED)
def test_flagged_phrases(phrase: str) -> None:
    assert hits(f"您好，{phrase}，谢谢。")


@pytest.mark.parametrize("phrase", ENGLISH)
def test_english_phrases(phrase: str) -> None:
    assert hits(f"Dear Ms Carter, {phrase}, truly.")
    assert hits(f"DEAR MS CARTER, {phrase.upper()}, TRULY.")


@pytest.mark.parametrize(
    "lawful",
    [
        "本产品不保本、不承诺收益，请您留意。",
        "逾期不行权将作废，请及时办理。",
        "我们会在第一时间通知您。",
        "投资不存在零风险，请谨慎决策。",
        "There is no guarantee of returns.",
        "您好，祝您身体健康！",
        "Please act on the enclosed form now and then.",
        "The warranty is limited.",
    ],
)
def test_lawful_wording_is_left_alone(lawful: str) -> None:
    assert hits(lawful) == []


@pytest.mark.parametrize(
    "disguised",
    [
        "保 本",
        "保.本",
        "保·本",
        "保\u200b本",
        "保\u2060本",
        "保　本",
        "ｒｉｓｋ－ｆｒｅｅ",
        "穩賺不賠",
        "內幕",
        "零風險",
        "保-本",
        "保_本",
        "保*本",
        "RiSk-FrEe",
    ],
)
def test_disguises_are_seen_through(disguised: str) -> None:
    text = f"您好，{disguised}，谢谢。"
    found = hits(text)
    assert found
    assert any(text[hit.start : hit.end] == disguised for hit in found), [
        text[h.start : h.end] for h in found
    ]


@pytest.mark.parametrize("between", ["", " ", ".", "\u200b", "·", "　", "-"])
def test_a_phrase_is_found_where_it_stands_whatever_is_put_between(between: str) -> None:
    for phrase, before in product(BLOCKED, ("", "您好，", "Dear ")):
        disguised = between.join(phrase)
        text = f"{before}{disguised}。"
        found = [hit for hit in hits(text) if hit.severity == "block"]
        assert found, text
        first, last = min(hit.start for hit in found), max(hit.end for hit in found)
        assert first >= len(before), text
        assert last <= len(before) + len(disguised), text
        assert re.search(r"\w", text[first:last]), text


def test_a_bare_opening_is_flagged_only_at_the_beginning() -> None:
    assert [hit.severity for hit in hits("你好，张先生。")] == ["flag"]
    assert hits("张先生，你好。") == []
    assert hits("您好，张先生。") == []
