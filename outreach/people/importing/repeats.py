"""Which keys come more than once in a file, in memory that hardly grows with it."""

import hashlib
from collections.abc import Iterable

_HASHES = 5
_SMALLEST = 1 << 16
_LARGEST = 1 << 27


def digest_of(*parts: str) -> bytes:
    """Eight bytes that stand for ``parts``."""
    return hashlib.blake2b("\x1f".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).digest()


def possible_repeats(keys: Iterable[bytes], file_size: int) -> set[bytes]:
    """The keys that come at least twice, and by chance about one in ten thousand others.

    A Bloom filter of an eighth of ``file_size`` (bytes; at most 16 MB) remembers what was seen, so a file without
    repeats costs no more than that. Keys have eight bytes.
    """
    bits = min(max(file_size, _SMALLEST), _LARGEST)
    seen = bytearray(bits // 8 + 1)
    found: set[bytes] = set()
    for key in keys:
        number = int.from_bytes(key, "big")
        step = (number >> 32) | 1
        is_new = False
        for turn in range(_HASHES):
            at = (number + turn * step) % bits
            byte, bit = at >> 3, 1 << (at & 7)
            if not seen[byte] & bit:
                seen[byte] |= bit
                is_new = True
        if not is_new:
            found.add(key)
    return found
