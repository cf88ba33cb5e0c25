"""Personal data in a text: whose may stand there, whose may not, and how it is disguised (DOMAIN.md §2)."""

import pytest

from outreach.composing.checks import Requirements, check
from outreach.content.matcher import compile_lexicons
from outreach.content.personal import find_personal_data
from outreach.content.render import Rendered

OFFICE = ("021-55550100", "+8613800138000")
OWN = ("+8613912345678",)


def _kinds(text: str) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in find_personal_data(text, OFFICE)]


@pytest.mark.parametrize(("text", "kind", "span"), [
    ("证件号11010119900307109X。", "identity_number", "11010119900307109X"),
    ("证件号１１０１０１１９９００３０７１０９Ｘ", "identity_number", "１１０１０１１９９００３０７１０９Ｘ"),
    ("卡号6222 0212 3456 7894", "card_number", "6222 0212 3456 7894"),
    ("卡号4111111111111111", "card_number", "4111111111111111"),
    ("请拨13912345678", "mobile", "13912345678"),
    ("请拨+86 139 1234 5678", "mobile", "+86 139 1234 5678"),
    ("请拨139-1234-5678", "mobile", "139-1234-5678"),
    ("请拨139.1234.5678", "mobile", "139.1234.5678"),
    ("请拨139–1234–5678", "mobile", "139–1234–5678"),
    ("请拨139\u200b1234\u200b5678", "mobile", "139\u200b1234\u200b5678"),
    ("请拨１３９１２３４５６７８", "mobile", "１３９１２３４５６７８"),
])  # fmt: skip
def test_it_is_found_where_it_stands(text: str, kind: str, span: str) -> None:
    assert _kinds(text) == [(kind, span)]


@pytest.mark.parametrize("text", [
    "电话021-55550100",
    "请拨13800138000或138 0013 8000",
    "订单号110101199003071099",  # the check digit is wrong
    "编号4111111111111112",  # so is this one's
    "合计 12345678901 元",
    "2026-11-20 09:00 至 2026-11-21 17:00",
    "指数 3912.34，成交 13,912,345,678 元",
])  # fmt: skip
def test_what_is_none_or_may_stand_passes(text: str) -> None:
    assert _kinds(text) == []


@pytest.mark.parametrize("html", ["", "<p>您预留的手机号是 139 1234 5678。</p>"])
def test_the_recipients_own_mobile_may_stand_nobody_elses(html: str) -> None:
    def rules(text: str, own: tuple[str, ...]) -> list[str]:
        wanted = Requirements(matcher=compile_lexicons([]), known={}, numbers=OFFICE)
        rendered = Rendered(text=text, subject="您好", html=html)
        return [one.rule for one in check("email", "zh-CN", rendered, wanted, own=own)]

    assert rules("您预留的手机号是13912345678。", OWN) == []
    assert rules("您预留的手机号是13912345678。", ("+8613712345678",)) == ["personal_data"]
    assert rules("李先生的手机号是13712345678。", OWN) == ["personal_data"]


def test_the_recipients_own_identity_number_does_not_stand_in_the_open_either() -> None:
    wanted = Requirements(matcher=compile_lexicons([]), known={})
    text = Rendered(text="您的证件号11010119900307109X", subject="", html="")
    assert [one.rule for one in check("sms", "zh-CN", text, wanted, own=OWN)] == ["personal_data"]
