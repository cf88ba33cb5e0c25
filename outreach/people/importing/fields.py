"""One parser for each field: a raw cell in, the normalised value and what was noticed out."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from outreach.people.importing.cells import FLOAT, half_width, prose_of, value_of
from outreach.people.importing.findings import Issue, issue
from outreach.people.importing.words import (
    CHANNELS,
    DECEASED_STATUSES,
    GENDERS,
    ID_TYPES,
    INVESTOR_CLASSES,
    LANGUAGES,
    NO,
    NO_CHANNEL,
    NO_GENDER,
    RISK_MINIMUM,
    RISK_NAMES,
    STATUSES,
    TIERS,
    TRADITIONAL,
    YES,
    plain_word,
)

NAME_LIMIT, ADDRESS_LIMIT, NOTE_LIMIT = 120, 500, 4000

_CLIENT_NO = re.compile(r"[0-9A-Za-z\u4e00-\u9fff][0-9A-Za-z\u4e00-\u9fff._/\-]{0,39}")
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_DEAD = r"(?:客户|本人|机主)?(?:已故|已去世|去世|身故|已身故|亡故|已死亡|死亡|逝世|已逝|离世|过世|病故|deceased|dead)"
_DEAD_REMARK = re.compile(
    rf"\s*[(\[【〔（［]\s*{_DEAD}\s*[)\]】〕）］]\s*|^{_DEAD}[-:：\s]*|[-—\s]*{_DEAD}$|\s*†\s*", re.I
)
_DEAD_NOTE = re.compile(rf"^{_DEAD}(?:[。.,，;；!！\s(（]|$)|[(（]{_DEAD}[)）]", re.I)
_TEST = re.compile(r"测试|測試|\btest(?:er|ing)?(?:[ _-]?\d+)?\b|^(?:test|demo|dummy)[ _-]?\w{0,6}$", re.I)
_CJK = r"\u2e80-\u2fdf\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\ue000-\uf8ff"
_BETWEEN_CJK = re.compile(rf"(?<=[{_CJK}])\s+(?=[{_CJK}])")
_PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U0010fffd]")
_REMARK = re.compile(r"[(（\[【]")
_EMAIL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+(?:[A-Za-z]{2,63}|xn--[A-Za-z0-9-]{1,59})"
)
_RISK = re.compile(r"c?([1-5])(?:级|类)?")


@dataclass(frozen=True)
class Name:
    """A name as it is written to its bearer, and what its remarks said."""

    text: str
    deceased: bool = False
    test: bool = False


def parse_client_no(cell: str) -> tuple[str | None, list[Issue]]:
    """The client number; None with a rejecting issue when it is missing, a float, or no number at all."""
    plain, issues = value_of(cell)
    plain = half_width(plain)
    if not plain:
        return None, [*issues, issue("client_no_missing")]
    if FLOAT.fullmatch(plain):
        return None, [*issues, issue("client_no_float")]
    if not _CLIENT_NO.fullmatch(plain):
        return None, [*issues, issue("client_no_form")]
    return plain, issues


def parse_number_text(cell: str) -> tuple[str | None, list[Issue]]:
    """An account or staff number: text as it is, but never a float."""
    plain, issues = value_of(cell)
    plain = "".join(half_width(plain).split())
    if FLOAT.fullmatch(plain):
        return None, [*issues, issue("not_guessed")]
    return plain[:40] or None, issues


def parse_name(cell: str) -> tuple[Name | None, list[Issue]]:
    """The name: line breaks and padding gone, (已故) and 测试 understood, every rare character kept.

    None with a rejecting issue for a name that is missing, masked or has lost characters: a client must not be
    called 张* or 王?.
    """
    plain, issues = value_of(cell)
    plain = " ".join(plain.translate(_WIDE).split())
    bare = _DEAD_REMARK.sub("", plain).strip()
    deceased = bare != plain
    bare = _BETWEEN_CJK.sub("", bare)
    if not bare:
        return None, [*issues, issue("name_missing")]
    if "\ufffd" in bare or "?" in bare:
        return None, [*issues, issue("name_damaged")]
    if "*" in bare:
        return None, [*issues, issue("name_masked")]
    test = _TEST.search(bare) is not None
    letters = sum(unicodedata.category(char)[0] in "LM" or bool(_PRIVATE.match(char)) for char in bare)
    if len(bare) > NAME_LIMIT or (letters == 0 and not test) or bare[0] in "=+@<":
        return None, [*issues, issue("name_form")]
    if deceased:
        issues.append(issue("deceased"))
    if test:
        issues.append(issue("test_row"))
    if _PRIVATE.search(bare):
        issues.append(issue("private_use"))
    if _REMARK.search(bare) and not deceased:
        issues.append(issue("name_remark"))
    return Name(bare, deceased, test), issues


def says_deceased(note: str) -> bool:
    """Whether a note begins by saying that the client has died (not that a relative has)."""
    return _DEAD_NOTE.search(note.strip()) is not None


def _word(
    cell: str, words: Mapping[str, str], default: str | None, shown: str
) -> tuple[str | None, list[Issue]]:
    plain, issues = value_of(cell)
    if not plain:
        return default, issues
    found = words.get(plain_word(plain))
    if found is None:
        return default, [*issues, issue("unknown_word", taken=default or "—", words=shown)]
    return found, issues


def parse_gender(cell: str) -> tuple[str | None, list[Issue]]:
    """male, female or None. 0 and 9 are “unknown” (GB/T 2261.1)."""
    plain, _ = value_of(cell)
    if plain_word(plain) in NO_GENDER:
        return None, []
    return _word(cell, GENDERS, None, "男 女")


def parse_id_type(cell: str) -> tuple[str | None, list[Issue]]:
    """id_card, passport, business_licence …; an unknown kind is “other”."""
    plain, _ = value_of(cell)
    return _word(cell, ID_TYPES, "other" if plain else None, "身份证 护照 营业执照 统一社会信用代码 其他")


def parse_tier(cell: str) -> tuple[str, list[Issue]]:
    """ordinary, core, vip, silver, gold, platinum or diamond; nothing means ordinary."""
    found, issues = _word(cell, TIERS, "ordinary", "普通 核心 VIP 金卡 白金 钻石")
    return found or "ordinary", issues


def parse_investor_class(cell: str) -> tuple[str | None, list[Issue]]:
    """ordinary, professional or None."""
    return _word(cell, INVESTOR_CLASSES, None, "普通投资者 专业投资者")


def parse_language(cell: str) -> tuple[str, list[Issue]]:
    """zh-CN or en; nothing means zh-CN."""
    plain, _ = value_of(cell)
    if plain_word(plain) in TRADITIONAL:
        return "zh-CN", [issue("unknown_word", taken="zh-CN", words="zh-CN en")]
    found, issues = _word(cell, LANGUAGES, "zh-CN", "zh-CN en")
    return found or "zh-CN", issues


def parse_channel(cell: str) -> tuple[str | None, list[Issue]]:
    """sms, email, letter, call, wecom, whatsapp, or None for no preference."""
    plain, _ = value_of(cell)
    if plain_word(plain) in NO_CHANNEL:
        return None, []
    return _word(cell, CHANNELS, None, "短信 邮件 信函 电话 微信")


def parse_opt_out(cell: str) -> tuple[bool | None, list[Issue]]:
    """True, False, or None when the file says nothing. A word that is not understood counts as opted out."""
    plain, issues = value_of(cell)
    if not plain:
        return None, issues
    word = plain_word(plain)
    if word in YES:
        return True, issues
    if word in NO:
        return False, issues
    return True, [*issues, issue("opt_out_unknown")]


def parse_status(cell: str) -> tuple[str | None, bool, list[Issue]]:
    """The account's status, and whether it says that the client died. Nothing means normal; None is rejected."""
    plain, issues = value_of(cell)
    word = plain_word(plain)
    if word in DECEASED_STATUSES:
        return "closed", True, [*issues, issue("deceased")]
    if not word:
        return "normal", False, issues
    found = STATUSES.get(word)
    return found, False, issues if found else [*issues, issue("status_unknown")]


def parse_risk(cell: str) -> tuple[int | None, bool, list[Issue]]:
    """The risk class 1 to 5 and whether it is the lowest C1, from C3, 3, 稳健型 or C3(稳健型).

    Two names that contradict each other, or a name that firms use for different classes, give None.
    """
    plain, issues = value_of(cell)
    if not plain:
        return None, False, issues
    word = plain_word(plain)
    if word in RISK_MINIMUM:
        return 1, True, issues
    if exact := _RISK.fullmatch(word):
        return int(exact[1]), False, issues
    if word in RISK_NAMES:
        return int(RISK_NAMES[word][1]), False, issues
    code = re.match(r"c([1-5])|.*c([1-5])$", word)
    if code:
        number = code[1] or code[2]
        rest = word.replace(f"c{number}", "", 1)
        if RISK_NAMES.get(rest) == f"C{number}":
            return int(number), False, issues
    return None, False, [*issues, issue("risk_unknown")]


def parse_email(cell: str) -> tuple[str | None, list[Issue]]:
    """A mail address with its domain in lower case; of several in a cell the first."""
    plain, issues = value_of(cell)
    if not plain:
        return None, issues
    parts = [part for part in re.split(r"[\s;,、/|]+", half_width(plain)) if part]
    first = parts[0].removeprefix("mailto:").strip("<>") if parts else ""
    local, _, domain = first.rpartition("@")
    try:
        address = f"{local}@{domain.lower() if domain.isascii() else domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        return None, [*issues, issue("email_form")]
    if len(address) > 254 or len(local) > 64 or not _EMAIL.fullmatch(address):
        return None, [*issues, issue("email_form")]
    if len(parts) > 1:
        issues.append(issue("email_several"))
    return address, issues


def parse_postcode(cell: str) -> tuple[str | None, list[Issue]]:
    """A postcode of any country; never a float."""
    found, issues = parse_number_text(cell)
    return found[:12] if found else None, issues


def parse_branch(cell: str) -> tuple[str | None, list[Issue]]:
    """The branch's name or number as the file has it, without inner line breaks."""
    plain, issues = value_of(cell)
    return " ".join(half_width(plain).split())[:120] or None, issues


def parse_address(cell: str) -> tuple[str | None, list[Issue]]:
    """A postal address in one line."""
    plain, issues = prose_of(cell, ADDRESS_LIMIT)
    return (_BETWEEN_CJK.sub("", " ".join(plain.split())) if plain else None), issues


def parse_note(cell: str) -> tuple[str | None, list[Issue]]:
    """A note, its line breaks kept. One that starts like a formula stays text; every CSV written is made safe."""
    return prose_of(cell, NOTE_LIMIT)
