"""The tree agrees with the RFC, with a naive reading of it, and with an implementation that is not ours."""

import time
from functools import reduce
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree, verify_consistency

from outreach.ledger import merkle

# The vectors of the Certificate Transparency reference implementation (RFC 6962 authors).
ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATH_5_OF_8 = [
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
]


class Stored:
    """What a ledger keeps: complete nodes, written once."""

    def __init__(self) -> None:
        self.nodes: dict[merkle.Node, bytes] = {}
        self.size = 0
        self.fetched: list[merkle.Node] = []

    def fetch(self, level: int, index: int) -> bytes:
        self.fetched.append((level, index))
        return self.nodes[level, index]

    def append(self, hashes: list[bytes]) -> None:
        for level, index, digest in merkle.extend(self.size, self.fetch, hashes):
            assert (level, index) not in self.nodes
            self.nodes[level, index] = digest
        self.size += len(hashes)


def entries(count: int) -> list[bytes]:
    return [b"leaf %d" % number for number in range(count)]


def tree_of(*batches: list[bytes]) -> Stored:
    tree = Stored()
    for batch in batches:
        tree.append([merkle.leaf_hash(entry) for entry in batch])
    return tree


def naive_root(data: list[bytes]) -> bytes:
    """RFC 9162 §2.1.1 word for word."""
    if not data:
        return sha256(b"").digest()
    if len(data) == 1:
        return sha256(b"\x00" + data[0]).digest()
    split = 1
    while split * 2 < len(data):
        split *= 2
    return sha256(b"\x01" + naive_root(data[:split]) + naive_root(data[split:])).digest()


@pytest.mark.parametrize("size", range(9))
def test_roots_are_the_known_ones(size: int) -> None:
    tree = tree_of(ENTRIES)
    assert merkle.root(size, tree.fetch).hex() == ROOTS[size]


def test_a_path_is_the_known_one() -> None:
    tree = tree_of(ENTRIES)
    assert [digest.hex() for digest in merkle.inclusion_proof(5, 8, tree.fetch)] == PATH_5_OF_8


def test_every_proof_of_small_trees_holds() -> None:
    data = entries(40)
    tree = tree_of(data)
    roots = [merkle.root(size, tree.fetch) for size in range(41)]
    for size in range(41):
        assert roots[size] == naive_root(data[:size])
        for index in range(size):
            proof = merkle.inclusion_proof(index, size, tree.fetch)
            assert merkle.verify_inclusion(index, size, merkle.leaf_hash(data[index]), proof, roots[size])
        for old in range(size + 1):
            proof = merkle.consistency_proof(old, size, tree.fetch)
            assert merkle.verify_consistency(old, size, roots[old], roots[size], proof)


def test_an_independent_implementation_agrees() -> None:
    data = entries(70)
    tree = tree_of(data)
    other = InmemoryTree(algorithm="sha256")
    other.append_entries(data)
    for size in (1, 2, 3, 7, 8, 9, 31, 64, 65, 70):
        assert merkle.root(size, tree.fetch) == other.get_root(size)
        for index in range(size):
            theirs = other.prove_inclusion(index + 1, size).path
            assert [merkle.leaf_hash(data[index]), *merkle.inclusion_proof(index, size, tree.fetch)] == theirs
        for old in range(1, size):
            # Its consistency paths are longer than RFC 9162's, so each side judges the other's roots.
            before, after = merkle.root(old, tree.fetch), other.get_root(size)
            verify_consistency(before, after, other.prove_consistency(old, size), old, size)
            ours = merkle.consistency_proof(old, size, tree.fetch)
            assert merkle.verify_consistency(old, size, other.get_root(old), after, ours)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=8))
def test_batches_make_the_same_tree_as_one_go(widths: list[int]) -> None:
    data = entries(sum(widths))
    batches, start = [], 0
    for width in widths:
        batches.append(data[start : start + width])
        start += width
    pieces = tree_of(*batches)
    assert pieces.nodes == tree_of(data).nodes
    assert merkle.root(len(data), pieces.fetch) == naive_root(data)


@given(st.integers(1, 300), st.integers(0, 2**31), st.integers(0, 2**31))
def test_what_is_fetched_is_what_is_named(size: int, some_index: int, some_size: int) -> None:
    tree = tree_of(entries(size))
    index, old = some_index % size, some_size % (size + 1)
    for named, act in (
        (merkle.root_nodes(size), lambda: merkle.root(size, tree.fetch)),
        (merkle.inclusion_nodes(index, size), lambda: merkle.inclusion_proof(index, size, tree.fetch)),
        (merkle.consistency_nodes(old, size), lambda: merkle.consistency_proof(old, size, tree.fetch)),
    ):
        tree.fetched.clear()
        act()
        assert sorted(tree.fetched) == sorted(named)
    tree.fetched.clear()
    merkle.extend(size, tree.fetch, [bytes(32)] * 5)
    assert set(tree.fetched) <= set(merkle.root_nodes(size))


@given(st.integers(2, 200), st.integers(0, 2**31), st.integers(0, 2**31), st.integers(0, 255))
def test_one_changed_bit_is_found(size: int, some_index: int, where: int, bit: int) -> None:
    tree = tree_of(entries(size))
    index = some_index % size
    proof = merkle.inclusion_proof(index, size, tree.fetch)
    root = merkle.root(size, tree.fetch)
    leaf = tree.nodes[0, index]
    forged = list(proof)
    forged[where % len(proof)] = flip(forged[where % len(proof)], bit)
    assert not merkle.verify_inclusion(index, size, leaf, forged, root)
    assert not merkle.verify_inclusion(index, size, flip(leaf, bit), proof, root)
    assert not merkle.verify_inclusion(index, size, leaf, proof, flip(root, bit))
    assert not merkle.verify_inclusion((index + 1) % size, size, leaf, proof, root)
    assert not merkle.verify_inclusion(index, size, leaf, [*proof, root], root)
    assert not merkle.verify_inclusion(index, size, leaf, proof[:-1], root)

    old = 1 + some_index % (size - 1)
    before = merkle.root(old, tree.fetch)
    proof = merkle.consistency_proof(old, size, tree.fetch)
    forged = list(proof)
    forged[where % len(proof)] = flip(forged[where % len(proof)], bit)
    assert not merkle.verify_consistency(old, size, before, root, forged)
    assert not merkle.verify_consistency(old, size, flip(before, bit), root, proof)
    assert not merkle.verify_consistency(old, size, before, flip(root, bit), proof)
    assert not merkle.verify_consistency(old, size, before, root, [*proof, root])
    assert not merkle.verify_consistency(old, size, before, root, proof[:-1])


def flip(digest: bytes, bit: int) -> bytes:
    value = bytearray(digest)
    value[bit // 8] ^= 1 << bit % 8
    return bytes(value)


@pytest.mark.parametrize(
    "act",
    [
        lambda fetch: merkle.inclusion_proof(3, 3, fetch),
        lambda fetch: merkle.inclusion_proof(-1, 3, fetch),
        lambda fetch: merkle.consistency_proof(4, 3, fetch),
        lambda fetch: merkle.root(-1, fetch),
        lambda fetch: merkle.extend(-1, fetch, [bytes(32)]),
    ],
)
def test_what_is_outside_the_tree_is_refused(act) -> None:
    with pytest.raises(ValueError, match="leaves"):
        act(tree_of(entries(3)).fetch)


def test_hashes_of_another_width_are_refused() -> None:
    leaf = merkle.leaf_hash(b"")
    assert merkle.verify_inclusion(0, 1, leaf, [], leaf)
    assert not merkle.verify_inclusion(0, 1, leaf[:31], [], leaf[:31])
    assert not merkle.verify_consistency(1, 1, leaf[:31], leaf[:31], [])
    assert not merkle.verify_inclusion(1, 1, leaf, [], leaf)
    assert not merkle.verify_consistency(2, 1, leaf, leaf, [])


def test_a_large_batch_is_flat_work() -> None:
    tree = Stored()
    began = time.process_time()
    for _ in range(3):
        tree.append([merkle.leaf_hash(b"x")] * 10_000)
    assert time.process_time() - began < 3
    assert len(tree.fetched) < 60
    assert len(tree.nodes) == sum(30_000 >> level for level in range(15))
    assert merkle.root(30_000, tree.fetch) == reduce(
        lambda right, left: merkle.node_hash(left, right),
        [tree.nodes[node] for node in reversed(merkle.root_nodes(30_000))],
    )
