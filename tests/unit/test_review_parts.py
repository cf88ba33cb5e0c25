"""Where the words of a message come from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.review.parts import Part, parts_of


def test_slots_and_the_signature_around_a_template() -> None:
    assert parts_of(
        "【示例证券】您好，王女士，生日快乐！回T退订", "您好，{{ client.salutation }}，生日快乐！"
    ) == (
        Part("【示例证券】", "added"),
        Part("您好，", "template"),
        Part("王女士", "slot"),
        Part("，生日快乐！", "template"),
        Part("回T退订", "added"),
    )


def test_an_advisors_own_words_are_marked() -> None:
    first = "您好，王女士，生日快乐！"
    edited = "您好，王女士，生日快乐！祝您登山愉快。"
    assert parts_of(edited, "您好，{{ name }}，生日快乐！", first)[-1] == Part("祝您登山愉快。", "advisor")
    assert parts_of(edited, "您好，{{ name }}，生日快乐！", first)[1] == Part("王女士", "slot")


def test_free_text_is_all_the_authors() -> None:
    assert parts_of("您好，明天见。", None) == (Part("您好，明天见。", "advisor"),)


@pytest.mark.parametrize(
    "source",
    [
        "{{ greeting }}, {% if vip %}dear {% endif %}{{ name }}!",
        "{% for line in lines %}{{ line }}{% endfor %}",
        "{{ everything }}",
        "nothing in common",
    ],
)
@pytest.mark.parametrize("current", ["Hello, dear Ann!", "", "生日快乐"])
def test_the_parts_are_the_text(source: str, current: str) -> None:
    assert "".join(part.text for part in parts_of(current, source)) == current


@given(st.text(), st.text(), st.text())
def test_the_parts_are_the_text_whatever_was_edited(current: str, source: str, first: str) -> None:
    assert "".join(part.text for part in parts_of(current, source, first)) == current
