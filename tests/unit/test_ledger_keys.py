"""The key ring: private, complete, safe among processes, and able to forget."""

import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from outreach.core.errors import Conflict, Misconfigured, NotFound
from outreach.core.ids import new_id
from outreach.ledger.keyfiles import write_secret
from outreach.ledger.seal import KeyRing, SealBroken, rewrap, seal, unseal


def test_a_new_ring_is_private_and_opens_again_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "var" / "keys"
    first = KeyRing.open(folder, create=True)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name for path in folder.iterdir()} == {"equality.key", "epoch-000001.key", "signing.pem"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    for create in (True, False):
        again = KeyRing.open(folder, create=create)
        assert again.current == first.current
        assert again.signing.fingerprint == first.signing.fingerprint
        assert again.keyed_hash("a@example.com") == first.keyed_hash(b"a@example.com")
        assert again.identity == first.identity


def test_nothing_is_made_unless_asked(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="does not exist"):
        KeyRing.open(tmp_path / "keys")
    assert not (tmp_path / "keys").exists()


def test_keys_stay_out_of_what_is_printed(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path / "keys", create=True)
    epoch, key = ring.current
    assert epoch == 1
    for secret in (repr(key), key.hex()):
        assert secret not in repr(ring) + repr(ring.current)


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701])
def test_a_folder_that_others_enter_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "keys"
    KeyRing.open(folder, create=True)
    folder.chmod(mode)
    with pytest.raises(Misconfigured, match=f"chmod 700 {folder}"):
        KeyRing.open(folder, create=True)


@pytest.mark.parametrize("name", ["equality.key", "epoch-000001.key", "signing.pem"])
@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_key_that_others_read_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    KeyRing.open(tmp_path / "keys", create=True)
    (tmp_path / "keys" / name).chmod(mode)
    with pytest.raises(Misconfigured, match=f"chmod 600 .*{name}"):
        KeyRing.open(tmp_path / "keys")


@pytest.mark.parametrize("name", ["equality.key", "epoch-000001.key", "signing.pem"])
def test_a_missing_or_damaged_key_is_named(tmp_path: Path, name: str) -> None:
    KeyRing.open(tmp_path / "keys", create=True)
    path = tmp_path / "keys" / name
    whole = path.read_bytes()
    path.write_bytes(whole[:20])
    with pytest.raises(Misconfigured, match="backup"):
        KeyRing.open(tmp_path / "keys")
    path.unlink()
    with pytest.raises(Misconfigured, match="backup"):
        KeyRing.open(tmp_path / "keys")


def test_a_new_epoch_is_seen_by_a_ring_already_open(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path / "keys", create=True)
    other = KeyRing.open(tmp_path / "keys")
    old = ring.current
    new = ring.new_epoch()
    assert (new.epoch, other.current) == (2, new)
    assert other.get(1) == old.key != new.key
    assert other.epochs == [1, 2]


def test_a_destroyed_epoch_takes_with_it_all_but_the_survivors(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path / "keys", create=True)
    keep, lose = new_id(), new_id()
    kept, lost = seal(b"kept", ring.get(1), keep), seal(b"lost", ring.get(1), lose)
    with pytest.raises(Conflict):
        ring.destroy_epoch(1)
    new = ring.new_epoch()
    wrapped = rewrap(kept.wrapped_key, ring.get(1), new.key)
    ring.destroy_epoch(1)
    ring.destroy_epoch(1)
    with pytest.raises(NotFound, match="epoch 1"):
        ring.get(1)
    again = KeyRing.open(tmp_path / "keys", create=True)
    assert again.epochs == [2]
    with pytest.raises(SealBroken):
        unseal(lost, again.get(2), lose)
    assert unseal(type(kept)(kept.salt, wrapped, kept.nonce, kept.ciphertext), again.get(2), keep) == b"kept"
    assert again.new_epoch().epoch == 3


def _open_and_tell(folder: Path, answers: "multiprocessing.Queue[tuple[str, str, str]]") -> None:
    ring = KeyRing.open(folder, create=True)
    answers.put((ring.identity, ring.signing.fingerprint, ring.current.key.hex()))


def test_processes_that_open_a_new_folder_at_once_agree(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    answers: multiprocessing.Queue[tuple[str, str, str]] = context.Queue()
    processes = [context.Process(target=_open_and_tell, args=(tmp_path / "keys", answers)) for _ in range(6)]
    for process in processes:
        process.start()
    told = {answers.get(timeout=60) for _ in processes}
    for process in processes:
        process.join(60)
    assert len(told) == 1
    assert len(list((tmp_path / "keys").iterdir())) == 3


def test_a_secret_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "key"
    old_mask = os.umask(0)
    try:
        assert write_secret(path, b"first")
    finally:
        os.umask(old_mask)
    assert not write_secret(path, b"second")
    assert path.read_bytes() == b"first"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
