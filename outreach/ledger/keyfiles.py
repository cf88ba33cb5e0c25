"""Secret files: a private folder, private files, written whole or not at all."""

import contextlib
import os
import secrets
import stat
from pathlib import Path

from outreach.core.errors import Misconfigured


def private_folder(folder: Path, *, create: bool) -> None:
    """See that ``folder`` exists and is the owner's alone (mode 0700).

    Raises Misconfigured when it is missing and ``create`` is false, or when others can enter it.
    """
    if create and not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        state = folder.stat()
    except FileNotFoundError:
        raise Misconfigured(
            f"The key folder {folder} does not exist.",
            mend="Set OUTREACH_KEYS, or restore the folder from its backup.",
        ) from None
    if not stat.S_ISDIR(state.st_mode):
        raise Misconfigured(f"{folder} is not a folder.", mend="Set OUTREACH_KEYS to a folder.")
    if stat.S_IMODE(state.st_mode) & 0o077:
        raise Misconfigured(f"Others can enter the key folder {folder}.", mend=f"Run: chmod 700 {folder}")


def read_secret(path: Path) -> bytes:
    """The content of the secret file ``path``.

    Raises FileNotFoundError when there is none, Misconfigured when others can read it or we can't.
    """
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise Misconfigured(f"Others can read the key file {path}.", mend=f"Run: chmod 600 {path}")
            return file.read()
    except PermissionError as error:
        raise Misconfigured(
            f"The key file {path} can't be read: {error.strerror}.",
            mend="Run as the account that owns the keys.",
        ) from error


def write_secret(path: Path, content: bytes) -> bool:
    """Write ``content`` to the new file ``path`` (mode 0600), durably and in one step.

    Returns False, and leaves the file as it is, when another process was first.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    _sync_folder(path.parent)
    return True


def destroy_secret(path: Path) -> None:
    """Overwrite and remove the file ``path``; nothing happens when it is gone already.

    Overwriting is what a file system allows: on flash the old block may survive until it is erased, so the
    key folder belongs on an encrypted disk.
    """
    with contextlib.suppress(FileNotFoundError):
        with path.open("r+b") as file:
            file.write(secrets.token_bytes(path.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
