"""Material is approved before it has a recipient by a second person, and carries its risk into the message."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from threading import Barrier
from uuid import UUID

import pytest
from freezegun import freeze_time
from sqlalchemy import select, text

from outreach.app import wire
from outreach.archive.export import export_period
from outreach.archive.verify import verify_bag
from outreach.composing.drafts import RequestDraft
from outreach.composing.requests import preview_request, queue_request
from outreach.core import clock
from outreach.core.access import Actor
from outreach.core.errors import BadInput, Conflict, Forbidden, NotFound, OutreachError, RuleBroken
from outreach.ledger.integrator import integrate
from outreach.ledger.work import Opener
from outreach.messages.attachments import take_attachment
from outreach.messages.material import (
    Material,
    Particulars,
    list_material,
    material_for,
    offered_material,
)
from outreach.messages.tables import message
from outreach.review.attached import open_attached
from outreach.review.detail import message_detail
from outreach.review.material import (
    approve_material,
    material_file,
    material_waiting,
    mend_material,
    put_up,
    reject_material,
    return_material,
    withdraw_material,
)
from tests.support.builders import Firm, change_staff, firm, make_client, publish_starter
from tests.support.papers import pdf, picture

LEAFLET = Particulars("反诈手册", "relationship", "zh-CN")
PROPOSAL = Particulars("固收组合建议书", "consulting", "zh-CN", risk_level=4, advice=True)
SAID = "{称呼}，您好！资料请见附件。来源：示例证券研究所，2026年11月20日。"


@pytest.fixture
def people(open_work: Opener) -> Firm:
    wire()
    found = firm(open_work)
    publish_starter(open_work, found)
    return found


def up(
    open_work: Opener, author: Actor, said: Particulars = LEAFLET, data: bytes = b"", name: str = "资料.pdf"
) -> Material:
    with open_work(author) as work:
        return put_up(work, said, name, data or pdf("leaflet"))


def approved(open_work: Opener, author: Actor, decider: Actor, said: Particulars = LEAFLET) -> Material:
    made = up(open_work, author, said)
    with open_work(decider) as work:
        return approve_material(work, made.id, made.digest)


def wanted(open_work: Opener, people: Firm, *attached: UUID, **fields: object) -> RequestDraft:
    with open_work() as work:
        client = make_client(work, people.b01, risk_class=fields.pop("risk_class", 3))
    return replace(RequestDraft((client,), text=SAID, attachments=attached), **fields)  # type: ignore[arg-type]


def leaves(open_work: Opener) -> list[dict[str, object]]:
    with open_work() as work:
        rows = work.conn.execute(
            text("SELECT envelope FROM ledger_entry WHERE kind = 'material' ORDER BY at, id")
        ).scalars()
        return [json.loads(bytes(one)) for one in rows]


def test_a_second_person_approves_and_every_step_is_recorded(open_work: Opener, people: Firm) -> None:
    team = people.b01
    made = up(open_work, team.advisor)
    assert (made.state, made.branch_id, made.author) == ("held", team.id, team.advisor.name)
    with open_work(team.manager) as work:
        assert [one.id for one in material_waiting(work)] == [made.id]
        assert material_file(work, made.id).data == pdf("leaflet")
        done = approve_material(work, made.id, made.digest, last_day=date(2099, 1, 1), note="可用")
    assert (done.state, done.decider, done.note) == ("approved", team.manager.name, "可用")
    first, second = leaves(open_work)
    assert (first["verb"], second["verb"]) == ("put_up", "approve")
    for leaf in (first, second):
        assert leaf["file_digest"] == made.sha256.hex()
        assert leaf["digest"] == made.digest.hex()
        assert "commitment" in leaf
        assert "反诈" not in json.dumps(leaf, ensure_ascii=False)  # titles lie sealed
    with open_work(team.advisors[1]) as work:
        assert [one.id for one in offered_material(work)] == [made.id]
    with open_work(people.b02.advisor) as work:
        assert offered_material(work) == []


def test_p2_its_author_does_not_decide_by_whatever_account(open_work: Opener, people: Firm) -> None:
    team = people.b01
    made = up(open_work, team.manager)
    with open_work() as work:
        change_staff(work, team.deputy, person_key=team.manager.person_key)
    for actor in (team.manager, team.deputy):
        with open_work(actor) as work:
            assert material_waiting(work) == []
        for act in (approve_material, return_material, reject_material):
            with open_work(actor) as work, pytest.raises(RuleBroken, match="does not decide") as refused:
                act(work, made.id, made.digest, note="x")
            assert refused.value.rule == "four_eyes"
    with open_work(people.head_office) as work:
        assert approve_material(work, made.id, made.digest).usable


def test_the_firms_material_is_decided_by_who_decides_for_the_firm(open_work: Opener, people: Firm) -> None:
    made = up(open_work, people.head_office)
    assert made.branch_id is None
    with open_work(people.b01.manager) as work, pytest.raises(Forbidden, match="whole firm"):
        approve_material(work, made.id, made.digest)
    with open_work(people.head_office) as work, pytest.raises(RuleBroken):
        approve_material(work, made.id, made.digest)
    with open_work() as work:  # a second person of head office
        work.conn.execute(
            text(
                "INSERT INTO staff_role (id, staff_id, role) VALUES (gen_random_uuid(), :id, 'head_office')"
            ),
            {"id": people.compliance.staff_id},
        )
    second = replace(people.compliance, grants=people.head_office.grants)
    with open_work(second) as work:
        approve_material(work, made.id, made.digest)
    for team in (people.b01, people.b02):
        with open_work(team.advisor) as work:
            assert [one.id for one in offered_material(work)] == [made.id]


def test_of_two_who_decide_at_once_one_is_told_who_was_faster(open_work: Opener, people: Firm) -> None:
    made = up(open_work, people.b01.advisor)
    together = Barrier(2)

    def decide(actor: Actor, approve: bool) -> OutreachError | None:
        together.wait()
        try:
            with open_work(actor) as work:
                if approve:
                    approve_material(work, made.id, made.digest)
                else:
                    reject_material(work, made.id, made.digest, note="不合适")
        except OutreachError as error:
            return error
        return None

    with ThreadPoolExecutor(2) as pool:
        acts = [pool.submit(decide, people.b01.manager, True), pool.submit(decide, people.b01.deputy, False)]
        told = [one.result() for one in acts]
    [lost] = [one for one in told if one is not None]
    assert isinstance(lost, Conflict)
    with open_work(people.b01.manager) as work:
        stands = material_for(work, made.id)
    assert stands.decider in lost.message
    assert stands.state in lost.message
    assert len(leaves(open_work)) == 2


def test_a_decision_binds_what_was_read(open_work: Opener, people: Firm) -> None:
    team = people.b01
    made = up(open_work, team.advisor)
    with open_work(team.deputy) as work, pytest.raises(BadInput, match="without a reason"):
        return_material(work, made.id, made.digest)
    with open_work(team.deputy) as work:
        back = return_material(work, made.id, made.digest, ["tone"], "请更新数据")
    assert (back.state, back.reasons, back.note) == ("returned", ("tone",), "请更新数据")
    with open_work(team.advisors[1]) as work, pytest.raises(NotFound):
        mend_material(work, made.id, LEAFLET, "新.pdf", pdf("other"))
    with open_work(team.advisor) as work:
        anew = mend_material(work, made.id, replace(LEAFLET, title="反诈手册 2"), "新.pdf", pdf("other"))
    assert (anew.state, anew.title, anew.file_name) == ("held", "反诈手册 2", "新.pdf")
    with open_work(team.manager) as work, pytest.raises(Conflict, match="put up anew"):
        approve_material(work, made.id, made.digest)  # the page that was opened before
    with open_work(team.manager) as work:
        assert approve_material(work, made.id, anew.digest).usable
    with open_work(team.advisor) as work, pytest.raises(Conflict, match="was approved by"):
        mend_material(work, made.id, LEAFLET)


@pytest.mark.parametrize("columns", [{"advisory_licence": ""}, {"advisory_expires": date(2020, 1, 1)}])
def test_advice_needs_a_qualified_author_when_put_up_and_when_approved(
    open_work: Opener, people: Firm, columns: dict[str, object]
) -> None:
    made = up(open_work, people.b01.advisor, PROPOSAL)
    with open_work() as work:
        change_staff(work, people.b01.advisor, **columns)
    with open_work(people.b01.manager) as work, pytest.raises(RuleBroken) as refused:
        approve_material(work, made.id, made.digest)
    assert refused.value.rule == "advisory_licence"
    with open_work(people.b01.advisor) as work, pytest.raises(RuleBroken):
        put_up(work, PROPOSAL, "b.pdf", pdf("b"))
    assert up(open_work, people.b01.advisor, LEAFLET, pdf("c")).state == "held"
    with open_work() as work:
        change_staff(work, people.b01.advisor, securities_licence="")
    with open_work(people.b01.advisor) as work, pytest.raises(RuleBroken):
        put_up(work, LEAFLET, "d.pdf", pdf("d"))


@pytest.mark.parametrize(
    ("said", "match"),
    [
        (replace(LEAFLET, title=" "), "title"),
        (replace(LEAFLET, title="x" * 121), "title"),
        (replace(LEAFLET, category="gossip"), "kind of service"),
        (replace(LEAFLET, language="fr"), "language"),
        (replace(LEAFLET, risk_level=6), "risk level"),
        (replace(LEAFLET, category="product"), "has a risk level"),
        (replace(LEAFLET, advice=True), "has a risk level"),
    ],
)
def test_what_is_said_of_it_is_checked(
    open_work: Opener, people: Firm, said: Particulars, match: str
) -> None:
    with open_work(people.b01.advisor) as work, pytest.raises(BadInput, match=match):
        put_up(work, said, "a.pdf", pdf())


def test_a_file_that_acts_is_no_material(open_work: Opener, people: Firm) -> None:
    with open_work(people.b01.advisor) as work, pytest.raises(BadInput):
        put_up(work, LEAFLET, "a.pdf", b"#!/bin/sh")
    with open_work(people.compliance) as work, pytest.raises(Forbidden):
        put_up(work, LEAFLET, "a.pdf", pdf())


def test_it_carries_its_risk_and_advice_into_the_message(open_work: Opener, people: Firm) -> None:
    team = people.b01
    made = approved(open_work, team.advisor, team.manager, PROPOSAL)
    low = wanted(open_work, people, made.attachment_id, category="consulting", risk_class=3)
    fit = wanted(open_work, people, made.attachment_id, category="consulting", risk_class=4)
    with open_work(team.advisor) as work:
        [stopped] = preview_request(work, low)
        queued = queue_request(work, replace(fit, risk_level=2))
    assert stopped.rule == "suitability"
    with open_work() as work:
        row = work.conn.execute(select(message).where(message.c.id == queued.message_ids[0])).one()
    assert (row.risk_level, row.advice) == (4, True)
    with open_work(team.advisor) as work, pytest.raises(RuleBroken, match="another kind") as refused:
        preview_request(work, replace(fit, category="relationship"))
    assert refused.value.rule == "material_category"


def test_the_same_bytes_uploaded_by_another_way_carry_it_too(open_work: Opener, people: Firm) -> None:
    team = people.b01
    approved(open_work, team.advisor, team.manager, PROPOSAL)
    with open_work(team.advisors[1]) as work:
        again = take_attachment(work, "无害.pdf", pdf("leaflet"))
    low = wanted(open_work, people, again.id, category="consulting", risk_class=3)
    with open_work(team.advisor) as work:
        assert preview_request(work, low)[0].rule == "suitability"


def test_a_template_that_is_no_advice_takes_no_advice(open_work: Opener, people: Firm) -> None:
    team = people.b01
    advice = Particulars("建议", "relationship", "zh-CN", 2, advice=True)
    made = approved(open_work, team.advisor, team.manager, advice)
    draft = wanted(open_work, people, made.attachment_id, template="mid-autumn")
    with open_work(team.advisor) as work, pytest.raises(RuleBroken, match="investment advice"):
        preview_request(work, replace(draft, text=""))


@pytest.mark.parametrize("state", ["held", "returned", "rejected", "withdrawn", "expired"])
def test_what_is_not_or_no_longer_approved_can_not_be_attached(
    open_work: Opener, people: Firm, state: str
) -> None:
    team = people.b01
    made = up(open_work, team.advisor)
    draft = wanted(open_work, people, made.attachment_id)
    at = clock.now()
    with open_work(team.manager) as work:
        if state == "returned":
            return_material(work, made.id, made.digest, note="改")
        elif state == "rejected":
            reject_material(work, made.id, made.digest, note="不可")
        elif state != "held":
            approve_material(work, made.id, made.digest, last_day=at.astimezone(work.settings.zone).date())
    if state == "withdrawn":
        with open_work(team.advisor) as work:
            assert withdraw_material(work, made.id).state == "withdrawn"
    with freeze_time(at + timedelta(days=2), real_asyncio=True), open_work(team.advisor) as work:
        assert offered_material(work) == []
        with pytest.raises(RuleBroken) as refused:
            preview_request(work, draft)
    assert refused.value.rule == f"material_{state}"
    assert "反诈手册" in refused.value.message
    if state in ("returned", "rejected"):
        assert team.manager.name in refused.value.message


def test_a_rejected_file_does_not_come_back_under_another_name(open_work: Opener, people: Firm) -> None:
    team = people.b01
    made = up(open_work, team.advisor)
    with open_work(team.advisors[1]) as work, pytest.raises(RuleBroken, match="waits"):
        put_up(work, LEAFLET, "b.pdf", pdf("leaflet"))
    with open_work(team.manager) as work:
        reject_material(work, made.id, made.digest, note="不可")
    with open_work(team.advisors[1]) as work, pytest.raises(RuleBroken, match="was rejected"):
        put_up(work, replace(LEAFLET, title="另一份"), "b.pdf", pdf("leaflet"))


def test_who_may_withdraw_it(open_work: Opener, people: Firm) -> None:
    team = people.b01
    made = up(open_work, team.advisor)
    for actor in (team.advisors[1], team.manager):  # what waits is returned or rejected, not withdrawn
        with open_work(actor) as work, pytest.raises(NotFound):
            withdraw_material(work, made.id)
    with open_work(team.manager) as work:
        approve_material(work, made.id, made.digest)
        assert withdraw_material(work, made.id, "数据有误").note == "数据有误"
    with open_work(team.advisor) as work, pytest.raises(Conflict, match="was withdrawn by"):
        withdraw_material(work, made.id)


def test_the_inbox_shows_what_is_attached_and_that_it_was_approved(open_work: Opener, people: Firm) -> None:
    team = people.b01
    made = approved(open_work, team.advisor, team.manager)
    with open_work(team.advisor) as work:
        chart = take_attachment(work, "走势.png", picture())
        draft = wanted(open_work, people, made.attachment_id, chart.id)
        [message_id] = queue_request(work, draft).message_ids
    with open_work(team.deputy) as work:
        first, second = message_detail(work, message_id).attachments
        assert open_attached(work, message_id, 0).data == pdf("leaflet")
        assert open_attached(work, message_id, 1).data == picture()
        with pytest.raises(NotFound):
            open_attached(work, message_id, 2)
        with pytest.raises(NotFound):
            open_attached(work, message_id, -1)
    assert (first.file_name, first.size, first.is_picture) == ("资料.pdf", len(pdf("leaflet")), False)
    assert first.material is not None
    assert (first.material.standing, first.material.decider) == ("approved", team.manager.name)
    assert (second.material, second.is_picture) == (None, True)


def test_that_compliance_opened_a_file_is_recorded(open_work: Opener, people: Firm) -> None:
    team = people.b01
    made = approved(open_work, team.advisor, team.manager)
    with open_work(team.advisor) as work:
        [message_id] = queue_request(work, wanted(open_work, people, made.attachment_id)).message_ids
    for actor in (team.manager, people.compliance):
        with open_work(actor) as work:
            open_attached(work, message_id, 0)
            material_file(work, made.id)
    with open_work() as work:
        seen = work.conn.execute(
            text("SELECT envelope FROM ledger_entry WHERE kind = 'view' ORDER BY id")
        ).scalars()
        told = [json.loads(bytes(one)) for one in seen]
    assert [one["object"] for one in told] == ["attachment", "material"]
    assert {one["actor"] for one in told} == {str(people.compliance.staff_id)}


def test_the_list_is_read_by_pages(open_work: Opener, people: Firm) -> None:
    team = people.b01
    ids = [up(open_work, team.advisor, LEAFLET, pdf(str(n))).id for n in range(3)]
    with open_work(team.manager) as work:
        first = list_material(work, limit=2)
        rest = list_material(work, after=first[-1].id, limit=2)
        assert [one.id for one in (*first, *rest)] == ids[::-1]
        assert list_material(work, mine=True) == []
        with pytest.raises(BadInput):
            list_material(work, ["gone"])
    with open_work(people.operator) as work, pytest.raises(Forbidden):
        list_material(work)


def test_an_export_holds_the_material_its_decision_and_its_words(
    open_work: Opener, people: Firm, tmp_path: Path
) -> None:
    team = people.b01
    made = approved(open_work, team.advisor, team.manager)
    integrate(open_work)
    start = clock.now() - timedelta(hours=1)
    bag = export_period(open_work, people.compliance, start, start + timedelta(hours=2), tmp_path / "all")
    assert (bag.path / f"data/attachments/{made.sha256.hex()}.pdf").read_bytes() == pdf("leaflet")
    page = "".join(one.read_text(encoding="utf-8") for one in bag.path.glob("data/**/*.html"))
    assert "营销与建议材料" in page
    assert "反诈手册" in page
    assert verify_bag(bag.path, bag.fingerprint).ok
