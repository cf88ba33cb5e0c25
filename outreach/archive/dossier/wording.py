"""The dossier's words in both languages."""

Pair = tuple[str, str]

CHANNELS: dict[str, Pair] = {
    "sms": ("短信", "SMS"),
    "email": ("邮件", "Mail"),
    "letter": ("信函", "Letter"),
    "whatsapp": ("WhatsApp", "WhatsApp"),
    "call": ("电话", "Call"),
    "wecom": ("企业微信", "WeCom"),
}
CATEGORIES: dict[str, Pair] = {
    "channel": ("通道服务", "Channel"),
    "information": ("信息服务", "Information"),
    "consulting": ("咨询服务", "Consulting"),
    "product": ("产品服务", "Product"),
    "relationship": ("客户关怀", "Relationship"),
}
STATES: dict[str, Pair] = {
    "draft": ("草稿", "Draft"),
    "held": ("待审批", "Awaiting approval"),
    "returned": ("已退回", "Returned"),
    "approved": ("已批准", "Approved"),
    "claimed": ("发送中", "Being sent"),
    "handed_over": ("人工办理", "Handed over"),
    "sent": ("已发送", "Sent"),
    "delivered": ("已送达", "Delivered"),
    "undelivered": ("未送达", "Not delivered"),
    "unknown": ("结果待核", "Outcome unknown"),
    "rejected": ("已否决", "Rejected"),
    "suppressed": ("已停发", "Suppressed"),
    "expired": ("已过期", "Expired"),
    "cancelled": ("已取消", "Cancelled"),
    "failed": ("发送失败", "Failed"),
}
VERBS: dict[str, Pair] = {
    "approve": ("批准", "Approved"),
    "return": ("退回", "Returned"),
    "reject": ("否决", "Rejected"),
    "release": ("按常备批准放行", "Released under a standing approval"),
    "undo": ("撤回决定", "Decision undone"),
    "endorse": ("同意，转下一审批人", "Endorsed"),
    "put_up": ("提交", "Put up"),
    "withdraw": ("撤回", "Withdrawn"),
    "comment": ("留言", "Comment"),
    "question": ("询问合规部", "Question to compliance"),
    "answer": ("合规部答复", "Compliance's answer"),
}
ATTEMPTS: dict[str, Pair] = {
    "claimed": ("已领取,未开始", "claimed, not begun"),
    "started": ("已开始,未返回", "begun, no answer yet"),
    "accepted": ("服务商已受理", "accepted by the provider"),
    "temporary": ("暂时失败", "failed for the time being"),
    "permanent": ("被拒绝", "refused"),
    "unknown": ("结果未知", "outcome unknown"),
    "abandoned": ("已放弃,未发出", "abandoned, nothing sent"),
}
RECEIPTS: dict[str, Pair] = {
    "sent": ("已发出", "sent"),
    "delivered": ("已送达", "delivered"),
    "undelivered": ("未送达", "not delivered"),
    "failed": ("失败", "failed"),
}
REPLIES: dict[str, Pair] = {
    "opt_out": ("退订", "Opt-out"),
    "opt_in": ("恢复接收", "Opt-in"),
    "reply": ("回复", "Reply"),
}
ACTIONS: dict[str, Pair] = {
    "grant": ("授予", "granted"),
    "revoke": ("撤销", "revoked"),
    "opted_in": ("同意接收", "opted in"),
    "opted_out": ("拒绝接收", "opted out"),
    "added": ("存入", "added"),
    "stop": ("抽样中有消息被退回，批次停止", "stopped: one of its sample was given back"),
    "resume": ("重新抽样", "goes on with a new sample"),
    "take_over": ("接手", "taken over"),
    "away": ("外出", "away"),
    "back": ("恢复办公", "back"),
}
OBJECTS: dict[str, Pair] = {
    "clients": ("客户资料", "clients"),
    "holdings": ("持仓", "holdings"),
    "dates": ("客户日期", "dated facts"),
    "research": ("研究报告", "research reports"),
    "market-event": ("市场事件", "market events"),
    "market-events": ("市场事件", "market events"),
    "message": ("消息", "message"),
    "submission": ("一份待审提交", "a submission"),
    "attachment": ("附件", "attachment"),
    "material": ("营销与建议材料", "material"),
    "period": ("时段", "a period"),
    "client": ("单一客户", "one client"),
}
PURPOSES: dict[str, Pair] = {
    "begun": ("开始", "begun"),
    "done": ("完成", "done"),
    "failed": ("未完成", "not finished"),
    "review": ("审阅", "review"),
}
KINDS: dict[str, Pair] = {
    "message.sent": ("发送", "Sent"),
    "message.handed_over": ("交人工办理", "Handed over"),
    "message.failed": ("发送失败", "Sending failed"),
    "message.unknown": ("结果未知", "Outcome unknown"),
    "message.suppressed": ("停发", "Suppressed"),
    "message.expired": ("过期", "Expired"),
    "message.cancelled": ("取消", "Cancelled"),
    "fall_through": ("改用下一渠道", "Next channel taken"),
    "message.revised": ("修改", "Revised"),
    "settled": ("核定结果", "Outcome settled"),
    "receipt": ("回执", "Receipt"),
    "reply": ("客户来信", "Reply"),
    "submission": ("提交审批", "Submitted"),
    "decision": ("审批决定", "Decision"),
    "release": ("常备放行", "Release"),
    "undo": ("撤回决定", "Undone"),
    "standing_approval": ("常备批准", "Standing approval"),
    "batch": ("批次抽样", "Batch"),
    "remark": ("意见", "Remark"),
    "claim": ("认领", "Claim"),
    "escalation": ("逾期升级", "Escalation"),
    "absence": ("外出与代理", "Out of office"),
    "attachment": ("附件", "Attachment"),
    "material": ("营销与建议材料", "Material"),
    "left_out": ("未列入", "Left out"),
    "hold": ("留存", "Hold"),
    "disposal": ("处置", "Disposal"),
    "search": ("检索", "Search"),
    "view": ("查阅", "View"),
    "export": ("导出", "Export"),
    "consent": ("接收意愿", "Consent"),
    "import": ("导入", "Import"),
    "correction": ("资料更正", "Correction"),
    "write_back": ("回写文件", "Write-back file"),
    "branch_hold": ("营业部暂缓", "Held by a branch"),
    "content.draft": ("内容草稿", "Draft of content"),
    "content.published": ("内容发布", "Content published"),
    "signin": ("登录", "Sign-in"),
    "key": ("密钥", "Key"),
}


def say(table: dict[str, Pair], word: str) -> Pair:
    """The words for ``word``, or the word itself where there are none."""
    return table.get(word, (word, word))
