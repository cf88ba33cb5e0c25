"""The words for everything an import can find, Chinese and English, with what to do about it.

Each entry is (severity, message zh, message en, mend zh, mend en). ``reject`` means that the row is not taken;
``warning`` that a value was dropped, or needs somebody's look; ``info`` that something was read in a way worth
knowing. No text holds a cell's value: findings are stored, values are not.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Text(NamedTuple):
    """The words of one code."""

    severity: str
    zh: str
    en: str
    zh_mend: str
    en_mend: str


def _reject(zh: str, en: str, zh_mend: str, en_mend: str) -> Text:
    return Text("reject", zh, en, zh_mend, en_mend)


def _warning(zh: str, en: str, zh_mend: str, en_mend: str) -> Text:
    return Text("warning", zh, en, zh_mend, en_mend)


def _info(zh: str, en: str, zh_mend: str = "无需处理。", en_mend: str = "Nothing needs doing.") -> Text:
    return Text("info", zh, en, zh_mend, en_mend)


def message(code: str, params: Mapping[str, object] | None = None, locale: str = "zh-CN") -> str:
    """What ``code`` says, in Chinese for a locale that starts with zh, else in English."""
    text = TEXTS[code]
    return (text.zh if locale.startswith("zh") else text.en).format_map(params or {})


def mend(code: str, params: Mapping[str, object] | None = None, locale: str = "zh-CN") -> str:
    """What to do about ``code``."""
    text = TEXTS[code]
    return (text.zh_mend if locale.startswith("zh") else text.en_mend).format_map(params or {})


_EXPORT_AS_TEXT = ("把该列设为“文本”格式后重新导出。", "Format the column as text and export again.")
_IN_SYSTEM = ("请在源系统中更正后重新导入。", "Correct it in the source system and import again.")
_CLEAN = ("如需保留，请更正后重新导入。", "Correct it and import again if it is needed.")

TEXTS: Mapping[str, Text] = {
    # ── rows ──
    "cells_many": _reject(
        "本行有 {found} 格，表头只有 {expected} 列。", "The row has {found} cells; the header has {expected}.",
        "检查多出的分隔符，含分隔符的内容须加双引号。",
        "Look for a stray delimiter; put a cell that holds one in quotes.",
    ),
    "cells_few": _reject(
        "本行只有 {found} 格，表头有 {expected} 列。",
        "The row has only {found} cells; the header has {expected}.",
        "补齐空单元格，或检查单元格中的换行。", "Fill in the empty cells, or look for a broken line.",
    ),
    "quote_open": _reject(
        "双引号没有成对。", "A quoted cell is not closed properly.",
        "单元格内的双引号须写成两个。", "Write a quote inside a cell twice.",
    ),
    "row_too_long": _reject(
        "本行超过一百万字符。", "The row is longer than a million characters.", *_IN_SYSTEM
    ),
    "cell_too_long": _reject(
        "单元格超过十三万字符。", "A cell is longer than 131,072 characters.", *_IN_SYSTEM
    ),
    "client_no_again": _reject(
        "客户号与第 {first} 行相同，但内容不同。",
        "The client number is that of row {first}, with other content.",
        "每位客户只保留一行。", "Keep one row for each client.",
    ),
    "duplicate": _info("与第 {first} 行完全相同。", "Exactly the same as row {first}."),
    "another_account": _info(
        "与第 {first} 行是同一客户的另一资金账号，客户只计一次。",
        "Another account of the client of row {first}; the client counts once.",
    ),
    # ── any cell ──
    "no_header": _warning(
        "该列没有列名，内容未采用。", "The column has no name; its content was passed over.",
        "给该列加上列名，或删除该列。", "Name the column, or remove it.",
    ),
    "control_characters": _warning(
        "去掉了不可见的控制字符。", "Invisible control characters were removed.",
        "请核对该内容。", "Check what is left.",
    ),
    "spreadsheet_error": _warning(
        "单元格是电子表格的错误值。", "The cell holds a spreadsheet's error.", "修正公式后重新导出。",
        "Mend the formula and export again.",
    ),
    "formula": _warning(
        "单元格是公式，不能当作数据。", "The cell is a formula, which can't be taken as data.",
        "用“粘贴为数值”替换公式。", "Replace the formula by its value.",
    ),
    "formula_text": _info("以公式开头的文字，按文字保存。", "Text that starts like a formula; kept as text."),
    "too_long": _warning(
        "内容过长，只保留前 {limit} 个字符。", "Too long; only the first {limit} characters are kept.", *_CLEAN
    ),
    "not_guessed": _warning(
        "数字已被电子表格改成浮点数，未作猜测。",
        "A spreadsheet has turned the number into a float; it is not guessed.",
        *_EXPORT_AS_TEXT,
    ),
    "masked": _warning(
        "号码被掩码，无法使用。", "The number is masked and can't be used.",
        "导出不带掩码的数据。", "Export it unmasked.",
    ),
    "unknown_word": _warning(
        "无法识别的取值，按“{taken}”处理。", "An unknown value; taken as “{taken}”.",
        "可用：{words}。", "Known values: {words}.",
    ),
    # ── client number, name ──
    "client_no_missing": _reject(
        "缺少客户号。", "The client number is missing.", *_IN_SYSTEM
    ),
    "client_no_float": _reject(
        "客户号已被电子表格改成浮点数。",
        "A spreadsheet has turned the client number into a float.", *_EXPORT_AS_TEXT
    ),
    "client_no_form": _reject(
        "客户号含有不允许的字符或过长。",
        "The client number holds characters it can't have, or is too long.", *_IN_SYSTEM
    ),
    "name_missing": _reject("缺少客户姓名。", "The name is missing.", *_IN_SYSTEM),
    "name_damaged": _reject(
        "姓名中有丢失的字符（? 或 �）。", "Characters of the name were lost (? or �).",
        "用 UTF-8 重新导出。", "Export again as UTF-8.",
    ),
    "name_masked": _reject(
        "姓名被掩码，无法称呼客户。", "The name is masked; the client can't be addressed.",
        "导出不带掩码的数据。", "Export it unmasked.",
    ),
    "name_form": _reject(
        "姓名不像姓名（全是数字、符号，或过长）。",
        "The name does not look like one (only digits or signs, or too long).",
        "检查各列是否错位。", "Check whether the columns are shifted.",
    ),
    "private_use": _warning(
        "含有自造字，可能无法显示。", "It holds a private-use character that may not show.",
        "改用 Unicode 正式编码的字。", "Use the character's own Unicode code.",
    ),
    "deceased": _info("客户已故：不再发送任何消息。", "The client is deceased: no message, ever."),
    "deceased_note": _warning(
        "备注写明客户已故：不再发送任何消息。", "The note says that the client is deceased: no message, ever.",
        "如有误，请更正备注。", "If that is wrong, correct the note.",
    ),
    "test_row": _info("测试数据：不发送任何消息。", "A test row: no message is sent."),
    "name_remark": _info("姓名带有括号说明，原样保留。", "The name has a remark in brackets; kept as it is."),
    # ── identity ──
    "id_checksum": _warning(
        "身份证号码校验位不符，未采用。",
        "The identity number's check digit is wrong; it was dropped.", *_IN_SYSTEM
    ),
    "id_form": _warning(
        "证件号码格式不符，未采用。", "The identity number has no known form; it was dropped.", *_IN_SYSTEM
    ),
    "id_15": _warning(
        "15 位旧身份证号码。", "A 15-digit identity number of the old form.",
        "请更新为 18 位号码。", "Update it to the 18-digit number.",
    ),
    "id_birth_differs": _warning(
        "出生日期与身份证号码不一致，以出生日期列为准。",
        "The birth date differs from the identity number; the column's date is kept.",
        "请核实客户的出生日期。", "Check the client's birth date.",
    ),
    "gender_differs": _info(
        "性别与身份证号码不一致，以性别列为准。",
        "The gender differs from the identity number; the column's is kept.",
        "请核实。", "Check it.",
    ),
    "company": _info("机构客户：不发生日问候。", "A company: no birthday greeting."),
    "minor_14": _info(
        "未满 14 周岁：敏感个人信息，不推送。", "Under 14: sensitive personal data, no pushes."
    ),
    "minor_18": _info("未满 18 周岁。", "Under 18."),
    # ── dates ──
    "date_impossible": _warning(
        "日期不存在，未采用。", "There is no such date; it was dropped.", *_IN_SYSTEM
    ),
    "date_form": _warning(
        "不是可识别的日期，未采用。", "Not a date that can be read; it was dropped.",
        "请写成 2024-01-05。", "Write it like 2024-01-05.",
    ),
    "date_two_digit_year": _warning(
        "两位数的年份，未作猜测。", "A two-digit year; it is not guessed.",
        "请写出四位年份。", "Write the year with four digits.",
    ),
    "date_ambiguous": _warning(
        "日与月的顺序不明，或缺少年份，未作猜测。",
        "Day and month may be either way round, or the year is missing; not guessed.",
        "请写成 2024-01-05。", "Write it like 2024-01-05.",
    ),
    "date_serial": _info("电子表格日期序号，按 {date} 读取。", "A spreadsheet's serial number, read as {date}."),
    "date_unknown": _info("表示“未知”的占位日期。", "A date that stands for “unknown”."),
    "date_future": _warning(
        "日期在将来，未采用。", "The date lies in the future; it was dropped.", *_IN_SYSTEM
    ),
    "date_too_old": _warning(
        "日期早于 1900 年，未采用。", "The date is before 1900; it was dropped.", *_IN_SYSTEM
    ),
    "opened_before_birth": _warning(
        "开户日期早于出生日期。", "The account was opened before the client was born.",
        "请核实两个日期。", "Check both dates.",
    ),
    "lunar_in_solar": _warning(
        "公历列中是农历日期，已移到农历生日。",
        "A lunar date in the solar column; taken as the lunar birthday.",
        "请填到农历生日列。", "Put it into the lunar birthday's column.",
    ),
    "lunar_conflict": _warning(
        "两列的农历生日不同，以农历生日列为准。", "Two lunar birthdays differ; the lunar column's is kept.",
        "请核实。", "Check it.",
    ),
    "lunar_form": _warning(
        "不是可识别的农历生日，未采用。", "Not a lunar birthday that can be read; it was dropped.",
        "请写成 八月十五 或 闰六月初六。", "Write it like 八月十五 or 闰六月初六.",
    ),
    # ── contact ──
    "mobile_landline": _warning(
        "是固定电话，不是手机。", "A landline, not a mobile number.",
        "请补充手机号码。", "Add the mobile number.",
    ),
    "mobile_form": _warning(
        "不是有效的手机号码，未采用。", "Not a valid mobile number; it was dropped.",
        "请核实号码，境外号码带国家代码（如 +852）。",
        "Check it; write a foreign number with its country code (+852).",
    ),
    "mobile_placeholder": _warning(
        "是占位号码，不是客户的手机。", "A placeholder, not the client's number.",
        "请补充手机号码。", "Add the mobile number.",
    ),
    "mobile_several": _warning(
        "有多个号码，只取第一个手机号码。", "Several numbers; the first mobile number is taken.",
        "每格只写一个号码。", "Write one number in a cell.",
    ),
    "email_form": _warning(
        "不是有效的邮箱地址，未采用。", "Not a valid mail address; it was dropped.",
        "请核实邮箱地址。", "Check the address.",
    ),
    "email_several": _warning(
        "有多个邮箱，只取第一个。", "Several mail addresses; the first is taken.",
        "每格只写一个邮箱。", "Write one address in a cell.",
    ),
    # ── service ──
    "risk_unknown": _warning(
        "无法识别的风险等级：按未测评处理，不推送产品和建议。",
        "An unknown risk level: taken as not assessed, so no product or advice is pushed.",
        "请写 C1 至 C5。", "Write C1 to C5.",
    ),
    "status_unknown": _reject(
        "无法识别的账户状态，不能判断可否联系。",
        "An unknown account status: whether to contact the client is unclear.",
        "可用：正常、休眠、冻结、销户。", "Use 正常, 休眠, 冻结, 销户 (normal, dormant, frozen, closed).",
    ),
    "opt_out_unknown": _warning(
        "无法识别的拒收标志，按拒收处理。", "An unknown opt-out mark; taken as opted out.",
        "请写 是 或 否。", "Write 是 or 否 (yes or no).",
    ),
    "advisor_unknown": _warning(
        "客户经理工号不存在：客户暂无服务人员。", "No such advisor: the client is an orphan.",
        "请为客户指定在职的客户经理。", "Assign an advisor who is in service.",
    ),
    # ── holdings ──
    "branch_missing": _reject(
        "缺少营业部。", "The branch is missing.", "请在源系统中补全营业部后重新导出。",
        "Fill in the branch at the source and export again."
    ),
    "branch_unknown": _reject(
        "没有这个营业部。",
        "There is no such branch.",
        "请核对营业部名称或代码，或先由总部新增该营业部。",
        "Check the branch's name or code, or have head office add it first.",
    ),
    "branch_foreign": _reject(
        "该营业部不在您的权限范围内。",
        "This branch is not one you may import for.",
        "请由该营业部或总部导入。",
        "Let that branch or head office import this row.",
    ),
    "client_unknown": _reject(
        "没有这个客户，或不在您的权限范围内。",
        "There is no such client, or not in your branches.",
        "请先导入客户，或由其营业部导入。",
        "Import the client first, or let their branch import this row.",
    ),
    "code_missing": _reject("缺少证券代码。", "The security's code is missing.", *_IN_SYSTEM),
    "code_form": _reject(
        "证券代码无法识别。", "The security's code can't be read.",
        "请写成 600000.SH；代码列用文本格式，保留开头的 0。",
        "Write it like 600000.SH; keep leading zeros (text format).",
    ),
    "quantity_form": _reject(
        "数量不是大于等于零的数字。", "The quantity is no number of zero or more.",
        "写出完整数字，不用科学计数法。", "Write the whole number, without an exponent.",
    ),
    "as_of_form": _reject(
        "缺少日期，或日期无法识别。", "The date is missing or can't be read.",
        "请写成 2024-01-05。", "Write it like 2024-01-05.",
    ),
    "as_of_future": _reject(
        "持仓日期在将来。", "The holding's date lies in the future.", *_IN_SYSTEM
    ),
    "holding_again": _reject(
        "同一客户、代码和日期在第 {first} 行已有另一数量。",
        "Row {first} has another quantity for this client, code and date.",
        "同一客户多个账户的持仓请先合计。", "Add up the accounts of one client first.",
    ),
    # ── dated facts ──
    "fact_kind_form": _reject(
        "事项缺失，或不是小写字母、数字和连字符。",
        "The kind is missing, or not made of lower-case letters, digits and hyphens.",
        "请写成任务中的名称，如 product-maturity。",
        "Write it as the jobs name it, such as product-maturity.",
    ),
    "fact_kind_unused": _warning(
        "没有任务使用这一事项，不会因此发送任何消息。", "No job goes by this kind: nothing will be sent for it.",
        "请核对名称，或先发布使用它的任务。", "Check its spelling, or publish a job that goes by it.",
    ),
    "fact_date_form": _reject(
        "缺少日期，或日期无法识别。", "The date is missing or can't be read.",
        "请写成 2027-01-05。", "Write it like 2027-01-05.",
    ),
    "fact_again": _reject(
        "第 {first} 行对同一事项的撤销标志与本行相反。",
        "Row {first} says the opposite of whether this fact is withdrawn.",
        "只保留其中一行。", "Keep one of the two rows.",
    ),
    "subject_long": _reject(
        "标的超过 {limit} 个字符，无法写入短信。", "The subject has more than {limit} characters; clients read it.",
        "请缩短。", "Shorten it.",
    ),
    "subject_form": _reject(
        "标的是公式、错误值或被改成数字的内容。",
        "The subject is a formula, an error, or something that a spreadsheet made a number of.", *_EXPORT_AS_TEXT
    ),
    "withdrawn_unknown": _reject(
        "撤销标志无法识别。", "It can't be read whether this is withdrawn.",
        "请写“是”或留空。", "Write yes, or nothing.",
    ),
}  # fmt: skip
