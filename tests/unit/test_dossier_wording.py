"""The dossier names every kind of record in both languages."""

import pytest

from outreach.archive.dossier.wording import KINDS as NAMED
from outreach.ledger.envelope import KINDS


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_record_has_its_name(kind: str) -> None:
    zh, en = NAMED[kind]
    assert not zh.isascii()
    assert en
