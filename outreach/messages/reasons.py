"""Why a client was left out or a message stands where it does: each code in words, with what mends it (P8)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


class Words(NamedTuple):
    """A reason in words, what to do about it, and the rule's source."""

    reason: str
    mend: str
    article: str


@dataclass(frozen=True)
class Reason:
    """One code's wording in both languages; ``{name}`` stands for a parameter."""

    zh: str
    en: str
    mend_zh: str
    mend_en: str
    article: str = ""


_NOTHING_ZH, _NOTHING_EN = "无需处理。", "Nothing to do."
_CLIENT_FILE_ZH = "若有误，请在客户资料中更正后重新导入。"
_CLIENT_FILE_EN = "If this is wrong, correct the client's file and import it again."

REASONS: dict[str, Reason] = {
    # the client
    "test_client": Reason("测试账户，不发送。", "This is a test account.", _NOTHING_ZH, _NOTHING_EN),
    "deceased": Reason(
        "客户已故，不发送任何信息。",
        "The client has died; nothing is sent.",
        "请由专人联系家属；" + _CLIENT_FILE_ZH,
        "Let a person speak to the family. " + _CLIENT_FILE_EN,
        "art. 17",
    ),
    "closed": Reason(
        "账户已销户。",
        "The account is closed.",
        "只能用“流失客户回访”与其联系；" + _CLIENT_FILE_ZH,
        "Only a win-back may go there. " + _CLIENT_FILE_EN,
        "art. 79(15)",
    ),
    "dormant": Reason(
        "休眠账户，不推送产品与投资建议。",
        "The account is dormant; no product and no advice is pushed.",
        "可用“休眠账户提示”与其联系；" + _CLIENT_FILE_ZH,
        "The note on a dormant account may go. " + _CLIENT_FILE_EN,
        "art. 79(15)",
    ),
    "minor": Reason(
        "客户未满 14 周岁（{age} 岁），需监护人同意。",
        "The client is under 14 (aged {age}); a guardian's consent is needed.",
        "请与监护人联系。",
        "Speak to the guardian.",
        "PIPL art. 31",
    ),
    "do_not_contact": Reason(
        "客户要求不联系。", "The client asked not to be contacted.", _NOTHING_ZH, _NOTHING_EN, "PIPL art. 15"
    ),
    "company_birthday": Reason(
        "机构客户不发生日祝福。", "A company has no birthday.", _CLIENT_FILE_ZH, _CLIENT_FILE_EN
    ),
    # consent and reach
    "opted_out": Reason(
        "客户已退订（渠道：{channel}，类别：{category}）。",
        "The client has opted out (channel: {channel}, category: {category}).",
        "未经客户重新同意不得发送；可改用电话服务。",
        "Nothing may be sent until the client opts in again; a call may serve instead.",
        "PIPL art. 15",
    ),
    "no_contact_point": Reason(
        "没有可用的联系方式（{channels}）。",
        "There is no address on any of the channels asked for ({channels}).",
        "请补录手机号或邮箱。",
        "Add a mobile number or a mail address to the client's file.",
        "art. 76",
    ),
    "greeting_taken": Reason(
        "同一号码或邮箱当天已有一条相同的祝福。",
        "Another client at the same address already gets this greeting that day.",
        _NOTHING_ZH,
        _NOTHING_EN,
    ),
    "frequency_cap": Reason(
        "已达到频次上限（{period}：{limit} 条）。",
        "The client already has as many messages as allowed ({limit} a {period}).",
        "请改日再发，或改用电话。",
        "Send on another day, or call.",
    ),
    # suitability and qualification
    "suitability": Reason(
        "产品风险等级 R{risk_level} 高于客户风险承受能力 C{risk_class}。",
        "The product's risk R{risk_level} is above what the client's class C{risk_class} may be offered.",
        "不得主动推介；如客户主动询问，请按适当性流程办理。",
        "It must not be pushed. If the client asks by themselves, follow the suitability procedure.",
        "适当性管理办法 art. 22",
    ),
    "assessment_expired": Reason(
        "风险测评已于 {valid_until} 到期。",
        "The risk assessment was valid until {valid_until}.",
        "请客户重新测评。",
        "Have the client assessed again.",
        "art. 79(2)",
    ),
    "not_assessed": Reason(
        "客户没有有效的风险测评。",
        "The client has no risk assessment on file.",
        "请客户完成风险测评。",
        "Have the client assessed.",
        "art. 79(2)",
    ),
    "securities_licence": Reason(
        "{name} 没有有效的证券从业资格，不得以其名义发送。",
        "{name} holds no valid securities qualification; nothing goes out in that name.",
        "请更新资格信息，或改由有资格的人员服务。",
        "Record the renewed qualification, or let a qualified person serve the client.",
        "art. 19",
    ),
    "advisory_licence": Reason(
        "{name} 没有有效的投资咨询资格，不得提供投资建议。",
        "{name} holds no valid advisory qualification; no advice may be given in that name.",
        "请由具备投资咨询资格的人员撰写。",
        "Let somebody with the advisory qualification write it.",
        "art. 19, 41",
    ),
    "no_advisor": Reason(
        "客户没有服务人员，投资建议必须署名。",
        "The client has no advisor, and advice must bear a qualified person's name.",
        "请为客户分配具备资格的服务人员。",
        "Assign a qualified advisor to the client.",
        "art. 55, 79(1)",
    ),
    # the text
    "lexicon": Reason(
        "内容触犯禁用语规则：{rules}。",
        "The text breaks a rule of the lexicon: {rules}.",
        "请修改模板或正文。",
        "Change the template or the text.",
        "art. 53(2), 54",
    ),
    "disclosure_missing": Reason(
        "缺少必需的提示语：{disclosures}。",
        "A required disclosure is missing: {disclosures}.",
        "请补上提示语。",
        "Add the disclosure.",
        "art. 51",
    ),
    "source_missing": Reason(
        "投资建议没有注明来源：发布机构与日期。",
        "Advice without its source: who published it, and when.",
        "请写明，例如“来源：××证券研究所，2026年11月20日”。",
        "Name it, for example “Source: Example Research, 20 November 2026”.",
        "art. 17, 79(7)",
    ),
    "personal_data": Reason(
        "正文含有个人信息（{what}）。",
        "The text contains personal data ({what}).",
        "请删除后再提交。",
        "Take it out.",
        "art. 13, 14, 17",
    ),
    "names_other_client": Reason(
        "正文提到了其他客户的姓名。",
        "The text names another client.",
        "请删除其他客户的信息。",
        "Take every other client out of it.",
        "art. 14, 54(13)",
    ),
    "link_not_allowed": Reason(
        "链接指向未经许可的网址（{host}）。",
        "A link leads to an address that the firm does not vouch for ({host}).",
        "请删除，或改用公司允许的网址；确需使用的，请合规人员加入模板或设置。",
        "Take it out or use an address of the firm's; where it is needed, compliance adds it to the template or the"
        " settings.",
        "art. 13, 17",
    ),
    "unfilled": Reason(
        "模板变量没有值：{variable}。",
        "A variable of the template has no value: {variable}.",
        "请补全客户资料或修改模板。",
        "Complete the client's file, or change the template.",
    ),
    "render_failed": Reason(
        "模板无法为该客户生成内容。",
        "The template could not be rendered for this client.",
        "请检查模板与客户资料。",
        "Check the template and the client's file.",
    ),
    "empty_text": Reason("正文为空。", "The text is empty.", "请填写正文。", "Write the text."),
    "too_long": Reason(
        "短信共 {segments} 条，超过上限 {limit} 条。",
        "The SMS takes {segments} segments; {limit} are allowed.",
        "请缩短正文。",
        "Shorten the text.",
    ),
    "language_missing": Reason(
        "模板没有 {language} 的 {channel} 版本。",
        "The template has no {channel} text in {language}.",
        "请补充模板。",
        "Add the text to the template.",
    ),
    # its course
    "expired": Reason(
        "已过有效期，未发送。", "It expired before it could be sent.", "请重新编写。", "Write a new one."
    ),
    "quiet_hours": Reason(
        "等待客户所在地的发送时段（{window}）。",
        "It waits for the client's sending hours ({window}).",
        _NOTHING_ZH,
        _NOTHING_EN,
    ),
    "superseded": Reason(
        "来源信息已被更正，原消息作废。",
        "A correction replaced what this was made from.",
        "请审阅更正后的消息。",
        "Look at the message made from the correction.",
        "art. 79(7)",
    ),
    "skipped": Reason("服务人员已跳过。", "The client's advisor skipped it.", _NOTHING_ZH, _NOTHING_EN),
    "withdrawn": Reason("提交人已撤回。", "Its author withdrew it.", _NOTHING_ZH, _NOTHING_EN),
    "edited": Reason(
        "服务人员修改了内容，需单独审批。",
        "The client's advisor changed it; it needs a decision of its own.",
        "请审阅修改后的内容。",
        "Read the changed text.",
        "art. 63",
    ),
    "branch_hold": Reason(
        "营业部暂缓发送给本部客户。",
        "The branch holds it for its own clients.",
        "可在“总部统一服务”页面放行。",
        "Let it go out on the page “From head office”.",
        "art. 7",
    ),
    "undone": Reason(
        "审批已撤销。", "The approval was taken back.", "请重新审批。", "Decide again.", "art. 63"
    ),
    "returned": Reason(
        "审批人退回修改。",
        "Whoever decides sent it back to be mended.",
        "请按退回理由修改后重新提交。",
        "Mend what the reasons name and put it up again.",
        "art. 63",
    ),
    "rejected": Reason(
        "审批人否决，不再发送。",
        "Whoever decides refused it for good.",
        "如仍需联系客户，请另行编写。",
        "Write another one if the client still has to hear of it.",
        "art. 63",
    ),
    "question_open": Reason(
        "{who}已于 {at} 询问合规部，尚未答复，暂不能批准。",
        "{who} asked compliance at {at}, and it has not answered; this can't be approved yet.",
        "请等待合规部答复，或由提问人撤回问题。",
        "Wait for the answer, or let the question be taken back by who asked.",
        "art. 63",
    ),
    "objection": Reason(
        "合规部{who}已于 {at} 提出异议，现有文字不能批准。",
        "Compliance ({who}) objected at {at}; it can't be approved in these words.",
        "请退回修改，或再次询问合规部。",
        "Return it to be mended, or ask compliance again.",
        "art. 63",
    ),
    "batch_stopped": Reason(
        "{who}于 {at} 退回或否决了抽样中的一条，本批次已停止。",
        "It stopped at {at}, because {who} gave back one of its sample.",
        "请退回其余消息、重新抽样（数量加倍），或逐条审批。",
        "Return the rest, draw a new sample of twice the size, or decide on each by itself.",
        "art. 63",
    ),
    "standing_revoked": Reason(
        "常设审批已撤销，需重新审批。",
        "The standing approval that released it was revoked; it needs a decision again.",
        "请审批该消息，或重新授予常设审批。",
        "Decide on it, or grant a standing approval again.",
        "art. 63",
    ),
    "branch_held": Reason(
        "营业部为其客户暂缓发送。",
        "The branch holds it back for its own clients.",
        "请与营业部联系。",
        "Speak to the branch.",
        "art. 7",
    ),
    "decision_void": Reason(
        "没有有效的审批，已退回待审。",
        "No decision in force binds it; it went back to the inbox.",
        "请重新审批。",
        "Decide again.",
        "art. 63",
    ),
    "payload_altered": Reason(
        "内容与审批时不一致，未发送。",
        "The content is not what was approved; it was not sent.",
        "请通知合规部门核查。",
        "Tell compliance; then decide again.",
        "art. 63",
    ),
    "lexicon_changed": Reason(
        "新发布的禁用语规则命中该内容：{rules}。",
        "A newly published rule hits this text: {rules}.",
        "请修改后重新提交。",
        "Change the text and put it up again.",
        "art. 53(2), 54",
    ),
    # delivery
    "no_route": Reason(
        "该号码没有合规的发送通道。",
        "There is no lawful route to this number.",
        "请改用邮件或电话。",
        "Use mail or a call.",
    ),
    "no_mail_server": Reason(
        "尚未配置邮件服务器。",
        "No mail server is configured.",
        "请联系运维配置邮件服务器。",
        "Ask the operator to configure one.",
    ),
    "provider_temporary": Reason(
        "通道暂时无法受理，将自动重试。",
        "The provider could not take it for now; it is tried again.",
        _NOTHING_ZH,
        _NOTHING_EN,
    ),
    "not_in_audience": Reason(
        "该任务的对象不包括这位客户。",
        "This job is not for this client.",
        "如确有需要，请由客户经理单独撰写。",
        "If they should hear of it, the advisor writes to them.",
    ),
    "not_reached": Reason(
        "经办人员未能送达（电话未接通，或信函退回）。",
        "Whoever carried it out did not reach the client (no answer, or the letter came back).",
        "请核对联系方式，必要时改用其他渠道。",
        "Check the address or number, or use another channel.",
    ),
    "provider_gave_up": Reason(
        "通道多次未能受理（{code}），已停止重试。",
        "The provider could not take it again and again ({code}); it is not tried any more.",
        "请改用其他渠道或电话联系客户。",
        "Use another channel, or call the client.",
    ),
    "provider_permanent": Reason(
        "通道拒绝了该消息（{code}）。",
        "The provider refused it ({code}).",
        "请核对号码或邮箱。",
        "Check the address.",
    ),
    "provider_unknown": Reason(
        "发送结果未知，不会自动重发。",
        "Whether it was sent is not known; it is not repeated blindly.",
        "请等待回执或人工核实。",
        "Wait for a receipt, or find out at the provider.",
    ),
    "waits_for_first": Reason(
        "备用渠道：前一渠道未能送达时才发送。",
        "Another channel: it goes only if the one before does not reach the client.",
        _NOTHING_ZH,
        _NOTHING_EN,
        "art. 79(12)",
    ),
    "not_needed": Reason(
        "无需发送：已通过{channel}送达客户。",
        "Not needed: the client was reached by {channel}.",
        _NOTHING_ZH,
        _NOTHING_EN,
    ),
    "not_needed_sent": Reason(
        "无需发送：{channel}已发出，至过期未收到失败回执。",
        "Not needed: {channel} was sent, and no failure was reported until it expired.",
        _NOTHING_ZH,
        _NOTHING_EN,
    ),
    "first_stopped": Reason(
        "首选渠道的消息已被否决、取消或停发，备用渠道一并取消。",
        "The message that this one would stand in for was rejected or stopped, so this one is, too.",
        _NOTHING_ZH,
        _NOTHING_EN,
    ),
    "fell_through": Reason(
        "通道在 {minutes} 分钟内未能受理，已改用下一渠道。",
        "The provider did not take it within {minutes} minutes; the next channel was taken.",
        _NOTHING_ZH,
        _NOTHING_EN,
        "art. 79(12)",
    ),
    "unknown_fell_through": Reason(
        "发送结果未知已超过 {minutes} 分钟，已改用下一渠道；本条不会重发。",
        "Whether it was sent was not known for {minutes} minutes, so the next channel was taken; it is not repeated.",
        "请等待回执或人工核实。",
        "Wait for a receipt, or find out at the provider.",
        "art. 79(12)",
    ),
    "never_went": Reason(
        "核实结果：未曾发出；此前已改用下一渠道，不再补发。",
        "It turned out that it never left; the next channel had been taken, so it is not sent any more.",
        _NOTHING_ZH,
        _NOTHING_EN,
    ),
    "provider_undelivered": Reason(
        "通道回执：未送达。",
        "The provider reports that it was not delivered.",
        "请核对联系方式，或改用其他渠道。",
        "Check the address, or use another channel.",
    ),
}

_VALUES_ZH: dict[str, str] = {
    "sms": "短信",
    "email": "邮件",
    "letter": "信函",
    "call": "电话",
    "*": "全部",
    "channel": "渠道服务",
    "information": "信息服务",
    "consulting": "咨询服务",
    "product": "产品服务",
    "relationship": "客户关系",
    "day": "每日",
    "month": "每月",
    "identity_number": "身份证号",
    "card_number": "银行卡号",
    "mobile_number": "手机号码",
}
_VALUES_EN: dict[str, str] = {
    "sms": "SMS",
    "email": "mail",
    "call": "a call",
    "*": "all",
    "identity_number": "identity number",
    "card_number": "card number",
    "mobile_number": "mobile number",
}


def words(code: str, params: Mapping[str, Any] | None = None, locale: str = "zh-CN") -> Words:
    """The reason ``code`` in words of ``locale``; an unknown code (of another release) is shown as it is."""
    row = REASONS.get(code)
    if row is None:
        return Words(code, "", "")
    chinese = locale.startswith("zh")
    shown = _Shown({key: _show(value, chinese) for key, value in (params or {}).items()})
    return Words(
        (row.zh if chinese else row.en).format_map(shown),
        (row.mend_zh if chinese else row.mend_en).format_map(shown),
        row.article,
    )


class _Shown(dict[str, str]):
    """Parameters that an older row did not store are shown as a dash."""

    def __missing__(self, key: str) -> str:
        return "–"


def _show(value: Any, chinese: bool) -> str:
    if isinstance(value, list | tuple):
        return ("、" if chinese else ", ").join(_show(item, chinese) for item in value)
    return (_VALUES_ZH if chinese else _VALUES_EN).get(str(value), str(value))
