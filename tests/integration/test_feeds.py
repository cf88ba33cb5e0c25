"""Feeds: each item once, each fault refused by itself, a correction in the place of what it corrects."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from outreach.core import events
from outreach.core.access import SYSTEM
from outreach.core.errors import BadInput
from outreach.feeds.tables import feed_item
from outreach.feeds.take_in import import_feed
from outreach.ledger.work import Opener

SAMPLES = Path(__file__).resolve().parents[1] / "samples"


def in_force(open_work: Opener) -> set[tuple[str, str]]:
    with open_work() as work:
        return {
            (row.item_key, row.data.get("title") or row.data.get("headline"))
            for row in work.conn.execute(select(feed_item).where(feed_item.c.superseded_by.is_(None)))
        }


def test_the_sample_research_is_taken_in_and_its_faults_are_refused_one_by_one(open_work: Opener) -> None:
    result = import_feed(open_work, SYSTEM, "research", SAMPLES / "research.jsonl")
    assert (result.accepted, result.corrections) == (4, 1)
    assert {refusal.line for refusal in result.refused} == {5, 6}
    assert all(refusal.reason and refusal.mend for refusal in result.refused)
    titles = dict(in_force(open_work))
    assert set(titles) == {"R2026112301", "R2026112302", "R2026112303"}
    assert titles["R2026112301"].endswith("(更正)")


def test_the_sample_events_are_taken_in_and_the_corrected_one_is_out_of_force(open_work: Opener) -> None:
    result = import_feed(open_work, SYSTEM, "market-event", SAMPLES / "market_events.jsonl")
    assert (result.accepted, result.corrections, result.refused) == (5, 1, [])
    assert {key for key, _ in in_force(open_work)} == {
        "E2026112302",
        "E2026112303",
        "E2026112304",
        "E2026112305",
    }


@pytest.mark.parametrize(("kind", "name"), [("research", "research"), ("market-event", "market_events")])
def test_the_same_file_again_changes_nothing(open_work: Opener, kind: str, name: str) -> None:
    import_feed(open_work, SYSTEM, kind, SAMPLES / f"{name}.jsonl")
    before = in_force(open_work)
    again = import_feed(open_work, SYSTEM, kind, SAMPLES / f"{name}.jsonl")
    assert again.accepted == 0
    assert in_force(open_work) == before


def test_a_correction_that_comes_first_keeps_the_original_out_of_force(
    open_work: Opener, tmp_path: Path
) -> None:
    lines = (SAMPLES / "market_events.jsonl").read_text(encoding="utf-8").splitlines()
    told: list[Any] = []
    backwards = tmp_path / "backwards.jsonl"
    backwards.write_text("\n".join(reversed(lines)) + "\n", encoding="utf-8")
    with events.listening(events.FeedItemAccepted, lambda work, event: told.append(event.item_id)):
        import_feed(open_work, SYSTEM, "market-event", backwards)
    assert "E2026112301" not in {key for key, _ in in_force(open_work)}
    assert len(told) == 4


def test_another_content_under_the_same_id_and_time_is_refused(open_work: Opener, tmp_path: Path) -> None:
    first = json.loads((SAMPLES / "research.jsonl").read_text(encoding="utf-8").splitlines()[1])
    import_feed(open_work, SYSTEM, "research", SAMPLES / "research.jsonl")
    altered = tmp_path / "altered.jsonl"
    altered.write_text(json.dumps(first | {"rating": "卖出"}, ensure_ascii=False), encoding="utf-8")
    result = import_feed(open_work, SYSTEM, "research", altered)
    assert [refusal.code for refusal in result.refused] == ["conflicting_known"]


def test_an_unknown_kind_or_a_missing_file_is_said(open_work: Opener, tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        import_feed(open_work, SYSTEM, "weather", SAMPLES / "research.jsonl")
    with pytest.raises(BadInput):
        import_feed(open_work, SYSTEM, "research", tmp_path / "none.jsonl")
