"""Fixtures of the tests that need a firm with its policies."""

import pytest

from outreach.ledger.work import Opener
from tests.support.desk import Desk, make_desk


@pytest.fixture
def desk(open_work: Opener) -> Desk:
    """Two branches, and policies of each kind."""
    return make_desk(open_work)
