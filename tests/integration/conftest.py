"""Fixtures of the tests that need a firm with its policies, or the pages."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from outreach.core.access import Actor
from outreach.core.database import Database
from outreach.core.settings import Settings
from outreach.demo.sandbox.launch import sandbox
from outreach.ledger.seal import KeyRing
from outreach.ledger.work import Opener, opener
from tests.support.builders import firm, publish_starter
from tests.support.desk import Desk, make_desk
from tests.support.sending import Post, Servers


@pytest.fixture
def desk(open_work: Opener) -> Desk:
    """Two branches, and policies of each kind."""
    return make_desk(open_work)


@pytest.fixture
def sign_in(open_work: Opener, settings: Settings) -> Iterator[Callable[..., Any]]:
    """``sign_in(actor, **changed)`` gives a Reader at the site; ``changed`` are other settings than the test's."""
    from tests.support.pages import Reader, serving, signed_in

    with ExitStack() as stack:
        addresses: dict[str, str] = {}

        def at_the_site(actor: Actor, language: str = "en", **changed: Any) -> Reader:
            known = repr(sorted(changed.items()))
            if known not in addresses:
                addresses[known] = stack.enter_context(serving(open_work, replace(settings, **changed)))
            return stack.enter_context(signed_in(open_work, addresses[known], actor, language))

        yield at_the_site


@pytest.fixture(scope="package")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The sandbox's servers, without callbacks."""
    flags = {"twilio": ("--no-callbacks",), "gateway": ("--no-callbacks",)}
    with sandbox(tmp_path_factory.mktemp("servers"), flags) as (clients, running):
        yield Servers(clients, running)


@pytest.fixture
def post(
    open_work: Opener, database: Database, keys: KeyRing, settings: Settings, servers: Servers
) -> Iterator[Post]:
    """A firm with the starter content, sending to the sandbox."""
    told = servers.settings(settings)
    at_work = opener(database, keys, told)
    people = firm(at_work)
    publish_starter(at_work, people)
    yield Post(at_work, told, people, servers, database)
    servers.clear()
