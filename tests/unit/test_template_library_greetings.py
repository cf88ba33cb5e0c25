"""What a branch sends on a festival or a birthday: nothing of an age, no figure but the telephone's, every occasion
with its own words, a Chinese and an English side, and one message for the turn of the year."""

import re
from functools import cache
from itertools import combinations, pairwise

import pytest

from outreach.content.check import read_samples
from outreach.content.formats import FestivalTrigger, JobFile
from outreach.content.loader import ContentSet, load_folder
from outreach.content.render import Rendered, render
from outreach.content.sms import sms_length
from outreach.content.starter import starter_root
from outreach.occasions.festivals import FESTIVALS

CHRISTMAS_AND_NEW_YEAR = {"christmas", "new-year"}
NAMES = {
    "zh-CN": ("欧阳先生", "司徒女士", "Mr Featherstonehaugh"),
    "en": ("Mr Featherstonehaugh", "Ms Featherstonehaugh", "Mr Cholmondeley-Warner"),
}
BRANCHES = {"zh-CN": "北京建国路营业部", "en": "Shanghai Pudong Branch"}
SHARED = 0.45  # of the words of one mail's text may stand in another's: greeting, signature and thanks


@cache
def library() -> ContentSet:
    content, faults = load_folder(starter_root())
    assert faults == []
    return content


def greetings(channel: str) -> list[tuple[str, str]]:
    return [
        (name, language)
        for name, source in sorted(library().templates.items())
        if source.meta.greeting and channel in source.meta.channels
        for language in source.meta.languages
    ]


def rendered(name: str, channel: str, language: str, salutation: str) -> Rendered:
    source = library().templates[name]
    sample = next(
        one for one in read_samples(source.files["samples.toml"]).sample if one.language == language
    )
    context = {
        **sample.context,
        "client": {"salutation": salutation},
        "branch": {**sample.context["branch"], "name": BRANCHES[language]},
    }
    return render(source.files, channel, language, context)


@pytest.mark.parametrize(("name", "language"), greetings("sms"))
def test_the_longest_names_still_fit_one_sms(name: str, language: str) -> None:
    for salutation in NAMES[language]:
        said = rendered(name, "sms", language, salutation).text
        assert sms_length(said).segments == 1, (said, sms_length(said))


@pytest.mark.parametrize("name", ["birthday", "birthday-letter"])
def test_a_birthday_has_no_figure_but_the_telephones(name: str) -> None:
    """Rendered without a birth date or a count of years, so that no age can be said: neither in figures nor words."""
    source = library().templates[name]
    for language in source.meta.languages:
        for channel in source.meta.channels:
            made = rendered(name, channel, language, NAMES[language][0])
            said = re.sub(r"0\d{2,3}-\d{7,8}", "", f"{made.subject} {made.text}")
            assert not re.search(r"\d", said), said
            assert not re.search(r"[一二三四五六七八九十]+(周?岁|大寿|华诞)|\b\w+tieth\b|years? old", said), (
                said
            )


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_no_two_occasions_say_the_same_but_for_the_name(language: str) -> None:
    said = {
        name: set(_pieces(rendered(name, "email", language, NAMES[language][0]).text, language))
        for name, one in greetings("email")
        if one == language
    }
    for first, second in combinations(said, 2):
        shared = len(said[first] & said[second]) / min(len(said[first]), len(said[second]))
        assert shared < SHARED, (first, second, shared)


def _pieces(text: str, language: str) -> list[str]:
    """The body between salutation and signature, in pairs of characters (Chinese) or of words."""
    body = "\n".join(text.split("\n\n")[1:-1])
    units = re.findall(r"\w", body) if language == "zh-CN" else re.findall(r"[a-z']+", body.lower())
    return [f"{one} {two}" for one, two in pairwise(units)]


def test_a_greeting_in_chinese_has_its_english_and_christmas_is_for_english_readers() -> None:
    for name, source in library().templates.items():
        if source.meta.greeting:
            expected = ("en",) if name == "christmas" else ("zh-CN", "en")
            assert source.meta.languages == expected, name


def festival_jobs(template: str) -> list[JobFile]:
    return [source.meta for source in library().jobs.values() if source.meta.template == template]


@pytest.mark.parametrize("channel", ["sms", "letter"])
def test_nobody_is_wished_a_happy_new_year_twice(channel: str) -> None:
    served = [
        language
        for template in sorted(CHRISTMAS_AND_NEW_YEAR)
        for job in festival_jobs(template)
        if channel in job.channels
        for language in job.audience.languages or ("zh-CN", "en")
    ]
    assert sorted(served) == ["en", "zh-CN"]


def test_every_letter_of_a_festival_is_sent_by_a_job_in_time_to_arrive() -> None:
    for name, source in library().templates.items():
        if not source.meta.greeting or "letter" not in source.meta.channels or name == "birthday-letter":
            continue
        (job,) = [one for one in festival_jobs(name) if "letter" in one.channels]
        assert isinstance(job.trigger, FestivalTrigger)
        assert job.trigger.festival == source.meta.occasion
        assert job.trigger.offset_days <= -5, name


def test_days_of_remembrance_have_no_job() -> None:
    solemn = {name for name, one in FESTIVALS.items() if not one.cheerful}
    kept = {
        source.meta.trigger.festival
        for source in library().jobs.values()
        if isinstance(source.meta.trigger, FestivalTrigger)
    }
    assert solemn == {"qingming", "zhongyuan"}
    assert not solemn & kept


def test_on_the_day_itself_nothing_is_still_to_come() -> None:
    """An SMS or mail goes out on its festival; only what is posted beforehand may say that it is near."""
    for name, language in greetings("sms") + greetings("email"):
        for channel in ("sms", "email"):
            made = rendered(name, channel, language, NAMES[language][0])
            assert not re.search(r"将至|即将到来|\bapproaching\b|\bis coming\b", made.text), made.text
