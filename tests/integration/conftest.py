"""Fixtures of the tests that need a firm with its policies, or the pages."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from outreach.core.access import Actor
from outreach.core.settings import Settings
from outreach.ledger.work import Opener
from tests.support.desk import Desk, make_desk


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
