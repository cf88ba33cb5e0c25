"""The words files use for fixed values. Compared after plain_word(): half-width, lower case, no spaces."""

import re
import unicodedata
from collections.abc import Mapping

_DROPPED = re.compile(r"[\s_\-()（）]+")


def plain_word(text: str) -> str:
    """``text`` for comparing."""
    return _DROPPED.sub("", unicodedata.normalize("NFKC", text)).casefold()


def _table(**words: str) -> Mapping[str, str]:
    return {
        plain_word(word): value.replace("__", "-") for value, line in words.items() for word in line.split()
    }


GENDERS = _table(male="男 男性 先生 m male man mr 1", female="女 女性 女士 小姐 f female woman ms mrs miss 2")
# GB/T 2261.1: 0 is unknown and 9 unspecified, though some systems write 0 for female. So neither is a gender.
NO_GENDER = frozenset(
    {"0", "9", "未知", "未说明", "保密", "不详", "其他", "unknown", "other", "u", "x", "n/a"}
)

TIERS = _table(
    ordinary="普通 普通客户 一般 标准 大众 普卡 ordinary standard normal regular basic",
    core="核心 核心客户 重点 重点客户 core key",
    vip="vip vip客户 贵宾 贵宾客户 重要客户",
    silver="银卡 白银 银卡客户 silver",
    gold="金卡 黄金 金卡客户 gold",
    platinum="白金 铂金 白金卡 白金客户 platinum",
    diamond="钻石 钻石卡 钻石客户 diamond",
)

STATUSES = _table(
    normal="正常 有效 在用 开户 启用 normal active open",
    dormant="休眠 休眠户 睡眠 睡眠户 不活跃 dormant inactive sleeping",
    frozen="冻结 司法冻结 已冻结 部分冻结 frozen suspended blocked",
    closed="销户 已销户 注销 已注销 撤销 关闭 已关闭 closed cancelled canceled terminated",
)
DECEASED_STATUSES = frozenset({"已故", "死亡", "身故", "去世", "亡故", "deceased", "dead"})

# The names of the China association's sample rating: C1 保守, C2 谨慎, C3 稳健, C4 积极, C5 激进. Names that firms
# use for different classes (平衡型, 成长型) are not here: a wrong class would let a forbidden product through.
RISK_NAMES = _table(
    C1="保守 保守型 conservative", C2="谨慎 谨慎型 相对保守 相对保守型 cautious",
    C3="稳健 稳健型 moderate", C4="积极 积极型 相对积极 相对积极型 growth", C5="激进 激进型 进取 进取型 aggressive",
)  # fmt: skip
RISK_MINIMUM = frozenset(
    plain_word(word)
    for word in (
        "C1-minimum C1minimum C1-min C1最低 C1(最低) 最低C1 C1最低类别 C1最低风险 最低 最低类别 最低风险 最低风险等级 "
        "风险承受能力最低 风险承受能力最低类别 最低型 C0 minimum lowest"
    ).split()
)

INVESTOR_CLASSES = _table(
    ordinary="普通投资者 普通 普通投资人 ordinary retail",
    professional="专业投资者 专业 专业投资人 机构投资者 professional institutional",
)

LANGUAGES = _table(
    zh__CN="zh zhcn zhhans zhhanscn cn 中文 汉语 普通话 简体 简体中文 中文简体 chinese simplifiedchinese chi zho",
    en="en enus engb enhk ensg enau eng 英文 英语 english",
)
# Written for in simplified Chinese all the same, and said so.
TRADITIONAL = frozenset(
    {"zhtw", "zhhk", "zhmo", "zhhant", "繁体", "繁體", "繁体中文", "繁體中文", "traditionalchinese"}
)

CHANNELS = _table(
    sms="短信 手机短信 sms text textmessage message",
    email="邮件 邮箱 电子邮件 电邮 email mail e-mail",
    letter="信函 信件 邮寄 纸质 letter post",
    call="电话 致电 语音 phone call telephone voice",
    wecom="微信 企业微信 企微 wechat wecom",
    whatsapp="whatsapp",
)
NO_CHANNEL = frozenset({"不限", "任意", "均可", "any", "all"})

YES = frozenset(
    "是 y yes true t 1 on 拒收 已拒收 退订 已退订 拒绝 不接收 全部拒收 免打扰 "
    "optout optedout unsubscribed stop √ x".split()
)
WITHDRAWN_YES = frozenset(
    "是 y yes true t 1 撤销 已撤销 作废 已作废 取消 withdrawn cancelled canceled √ x".split()
)
WITHDRAWN_NO = frozenset("否 n no false f 0 有效 正常 valid".split())
NO = frozenset(
    "否 n no false f 0 off 接收 正常接收 正常 同意 愿意 未拒收 未退订 不拒收 optin optedin subscribed".split()
)

ID_TYPES = _table(
    id_card="身份证 居民身份证 二代身份证 第二代身份证 中国居民身份证 二代证 "
    "idcard identitycard residentid residentidcard 01",
    passport="护照 外国护照 中国护照 passport",
    hk_mo_permit="港澳居民来往内地通行证 港澳通行证 回乡证 港澳台居民居住证 homereturnpermit hkmopermit",
    tw_permit="台湾居民来往大陆通行证 台胞证 twpermit",
    residence_permit="外国人永久居留证 外国人永久居留身份证 居留证 residencepermit",
    military="军官证 士兵证 警官证 军人身份证件 文职证 military",
    household="户口本 户口簿 出生证 household",
    business_licence="营业执照 工商营业执照 企业营业执照 businesslicence businesslicense licence license",
    credit_code="统一社会信用代码 统一社会信用代码证 社会信用代码 creditcode unifiedsocialcreditcode",
    organisation_code="组织机构代码 组织机构代码证 机构代码 organisationcode organizationcode",
    other="其他 其它 其他证件 other",
)
COMPANY_ID_TYPES = frozenset({"business_licence", "credit_code", "organisation_code"})

_COMPANY_END = re.compile(
    r"(公司|企业|合伙|有限合伙[)）]?|普通合伙[)）]?|集团|商行|商店|事务所|研究院|研究所|基金会|委员会|合作社|工作室|"
    r"协会|学会|大学|学校|医院|厂|基金|资产管理计划|资管计划|信托计划|理财产品|年金计划|[)）]分公司|"
    r"\b(ltd|limited|inc|incorporated|llc|llp|corp|corporation|company|gmbh|plc|pte|fund|foundation|s\.?a)\.?)"
    r"[)）\s]*$",
    re.IGNORECASE,
)


def is_company_name(name: str) -> bool:
    """Whether ``name`` ends as a company's, partnership's or product's does."""
    return len(name) > 3 and _COMPANY_END.search(name) is not None


# What people write where they know nothing.
EMPTY_WORDS = frozenset(
    "null none nil nan n/a na - -- --- / // \\ \\n 无 暂无 没有 未知 不详 不明 未填 未填写 未提供 "
    "空 (空) (null) <null> undefined".split()
)
SPREADSHEET_ERRORS = re.compile(
    r"#(n/a|ref!|value!|div/0!|name\?|null!|num!|spill!|calc!|getting_data)|#{3,}", re.I
)
