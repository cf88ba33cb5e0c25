"""Which column is which field: Chinese and English headers, as systems and people write them."""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches

from outreach.core.errors import BadInput


def _names(line: str) -> tuple[str, ...]:
    return tuple(line.split(" | "))


CLIENT_HEADERS: Mapping[str, tuple[str, ...]] = {
    "client_no": _names(
        "客户号 | 客户编号 | 客户代码 | 客户编码 | 客户账号 | 客户ID | client no | client number | "
        "client id | customer no | customer number | customer id | cust no | cust id"
    ),
    "account_no": _names(
        "资金账号 | 资金帐号 | 资金账户 | 资产账号 | 资产账户 | account no | account number | "
        "account | fund account"
    ),
    "name": _names(
        "客户姓名 | 姓名 | 客户名称 | 名称 | 客户名 | name | client name | customer name | full name"
    ),
    "gender": _names("性别 | 客户性别 | gender | sex"),
    "id_type": _names("证件类型 | 证件类别 | 证件种类 | id type | document type | certificate type"),
    "id_no": _names(
        "证件号码 | 证件号 | 证件编号 | 身份证号 | 身份证号码 | 身份证 | id no | id number | "
        "document no | certificate no | identity no | identity number"
    ),
    "id_expiry": _names(
        "证件有效期 | 证件到期日 | 证件有效期至 | 证件有效截止日 | 证件截止日期 | 证件到期日期 | "
        "id expiry | id expires | id expiry date | id valid until"
    ),
    "birth_date": _names(
        "出生日期 | 生日 | 出生年月日 | 公历生日 | 阳历生日 | birth date | birthday | "
        "date of birth | dob | birthdate"
    ),
    "lunar_birthday": _names(
        "农历生日 | 阴历生日 | 旧历生日 | 农历出生日期 | lunar birthday | lunar birth date"
    ),
    "mobile": _names(
        "手机 | 手机号 | 手机号码 | 移动电话 | 联系手机 | 手机电话 | 联系电话 | mobile | "
        "mobile phone | mobile no | mobile number | cell | cell phone | cellphone | phone | "
        "phone number | telephone"
    ),
    "email": _names(
        "邮箱 | 电子邮箱 | 电子邮件 | 邮箱地址 | 电邮 | email | e-mail | email address | mail | mail address"
    ),
    "address": _names(
        "地址 | 联系地址 | 通讯地址 | 通信地址 | 住址 | 家庭地址 | address | postal address | home address"
    ),
    "postcode": _names("邮编 | 邮政编码 | postcode | postal code | zip | zip code"),
    "tier": _names(
        "客户级别 | 客户等级 | 客户分级 | 客户层级 | 级别 | tier | client tier | client level | grade | level"
    ),
    "risk_level": _names(
        "风险等级 | 风险级别 | 风险承受能力 | 风险承受能力等级 | 客户风险等级 | 风险测评等级 | "
        "风险测评结果 | risk level | risk class | risk grade | risk rating | risk"
    ),
    "assessed_on": _names(
        "测评日期 | 风险测评日期 | 评测日期 | 测评时间 | 风险评估日期 | assessed on | "
        "assessment date | risk assessed on | risk assessment date"
    ),
    "investor_class": _names(
        "投资者类别 | 投资者类型 | 投资者分类 | investor class | investor type | investor category"
    ),
    "opened_on": _names(
        "开户日期 | 开户日 | 开户时间 | opened on | open date | opening date | account opened | "
        "account open date"
    ),
    "status": _names("账户状态 | 帐户状态 | 客户状态 | 状态 | status | account status | client status"),
    "advisor_id": _names(
        "客户经理工号 | 客户经理编号 | 客户经理 | 客户经理代码 | 服务人员工号 | 理财经理工号 | "
        "advisor id | advisor no | advisor | adviser id | adviser | advisor number | manager id | "
        "relationship manager"
    ),
    "consultant_id": _names(
        "投顾工号 | 投资顾问工号 | 投顾编号 | 投资顾问编号 | 投顾 | 投资顾问 | consultant id | "
        "consultant no | consultant | investment adviser id | investment advisor id"
    ),
    "branch": _names(
        "营业部 | 营业部名称 | 所属营业部 | 开户营业部 | 营业部代码 | 营业部编号 | 分支机构 | "
        "branch | branch name | branch code | branch id"
    ),
    "channel": _names(
        "渠道偏好 | 偏好渠道 | 首选渠道 | 联系渠道 | 沟通渠道 | channel | channel preference | "
        "preferred channel | contact channel"
    ),
    "opt_out": _names(
        "拒收标志 | 拒收 | 退订标志 | 退订 | 是否拒收 | 拒收短信 | 免打扰 | opt out | optout | "
        "opted out | do not contact | unsubscribed"
    ),
    "language": _names("语言 | 语种 | 首选语言 | 语言偏好 | language | lang | locale | preferred language"),
    "margin_expiry": _names(
        "两融合约到期 | 两融到期 | 两融合约到期日 | 融资融券到期日 | 融资融券合约到期 | "
        "margin expiry | margin expires | margin contract expiry | margin expiry date"
    ),
    "note": _names("备注 | 说明 | 备注信息 | note | notes | remark | remarks | comment | comments"),
}

HOLDING_HEADERS: Mapping[str, tuple[str, ...]] = {
    "client_no": CLIENT_HEADERS["client_no"],
    "code": _names(
        "代码 | 证券代码 | 股票代码 | 产品代码 | 基金代码 | code | ts code | security code | "
        "stock code | symbol | ticker"
    ),
    "quantity": _names(
        "数量 | 持仓数量 | 持有数量 | 持股数量 | 股份数量 | 份额 | 持仓 | quantity | qty | shares | "
        "position | holding"
    ),
    "date": _names(
        "日期 | 持仓日期 | 数据日期 | 截止日期 | date | as of | as of date | holding date | position date"
    ),
}

DATE_HEADERS: Mapping[str, tuple[str, ...]] = {
    "client_no": CLIENT_HEADERS["client_no"],
    "kind": _names("事项 | 事项类型 | 日期类型 | 类型 | 事件类型 | kind | date kind | type | event"),
    "date": _names("日期 | 事项日期 | 到期日 | 到期日期 | 生效日期 | date | on date | due date | due on"),
    "subject": _names(
        "标的 | 产品名称 | 产品 | 主题 | 名称 | 内容 | subject | product | product name | about"
    ),
    "withdrawn": _names("撤销 | 作废 | 取消 | 撤销标志 | withdrawn | cancelled | canceled | void"),
}

# A running number that spreadsheets add says nothing about a client.
_ROW_NUMBERS = frozenset({"序号", "行号", "no", "#", "rowno", "index"})
_SEPARATORS = re.compile(r"[\s_\-./*:：'\"“”#]+")
_BRACKETS = re.compile(r"[(\[【〔{][^)\]】〕}]*[)\]】〕}]")
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\x00-\x1f]")


def plain_header(text: str) -> str:
    """``text`` as it is compared: half-width, lower case, without spaces, separators and what can't be seen."""
    visible = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    return _SEPARATORS.sub("", visible).casefold()


def match_headers(
    cells: Sequence[str],
    fields: Mapping[str, tuple[str, ...]],
    required: Collection[str],
    ignored: Collection[str] = (),
) -> list[str | None]:
    """The field of each column; None for a column that is passed over.

    Raises BadInput naming the columns that are unknown (with what was probably meant), that come twice, or that
    are missing.
    """
    known = _known(fields)
    passed_over = {plain_header(name) for name in ignored} | _ROW_NUMBERS
    found: list[str | None] = []
    unknown: list[str] = []
    for cell in cells:
        plain = plain_header(cell)
        field = known.get(plain) or known.get(
            plain_header(_BRACKETS.sub("", unicodedata.normalize("NFKC", cell)))
        )
        if plain in passed_over:
            field = None
        elif field is None and plain:
            unknown.append(cell.strip())
        found.append(field)
    if unknown:
        raise _unknown(unknown, known, {field for field in found if field})
    _refuse_twice(cells, found)
    missing = [field for field in required if field not in found]
    if missing:
        names = ", ".join(f"{fields[field][0]} ({field})" for field in missing)
        raise BadInput(f"The file has no column {names}.", mend="Add it, with this name in the first row.")
    return found


def _known(fields: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    known = {plain_header(field): field for field in fields}
    for field, names in fields.items():
        known |= {plain_header(name): field for name in names}
    return known


def _unknown(unknown: list[str], known: Mapping[str, str], taken: set[str]) -> BadInput:
    hints = []
    for name in unknown:
        free = [text for text, field in known.items() if field not in taken]
        near = get_close_matches(plain_header(name), free, n=1, cutoff=0.5)
        hints.append(f"“{name[:60]}” (did you mean “{near[0]}”?)" if near else f"“{name[:60]}”")
    shown = ", ".join(hints[:8]) + (" …" if len(hints) > 8 else "")
    what = "column" if len(unknown) == 1 else "columns"
    return BadInput(
        f"Unknown {what} {shown} in the first row.",
        mend="Rename or remove it, or name it as a column to ignore.",
        columns=tuple(unknown),
    )


def _refuse_twice(cells: Sequence[str], found: Sequence[str | None]) -> None:
    seen: dict[str, str] = {}
    for cell, field in zip(cells, found, strict=True):
        if field is None:
            continue
        if field in seen:
            both = f"“{seen[field].strip()}” and “{cell.strip()}”"
            raise BadInput(
                f"Two columns are {field}: {both}.", mend="Keep one, or name the other as a column to ignore."
            )
        seen[field] = cell
