"""The starter lexicon as a table: every phrase that the domain names is caught, in every disguise it names; lawful
sentences in which a naive matcher sees one pass."""

from collections.abc import Callable
from functools import cache
from itertools import pairwise

import pytest
from opencc import OpenCC

from outreach.content.loader import load_folder
from outreach.content.matcher import Hit, Matcher, compile_lexicons
from outreach.content.starter import starter_root

B, F = "block", "flag"

# rule, severity, phrases
CHINESE: tuple[tuple[str, str, str], ...] = (
    (
        "guarantee",
        B,
        "保本 保收益 保本保息 稳赚 稳赚不赔 只赚不赔 包赚 零风险 无风险 承诺收益 亏了算我的 赔了我补",
    ),
    (
        "exaggeration",
        F,
        "必涨 肯定涨 涨停在即 翻倍 闭眼买 百分百 绝对安全 最高收益 第一名 躺赚 错过不再有 业绩冠军",
    ),
    ("insider", B, "内幕 内部消息 小道消息 庄家 未公开信息 我有渠道"),
    ("discretion", B, "代客理财 帮您操作 账户给我 密码告诉我 利润分成 转我个人账户"),
    ("peers", F, "别家都骗人 垃圾券商 其他公司不靠谱 快倒闭"),
    ("privacy", F, "某客户买了 您朋友的持仓 身份证号 银行卡号 交易密码"),
    (
        "never-say",
        F,
        "不知道 喊什么 着什么急 我解决不了 怎么还问 有完没完 自己看去 你问我,我问谁 我有什么办法"
        " 有意见找它去 你管不着 废话 讨厌",
    ),
    (
        "never-say-counter",
        F,
        "不行 那不是我的工作 那不是我的错 冷静一点 自己找 喂!讲话 怎么填的 手续不齐 电脑算 快点!我要下班了"
        " 下班了,不办了 你是对是吗 你需要和经理通话 你马上就要吗 我现在很忙",
    ),
)
ENGLISH: tuple[tuple[str, str, str], ...] = (
    (
        "guarantee-en",
        B,
        "guaranteed return|guarantee|risk-free|can't lose|can't go wrong|sure thing|safe as cash|locked-in profit",
    ),
    ("no-risk-en", B, "no risk"),
    (
        "exaggeration-en",
        F,
        "will double|will definitely rise|best ever|#1 broker|once in a lifetime|act now",
    ),
    ("sharing-en", B, "I'll cover losses|split the profits"),
    ("insider-en", B, "inside information|hot tip|don't tell anyone|keep this between us"),
    ("off-channel-en", B, "delete this message|use my personal email|send me your password"),
    ("peers-en", F, "other firms are crooks"),
)
ZH_ROWS = [(rule, how, phrase) for rule, how, line in CHINESE for phrase in line.split()]
EN_ROWS = [(rule, how, phrase) for rule, how, line in ENGLISH for phrase in line.split("|")]

LAWFUL = """
本产品不保本、不承诺收益，请您留意。
逾期不行权将作废，请及时办理。
我们会在第一时间通知您。
投资不存在零风险，请谨慎决策。
过往业绩不代表未来表现，我公司不保证收益。
该产品为非保本浮动收益型，可能亏损本金。
确保本次交流顺利，请您提前十分钟签到。
环保板块本周走强，环保本周涨幅居前，详见研究报告。
社保本月起调整缴费基数，医保本年度政策不变。
担保本次融资的是其控股股东。
投保本公司代销的保险产品前，请阅读条款。
中国人保本季度业绩已披露。
石家庄家电以旧换新活动下周开始。
国内幕墙行业龙头今日公布年报。
内幕信息知情人登记制度已更新，敬请知悉。
严禁内幕交易，违者依法追究责任。
请不要轻信小道消息，以交易所公告为准。
该股票暂无风险警示标识。
十年期国债收益率常被用作无风险利率的参考。
公司暂无风险事件需要披露。
利好未必涨，利空未必跌，请理性看待。
市场有涨有跌，没有人能肯定涨跌。
参与问卷即可抽红包赚积分。
我公司工作人员不得代客理财，也不会索要交易密码。
请妥善保管交易密码，不要告诉任何人。
修改交易密码请登录手机客户端或前往营业部。
我们不会向您索要身份证号、银行卡号。
请勿通过短信发送身份证号或银行卡号。
登录账户给我们留言，我们会尽快回复。
活动第一名额已满，感谢您的关注。
从业人员不行贿、不受贿。
股东暂不行使表决权。
电脑算力板块今日成交活跃。
办理业务请携带有效身份证件。
任何人向您承诺收益都是违规行为，请拨打客服电话核实。
您的风险测评即将到期，逾期将不能购买新产品。
感谢您一年来的信任，祝您和家人身体健康、万事如意！
中秋将至，愿月圆人安，祝您佳节愉快。
王女士您好，您的两融合约将于2027年3月5日到期。
收益与风险相伴，投资决策由您自主作出，风险自行承担。
There is no guarantee of returns.
Past performance is not a guarantee of future results.
Returns are not guaranteed and you may lose money.
We do not guarantee any return.
This forecast does not constitute a guarantee.
Nobody can guarantee a result.
The bond is backed by a bank guarantee.
Your maintenance guarantee ratio has fallen below 140%.
The risk-free rate is often read off government bonds.
No investment is risk-free, and prices can fall.
We have no risk assessment on file for you.
Nothing in the market is a sure thing.
We will double-check your documents and call you back.
We can't lose sight of the risks.
The Securities Act now requires a longer notice.
If you are not the intended recipient, please delete this message.
We never act on inside information.
Please act on the enclosed form now and then.
Our best wishes for the Year of the Horse, Ms Carter.
The meeting takes place once in each quarter.
Investing involves risk. The decision and its risk are yours.
Your long-term plan is on our site: https://www.example.com/no-load-funds
Write to service@example.com or call the branch.
""".strip().splitlines()


@cache
def matcher() -> Matcher:
    content, faults = load_folder(starter_root())
    assert faults == []
    return compile_lexicons(source.meta for source in content.lexicons.values())


def caught(text: str, rule: str, severity: str) -> list[Hit]:
    return [hit for hit in matcher().find(text) if (hit.rule, hit.severity) == (rule, severity)]


def between(sign: str) -> Callable[[str], str]:
    return sign.join


def conversion(name: str) -> Callable[[str], str]:
    return lambda phrase: str(OpenCC(name).convert(phrase))


def wide(phrase: str) -> str:
    return "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in phrase)


def letters(shift: int) -> Callable[[str], str]:
    """Mathematical letters from ``shift`` on."""
    return lambda phrase: "".join(
        chr(shift + ord(one) - 97) if "a" <= one <= "z" else one for one in phrase.lower()
    )


def swapped(pairs: str) -> Callable[[str], str]:
    table = dict(zip(pairs[::2], pairs[1::2], strict=True))
    return lambda phrase: "".join(table.get(one, one) for one in phrase.lower())


def inside_words(sign: str) -> Callable[[str], str]:
    """The sign once inside every word, which stays one word."""
    return lambda phrase: " ".join(
        word if len(word) < 4 or "-" in word else f"{word[:2]}{sign}{word[2:]}" for word in phrase.split(" ")
    )


def mixed(phrase: str) -> str:
    return "".join(one.upper() if at % 2 else one.lower() for at, one in enumerate(phrase))


ZH_DISGUISES: dict[str, Callable[[str], str]] = {
    "space": between(" "),
    "full-width space": between("\u3000"),
    "dot": between("."),
    "middle dot": between("·"),
    "comma": between("、"),
    "full stop": between("。"),
    "hyphen": between("-"),
    "dash": between("—"),
    "underscore": between("_"),
    "asterisk": between("*"),
    "slash": between("/"),
    "tilde": between("~"),
    "brackets": lambda phrase: "".join(f"【{one}】" for one in phrase),
    "quotes": lambda phrase: "".join(f"“{one}”" for one in phrase),
    "line break": between("\n"),
    "zero-width space": between("\u200b"),
    "zero-width joiner": between("\u200d"),
    "word joiner": between("\u2060"),
    "byte order mark": between("\ufeff"),
    "soft hyphen": between("\u00ad"),
    "right-to-left mark": between("\u200f"),
    "variation selector": between("\ufe0f"),
    "combining line": between("\u0336"),
    "filler": between("\u3164"),
    "blank braille": between("\u2800"),
    "picture": between("😀"),
    "traditional": conversion("s2t"),
    "Taiwan": conversion("s2tw"),
    "Hong Kong": conversion("s2hk"),
    "traditional with spaces": lambda phrase: " ".join(conversion("s2t")(phrase)),
    "full-width signs": wide,
}
EN_DISGUISES: dict[str, Callable[[str], str]] = {
    "capitals": str.upper,
    "titles": str.title,
    "mixed case": mixed,
    "full width": wide,
    "two spaces": lambda phrase: phrase.replace(" ", "  "),
    "line breaks": lambda phrase: phrase.replace(" ", "\n"),
    "no-break spaces": lambda phrase: phrase.replace(" ", "\u00a0"),
    "hyphens for spaces": lambda phrase: phrase.replace(" ", "-"),
    "dots for spaces": lambda phrase: phrase.replace(" ", "."),
    "underscores for spaces": lambda phrase: phrase.replace(" ", "_"),
    "no spaces": lambda phrase: phrase.replace(" ", ""),
    "curly apostrophes": lambda phrase: phrase.replace("'", "’"),
    "grave apostrophes": lambda phrase: phrase.replace("'", "`"),
    "no apostrophes": lambda phrase: phrase.replace("'", ""),
    "zero-width spaces": between("\u200b"),
    "soft hyphens": between("\u00ad"),
    "word joiners": between("\u2060"),
    "combining lines": between("\u0336"),
    "spelt with spaces": lambda phrase: " ".join(phrase.replace(" ", "")),
    "spelt with dots": lambda phrase: ".".join(phrase.replace(" ", "")),
    "spelt with hyphens": lambda phrase: "-".join(phrase.replace(" ", "")),
    "spelt with asterisks": lambda phrase: "*".join(phrase.replace(" ", "")),
    "bold letters": letters(0x1D41A),
    "sans-serif letters": letters(0x1D5BA),
    "circled letters": letters(0x24D0),
    "Cyrillic": swapped("aаcсeеiіoоpрsѕxхyу"),
    "Greek": swapped("oοvν"),
    "accents": swapped("aáeéiíoóuüsšcçnñ"),
    "a dot inside": inside_words("."),
    "a hyphen inside": inside_words("-"),
    "an asterisk inside": inside_words("*"),
    "an underscore inside": inside_words("_"),
    "a picture inside": inside_words("😀"),
}


@pytest.mark.parametrize(("rule", "severity", "phrase"), [*ZH_ROWS, *EN_ROWS])
def test_each_phrase_is_caught_by_its_rule(rule: str, severity: str, phrase: str) -> None:
    chinese = not phrase.isascii()
    text = f"您好，{phrase}，谢谢。" if chinese else f"Dear Ms Carter, {phrase}, thank you."
    hits = caught(text, rule, severity)
    assert any(text[hit.start : hit.end].strip("#") == phrase.strip("#") for hit in hits), matcher().find(
        text
    )
    assert all(hit.article and hit.why_zh and hit.why_en for hit in hits)


@pytest.mark.parametrize("how", ZH_DISGUISES)
def test_chinese_in_disguise(how: str) -> None:
    missed = []
    for rule, severity, phrase in ZH_ROWS:
        text = f"您好：{ZH_DISGUISES[how](phrase)}：谢谢"
        if not caught(text, rule, severity):
            missed.append(text)
    assert missed == []


@pytest.mark.parametrize("how", EN_DISGUISES)
def test_english_in_disguise(how: str) -> None:
    missed = []
    for rule, severity, phrase in EN_ROWS:
        text = f"Dear Ms Carter, {EN_DISGUISES[how](phrase)}, thank you."
        if not caught(text, rule, severity):
            missed.append(text)
    assert missed == []


@pytest.mark.parametrize("sentence", LAWFUL)
def test_lawful_sentences_pass(sentence: str) -> None:
    assert [(hit.rule, sentence[hit.start : hit.end]) for hit in matcher().find(sentence)] == []


def test_there_are_enough_of_them() -> None:
    assert len([one for one in LAWFUL if not one.isascii()]) >= 40
    assert len(LAWFUL) >= 60


@pytest.mark.parametrize(
    "text",
    [
        "确保本金安全。",
        "我们担保本金和收益。",
        "我个人保本，您放心。",
        "把账户给我操作。",
        "石家庄的庄家已经进场。",
        "该产品无风险，可放心购买。",
        "这只股票必涨，不必犹豫。",
        "不是不保本，是保本。",
        "We guarantee it; a bank guarantee is not needed.",
        "No risk assessment needed: there is no risk.",
        "It will double. We will double-check.",
        "You can't lose. Don't lose sight of that.",
        "Delete this message, intended recipient.",
        "该产品无风险，提示您尽早买入。",
        "本产品无风险。资产配置首选。",
        "不，保本的。",
        "There is no risk. Assessment follows.",
        "Is that a risk? Not. Guaranteed!",
    ],
)
def test_an_exception_clears_its_own_place_only(text: str) -> None:
    assert matcher().find(text)


def test_hits_point_at_the_disguise() -> None:
    text = "Dear Ms Carter, this is r.i.s.k-free and guaran-teed. 穩 賺！"
    found = sorted({text[hit.start : hit.end] for hit in matcher().find(text)})
    assert found == ["guaran-teed", "r.i.s.k-free", "穩 賺"]


def test_sentences_do_not_run_together() -> None:
    for left, right in pairwise(LAWFUL):
        assert matcher().find(f"{left}\n{right}") == []
