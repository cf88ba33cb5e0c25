"""Policies that are easy to vary, as values and as files."""

from typing import Any
from uuid import UUID

from outreach.content.approval_formats import PolicyFile
from outreach.content.in_force import PolicyVersion
from outreach.content.starter import starter_root
from outreach.core.ids import new_id
from outreach.ledger.work import Work
from tests.support.builders import Firm
from tests.support.review_rows import content

EVERY = ("channel", "information", "consulting", "product", "relationship")


def policy(
    name: str, mode: str = "each", *, categories: tuple[str, ...] = EVERY, **changed: Any
) -> PolicyVersion:
    """A version of a policy that exists nowhere else; ``changed`` are keys of its file and of ``[governs]``."""
    governs = {key: changed.pop(key) for key in _GOVERNS & set(changed)}
    said: dict[str, Any] = {
        "title": {"zh": name, "en": name},
        "mode": mode,
        "time_to_decide": "4h",
        "undo_window": "60s",
        "governs": {"categories": categories, **governs},
        **changed,
    }
    if "approvers" not in said:
        said.setdefault("deciders", ["manager", "deputy"])
    nobody = UUID(int=1)
    return PolicyVersion(new_id(), name, 1, nobody, b"", {}, PolicyFile.model_validate(said))


_GOVERNS = {"authors", "tiers", "findings", "recipients_over", "same_text_within", "free_text_over"}


def publish_policy(work: Work, people: Firm, name: str, source: str, *, version: int = 2) -> UUID:
    """Another version of a policy, edited by head office and approved by compliance."""
    files = {f"approvals/policies/{name}.toml": source}
    return content(work, "policy", name, files, people.head_office, people.compliance, version)


def starter_policy(name: str) -> str:
    """The file of a policy of the starter set."""
    return (starter_root() / "approvals" / "policies" / f"{name}.toml").read_text("utf-8")
