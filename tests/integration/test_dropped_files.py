"""Files dropped into a watched folder: each content once, complete ones only, links never, and nothing is lost."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select

from outreach.core.dropped import Dropped, DropResult, Looks, take_dropped
from outreach.core.errors import BadInput, Misconfigured, Unavailable
from outreach.core.tables import dropped_file
from outreach.ledger.work import Opener


class Taker:
    """Takes files in by reading them."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, path: Path) -> DropResult:
        text = path.read_text(encoding="utf-8")
        if text.startswith("bad"):
            raise BadInput("It is bad.", mend="Make it good.")
        self.texts.append(text)
        return DropResult({"lines": text.count("\n")}, ["line 2: is odd"] if "odd" in text else [])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "drop" / "research"
    place.mkdir(parents=True)
    return place


def look(
    open_work: Opener, folder: Path, take: Callable[[Path], DropResult], looks: Looks | None = None
) -> list[Dropped]:
    """One look; without ``looks`` a second one, by which everything that stayed the same is complete."""
    seen: Looks = {} if looks is None else looks
    first = take_dropped(open_work, "research", folder, take, seen)
    return first if looks is not None else first + take_dropped(open_work, "research", folder, take, seen)


def rows(open_work: Opener) -> list[tuple[str, str, dict[str, int]]]:
    with open_work() as work:
        found = work.conn.execute(select(dropped_file).order_by(dropped_file.c.file_name))
        return [(row.file_name, row.state, row.counts) for row in found]


def drop(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_taken_in_recorded_and_moved(open_work: Opener, folder: Path) -> None:
    taker = Taker()
    drop(folder, "one.jsonl", "a\n")
    (done,) = look(open_work, folder, taker)
    assert (done.outcome, done.counts, done.moved_to) == ("taken", {"lines": 1}, folder / "done/one.jsonl")
    assert taker.texts == ["a\n"]
    assert not (folder / "one.jsonl").exists()
    assert rows(open_work) == [("one.jsonl", "taken", {"lines": 1})]


def test_a_file_that_still_grows_is_left_until_it_stays_the_same(open_work: Opener, folder: Path) -> None:
    taker, looks = Taker(), Looks()
    path = drop(folder, "one.jsonl", "a\n")
    assert look(open_work, folder, taker, looks) == []
    path.write_text("a\nb\n", encoding="utf-8")
    assert look(open_work, folder, taker, looks) == []
    assert [done.outcome for done in look(open_work, folder, taker, looks)] == ["taken"]
    assert taker.texts == ["a\nb\n"]


def test_a_file_that_is_old_enough_is_taken_at_the_first_look(open_work: Opener, folder: Path) -> None:
    path = drop(folder, "one.jsonl", "a\n")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    assert [done.outcome for done in look(open_work, folder, Taker(), Looks())] == ["taken"]


@pytest.mark.parametrize("name", [".hidden", "one.jsonl.part", "one.tmp", "ONE.TMP"])
def test_unfinished_uploads_are_left_alone(open_work: Opener, folder: Path, name: str) -> None:
    path = drop(folder, name, "a\n")
    assert look(open_work, folder, Taker()) == []
    assert path.exists()


def test_the_same_content_again_changes_nothing_and_is_said(open_work: Opener, folder: Path) -> None:
    taker = Taker()
    drop(folder, "one.jsonl", "a\n")
    look(open_work, folder, taker)
    drop(folder, "again.jsonl", "a\n")
    drop(folder, "one.jsonl", "a\n")
    assert [done.outcome for done in look(open_work, folder, taker)] == ["known", "known"]
    assert taker.texts == ["a\n"]
    assert "nothing was changed" in (folder / "done/again.jsonl.reasons.txt").read_text(encoding="utf-8")
    assert (folder / "done/one-2.jsonl").exists()
    assert rows(open_work) == [("one.jsonl", "taken", {"lines": 1})]


def test_a_refused_file_lies_beside_its_reasons_and_may_be_tried_again(
    open_work: Opener, folder: Path
) -> None:
    drop(folder, "one.jsonl", "bad\n")
    (done,) = look(open_work, folder, Taker())
    assert done.outcome == "refused"
    assert (folder / "refused/one.jsonl").exists()
    reasons = (folder / "refused/one.jsonl.reasons.txt").read_text(encoding="utf-8")
    assert reasons == "It is bad. Make it good.\n"
    assert rows(open_work) == [("one.jsonl", "refused", {})]
    os.rename(folder / "refused/one.jsonl", folder / "one.jsonl")
    (again,) = look(open_work, folder, lambda path: DropResult({"lines": 1}))
    assert again.outcome == "taken"
    assert rows(open_work) == [("one.jsonl", "taken", {"lines": 1})]


def test_what_was_refused_within_a_file_is_told_and_the_rest_is_taken(
    open_work: Opener, folder: Path
) -> None:
    drop(folder, "one.jsonl", "a\nodd\n")
    (done,) = look(open_work, folder, Taker())
    assert done.outcome == "taken"
    assert (folder / "done/one.jsonl").exists()
    assert (folder / "refused/one.jsonl.reasons.txt").read_text(encoding="utf-8") == "line 2: is odd\n"


def test_links_and_folders_are_refused_and_never_followed(
    open_work: Opener, folder: Path, tmp_path: Path
) -> None:
    secret = drop(tmp_path, "secret", "a secret\n")
    (folder / "link.jsonl").symlink_to(secret)
    (folder / "inner").mkdir()
    os.mkfifo(folder / "pipe")
    taker = Taker()
    assert {done.outcome for done in look(open_work, folder, taker)} == {"refused"}
    assert taker.texts == []
    assert secret.read_text(encoding="utf-8") == "a secret\n"
    assert (folder / "refused/link.jsonl").is_symlink()
    assert (folder / "refused/inner.reasons.txt").exists()
    assert rows(open_work) == []


def test_a_folder_that_leads_elsewhere_is_not_used(open_work: Opener, folder: Path, tmp_path: Path) -> None:
    (folder / "done").symlink_to(tmp_path)
    with pytest.raises(Misconfigured):
        look(open_work, folder, Taker())


def test_a_fault_leaves_the_file_for_the_next_look_and_stops_no_other(
    open_work: Opener, folder: Path
) -> None:
    taker = Taker()

    def stumbling(path: Path) -> DropResult:
        if path.name == "a.jsonl":
            raise Unavailable
        if path.name == "b.jsonl":
            raise RuntimeError("a fault of ours")
        return taker(path)

    for name in ("a.jsonl", "b.jsonl", "c.jsonl"):
        drop(folder, name, f"{name}\n")
    assert [done.outcome for done in look(open_work, folder, stumbling)] == ["waiting", "waiting", "taken"]
    assert [state for _, state, _ in rows(open_work)] == ["taking", "taking", "taken"]
    # After the machine died while it was taking a file, the next look takes it up again.
    assert [done.outcome for done in look(open_work, folder, taker)] == ["taken", "taken"]
    assert [state for _, state, _ in rows(open_work)] == ["taken"] * 3


def test_two_machines_with_a_shared_folder_take_a_file_once(open_work: Opener, folder: Path) -> None:
    drop(folder, "one.jsonl", "a\n")
    inside, leave = threading.Event(), threading.Event()
    taken: list[str] = []

    def slow(path: Path) -> DropResult:
        taken.append(path.name)
        inside.set()
        assert leave.wait(30)
        return DropResult({"lines": 1})

    with ThreadPoolExecutor(1) as other:
        looking = other.submit(look, open_work, folder, slow)
        assert inside.wait(30)
        assert look(open_work, folder, slow) == []
        leave.set()
        assert [done.outcome for done in looking.result(timeout=30)] == ["taken"]
    assert taken == ["one.jsonl"]


def test_a_file_that_grew_while_it_was_taken_is_taken_again_as_another(
    open_work: Opener, folder: Path
) -> None:
    path = drop(folder, "one.jsonl", "a\n")
    taker = Taker()

    def grows(given: Path) -> DropResult:
        done = taker(given)
        path.write_text("a\nb\n", encoding="utf-8")
        return done

    assert [done.moved_to for done in look(open_work, folder, grows)] == [None]
    assert path.exists()
    assert [done.outcome for done in look(open_work, folder, taker)] == ["taken"]
    assert taker.texts == ["a\n", "a\nb\n"]


def test_a_long_name_and_one_that_is_no_text_are_taken_too(open_work: Opener, folder: Path) -> None:
    drop(folder, "研" * 80 + ".jsonl", "a\n")
    (folder / os.fsdecode(b"\xff\xfe.jsonl")).write_text("b\n", encoding="utf-8")
    assert [done.outcome for done in look(open_work, folder, Taker())] == ["taken", "taken"]
    assert sorted(state for _, state, _ in rows(open_work)) == ["taken", "taken"]
