"""A firm with policies of each kind, a template and a lexicon, for tests of the inbox."""

from dataclasses import dataclass
from uuid import UUID

from outreach.content.in_force import lexicons_in_force
from outreach.core.access import Actor
from outreach.core.ids import new_id
from outreach.ledger.work import Opener, Work
from tests.support.builders import Firm, firm
from tests.support.review_rows import content

_TEMPLATE = """
title = { zh = "生日祝福", en = "Birthday" }
category = "relationship"
channels = ["sms"]
languages = ["zh-CN"]

[variables]
name = { source = "client" }
"""
BIRTHDAY = {"template.toml": _TEMPLATE, "sms.zh-CN.j2": "您好，{{ name }}，生日快乐！"}

_POLICY = """
title = {{ zh = "{name}", en = "{name}" }}
scope = "{scope}"
mode = "{mode}"
deciders = {deciders}
time_to_decide = "4h"
undo_window = "{undo}"
sample = {{ least = 5, percent = 2 }}
standing_valid = "366d"

[governs]
categories = ["channel", "information", "consulting", "product", "relationship"]
"""
_LEXICON = """
title = {{ zh = "测试", en = "Test" }}
language = "zh-CN"

[[rules]]
id = "{rule}"
article = "art. 53(2)"
severity = "block"
why = {{ zh = "请勿使用。", en = "Never use it." }}
phrases = ["{phrase}"]
"""
_REASONS = """
[reasons.tone]
zh = "语气不当"
en = "Tone"
"""


@dataclass(frozen=True)
class Desk:
    """The firm, and versions of policies (by what they ask for) and of the birthday's template."""

    firm: Firm
    each: UUID
    batch: UUID
    standing: UUID
    other_standing: UUID
    alert: UUID
    firmwide: UUID
    birthday: UUID
    reason: str = "tone"

    def template(self, work: Work, editor: Actor) -> UUID:
        """Another template, last edited by ``editor``."""
        approver = self.firm.head_office if editor is self.firm.compliance else self.firm.compliance
        return content(work, "template", _fresh("template"), BIRTHDAY, editor, approver)

    def lexicon_digest(self, work: Work) -> bytes:
        """The digest of the lexicons in force."""
        _, digest = lexicons_in_force(work.conn)
        return digest

    def forbid(self, work: Work, phrase: str) -> None:
        """Publish a lexicon that blocks ``phrase``."""
        name = _fresh("lexicon")
        source = _LEXICON.format(rule=name, phrase=phrase)
        files = {f"lexicons/{name}.toml": source}
        content(work, "lexicon", name, files, self.firm.head_office, self.firm.compliance)


def make_desk(open_work: Opener) -> Desk:
    """A firm with one policy of each mode, an express one for alerts, and one for the whole firm."""
    built = firm(open_work)
    branch = '["manager", "deputy"]'
    with open_work() as work:

        def policy(
            name: str, mode: str, scope: str = "branch", deciders: str = branch, undo: str = "60s"
        ) -> UUID:
            source = _POLICY.format(name=name, mode=mode, scope=scope, deciders=deciders, undo=undo)
            files = {f"policies/{name}.toml": source}
            return content(work, "policy", name, files, built.head_office, built.compliance)

        reasons = {"reasons.toml": _REASONS}
        content(work, "reasons", "reasons", reasons, built.head_office, built.compliance)
        desk = Desk(
            firm=built,
            each=policy("each", "each"),
            batch=policy("batch", "batch"),
            standing=policy("standing", "standing"),
            other_standing=policy("other-standing", "standing"),
            alert=policy("alert", "each", undo="0s"),
            firmwide=policy("firmwide", "batch", "firm", '["head_office"]'),
            birthday=content(work, "template", "birthday", BIRTHDAY, built.head_office, built.compliance),
        )
        desk.forbid(work, "保本保息")
    return desk


def _fresh(kind: str) -> str:
    return f"{kind}-{new_id().hex[-8:]}"
