"""The matcher's short cuts change nothing: on any text it finds what the plainly written one finds."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from outreach.content.approval_formats import LexiconFile
from outreach.content.loader import load_folder
from outreach.content.matcher import compile_lexicons
from outreach.content.starter import starter_root
from tests.support.plain_matcher import compile_plainly

CONTENT = load_folder(starter_root())[0]
SHORT = LexiconFile.model_validate(
    {
        "title": {"zh": "短", "en": "Short"},
        "language": "zh-CN",
        "rules": [
            {
                "id": "short",
                "article": "art. 17",
                "severity": "flag",
                "why": {"zh": "短", "en": "Short"},
                "phrases": ["赚", "庄家", "ＶＩＰ", "tip", "a b c", "no risk"],
                "exceptions": ["不赚", "tip top"],
            }
        ],
    }
)
STARTER = [source.meta for source in CONTENT.lexicons.values()]
PHRASES = sorted({phrase for one in [*STARTER, SHORT] for rule in one.rules for phrase in rule.phrases})
EXCEPTIONS = sorted({word for one in [*STARTER, SHORT] for rule in one.rules for word in rule.exceptions})
BETWEEN = ["", " ", "\u200b", ".", "·", "\n", "。", "-", "\u3000", "'", "’", "😀", "\u0301"]
FILLERS = [
    "您好！",
    "请您",
    "R",
    "dear client",
    "1",
    "。",
    " ",
    "保",
    "不",
    "a",
    "b c",
    "No",
    "证券",
    "STOP",
    "ß",
    "İ",
]


def _apart(phrase: str, between: str) -> str:
    return between.join(phrase)


pieces = st.one_of(
    st.sampled_from(PHRASES),
    st.sampled_from(EXCEPTIONS),
    st.sampled_from(FILLERS),
    st.builds(_apart, st.sampled_from(PHRASES), st.sampled_from(BETWEEN)),
    st.builds(str.upper, st.sampled_from(PHRASES)),
    st.text(max_size=6),
)
texts = st.lists(pieces, max_size=9).map("".join)


SETS = {"starter": STARTER, "short": [SHORT], "all": [*STARTER, SHORT], "none": []}
FAST = {name: compile_lexicons(lexicons) for name, lexicons in SETS.items()}
PLAIN = {name: compile_plainly(lexicons) for name, lexicons in SETS.items()}


@pytest.mark.parametrize("name", sorted(SETS))
@settings(max_examples=250, deadline=None)
@given(text=texts)
@example(text="g u a r a n t e e d   r e t u r n")
@example(text="t i p t i p")
@example(text="保 本，稳.赚.不.赔 no-risk")
@example(text="ｖｉｐ VIP v i p")
def test_it_finds_what_the_plain_one_finds(name: str, text: str) -> None:
    assert FAST[name].find(text) == PLAIN[name].find(text)
