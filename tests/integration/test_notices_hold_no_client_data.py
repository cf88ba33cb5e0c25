"""No notice names a client or says what a message says, whatever is put up, decided, asked or answered."""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from freezegun import freeze_time
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from outreach.core import clock, events
from outreach.core.access import Role
from outreach.core.ids import new_id
from outreach.delivery.tables import reply
from outreach.ledger.append import seal_bytes
from outreach.ledger.work import Opener
from outreach.notices.audience import (
    on_question_asked,
    on_reply_received,
    on_submission_held,
    tell_late,
)
from outreach.notices.authors import on_claim_taken_over, on_decision_made, on_question_answered
from outreach.notices.letters import Letter
from outreach.notices.sending import Ways, send_notices
from outreach.notices.tables import notice
from outreach.notices.targets import Target
from outreach.people.staff import actor_for
from outreach.review.decide import approve, reject, return_, undo
from outreach.review.remarks import answer_question, ask_compliance, comment
from tests.support.builders import make_client
from tests.support.desk import Desk
from tests.support.notices import Postbox
from tests.support.review_rows import as_read, hold

ALL = frozenset({"waits", "late", "questions", "decisions", "replies", "files"})
GROUPS = (
    Target("branch", "json://127.0.0.1/", "JSON", branch="B01", tells=ALL),
    Target("firm", "json://127.0.0.1/", "JSON", firm=True, tells=ALL, language="en"),
    Target("person", "json://127.0.0.1/", "JSON", staff_no="B01-A1", tells=ALL),
    Target("compliance", "json://127.0.0.1/", "JSON", role=Role.COMPLIANCE, tells=ALL),
)
# What can't come from anywhere else: a made-up word around which names and sentences are built.
MARK = "璺罅"


@dataclass
class Everything:
    """All that leaves, by any way."""

    said: list[str] = field(default_factory=list)
    postbox: Postbox = field(default_factory=Postbox)

    def post(self, target: Target, letter: Letter) -> None:
        self.said.append(f"{target.name} {letter.subject} {letter.text}")


words = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12)


@given(before=words, after=words, urgent=st.booleans(), firmwide=st.booleans())
@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_is_written_no_notice_repeats_it(
    open_work: Opener, desk: Desk, before: str, after: str, urgent: bool, firmwide: bool
) -> None:
    said = (before + MARK + after).replace("{", "").replace("}", "")
    for kind, handler in (
        (events.SubmissionHeld, on_submission_held),
        (events.DecisionMade, on_decision_made),
        (events.QuestionAsked, on_question_asked),
        (events.QuestionAnswered, on_question_answered),
        (events.ClaimTakenOver, on_claim_taken_over),
        (events.ReplyReceived, on_reply_received),
    ):
        events.subscribe(kind, handler)
    people = desk.firm
    author = people.head_office if firmwide else people.b01.advisor
    team = None if firmwide else people.b01
    decider = people.b01.manager
    everything = Everything()
    with open_work() as work:
        clients = tuple(make_client(work, people.b01, name=f"{said}{number}") for number in range(4))
        held = hold(
            work,
            people,
            team,
            policy=desk.firmwide if firmwide else desk.each,
            author=author,
            client_ids=clients,
            title=said,
            text=f"{{name}}：{said}",
            urgent=urgent,
        )
        events.publish(work, events.SubmissionHeld(held.submission_id))
        tell_late(work, held.submission_id, [Role.COMPLIANCE], again=False)
    send(open_work, everything)
    with open_work(decider) as work:
        read = as_read(work, held.ids)
        comment(work, held.submission_id, said, held.ids[0])
        return_(work, held.ids[:1], read, [desk.reason], said)
        reject(work, held.ids[1:2], read, [], said)
        question = None if firmwide else ask_compliance(work, held.submission_id, said, held.ids[2])
    with open_work() as work:
        assert people.compliance.staff_id is not None
        compliance = actor_for(work.conn, people.compliance.staff_id, clock.today(work.settings.zone))
    if question is not None:
        with open_work(compliance) as work:
            answer_question(work, question, said, objects=False)
        with open_work(decider) as work:
            made = approve(work, held.ids[3:], read)
            undo(work, made.decisions[0])
    with open_work() as work:
        events.publish(work, events.ReplyReceived(received(work, people.b01.id, clients[0], said)))
        assert decider.staff_id is not None
        assert people.b01.deputy.staff_id is not None
        taken = events.ClaimTakenOver(held.submission_id, decider.staff_id, people.b01.deputy.staff_id)
        events.publish(work, taken)
    send(open_work, everything, timedelta(days=4))
    everything.said += [f"{mail.to} {mail.subject} {mail.text}" for mail in everything.postbox.kept]
    assert len(everything.said) > 5
    assert [one for one in everything.said if MARK in one] == []
    with open_work() as work:
        rows = work.conn.execute(select(notice.c.params)).scalars()
        assert [row for row in rows if MARK in json.dumps(row, ensure_ascii=False)] == []


def send(open_work: Opener, everything: Everything, later: timedelta = timedelta(0)) -> None:
    with freeze_time(clock.now() + later):
        send_notices(open_work, Ways(everything.postbox, GROUPS, everything.post))


def received(work: Any, branch_id: Any, client_id: Any, said: str) -> Any:
    identifier = new_id()
    work.conn.execute(
        insert(reply).values(
            id=identifier,
            channel="sms",
            provider="gateway",
            provider_ref=str(identifier),
            from_hash=b"x",
            client_id=client_id,
            branch_id=branch_id,
            kind="reply",
            body_id=seal_bytes(work, said.encode()).id,
            received_at=clock.now(),
        )
    )
    return identifier


def test_the_title_of_what_a_job_made_is_said(open_work: Opener, desk: Desk) -> None:
    """Its title is content, seen and approved by two persons."""
    everything = Everything()
    with open_work() as work:
        held = hold(work, desk.firm, desk.firm.b01, policy=desk.alert, urgent=True, title="重大公告")
        on_submission_held(work, events.SubmissionHeld(held.submission_id))
    send(open_work, everything)
    assert all("重大公告" in one for one in everything.said)
