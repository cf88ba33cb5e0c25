"""Each field of a client file: words, names, identity numbers, addresses."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.people.importing import fields, texts
from outreach.people.importing.cells import tidy, value_of
from outreach.people.importing.identity import check_digit, parse_identity
from outreach.people.importing.words import is_company_name


def codes(issues: Any) -> list[str]:
    return [issue.code for issue in issues]


@pytest.mark.parametrize(
    ("cell", "name", "deceased", "test"),
    [
        ("张三", "张三", False, False),
        (" 张　三 ", "张三", False, False),
        ("张\n三", "张三", False, False),
        ("张三(已故)", "张三", True, False),
        ("张三（已故）", "张三", True, False),
        ("张三【去世】", "张三", True, False),
        ("张三 已故", "张三", True, False),
        ("已故-张三", "张三", True, False),
        ("John Smith (deceased)", "John Smith", True, False),
        ("测试客户", "测试客户", False, True),
        ("张测试", "张测试", False, True),
        ("TEST001", "TEST001", False, True),
        ("test user", "test user", False, True),
        ("Testa Rossi", "Testa Rossi", False, False),
        ("䶮𬭸", "䶮𬭸", False, False),
        ("John   Smith", "John Smith", False, False),
        ("ＪＯＨＮ", "JOHN", False, False),
        ("阿卜杜拉·买买提", "阿卜杜拉·买买提", False, False),
        ("O'Brien", "O'Brien", False, False),
    ],
)
def test_names(cell: str, name: str, deceased: bool, test: bool) -> None:
    assert fields.parse_name(cell)[0] == fields.Name(name, deceased, test)


@pytest.mark.parametrize(
    ("cell", "code"),
    [("", "name_missing"), ("NULL", "name_missing"), ("(已故)", "name_missing"), ("王?", "name_damaged"),
     ("王\ufffd", "name_damaged"), ("张*", "name_masked"), ("张**", "name_masked"), ("15400000123", "name_form"),
     ("王" * 200, "name_form"), ("=cmd|' /C calc'!A0", "name_missing"), ("@SUM(A1)", "name_form")],
)  # fmt: skip
def test_a_name_that_nobody_has(cell: str, code: str) -> None:
    name, issues = fields.parse_name(cell)
    assert name is None
    assert codes(issues)[-1] == code
    assert texts.TEXTS[code].severity == "reject"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("C0100001", "C0100001"), (" C1 ", "C1"), ("Ｃ１", "C1"), ("'0012", "0012"), ('="0012"', "0012"), ("", None),
     ("1.0E+10", None), ("123.0", None), ("=A1", None), ("C 1", None), ("C" * 41, None), ("-", None)],
)  # fmt: skip
def test_client_numbers(cell: str, expected: str | None) -> None:
    found, issues = fields.parse_client_no(cell)
    assert found == expected
    assert (found is not None) or texts.TEXTS[issues[-1].code].severity == "reject"


@pytest.mark.parametrize(
    ("parse", "cell", "expected"),
    [
        (fields.parse_gender, "男", "male"),
        (fields.parse_gender, "F", "female"),
        (fields.parse_gender, "1", "male"),
        (fields.parse_gender, "2", "female"),
        (fields.parse_gender, "0", None),
        (fields.parse_gender, "", None),
        (fields.parse_tier, "", "ordinary"),
        (fields.parse_tier, "ＶＩＰ", "vip"),
        (fields.parse_tier, "核心", "core"),
        (fields.parse_tier, "钻石客户", "diamond"),
        (fields.parse_tier, "Core", "core"),
        (fields.parse_language, "zh_CN", "zh-CN"),
        (fields.parse_language, "英文", "en"),
        (fields.parse_language, "en-US", "en"),
        (fields.parse_language, "", "zh-CN"),
        (fields.parse_channel, "短信", "sms"),
        (fields.parse_channel, "E-mail", "email"),
        (fields.parse_channel, "不限", None),
        (fields.parse_investor_class, "专业投资者", "professional"),
        (fields.parse_opt_out, "是", True),
        (fields.parse_opt_out, "TRUE", True),
        (fields.parse_opt_out, "拒收", True),
        (fields.parse_opt_out, "否", False),
        (fields.parse_opt_out, "0", False),
        (fields.parse_opt_out, "", None),
        (fields.parse_id_type, "居民身份证", "id_card"),
        (fields.parse_id_type, "营业执照", "business_licence"),
        (fields.parse_email, "a.b@Example.COM", "a.b@example.com"),
        (fields.parse_email, "mailto:a@example.com", "a@example.com"),
        (fields.parse_email, "ａ＠example.com", "a@example.com"),
        (fields.parse_postcode, "100022", "100022"),
        (fields.parse_address, "上海市\r\n浦东新区", "上海市浦东新区"),
    ],
)
def test_words(parse: Callable[[str], tuple[Any, Any]], cell: str, expected: Any) -> None:
    found, issues = parse(cell)
    assert found == expected
    assert not codes(issues)


@pytest.mark.parametrize(
    ("parse", "cell", "expected", "code"),
    [
        (fields.parse_gender, "男女", None, "unknown_word"),
        (fields.parse_tier, "超级", "ordinary", "unknown_word"),
        (fields.parse_language, "繁體中文", "zh-CN", "unknown_word"),
        (fields.parse_language, "Klingon", "zh-CN", "unknown_word"),
        (fields.parse_channel, "鸽子", None, "unknown_word"),
        (fields.parse_opt_out, "也许", True, "opt_out_unknown"),
        (fields.parse_email, "not-an-address", None, "email_form"),
        (fields.parse_email, "a@b", None, "email_form"),
        (fields.parse_email, "a@example.com\r\nBcc: x@example.com", "a@example.com", "email_several"),
        (fields.parse_email, "a@example.com;b@example.com", "a@example.com", "email_several"),
        (fields.parse_postcode, "1.00E+05", None, "not_guessed"),
        (fields.parse_number_text, "8.01E+09", None, "not_guessed"),
        (fields.parse_number_text, "#REF!", None, "spreadsheet_error"),
        (fields.parse_number_text, "=VLOOKUP(A1,B:C,2)", None, "formula"),
        (fields.parse_note, "=1+1", "=1+1", "formula_text"),
        (fields.parse_note, "x" * 5000, "x" * 4000, "too_long"),
    ],
)
def test_words_that_need_a_look(parse: Callable[[str], Any], cell: str, expected: Any, code: str) -> None:
    found, issues = parse(cell)
    assert (found, codes(issues)) == (expected, [code])


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("C3", (3, False)), ("c3", (3, False)), ("3", (3, False)), ("Ｃ３", (3, False)), ("稳健型", (3, False)),
     ("C3稳健型", (3, False)), ("C3(稳健型)", (3, False)), ("稳健型（C3）", (3, False)), ("激进型", (5, False)),
     ("进取型", (5, False)), ("C1最低", (1, True)), ("C1（最低）", (1, True)), ("C1-minimum", (1, True)),
     ("", (None, False))],
)  # fmt: skip
def test_risk(cell: str, expected: tuple[int | None, bool]) -> None:
    assert fields.parse_risk(cell) == (*expected, [])


@pytest.mark.parametrize("cell", ["平衡型", "成长型", "R3", "6", "C3激进型", "2.9", "high"])
def test_a_risk_class_is_never_guessed(cell: str) -> None:
    found, _, issues = fields.parse_risk(cell)
    assert (found, codes(issues)) == (None, ["risk_unknown"])


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("正常", ("normal", False)), ("休眠", ("dormant", False)), ("司法冻结", ("frozen", False)),
     ("已销户", ("closed", False)), ("Closed", ("closed", False)), ("", ("normal", False)), ("死亡", ("closed", True)),
     ("挂失", (None, False))],
)  # fmt: skip
def test_status(cell: str, expected: tuple[str | None, bool]) -> None:
    assert fields.parse_status(cell)[:2] == expected


@pytest.mark.parametrize(
    ("note", "expected"),
    [("已故", True), ("客户已去世，勿扰", True), ("母亲去世", False), ("", False), ("客户喜欢茶", False)],
)
def test_a_note_that_says_so(note: str, expected: bool) -> None:
    assert fields.says_deceased(note) is expected


@pytest.mark.parametrize(
    ("kind", "cell", "number", "code"),
    [
        ("id_card", "110105199902097213", "110105199902097213", None),
        ("id_card", "１１０１０５１９９９０２０９７２１３", "110105199902097213", None),
        ("id_card", "51010719851217516x", "51010719851217516X", None),
        (None, "110105 19990209 7213", "110105199902097213", None),
        ("id_card", "110105530923123", "110105530923123", "id_15"),
        ("id_card", "110105199902097214", None, "id_checksum"),
        ("id_card", "110105199913097213", None, "id_checksum"),
        ("id_card", "4.40305E+16", None, "not_guessed"),
        ("id_card", "1.10105199902097E+17", None, "not_guessed"),
        ("id_card", "110105********7213", None, "masked"),
        ("id_card", "12345", None, "id_form"),
        ("passport", "E12345678", "E12345678", None),
        ("business_licence", "91110105MA01ABCD1X", "91110105MA01ABCD1X", None),
        (None, "91110105MA01ABCD1X", "91110105MA01ABCD1X", None),
        (None, "", None, None),
    ],
)
def test_identity_numbers(kind: str | None, cell: str, number: str | None, code: str | None) -> None:
    found, issues = parse_identity(kind, cell)
    assert (found.id_no, codes(issues)) == (number, [code] if code else [])


@given(st.from_regex(r"[1-6][0-9]{5}19[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8])[0-9]{3}", fullmatch=True))
def test_one_wrong_digit_is_found(first_17: str) -> None:
    sound = first_17 + check_digit(first_17)
    assert parse_identity("id_card", sound)[0].id_no == sound
    other = str((int(sound[16]) + 1) % 10)
    assert parse_identity("id_card", sound[:16] + other + sound[17])[0].id_no is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [("华夏贸易有限公司", True), ("某某合伙企业（有限合伙）", True), ("Example Trading Ltd.", True),
     ("某某1号私募证券投资基金", True), ("张三", False), ("公司", False), ("欧阳集", False),
     ("John Company Smith", False)],
)  # fmt: skip
def test_companies(name: str, expected: bool) -> None:
    assert is_company_name(name) is expected


def test_what_cannot_be_seen_is_removed() -> None:
    assert tidy("张\u200b三\ufeff")[0] == "张三"
    assert codes(tidy("张\x00三")[1]) == ["control_characters"]
    assert tidy("\ufeffC1\u00a0")[0] == "C1"
    assert value_of("暂无") == ("", [])


@given(st.text(max_size=80))
def test_any_cell_gives_a_value_or_a_reason(cell: str) -> None:
    for parse in (
        fields.parse_client_no, fields.parse_name, fields.parse_gender, fields.parse_id_type, fields.parse_tier,
        fields.parse_risk, fields.parse_status, fields.parse_email, fields.parse_opt_out, fields.parse_language,
        fields.parse_channel, fields.parse_address, fields.parse_note, fields.parse_branch, fields.parse_postcode,
    ):  # fmt: skip
        *_, issues = parse(cell)
        assert all(found.code in texts.TEXTS for found in issues)
    parse_identity(None, value_of(cell)[0])


def test_every_text_is_whole_in_both_languages() -> None:
    params = {
        "found": 1,
        "expected": 2,
        "first": 3,
        "limit": 4,
        "taken": "x",
        "words": "y",
        "date": "2024-01-05",
    }
    for code, text in texts.TEXTS.items():
        assert text.severity in {"reject", "warning", "info"}
        for locale in ("zh-CN", "en"):
            assert texts.message(code, params, locale)
            assert texts.mend(code, params, locale)
        assert texts.message(code, params, "zh-CN") != texts.message(code, params, "en")
