"""The append-only tree: RFC 6962 hashes, RFC 9162 §2.1 proofs, over stored complete nodes.

A node is named by (level, index): level 0 holds the leaf hashes, and node (l, i) covers the leaves from
i·2^l up to (i+1)·2^l. Only complete nodes are ever stored, so a stored node never changes; what covers the
ragged right edge is folded anew from at most one node a level. ``fetch(level, index)`` returns a stored node.
The ``*_nodes`` functions name what the function beside them will fetch, so that a caller with a database
gets it in one query.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from itertools import chain

Node = tuple[int, int]
Fetch = Callable[[int, int], bytes]

EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """The hash of one entry: SHA-256(0x00 ‖ data), RFC 9162 §2.1.1."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees: SHA-256(0x01 ‖ left ‖ right), RFC 9162 §2.1.1."""
    return sha256(b"\x01" + left + right).digest()


def extend(size: int, fetch: Fetch, leaf_hashes: Sequence[bytes]) -> list[tuple[int, int, bytes]]:
    """The complete nodes to store when ``leaf_hashes`` join a tree of ``size`` leaves.

    Returns (level, index, hash), the new leaves first, ordered by level and index. Fetches at most one old
    node a level, all of them in ``root_nodes(size)``. Raises ValueError for a negative size.
    """
    if size < 0:
        raise ValueError(f"a tree can't have {size} leaves")
    stored: list[tuple[int, int, bytes]] = []
    level, first, row = 0, size, list(leaf_hashes)
    while row:
        stored += [(level, first + offset, digest) for offset, digest in enumerate(row)]
        if first % 2:
            row.insert(0, fetch(level, first - 1))
        row = [sha256(b"\x01" + row[at] + row[at + 1]).digest() for at in range(0, len(row) - 1, 2)]
        level, first = level + 1, first // 2
    return stored


def root_nodes(size: int) -> list[Node]:
    """The complete nodes that the root of a tree of ``size`` leaves is folded from, left to right."""
    return _cover(0, size)


def root(size: int, fetch: Fetch) -> bytes:
    """The root of the first ``size`` leaves. The empty tree's is SHA-256 of nothing (RFC 9162 §2.1.1).

    Raises ValueError for a negative size.
    """
    if size < 0:
        raise ValueError(f"a tree can't have {size} leaves")
    return _fold(0, size, fetch) if size else EMPTY_ROOT


def inclusion_nodes(index: int, size: int) -> list[Node]:
    """The nodes that ``inclusion_proof`` with the same arguments will fetch."""
    return list(chain.from_iterable(_cover(*span) for span in _inclusion_spans(index, size)))


def inclusion_proof(index: int, size: int, fetch: Fetch) -> list[bytes]:
    """The path from leaf ``index`` (from 0) to the root of ``size`` leaves, RFC 9162 §2.1.3.1.

    Raises ValueError unless 0 ≤ index < size.
    """
    return [_fold(*span, fetch) for span in _inclusion_spans(index, size)]


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], tree_root: bytes) -> bool:
    """Whether ``proof`` shows the leaf hash ``leaf`` at ``index`` under ``tree_root``, RFC 9162 §2.1.3.2."""
    if not 0 <= index < size or not _digests([leaf, tree_root, *proof]):
        return False
    first, last, value = index, size - 1, leaf
    for digest in proof:
        if last == 0:
            return False
        if first & 1 or first == last:
            value = node_hash(digest, value)
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            value = node_hash(value, digest)
        first, last = first >> 1, last >> 1
    return last == 0 and value == tree_root


def consistency_nodes(old: int, new: int) -> list[Node]:
    """The nodes that ``consistency_proof`` with the same arguments will fetch."""
    return list(chain.from_iterable(_cover(*span) for span in _consistency_spans(old, new)))


def consistency_proof(old: int, new: int, fetch: Fetch) -> list[bytes]:
    """That the first ``old`` of ``new`` leaves are unchanged, RFC 9162 §2.1.4.1.

    Empty when the sizes are equal or ``old`` is 0: every tree continues the empty one. Raises ValueError
    unless 0 ≤ old ≤ new.
    """
    return [_fold(*span, fetch) for span in _consistency_spans(old, new)]


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether ``proof`` shows that the tree of ``new`` leaves continues that of ``old``, RFC 9162 §2.1.4.2."""
    if not 0 <= old <= new or not _digests([old_root, new_root, *proof]):
        return False
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    first, last = old - 1, new - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    before = after = path[0]
    for digest in path[1:]:
        if last == 0:
            return False
        if first & 1 or first == last:
            before, after = node_hash(digest, before), node_hash(digest, after)
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            after = node_hash(after, digest)
        first, last = first >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


def _cover(start: int, end: int) -> list[Node]:
    """The complete nodes that tile the leaves from ``start`` up to ``end``, largest first.

    ``start`` must be a multiple of the largest power of two within the width, as it is for every subtree
    that RFC 9162 names.
    """
    nodes: list[Node] = []
    while start < end:
        level = (end - start).bit_length() - 1
        nodes.append((level, start >> level))
        start += 1 << level
    return nodes


def _fold(start: int, end: int, fetch: Fetch) -> bytes:
    """The hash of the subtree over the leaves from ``start`` up to ``end``."""
    *others, last = _cover(start, end)
    value = fetch(*last)
    for node in reversed(others):
        value = node_hash(fetch(*node), value)
    return value


def _inclusion_spans(index: int, size: int) -> list[tuple[int, int]]:
    """The leaf spans whose hashes make up the inclusion path, from the leaf up."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size} leaves")
    spans: list[tuple[int, int]] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    spans.reverse()
    return spans


def _consistency_spans(old: int, new: int) -> list[tuple[int, int]]:
    """The leaf spans whose hashes make up the consistency path, from the bottom up."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves does not continue one of {old}")
    if old in (0, new):
        return []
    spans: list[tuple[int, int]] = []
    start, end = 0, new
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    if start:  # else the subtree reached is the old tree itself, whose root the verifier already holds
        spans.append((start, end))
    spans.reverse()
    return spans


def _split(width: int) -> int:
    """The largest power of two smaller than ``width``."""
    return 1 << ((width - 1).bit_length() - 1)


def _digests(values: Iterable[bytes]) -> bool:
    return all(len(value) == 32 for value in values)
