"""Every code has words in both languages, with a mend (P8)."""

import re

import pytest

from outreach.messages.reasons import REASONS, words


@pytest.mark.parametrize("code", sorted(REASONS))
def test_every_code_speaks_both_languages(code: str) -> None:
    row = REASONS[code]
    assert row.zh
    assert row.en
    assert row.mend_zh
    assert row.mend_en
    assert set(re.findall(r"{(\w+)}", row.zh)) == set(re.findall(r"{(\w+)}", row.en))


def test_values_are_shown_in_the_readers_language() -> None:
    params = {"channel": "sms", "category": "*"}
    assert words("opted_out", params, "zh-CN").reason == "客户已退订（渠道：短信，类别：全部）。"
    assert (
        words("opted_out", params, "en").reason == "The client has opted out (channel: SMS, category: all)."
    )


def test_lists_are_joined() -> None:
    assert "SMS, mail" in words("no_contact_point", {"channels": ["sms", "email"]}, "en").reason


def test_a_missing_parameter_is_a_dash_and_an_unknown_code_itself() -> None:
    assert "–" in words("suitability", {}, "en").reason
    assert words("of_another_release").reason == "of_another_release"
