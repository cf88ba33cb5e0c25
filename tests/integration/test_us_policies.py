"""The set of policies by FINRA's rules: laid out, checked, and what it asks of a text."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner
from freezegun import freeze_time
from sqlalchemy import text

from outreach.cli.main import cli
from outreach.composing.requests import RequestDraft, queue_request
from outreach.content.check import check_folder
from outreach.content.loader import load_folder
from outreach.content.publish import publish
from outreach.content.starter import FOLDERS, lay_out, policy_sets, starter_root
from outreach.core.access import Actor, Role
from outreach.core.errors import BadInput
from outreach.ledger.work import Opener
from tests.support.builders import Firm, firm, make_client

NOW = "2026-09-21 15:00:00"
SAID = "Dear {salutation}, your quarterly service report is ready. Please call me when it suits you."


@pytest.fixture
def people(open_work: Opener, tmp_path: Path) -> Firm:
    """A firm with the set in force."""
    lay_out(tmp_path / "us", "us")
    content, faults = load_folder(tmp_path / "us")
    assert faults == []
    with freeze_time(NOW):
        staff = firm(open_work)
        with open_work() as work:
            assert staff.head_office.staff_id is not None
            assert staff.compliance.staff_id is not None
            publish(work, content, staff.head_office.staff_id, staff.compliance.staff_id, bootstrap=True)
    return staff


def _decided(open_work: Opener, actor: Actor, clients: tuple[UUID, ...], said: str, **draft: Any) -> set[Any]:
    """(policy, mode) of the submissions that a request makes."""
    with open_work(actor) as work:
        put_up = queue_request(work, RequestDraft(clients, text=said, **draft))
        assert len(put_up.message_ids) == len(clients)
        rows = work.conn.execute(
            text(
                "SELECT p.name, s.mode FROM submission s JOIN content_version p ON p.id = s.policy_version_id"
                " WHERE s.id = ANY(:ids)"
            ),
            {"ids": list(put_up.submission_ids)},
        )
        return {(row.name, row.mode) for row in rows}


def _clients(open_work: Opener, people: Firm, count: int) -> tuple[UUID, ...]:
    with open_work() as work:
        return tuple(
            make_client(work, people.b01, name="Mary Carter", language="en", channel_preference="email")
            for _ in range(count)
        )


# ── the files ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("policies", policy_sets())
def test_init_lays_out_each_set_and_it_has_no_faults(tmp_path: Path, policies: str) -> None:
    done = CliRunner().invoke(cli, ["init", str(tmp_path / "own"), "--policies", policies])
    assert done.exit_code == 0, done.output
    content, faults = check_folder(tmp_path / "own")
    assert [str(one) for one in faults] == []
    assert not (tmp_path / "own" / "approvals" / "sets").exists()
    assert {one.name for one in (tmp_path / "own").iterdir()} == set(FOLDERS)
    assert ("same-text-to-many" in content.policies) == (policies == "china")
    assert ("retail-communication" in content.policies) == (policies == "us")


def test_without_a_choice_it_is_chinas(tmp_path: Path) -> None:
    assert CliRunner().invoke(cli, ["init", str(tmp_path / "own")]).exit_code == 0
    shipped = {path.name for path in (starter_root() / "approvals" / "policies").iterdir()}
    assert {path.name for path in (tmp_path / "own/approvals/policies").iterdir()} == shipped


def test_a_set_that_there_is_not_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no set of policies 'moon'"):
        lay_out(tmp_path / "own", "moon")
    assert not (tmp_path / "own").exists()


@pytest.mark.parametrize("policies", policy_sets())
def test_every_policy_says_who_is_told_when_nobody_decides(tmp_path: Path, policies: str) -> None:
    lay_out(tmp_path / "own", policies)
    content, _ = load_folder(tmp_path / "own")
    for name, source in content.policies.items():
        assert source.meta.escalation, name
        assert not set(source.meta.steps[0]) & set(source.meta.escalation[0].to), name
    alert = content.policies["alert-express"].meta
    assert alert.time_to_decide + alert.escalation[-1].after <= timedelta(minutes=30)


def test_every_us_policy_names_its_rule_and_that_counsel_confirms_it() -> None:
    for path in (starter_root() / "approvals" / "sets" / "us" / "policies").glob("*.toml"):
        said = " ".join(path.read_text("utf-8").replace("\n# ", " ").split())
        assert "2210" in said or "2220" in said, path.name
        assert "the firm's counsel confirms it" in said, path.name


# ── the rules ─────────────────────────────────────────────────────────────────────────────────────────────


@freeze_time(NOW)
def test_twenty_five_get_correspondence_and_the_twenty_sixth_makes_it_a_retail_communication(
    open_work: Opener, people: Firm
) -> None:
    advisor = people.b01.advisor
    clients = _clients(open_work, people, 26)
    assert _decided(open_work, advisor, clients[:25], SAID) == {("correspondence", "batch")}
    assert _decided(open_work, advisor, clients[25:], SAID) == {("retail-communication", "batch")}


@freeze_time(NOW)
def test_twenty_and_ten_of_the_same_text_within_thirty_days_go_to_a_principal(
    open_work: Opener, people: Firm
) -> None:
    advisor = people.b01.advisor
    clients = _clients(open_work, people, 42)
    assert _decided(open_work, advisor, clients[:20], SAID) == {("correspondence", "batch")}
    with freeze_time("2026-10-20 15:00:00"):
        assert _decided(open_work, advisor, clients[20:30], SAID) == {("retail-communication", "batch")}
    with freeze_time("2026-12-01 15:00:00"):
        assert _decided(open_work, advisor, clients[30:], SAID) == {("correspondence", "batch")}


@pytest.mark.parametrize(
    ("said", "draft", "expected"),
    [
        (SAID, {"category": "product", "risk_level": 2}, ("correspondence", "batch")),
        (SAID, {"category": "consulting"}, ("advisor-research", "each")),
        (SAID + " We could talk about a covered call.", {}, ("options", "each")),
        (SAID + " The fund has a target return of 6%.", {}, ("legal-words", "each")),
        (SAID + " Once in a lifetime!", {}, ("legal-words", "each")),
        (SAID + " Past performance does not guarantee the future.", {}, ("correspondence", "batch")),
    ],
)
@freeze_time(NOW)
def test_what_a_text_says_decides_who_reads_it(
    open_work: Opener, people: Firm, said: str, draft: dict[str, Any], expected: tuple[str, str]
) -> None:
    clients = _clients(open_work, people, 1)
    assert _decided(open_work, people.b01.advisor, clients, said, **draft) == {expected}


def test_research_is_read_by_the_analyst_before_the_principal(tmp_path: Path) -> None:
    lay_out(tmp_path / "us", "us")
    content, _ = load_folder(tmp_path / "us")
    for name in ("advisor-research", "research-batch"):
        assert content.policies[name].meta.steps == ((Role.COMPLIANCE,), (Role.MANAGER,))
    assert content.policies["options"].meta.steps == ((Role.MANAGER,), (Role.COMPLIANCE,))
