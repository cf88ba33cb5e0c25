"""Naming another client: one query a batch however many texts there are, and the same findings as text by text."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
from sqlalchemy import Connection, event, text

from outreach.composing.other_names import CHUNK, Written, names_of_others
from outreach.composing.requests import RequestDraft, preview_request, queue_request
from outreach.ledger.work import Opener
from outreach.messages.findings import Finding
from tests.support.builders import Firm, firm, make_client, publish_starter

SAID = "{称呼}，您好！请留意今日的市场变化。"


@pytest.fixture
def people(open_work: Opener) -> Firm:
    found = firm(open_work)
    publish_starter(open_work, found)
    return found


@contextmanager
def statements(conn: Connection) -> Iterator[list[str]]:
    """The statements that are sent meanwhile."""
    said: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
        said.append(statement)

    event.listen(conn, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(conn, "before_cursor_execute", note)


def plainly(conn: Connection, one: Written) -> set[tuple[str, str]]:
    """(field, name) of every other client's name in a text, asked for each text by itself."""
    query = text(
        "SELECT DISTINCT c.name FROM client c"
        " WHERE c.branch_id = :branch AND c.id <> :recipient AND length(c.name) >= 2"
        " AND position(replace(lower(c.name), ' ', '') IN :said) > 0"
        " AND NOT EXISTS (SELECT FROM client r WHERE r.id = :recipient AND r.name = c.name)"
        " AND NOT EXISTS (SELECT FROM staff s WHERE c.name IN (s.name, s.name_en))"
    )
    found = set()
    for name, said in one.fields.items():
        given = {"branch": one.branch_id, "recipient": one.recipient, "said": "".join(said.lower().split())}
        found |= {(name, row.name) for row in conn.execute(query, given)}
    return found


def shown(one: Written, findings: list[Finding]) -> set[tuple[str, str]]:
    return {
        (finding.field, "".join(one.fields[finding.field][finding.start : finding.end].split()).lower())
        for finding in findings
    }


def test_the_same_as_text_by_text(open_work: Opener, people: Firm) -> None:
    names = ["司马相如", "王小明", "王小", "欧阳修", "Ann Lee", "Annabel Lee", "李雷", "顾问1B01", "李雷"]
    with open_work() as work:
        clients = {f"{name}{at}": make_client(work, people.b01, name=name) for at, name in enumerate(names)}
        elsewhere = make_client(work, people.b02, name="诸葛亮")
        said = [
            "您的朋友司马 相如也来了。",
            "王小明女士，您好！",
            "请转告欧阳　修和李雷。",
            "Ann Lee and Annabel  Lee said so; annlee too.",
            "Joann Leeds said so.",
            "顾问1B01 会联系您。诸葛亮也来了。",
            "什么人都没有提到。",
            "",
        ]
        written = [
            Written(people.b01.id, recipient, {"text": one, "subject": said[at - 1]})
            for at, one in enumerate(said)
            for recipient in clients.values()
        ]
        written += [Written(people.b02.id, elsewhere, {"text": one, "subject": ""}) for one in said]
        found = names_of_others(work.conn, written)
        assert len(found) == len(written)
        for one, findings in zip(written, found, strict=True):
            # In Latin letters a name counts as whole words only, which the plain query does not know.
            expected = {
                (field, "".join(name.lower().split()))
                for field, name in plainly(work.conn, one)
                if not name.isascii()
            }
            assert {pair for pair in shown(one, findings) if not pair[1].isascii()} == expected, one
            assert {(item.rule, item.severity) for item in findings} <= {("names_other_client", "block")}
        own = names_of_others(work.conn, [Written(people.b01.id, clients["Ann Lee4"], {"text": said[3]})])[0]
        assert [said[3][one.start : one.end] for one in own] == ["Annabel  Lee"]
        assert names_of_others(work.conn, [Written(people.b01.id, elsewhere, {"text": said[4]})]) == [[]]


def test_one_query_however_many_texts(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        recipient = make_client(work, people.b01, name="王小明")
        make_client(work, people.b01, name="司马相如")
        written = [
            Written(people.b01.id, recipient, {"text": f"第{n}位：司马相如", "subject": "您好"})
            for n in range(CHUNK)
        ]
        for many in (1, 2, 100, CHUNK):
            with statements(work.conn) as said:
                found = names_of_others(work.conn, written[:many])
            assert len(said) == 1
            assert [len(one) for one in found] == [1] * many
        with statements(work.conn) as said:
            assert len(names_of_others(work.conn, [*written, *written, written[0]])) == 2 * CHUNK + 1
        assert len(said) == 3


def test_nothing_to_ask_for_is_not_asked(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        recipient = make_client(work, people.b01)
        with statements(work.conn) as said:
            assert names_of_others(work.conn, []) == []
            assert names_of_others(work.conn, [Written(people.b01.id, recipient, {"text": " "})]) == [[]]
        assert said == []


def test_a_name_in_full_width_is_a_name(open_work: Opener, people: Firm) -> None:
    with open_work() as work:
        recipient = make_client(work, people.b01)
        make_client(work, people.b01, name="Ｍary Ｊones")
        one = Written(people.b01.id, recipient, {"text": "Dear friend of Mary Jones!"})
        assert len(names_of_others(work.conn, [one])[0]) == 1


def test_a_request_asks_once_and_leaves_out_only_who_is_concerned(open_work: Opener, people: Firm) -> None:
    me = people.b01.advisor
    with open_work() as work:
        chosen: list[UUID] = [
            make_client(work, people.b01, name=name, advisor_id=me.staff_id, gender="male")
            for name in ("司马相如", "王小明", "李大钊")
        ]
    draft = RequestDraft(tuple(chosen), text=f"{SAID}司马相如先生向您问好。")
    with open_work(me) as work, statements(work.conn) as said:
        items = preview_request(work, draft)
        assert sum("WITH pairs" in one for one in said) == 1
    stopped = {item.client_name: item.rule for item in items}
    assert stopped == {"司马相如": "", "王小明": "names_other_client", "李大钊": "names_other_client"}
    for item in items:
        if item.rule:
            assert item.stopped is not None
            assert any(one.rule == "names_other_client" for one in item.findings)
    with open_work(me) as work:
        queued = queue_request(work, draft)
        assert (len(queued.message_ids), queued.left_out) == (1, 2)
        rows = work.conn.execute(text("SELECT DISTINCT rule FROM left_out")).scalars().all()
    assert list(rows) == ["names_other_client"]
