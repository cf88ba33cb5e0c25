"""Fixtures every test may use: a real database, the keys, and units of work."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from outreach.core import events
from outreach.core.database import Database
from outreach.core.settings import Settings
from outreach.ledger.seal import KeyRing
from outreach.ledger.work import Opener, opener
from tests.support.database import cluster, fresh_database


@pytest.fixture(autouse=True)
def apart() -> Iterator[None]:
    """Each test wires the rooms it needs; none is heard by another's subscribers."""
    with events.apart():
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Path]:
    """The data folder of the session's cluster."""
    with cluster() as data:
        yield data


@pytest.fixture
def conninfo(postgres: Path) -> Iterator[str]:
    """A database of this test's own."""
    with fresh_database(postgres) as conninfo:
        yield conninfo


@pytest.fixture
def database(conninfo: str) -> Iterator[Database]:
    database = Database(conninfo, pool_size=4)
    yield database
    database.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "var", keys=tmp_path / "keys")


@pytest.fixture
def keys(settings: Settings) -> KeyRing:
    return KeyRing.open(settings.keys, create=True)


@pytest.fixture
def open_work(database: Database, keys: KeyRing, settings: Settings) -> Opener:
    return opener(database, keys, settings)
