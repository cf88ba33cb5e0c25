"""Why somebody may not decide, in the words of the reader's language, with rule, article and mend (P8)."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Refusal:
    """A rule that forbids this actor to decide."""

    rule: str
    article: str
    reason: str
    mend: str


_WORDS: dict[str, dict[str, tuple[str, str]]] = {
    "zh": {
        "four_eyes": (
            "这条消息或其模板由您撰写或最后修改，不能由您审批。",
            "请由另一位有审批权的人员审阅。",
        ),
        "four_eyes_deputy": (
            "您代{absent}审批，而这条消息或其模板由{absent}撰写、最后修改，或已由其审批过，不能由您代为审批。",
            "请由另一位有审批权的人员审阅。",
        ),
        "four_eyes_step": (
            "您已参与前一环节的审批，每一环节须由不同的人审批。",
            "请由另一位有审批权的人员审阅。",
        ),
        "turn_later": (
            "现在轮到{roles}审批。",
            "前一环节同意后，才轮到您审批；如有问题，您可以先行退回或否决。",
        ),
        "turn_passed": (
            "{endorsers}已同意，现在等待{roles}审批。",
            "您可以退回或否决；在可撤销时间内也可撤销前一决定。",
        ),
        "blocked": ("该消息触犯禁止性规则，不能批准。", "请退回修改，或予以否决。"),
        "role": ("按审批政策“{policy}”，应由以下人员审批：{roles}。", "请转交上述人员。"),
        "branch": ("您的审批权不包括该营业部。", "请由该营业部的总经理或副总经理审批。"),
        "firm": (
            "这是全公司统一提交的内容，由总部审批一次。",
            "您可以退回或否决本营业部客户的消息。",
        ),
        "not_held": ("该消息目前不在待审状态。", "请返回收件箱。"),
        "no_permission": ("您没有审批权限。", "请由有审批权的人员审阅。"),
    },
    "en": {
        "four_eyes": (
            "You wrote or last edited this message or its template, so you can't approve it.",
            "Somebody else who may decide has to read it.",
        ),
        "four_eyes_deputy": (
            "You stand in for {absent}, who wrote, last edited or has endorsed this message or its template, so you "
            "can't approve it.",
            "Somebody else who may decide has to read it.",
        ),
        "four_eyes_step": (
            "You had a part in an earlier approval of this message; each step needs another person.",
            "Somebody else who may decide has to read it.",
        ),
        "turn_later": (
            "This waits for: {roles}.",
            "Your turn comes after theirs; you may return or reject it before.",
        ),
        "turn_passed": (
            "This waits for: {roles}. Endorsed by {endorsers}.",
            "You may return or reject it, or undo the endorsement while its time lasts.",
        ),
        "blocked": (
            "A rule forbids this message; it can't be approved.",
            "Return it to be mended, or reject it.",
        ),
        "role": ("By the policy “{policy}” this is decided by: {roles}.", "Pass it on to one of them."),
        "branch": (
            "Your decisions don't reach into this branch.",
            "Its manager or deputy has to decide.",
        ),
        "firm": (
            "This was put up for the whole firm and is approved once, by head office.",
            "You may return or reject what goes to your own branch's clients.",
        ),
        "not_held": ("This message does not wait for a decision now.", "Go back to the inbox."),
        "no_permission": ("You may not decide on messages.", "Somebody who may decide has to read it."),
    },
}
_ROLES: dict[str, dict[str, str]] = {
    "zh": {
        "manager": "营业部总经理",
        "deputy": "营业部副总经理",
        "head_office": "总部客户服务部",
        "compliance": "合规部",
        "advisor": "理财服务人员",
    },
    "en": {
        "manager": "branch manager",
        "deputy": "deputy",
        "head_office": "head office",
        "compliance": "compliance",
    },
}


def refuse(
    rule: str,
    locale: str,
    *,
    policy: str = "",
    roles: tuple[str, ...] = (),
    endorsers: Sequence[tuple[str, str]] = (),
    absent: str = "",
) -> Refusal:
    """The refusal by ``rule`` in ``locale``. ``endorsers``: who endorsed, and when in words; ``absent``: for whom the
    reader stands in. Raises KeyError for a rule that has no words."""
    language = "zh" if locale.startswith("zh") else "en"
    reason, mend = _WORDS[language][rule]
    chinese = language == "zh"
    names = [_ROLES[language].get(role, role) for role in roles]
    said = [f"{who}（{at}）" if chinese else f"{who} ({at})" for who, at in endorsers]
    joiner = "、" if chinese else ", "
    filled = {
        "policy": policy,
        "roles": joiner.join(names),
        "endorsers": joiner.join(said),
        "absent": absent,
    }
    return Refusal(rule=rule, article="63", reason=reason.format(**filled), mend=mend.format(**filled))
