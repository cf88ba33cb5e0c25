"""Both languages are equal: every text of a page has its Chinese, with the same parameters."""

import re
from pathlib import Path

import pytest

import outreach.web
from outreach.core.i18n import catalogue, translate

ROOT = Path(outreach.web.__file__).parent
_IN_PAGES = re.compile(r"_\(\s*(?:\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)')")
_IN_CODE = re.compile(r"(?:\.say|translate)\((?:[a-z_.]*locale, )?\s*\"((?:[^\"\\]|\\.)*)\"")
_PARAMETER = re.compile(r"%\((\w+)\)s")


def texts() -> list[str]:
    found: set[str] = set()
    for page in ROOT.glob("pages/*.html"):
        found |= {one or other for one, other in _IN_PAGES.findall(page.read_text("utf-8"))}
    for module in ROOT.glob("*.py"):
        found |= set(_IN_CODE.findall(module.read_text("utf-8")))
    return sorted(found)


def test_there_are_texts_to_translate() -> None:
    assert len(texts()) > 300


def test_every_text_has_its_chinese() -> None:
    known = catalogue("zh-CN")
    assert [text for text in texts() if text not in known] == []


@pytest.mark.parametrize("locale", ["zh-CN"])
def test_translations_keep_the_parameters(locale: str) -> None:
    for text, translated in catalogue(locale).items():
        assert sorted(_PARAMETER.findall(text)) == sorted(_PARAMETER.findall(translated)), text


def test_a_text_is_said_in_each_language() -> None:
    assert translate("zh-CN", "%(time)s left", time="5 分钟") == "剩余 5 分钟"
    assert translate("en", "%(time)s left", time="5 min") == "5 min left"
