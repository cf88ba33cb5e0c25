"""P5: a newly published block phrase re-checks what waits."""

from sqlalchemy import select

from outreach.core.events import ContentPublished
from outreach.core.ids import new_id
from outreach.ledger.work import Opener
from outreach.messages.tables import message
from outreach.review.decide import approve
from outreach.review.detail import message_detail
from outreach.review.gate import bound_digests
from outreach.review.relex import on_content_published
from tests.support.desk import Desk
from tests.support.review_rows import as_read, hold, states

TEXT = "您好，{name}，葫芦有喜。"


def test_p5_a_newly_published_block_phrase_rechecks_what_waits(open_work: Opener, desk: Desk) -> None:
    advisor = desk.firm.b01.advisor
    with open_work() as work:
        before = desk.lexicon_digest(work)
        shared = {"policy": desk.each, "author": advisor, "lexicon": before}
        hit = hold(work, desk.firm, desk.firm.b01, count=2, text=TEXT, **shared)  # type: ignore[arg-type]
        clean = hold(work, desk.firm, desk.firm.b01, **shared)  # type: ignore[arg-type]
    with open_work(desk.firm.b01.manager) as work:
        approve(work, hit.ids[:1], as_read(work, hit.ids))
        approve(work, clean.ids, as_read(work, clean.ids))
    with open_work() as work:
        desk.forbid(work, "葫芦")
        on_content_published(work, ContentPublished(new_id()))
        assert states(work, hit.ids) == ["held", "held"]
        assert states(work, clean.ids) == ["approved"]
        assert bound_digests(work.conn, hit.ids) == {}
        assert set(bound_digests(work.conn, clean.ids)) == set(clean.ids)
        checked_under = set(work.conn.execute(select(message.c.lexicon_digest)).scalars())
        assert checked_under == {desk.lexicon_digest(work)} != {before}
    with open_work(desk.firm.b01.manager) as work:
        for message_id in hit.ids:
            detail = message_detail(work, message_id)
            assert detail.blocked
            assert detail.refusal is not None
            assert detail.refusal.rule == "blocked"
            assert detail.payload is not None
            [finding] = [item for item in detail.findings if item.severity == "block"]
            assert detail.payload.text[finding.start : finding.end] == "葫芦"
            assert detail.why is not None
            assert "lexicon_changed" not in detail.why.reason


def test_what_was_composed_under_an_older_lexicon_is_looked_at_again_at_approval(
    open_work: Opener, desk: Desk
) -> None:
    """A message composed while the lexicon was being published is caught by the approval itself."""
    with open_work() as work:
        held = hold(
            work,
            desk.firm,
            desk.firm.b01,
            policy=desk.each,
            author=desk.firm.b01.advisor,
            lexicon=b"\x07" * 32,
            text=TEXT,
        )
        desk.forbid(work, "葫芦")
    with open_work(desk.firm.b01.manager) as work:
        done = approve(work, held.ids, as_read(work, held.ids))
        assert (done.count, [item.state for item in done.set_aside]) == (0, ["held"])
        assert states(work, held.ids) == ["held"]
        assert message_detail(work, held.first).blocked
