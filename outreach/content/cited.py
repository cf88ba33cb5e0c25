"""Whether a text says where its view comes from: who published it, and on which date (art. 17, 79(7))."""

import re

_MONTH = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.?"
)
_DATE = (
    r"(?:(?:19|20)\d\d\s?[-/.年]\s?\d{1,2}\s?[-/.月]\s?\d{1,2}"
    rf"|\d{{1,2}}\s{_MONTH},?\s(?:19|20)\d\d|{_MONTH}\s\d{{1,2}},?\s(?:19|20)\d\d)"
)
_WHO = r"[^\W\d_][\w &.·（）()\-]*"
_NEAR = r"[^\n]{0,120}?"
# 来源：示例证券研究所，2026-11-20 · 示例证券研究所于2026年11月20日发布 · Source: Example Research, 20 November 2026
# · Example Research published "…" on 2026-11-20
_CITED = re.compile(
    rf"(?:来源|出处|引自|\bsources?\b|\baccording to\b|\bciting\b)\s*[:：]?\s*[《“\"]?{_WHO}{_NEAR}{_DATE}"
    rf"|{_WHO}{_NEAR}{_DATE}日?[^\n]{{0,20}}?(?:发布|刊发|发表)"
    rf"|{_WHO}{_NEAR}\b(?:published|issued)\b{_NEAR}{_DATE}",
    re.IGNORECASE,
)


def cites_source(text: str) -> bool:
    """Whether ``text`` names a publisher with a date, in one line, in Chinese or English."""
    return any(_CITED.search(line) for line in text.splitlines())
