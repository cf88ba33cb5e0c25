"""What is refused is told in the reader's language, names and figures included."""

import re

import pytest

from outreach.core.errors import BadInput, RuleBroken
from outreach.core.i18n import catalogue
from outreach.messages.files import check_file
from outreach.web.told import SENTENCES, told

_PARAMETER = re.compile(r"%\((\w+)\)s")


@pytest.mark.parametrize("sentence", SENTENCES)
def test_every_sentence_has_its_chinese_with_the_same_parameters(sentence: str) -> None:
    chinese = catalogue("zh-CN")[sentence]
    assert sorted(_PARAMETER.findall(chinese)) == sorted(_PARAMETER.findall(sentence))


def test_names_and_figures_stay() -> None:
    error = RuleBroken(
        "“反诈手册” was rejected by 马经理 at 2026-11-20 09:00:00.", rule="x", mend="Choose other material."
    )
    assert told("zh-CN", error) == (
        "“反诈手册”已由 马经理 于 2026-11-20 09:00:00 否决。",
        "请选择其他材料。",
    )
    assert told("en", error) == (error.message, error.mend)


def test_a_kind_of_service_is_named_in_both_languages() -> None:
    error = RuleBroken("“书” is material of another kind of service (consulting).", rule="x", mend="")
    assert told("en", error)[0] == "“书” is material of another kind of service (Advice)."
    assert "咨询" in told("zh-CN", error)[0]


def test_a_rule_speaks_the_readers_language_not_the_firms() -> None:
    error = RuleBroken("…", rule="advisory_licence", mend="…", params={"name": "王"})
    assert told("en", error) != told("zh-CN", error)


@pytest.mark.parametrize("data", [b"", b"x", b"%PDF-1.7 nothing"])
def test_why_a_file_is_refused_has_its_chinese(data: bytes) -> None:
    with pytest.raises(BadInput) as refused:
        check_file("a.pdf", data)
    for part in told("zh-CN", refused.value):
        assert not part.isascii()
