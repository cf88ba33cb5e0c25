"""Drafts are kept, sealed, and the author's own; what is put up closes its draft."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import text

from outreach.composing.drafts import LARGEST, RequestDraft
from outreach.composing.keeping import (
    MOST,
    close_draft,
    discard_draft,
    keep_draft,
    kept_drafts,
    open_draft,
)
from outreach.composing.requests import queue_request, try_words
from outreach.core.errors import BadInput, Forbidden, NotFound
from outreach.core.ids import new_id
from outreach.ledger.work import Opener
from outreach.review.parts import parts_of
from tests.support.builders import Firm, change_client, firm, make_client, publish_starter

SAID = "{称呼}，您好！季度服务报告已为您准备好，方便时请回电。"


@pytest.fixture
def people(open_work: Opener) -> Firm:
    found = firm(open_work)
    publish_starter(open_work, found)
    return found


@pytest.fixture
def client(open_work: Opener, people: Firm) -> UUID:
    with open_work() as work:
        return make_client(work, people.b01, name="王伟", gender="male")


def test_a_draft_comes_back_as_it_was(open_work: Opener, people: Firm, client: UUID) -> None:
    draft = RequestDraft(
        (client,),
        text=SAID,
        subject="季度报告",
        values={"what": "报告"},
        channel="email",
        category="information",
        risk_level=2,
        send_at=datetime(2031, 2, 3, 4, 5, tzinfo=UTC),
        attachments=(new_id(),),
    )
    with open_work(people.b01.advisor) as work:
        kept = keep_draft(work, draft, title=" 季报 ")
    with open_work(people.b01.advisor) as work:
        assert open_draft(work, kept) == (draft, "季报")
        [line] = kept_drafts(work)
        assert (line.id, line.title, line.client_count) == (kept, "季报", 1)


def test_the_words_lie_sealed_and_what_was_before_is_gone(
    open_work: Opener, people: Firm, client: UUID
) -> None:
    with open_work(people.b01.advisor) as work:
        before = work.conn.execute(text("SELECT count(*) FROM sealed_record")).scalar_one()
        kept = keep_draft(work, RequestDraft((client,), text="头稿"))
    for words in ("二稿", "三稿"):
        with open_work(people.b01.advisor) as work:
            assert keep_draft(work, RequestDraft((client,), text=words), draft_id=kept) == kept
    with open_work(people.b01.advisor) as work:
        assert open_draft(work, kept)[0].text == "三稿"
        assert work.conn.execute(text("SELECT count(*) FROM sealed_record")).scalar_one() == before + 1
        row = work.conn.execute(text("SELECT compose_draft::text FROM compose_draft")).scalar_one()
    assert "稿" not in row


def test_nobody_else_reads_or_changes_it(open_work: Opener, people: Firm, client: UUID) -> None:
    with open_work(people.b01.advisor) as work:
        kept = keep_draft(work, RequestDraft((client,), text=SAID))
    for other in (people.b01.advisors[1], people.b01.manager, people.b02.advisor):
        with open_work(other) as work:
            assert kept_drafts(work) == []
            for act in (open_draft, discard_draft):
                with pytest.raises(NotFound):
                    act(work, kept)
            with pytest.raises(NotFound):
                keep_draft(work, RequestDraft((), text="x"), draft_id=kept)
            with pytest.raises(NotFound):
                close_draft(work, kept, new_id())
    with open_work(people.operator) as work, pytest.raises(Forbidden):
        kept_drafts(work)


def test_what_is_put_up_or_put_away_is_no_draft_any_more(
    open_work: Opener, people: Firm, client: UUID
) -> None:
    with open_work(people.b01.advisor) as work:
        first = keep_draft(work, RequestDraft((client,), text=SAID))
        second = keep_draft(work, RequestDraft((client,), text=SAID))
        done = queue_request(work, open_draft(work, first)[0])
        close_draft(work, first, done.occurrence_id)
        discard_draft(work, second)
        assert kept_drafts(work) == []
        with pytest.raises(NotFound):
            open_draft(work, first)


def test_a_client_who_moved_away_is_not_in_it_any_more(open_work: Opener, people: Firm, client: UUID) -> None:
    with open_work() as work:
        stays = make_client(work, people.b01)
    with open_work(people.b01.advisor) as work:
        kept = keep_draft(work, RequestDraft((client, stays), text=SAID))
    with open_work() as work:
        change_client(work, client, advisor_id=people.b01.advisors[1].staff_id)
    with open_work(people.b01.advisor) as work:
        assert open_draft(work, kept)[0].client_ids == (stays,)


def test_what_is_too_large_or_too_many_is_refused(open_work: Opener, people: Firm, client: UUID) -> None:
    with open_work(people.b01.advisor) as work:
        with pytest.raises(BadInput, match="up to 500 clients"):
            keep_draft(work, RequestDraft((client,), text="长" * 5001))
        with pytest.raises(BadInput):
            keep_draft(work, RequestDraft(tuple(new_id() for _ in range(LARGEST + 1))))
        for _ in range(MOST):
            keep_draft(work, RequestDraft((client,)))
        with pytest.raises(BadInput, match="50 drafts"):
            keep_draft(work, RequestDraft((client,)))


def test_words_are_tried_while_they_are_written(open_work: Opener, people: Firm, client: UUID) -> None:
    draft = RequestDraft((), text=SAID)
    with open_work(people.b01.advisor) as work:
        assert try_words(work, RequestDraft(())) is None
        tried = try_words(work, draft, "en")  # nobody chosen: the first client stands for all
        assert tried is not None
        assert "王先生" in tried.text
        slots = [part.text for part in parts_of(tried.text, tried.source) if part.origin == "slot"]
        assert any("王先生" in slot for slot in slots)
        worse = try_words(work, replace(draft, text="{称呼}，您好！本产品保 本。"), "en")
        assert worse is not None
        [block] = [one for one in worse.findings if one.severity == "block"]
        assert worse.text[block.start : block.end] == "保 本"
        assert block.article
        assert block.advice
        greeting = try_words(work, RequestDraft((client,), template="mid-autumn"), "en")
        assert greeting is not None
        assert "{{" in greeting.source


def test_a_time_that_is_past_is_refused(open_work: Opener, people: Firm, client: UUID) -> None:
    past = RequestDraft((client,), text=SAID, send_at=datetime(2020, 1, 1, tzinfo=UTC))
    with open_work(people.b01.advisor) as work, pytest.raises(BadInput, match="past"):
        queue_request(work, past)
