"""A new phrase shows, before it is published, what it would have hit and what it hits among what waits; publishing
sends that back to the inbox."""

import tomllib
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from outreach.app import wire
from outreach.composing.requests import RequestDraft, queue_request
from outreach.content.approval_formats import LexiconFile
from outreach.content.difference import changes
from outreach.content.loader import ContentSet, Source, load_folder
from outreach.content.matcher import compile_lexicons
from outreach.content.publish import latest_versions, publish
from outreach.content.starter import starter_root
from outreach.core.access import Actor, Role
from outreach.core.errors import Forbidden
from outreach.ledger.work import Opener
from outreach.messages.tables import message
from outreach.messages.tally import keeping
from outreach.review.decide import approve
from outreach.review.impact import Impact, impact_of
from tests.support.builders import Firm, firm, make_client, publish_starter

PHRASE = "资料已备妥"
RULE = """title = { zh = "试", en = "Trial" }
language = "zh-CN"

[[rules]]
id = "trial"
article = "art. 17"
severity = "block"
phrases = ["资料已备妥"]
[rules.why]
zh = "试"
en = "Trial"
"""


def _with_phrase() -> ContentSet:
    content = load_folder(starter_root())[0]
    meta = LexiconFile.model_validate(tomllib.loads(RULE))
    content.lexicons["trial"] = Source("lexicon", "trial", {"approvals/lexicons/trial.toml": RULE}, meta)
    return content


@pytest.fixture
def people(open_work: Opener) -> Firm:
    wire()
    found = firm(open_work)
    publish_starter(open_work, found)
    return found


@pytest.fixture
def written(open_work: Opener, people: Firm) -> list[UUID]:
    """Five messages: four with the phrase (waiting, approved, sent, sent too long ago), one without."""
    ids: list[UUID] = []
    for words in (*[f"{{称呼}}，您好！{PHRASE}。"] * 4, "{称呼}，您好！请您有空回电。"):
        with open_work() as work:
            client = make_client(work, people.b01)
        with open_work(people.b01.advisor) as work:
            ids += queue_request(work, RequestDraft((client,), text=words)).message_ids
    with open_work(people.b01.manager) as work:
        row = work.conn.execute(select(message).where(message.c.id == ids[1])).one()
        approve(work, [row.id], {row.id: (row.revision, bytes(row.digest))})
    with open_work() as work:
        sent = text(
            "UPDATE message SET state = 'delivered', state_at = now() - CAST(:ago AS interval) WHERE id = :id"
        )
        work.conn.execute(sent, {"id": ids[2], "ago": timedelta(days=80)})
        work.conn.execute(sent, {"id": ids[3], "ago": timedelta(days=100)})
    return ids


def _impact(open_work: Opener, actor: Actor, told: Callable[[int, int], None] | None = None) -> Impact:
    coming = compile_lexicons([one.meta for one in _with_phrase().lexicons.values()])
    return impact_of(open_work, actor, coming, told)


def test_what_a_phrase_would_have_hit_is_counted_and_shown(
    open_work: Opener, people: Firm, written: list[UUID]
) -> None:
    steps: list[tuple[int, int]] = []
    found = _impact(open_work, people.compliance, lambda done, total: steps.append((done, total)))
    assert (found.looked_at, found.sent, found.waiting, found.back) == (4, 1, 2, 1)
    [line] = found.by_weight()
    assert (line.rule, line.phrase, line.article, line.severity) == ("trial", PHRASE, "art. 17", "block")
    assert (line.sent, dict(line.waiting)) == (1, {"held": 1, "approved": 1})
    assert {one.message_id for one in line.examples} == set(written[:3])
    assert all(one.text[one.start : one.end] == PHRASE for one in line.examples)
    assert steps == [(4, 4)]


def test_it_stores_nothing_but_that_it_was_looked_through(
    open_work: Opener, people: Firm, written: list[UUID]
) -> None:
    before = latest_of(open_work)
    _impact(open_work, people.compliance)
    assert latest_of(open_work) == before
    with open_work() as work:
        seen = text("SELECT count(*) FROM ledger_entry WHERE kind = 'view'")
        assert work.conn.execute(seen).scalar_one() == 1
        states = list(work.conn.execute(select(message.c.state).order_by(message.c.id)).scalars())
    assert states == ["held", "approved", "delivered", "delivered", "held"]


def latest_of(open_work: Opener) -> set[tuple[str, str]]:
    with open_work() as work:
        return set(latest_versions(work.conn))


def test_what_is_in_force_already_is_not_counted_again(
    open_work: Opener, people: Firm, written: list[UUID]
) -> None:
    content = load_folder(starter_root())[0]
    coming = compile_lexicons([one.meta for one in content.lexicons.values()])
    assert impact_of(open_work, people.compliance, coming).phrases == {}


def test_publishing_sends_what_waits_back_to_the_inbox(
    open_work: Opener, people: Firm, written: list[UUID]
) -> None:
    expected = _impact(open_work, people.compliance)
    assert people.head_office.staff_id is not None
    assert people.compliance.staff_id is not None
    with open_work(people.head_office) as work:
        publish(work, _with_phrase(), people.head_office.staff_id, people.compliance.staff_id)
    with open_work() as work:
        rows = {row.id: row for row in work.conn.execute(select(message))}
    assert [rows[one].state for one in written] == ["held", "held", "delivered", "delivered", "held"]
    for one in written[:2]:
        assert rows[one].blocked
        assert rows[one].reason == "lexicon_changed"
    assert not rows[written[4]].blocked
    assert sum(row.blocked for row in rows.values()) == expected.waiting


def test_who_may_not_publish_or_read_is_refused(open_work: Opener, people: Firm) -> None:
    for actor in (people.b01.manager, people.b01.advisor, people.operator):
        with pytest.raises(Forbidden):
            _impact(open_work, actor)
    assert Role.COMPLIANCE in people.compliance.roles()


def test_it_can_be_stopped(open_work: Opener, people: Firm, written: list[UUID]) -> None:
    def stop(done: int, total: int) -> None:
        raise InterruptedError(f"{done} of {total}")

    with pytest.raises(InterruptedError, match="4 of 4"):
        _impact(open_work, people.compliance, stop)


def test_the_difference_says_each_line_and_what_waits_keeps_the_old(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        client = make_client(work, people.b01)
    with open_work(people.b01.advisor) as work:
        queue_request(work, RequestDraft((client,), template="mid-autumn"))
    content = _with_phrase()
    old = content.templates["mid-autumn"]
    name = "sms.zh-CN.j2"
    files = {**old.files, name: old.files[name].replace("中秋快乐", "中秋安康")}
    content.templates["mid-autumn"] = Source("template", "mid-autumn", files, old.meta)
    del content.templates["survey"]
    with open_work(people.compliance) as work:
        found = {(one.kind, one.name): one for one in changes(work.conn, content)}
        version = latest_versions(work.conn)["template", "mid-autumn"].id
        assert keeping(work, [version]) == {version: {"held": 1}}
    assert set(found) == {("lexicon", "trial"), ("template", "mid-autumn"), ("template", "survey")}
    changed = found["template", "mid-autumn"]
    assert (changed.what, changed.version) == ("changed", 1)
    [file] = changed.files
    assert (file.name, file.added, file.removed) == (name, 1, 1)
    assert any(line.startswith("+") and "中秋安康" in line for line in file.lines)
    assert found["lexicon", "trial"].what == "new"
    assert found["template", "survey"].what == "ended"
    with open_work() as work:
        assert changes(work.conn, load_folder(starter_root())[0]) == []
