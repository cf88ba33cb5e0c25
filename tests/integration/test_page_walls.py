"""What a page shows depends on who looks: branches, roles, and never a message's content for an operator."""

from collections.abc import Iterable, Iterator
from inspect import signature
from typing import Any, get_args

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import text

from outreach.core.settings import Settings
from outreach.ledger.work import Opener
from outreach.web.frame import COOKIE, Desk, Page
from outreach.web.site import create_site
from tests.support.builders import Firm, firm, make_client, publish_starter
from tests.support.pages import SignIn, Site


@pytest.fixture
def people(open_work: Opener) -> Firm:
    found = firm(open_work)
    publish_starter(open_work, found)
    return found


def test_nobody_reads_a_page_before_signing_in(people: Firm, sign_in: SignIn) -> None:
    reader = sign_in(people.operator)
    reader.client.cookies.clear()
    for path in ("/", "/clients", "/delivery", "/archive", "/import", "/replies"):
        answer = reader.get(path)
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/sign-in"), path


def test_every_page_looks_who_is_signed_in(open_work: Opener, settings: Settings) -> None:
    """Whatever is given a desk enters it: its class is ``Page``, or it would serve whoever asks."""
    at_desks = [
        (route.path, type(route))
        for route in _routes(create_site(Site(settings, open_work)).routes)
        if any(Desk in get_args(one.annotation) for one in signature(route.endpoint).parameters.values())
    ]
    assert len(at_desks) > 100
    assert [path for path, made in at_desks if made is not Page] == []


def _routes(routes: Iterable[Any]) -> Iterator[APIRoute]:
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from _routes(inner.routes)
        elif isinstance(route, APIRoute):
            yield route


def test_a_forged_session_is_nobodys(people: Firm, sign_in: SignIn) -> None:
    reader = sign_in(people.b01.manager)
    reader.client.cookies.set(COOKIE, "forged")
    for path in ("/inbox", "/day", "/clients", "/archive"):
        answer = reader.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next={path}")
    assert reader.post("/absence", starts="x").status_code in (303, 422)


def test_a_foreign_client_is_not_found(open_work: Opener, people: Firm, sign_in: SignIn) -> None:
    with open_work() as work:
        mine = make_client(work, people.b01, name="近处客户")
        foreign = make_client(work, people.b02, name="远处客户")
    reader = sign_in(people.b01.manager)
    assert "近处客户" in reader.read("/clients")
    assert "远处客户" not in reader.read("/clients?q=远处客户")
    assert reader.get(f"/clients/{mine}").status_code == 200
    assert reader.get(f"/clients/{foreign}").status_code == 404


def test_addresses_are_masked_for_whoever_does_not_call(
    open_work: Opener, people: Firm, sign_in: SignIn
) -> None:
    with open_work() as work:
        client_id = make_client(work, people.b01, mobile="+8614700001234", email="somebody@example.net")
    page = f"/clients/{client_id}"
    for actor in (people.b01.manager, people.b01.advisor):
        said = sign_in(actor).read(page)
        assert "+8614700001234" in said
        assert "somebody@example.net" in said
    for actor in (people.compliance, people.head_office):
        said = sign_in(actor).read(page)
        assert "14700001234" not in said
        assert "somebody@" not in said
        assert "+86···1234" in said
        assert "s···@example.net" in said


@pytest.mark.parametrize(
    "path", ["/clients", "/left-out", "/left-out.csv", "/replies", "/replies/all", "/sandbox"]
)
def test_an_operator_sees_no_clients_and_no_messages(people: Firm, sign_in: SignIn, path: str) -> None:
    assert sign_in(people.operator).get(path).status_code == 403


@pytest.mark.parametrize(
    ("role", "path"),
    [
        ("advisor", "/delivery"),
        ("advisor", "/jobs"),
        ("advisor", "/import"),
        ("advisor", "/archive"),
        ("advisor", "/content"),
        ("manager", "/jobs"),
        ("manager", "/archive"),
        ("compliance", "/import"),
    ],
)
def test_a_role_without_the_permission_is_told_so(
    people: Firm, sign_in: SignIn, role: str, path: str
) -> None:
    actor = people.compliance if role == "compliance" else getattr(people.b01, role)
    assert sign_in(actor).get(path).status_code == 403


def test_every_role_has_a_start_page(open_work: Opener, people: Firm, sign_in: SignIn) -> None:
    with open_work() as work:
        make_client(work, people.b01)
    for actor, heading in (
        (people.b01.manager, "Waits for your decision"),
        (people.b01.advisor, "My messages"),
        (people.operator, "Running it"),
        (people.compliance, "The record"),
        (people.head_office, "Waits for your decision"),
    ):
        assert heading in sign_in(actor).read("/"), actor.name
    assert "Drop a file here" in sign_in(people.operator).read("/")
    assert "Drop a file here" not in sign_in(people.b01.advisor).read("/")


def test_traps_are_listed_in_the_demonstration_only(people: Firm, sign_in: SignIn, settings) -> None:  # type: ignore[no-untyped-def]
    folder = settings.home / "demonstration"
    folder.mkdir(parents=True)
    (folder / "traps.json").write_text(
        '[{"title_zh": "陷阱", "title_en": "A trap", "where_url": "https://evil.example/", "rule": "guarantee",'
        ' "article": "art. 53(2)", "mend_zh": "删去", "mend_en": "Take it out."}]'
    )
    assert "A trap" not in sign_in(people.b01.manager).read("/")
    reader = sign_in(people.b01.manager, demonstration=True)
    assert "A trap" in reader.read("/")
    assert "evil.example" not in reader.get("/").text
    assert "A trap" not in sign_in(people.operator, demonstration=True).read("/")


def test_versions_in_force_name_both_persons(people: Firm, sign_in: SignIn) -> None:
    said = sign_in(people.operator).read("/content")
    assert "mid-autumn" in said
    assert people.head_office.name in said
    assert people.compliance.name in said


def test_a_page_forbids_foreign_frames_and_inline_scripts(people: Firm, sign_in: SignIn) -> None:
    answer = sign_in(people.operator).get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "'unsafe-inline'" not in policy
    assert " style=" not in answer.text
    assert "<script>" not in answer.text


def test_within_another_page_the_header_is_not_repeated(people: Firm, sign_in: SignIn) -> None:
    reader = sign_in(people.operator)
    assert 'class="top"' in reader.get("/delivery").text
    assert 'class="top"' not in reader.get("/delivery", **{"Sec-Fetch-Dest": "iframe"}).text


def test_jobs_say_when_and_are_prepared_at_a_click(open_work: Opener, people: Firm, sign_in: SignIn) -> None:
    reader = sign_in(people.operator)
    assert "never yet" in reader.read("/jobs")
    assert "will wait in the inbox" in reader.after("/jobs/mid-autumn/prepare")
    assert "already prepared" in reader.read("/jobs")
    assert reader.post("/jobs/nothing/prepare").status_code == 404
    with open_work() as work:
        made = work.conn.execute(
            text("SELECT count(*) FROM occurrence WHERE job_name = 'mid-autumn'")
        ).scalar_one()
    assert made == 1
