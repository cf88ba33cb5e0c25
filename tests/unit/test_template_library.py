"""The template library: both languages, one SMS for a greeting, no product words, never an age, no job twice."""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from outreach.content.check import read_samples
from outreach.content.formats import FeedTrigger, JobFile, TemplateFile
from outreach.content.loader import ContentSet, Source, load_folder
from outreach.content.render import parts, render
from outreach.content.sms import sms_length
from outreach.content.starter import starter_root

WANTED = set(
    """
    new-year spring-festival-eve spring-festival lantern dragon-boat mid-autumn national-day double-ninth
    winter-solstice christmas birthday birthday-letter anniversary welcome welcome-call risk-assessment-due
    risk-assessment-expired id-expiring research-push research-weekly market-event ipo-payment dividend rights-issue
    convertible warrant-expiry margin-ratio margin-call margin-contract-end product-maturity large-flow dormant
    win-back seminar survey investor-education anti-fraud complaint-follow-up
    """.split()
)
LETTERS = {"new-year", "spring-festival", "christmas", "birthday-letter"}
CALLS = {"welcome-call", "win-back", "dormant", "large-flow", "complaint-follow-up"}
# What is urgent is told by telephone where neither SMS nor mail will do.
ALERTS = {"market-event", "ipo-payment", "rights-issue", "convertible", "warrant-expiry"}
PRODUCT_WORDS = re.compile(
    r"产品|基金|理财|股票|收益|行情|投资|交易|开户有礼|推荐"
    r"|\b(product|fund|stock|share|invest\w*|return|yield|trade|trading|offer)s?\b",
    re.IGNORECASE,
)
LONGEST = {
    "zh-CN": {
        "client": {"salutation": "欧阳女士"},
        "branch": {"name": "北京建国路营业部"},
        "firm": "示例证券",
    },
    "en": {"client": {"salutation": "Ms Featherstonehaugh"}, "branch": {"name": "Shanghai Pudong Branch"}},
}


@cache
def library() -> ContentSet:
    content, faults = load_folder(starter_root())
    assert faults == []
    return content


def templates() -> dict[str, Source]:
    return library().templates


def greetings() -> list[str]:
    return sorted(name for name, source in templates().items() if source.meta.greeting)


def variants() -> list[tuple[str, str, str]]:
    return [
        (name, channel, language)
        for name, source in sorted(templates().items())
        for language in source.meta.languages
        for channel in source.meta.channels
    ]


def samples_of(name: str, language: str) -> list[Mapping[str, Any]]:
    found = read_samples(templates()[name].files["samples.toml"]).sample
    return [one.context for one in found if one.language == language]


def test_everything_a_branch_says_in_a_year_is_there() -> None:
    assert WANTED - set(templates()) == set()
    assert sum(source.meta.phrase for source in templates().values()) >= 4
    assert {name for name in templates() if "letter" in templates()[name].meta.channels} == LETTERS
    assert {name for name in templates() if "call" in templates()[name].meta.channels} == CALLS | ALERTS


@pytest.mark.parametrize("name", sorted(WANTED - {"christmas"}))
def test_each_is_in_both_languages(name: str) -> None:
    meta: TemplateFile = templates()[name].meta
    assert meta.languages == ("zh-CN", "en")
    for channel in meta.channels:
        for language in meta.languages:
            assert set(parts(channel, language).values()) <= set(templates()[name].files)


@pytest.mark.parametrize(("name", "channel", "language"), variants())
def test_each_renders_with_what_is_required_and_with_all(name: str, channel: str, language: str) -> None:
    for context in samples_of(name, language):
        made = render(templates()[name].files, channel, language, context)
        assert made.text
        assert "{{" not in made.text
        assert "（）" not in made.text
        assert "()" not in made.text
        assert not re.search(r"，，|。。|\S  +\S", made.text), made.text
        if channel == "email":
            assert made.subject
            assert "<script" not in made.html
            assert str(context["branch"]["complaint_phone"]) in made.text  # art. 40, 50


@pytest.mark.parametrize("name", greetings())
def test_a_greeting_is_one_sms_even_with_long_names(name: str) -> None:
    source = templates()[name]
    for language in source.meta.languages:
        if "sms" not in source.meta.channels:
            continue
        for context in samples_of(name, language):
            client = {**context["client"], **LONGEST[language]["client"]}
            branch = {**context["branch"], **LONGEST[language]["branch"]}
            made = render(source.files, "sms", language, {**context, "client": client, "branch": branch})
            length = sms_length(made.text)
            assert length.segments == 1, (made.text, length)
            assert length.encoding == ("UCS-2" if language == "zh-CN" else "GSM-7"), made.text


@pytest.mark.parametrize("name", greetings())
def test_a_greeting_carries_no_product_words(name: str) -> None:
    source = templates()[name]
    for language in source.meta.languages:
        for channel in source.meta.channels:
            for context in samples_of(name, language):
                made = render(source.files, channel, language, context)
                said = f"{made.subject} {made.text}".replace(str(context["firm"].get("name", "")), "")
                assert PRODUCT_WORDS.search(said) is None, said


@pytest.mark.parametrize("name", ["birthday", "birthday-letter"])
def test_a_birthday_never_says_the_age(name: str) -> None:
    source = templates()[name]
    assert not {"due.years", "client.birth_date"} & set(source.meta.variables)
    for text in source.files.values():
        assert not re.search(r"岁|周岁|\bage\b|years old", text)


def test_advice_and_products_carry_their_disclosures() -> None:
    for name, source in templates().items():
        if source.meta.category in ("consulting", "product"):
            assert "market-risk" in source.meta.disclosures, name
        if source.meta.advice:
            assert "own-decision" in source.meta.disclosures, name
            assert "advisor.licence" in source.meta.variables, name


def test_the_research_sms_says_the_title_and_not_what_is_in_it() -> None:
    for language in ("zh-CN", "en"):
        for context in samples_of("research-push", language):
            said = render(templates()["research-push"].files, "sms", language, context).text
            assert context["report"]["title"] in said
            assert context["report"]["abstract"] not in said


def test_deadlines_and_what_follows_are_said() -> None:
    for name in ("ipo-payment", "rights-issue", "convertible", "warrant-expiry"):
        for language, lapse in (("zh-CN", "放弃|作废|按公告条款"), ("en", "given up|lapse|terms")):
            full, bare = samples_of(name, language)
            for channel in ("sms", "email", "call"):
                said = render(templates()[name].files, channel, language, full).text
                assert full["event"]["deadline"] in said
                assert re.search(lapse, said), said
                assert render(templates()[name].files, channel, language, bare).text != said


def test_what_an_author_fills_in_is_named_in_both_languages() -> None:
    for name, source in templates().items():
        for variable, one in source.meta.variables.items():
            assert (one.label is not None) == (one.source == "text"), (name, variable)


def test_a_correction_says_so_first() -> None:
    for name, item in (("market-event", "event"), ("ipo-payment", "event"), ("research-push", "report")):
        for language, word in (("zh-CN", "更正"), ("en", "Correction")):
            context = samples_of(name, language)[0]
            told = {**context, item: {**context[item], "corrects": "旧标题"}}
            plain = {**context, item: {**context[item], "corrects": ""}}
            for channel in templates()[name].meta.channels:
                files = templates()[name].files
                assert word in render(files, channel, language, told).text
                assert "旧标题" in render(files, channel, language, told).text
                assert word not in render(files, channel, language, plain).text


@pytest.mark.parametrize(
    "kind",
    [
        "ipo_payment",
        "dividend",
        "rights_issue",
        "convertible",
        "warrant_expiry",
        "option_expiry",
        "policy",
        "halt",
        "anything_new",
    ],
)
def test_each_event_belongs_to_exactly_one_job(kind: str) -> None:
    taking = [
        name
        for name, source in library().jobs.items()
        if isinstance(trigger := source.meta.trigger, FeedTrigger)
        and trigger.feed == "market-event"
        and trigger.takes(kind)
    ]
    assert len(taking) == 1, taking


def test_every_template_with_a_date_or_a_festival_has_its_job() -> None:
    used = {source.meta.template for source in library().jobs.values()}
    by_hand = {"margin-ratio", "margin-call", "large-flow", "dormant", "win-back", "seminar", "survey"}
    by_hand |= {"investor-education", "education-costs", "anti-fraud", "complaint-follow-up"}
    phrases = {name for name, source in templates().items() if source.meta.phrase}
    assert set(templates()) - used == by_hand | phrases


def test_what_is_urgent_falls_through_to_a_call() -> None:
    alerts = {source.meta.template: source.meta for source in library().jobs.values() if source.meta.urgent}
    assert set(alerts) == ALERTS
    assert {job.reach for job in alerts.values()} == {("sms", "email", "call")}
    for name in ALERTS:
        for language in ("zh-CN", "en"):
            for context in samples_of(name, language):
                said = render(templates()[name].files, "call", language, context).text
                assert context["event"]["headline"] in said
                assert context["disclosures"] in said


def test_types_and_except_types_exclude_each_other() -> None:
    job = tomllib.loads(library().jobs["market-event"].files["jobs/market-event.toml"])
    job["trigger"]["types"] = ["dividend"]
    with pytest.raises(ValueError, match="not both"):
        JobFile.model_validate(job)
