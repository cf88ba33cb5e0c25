"""What a submission is about is said in the reader's language: an advisor's own words, a job's occasion, an item."""

from datetime import date

import pytest
from click.testing import CliRunner
from freezegun import freeze_time
from sqlalchemy import select

from outreach.auth.passwords import set_password
from outreach.cli.main import cli
from outreach.composing.compose import compose_occurrence
from outreach.composing.own import list_own
from outreach.composing.requests import RequestDraft, queue_request
from outreach.core.database import Database
from outreach.core.i18n import bilingual, in_language
from outreach.core.settings import Settings
from outreach.ledger.work import Opener
from outreach.notices.wording import word
from outreach.review.tables import submission
from tests.support.builders import Firm, firm, make_client, publish_starter
from tests.support.occurrences import make_item, make_occurrence
from tests.support.pages import SignIn, words

WORD = "care and patience"
TONGUES = [
    ("zh-CN", "自拟文字", "自拟文字 · 高端客户"),
    ("en", "Own words", "Own words · Highest tiers"),
]


@pytest.fixture
def people(open_work: Opener) -> Firm:
    made = firm(open_work)
    publish_starter(open_work, made)
    with open_work() as work:
        clients = tuple(make_client(work, made.b01, tier=tier) for tier in ("core", "diamond"))
    with open_work(made.b01.advisor) as work:
        queue_request(work, RequestDraft(clients, text="{称呼}，您好！资料已备妥，请您有空时来取。"))
    return made


@pytest.mark.parametrize(("zh", "en", "told"), [
    ("自拟文字", "Own words", ("自拟文字", "Own words")),
    ("2027", "2027", ("2027", "2027")),
    ("两\n行", "two\r\nlines", ("两 行", "two lines")),
])  # fmt: skip
def test_a_text_kept_in_both_languages_is_told_in_either(zh: str, en: str, told: tuple[str, str]) -> None:
    kept = bilingual(zh, en)
    assert (in_language(kept, "zh-CN"), in_language(kept, "en")) == told


def test_a_text_of_one_language_is_told_as_it_is() -> None:
    assert in_language("自拟文字", "en") == in_language("自拟文字", "zh-CN") == "自拟文字"


@pytest.mark.parametrize(("locale", "plain", "stricter"), TONGUES)
def test_each_reader_finds_their_own_language_in_the_inbox(
    people: Firm, open_work: Opener, sign_in: SignIn, locale: str, plain: str, stricter: str
) -> None:
    manager = sign_in(people.b01.manager, locale)
    shown = words(manager.get("/inbox").text)
    assert plain in shown
    assert stricter in shown
    other = next(one for one in TONGUES if one[0] != locale)
    assert other[1] not in shown
    with open_work() as work:
        identifier = work.conn.execute(select(submission.c.id).limit(1)).scalar_one()
    page = words(manager.get(f"/inbox/submission/{identifier}").text)
    assert plain in page
    assert other[1] not in page
    assert plain in words(sign_in(people.b01.advisor, locale).get("/mine").text)
    with open_work(people.b01.advisor) as work:
        assert {one.title for one in list_own(work, locale=locale)} == {plain, stricter}


def test_the_command_line_speaks_the_firms_language(
    people: Firm, open_work: Opener, database: Database, settings: Settings
) -> None:
    with open_work() as work:
        assert people.b01.manager.staff_id
        set_password(work, people.b01.manager.staff_id, "manager", WORD)
    environment = {
        "OUTREACH_HOME": str(settings.home),
        "OUTREACH_KEYS": str(settings.keys),
        "OUTREACH_DATABASE_URL": database.owner_conninfo,
        "OUTREACH_USER": "manager",
        "OUTREACH_PASSWORD": WORD,
    }
    for locale, plain, stricter in TONGUES:
        listed = CliRunner().invoke(cli, ["review", "list"], env=environment | {"OUTREACH_LOCALE": locale})
        assert listed.exit_code == 0, listed.exception
        assert plain in listed.stdout
        assert stricter in listed.stdout


@freeze_time("2026-09-21 03:00:00")
def test_what_a_job_made_has_its_title_in_both_languages(open_work: Opener) -> None:
    made = firm(open_work)
    publish_starter(open_work, made)
    with open_work() as work:
        make_client(work, made.b01, tier="core", holdings=("600000.SH",))
        item = make_item(work, "market-event")
        found = [
            make_occurrence(work, "mid-autumn", send_date=date(2026, 9, 25)),
            make_occurrence(work, "market-event", feed_item_id=item),
        ]
    for identifier in found:
        compose_occurrence(open_work, identifier)
    with open_work() as work:
        kept = work.conn.execute(select(submission.c.occurrence_id, submission.c.title)).all()
    titles = {row.occurrence_id: row.title for row in kept}
    assert in_language(titles[found[0]], "zh-CN") == "中秋祝福 2026-09-25"
    assert in_language(titles[found[0]], "en") == "Mid-Autumn greeting 2026-09-25"
    assert in_language(titles[found[1]], "zh-CN") == "突发事件提示：银行业周报"
    assert in_language(titles[found[1]], "en") == "Market-event alert: 银行业周报"
    said = {"title": titles[found[0]], "count": 2, "submission_id": "x"}
    assert "\n" not in word("submission_held", said, "en").line
    assert word("submission_held", said, "zh-CN").line.endswith("中秋祝福 2026-09-25")
