"""A difference told apart within its lines: a message is often one long line."""

from hypothesis import given
from hypothesis import strategies as st

from outreach.content.difference import DiffLine, compare, in_pieces

LINES = st.lists(st.text(alphabet="ab 中秋\t", max_size=12), max_size=8).map("\n".join)


def pieces(before: str, after: str) -> list[DiffLine]:
    [file] = compare({"a": before}, {"a": after})
    return in_pieces(file.lines)


def test_only_what_changed_within_a_line_is_marked() -> None:
    assert pieces("您好！中秋快乐！\n一", "您好！中秋佳节快乐！\n一") == [
        DiffLine("@", (("@@ -1,2 +1,2 @@", False),)),
        DiffLine("-", (("您好！中秋", False), ("快乐！", False))),
        DiffLine("+", (("您好！中秋", False), ("佳节", True), ("快乐！", False))),
        DiffLine(" ", (("一", False),)),
    ]


def test_lines_with_little_in_common_are_shown_whole() -> None:
    assert pieces("abcdefgh", "完全不同的一句话")[1:] == [
        DiffLine("-", (("abcdefgh", False),)),
        DiffLine("+", (("完全不同的一句话", False),)),
    ]


def test_as_many_lines_must_go_as_come() -> None:
    assert not any(differs for line in pieces("a b c", "a b d\ne") for _, differs in line.pieces)


def test_a_very_long_line_is_shown_whole() -> None:
    assert not any(differs for line in pieces("x" * 5000, "x" * 5001) for _, differs in line.pieces)


@given(LINES, LINES)
def test_no_word_is_lost_or_made_up(before: str, after: str) -> None:
    for file in compare({"a": before}, {"a": after}):
        told = ["" if line.sign == "@" else line.sign for line in in_pieces(file.lines)]
        whole = ["".join(part for part, _ in line.pieces) for line in in_pieces(file.lines)]
        assert [sign + said for sign, said in zip(told, whole, strict=True)] == list(file.lines)
