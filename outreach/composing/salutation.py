"""How a client is addressed: 王先生 / 王女士, Mr / Ms, and the full name where the gender is not known."""

import re

# 复姓: the surname takes two characters when the name is longer than that.
_COMPOUND = frozenset(
    "欧阳 太史 端木 上官 司马 东方 独孤 南宫 万俟 闻人 夏侯 诸葛 尉迟 公羊 赫连 澹台 皇甫 宗政 濮阳 公冶 申屠 公孙"
    " 慕容 仲孙 钟离 长孙 宇文 司徒 鲜于 司空 闾丘 亓官 司寇 巫马 颛孙 公西 漆雕 乐正 谷梁 拓跋 轩辕 令狐 段干 百里"
    " 呼延 东郭 南门 羊舌 梁丘 左丘 西门 第五 达奚 纳兰"
    " 歐陽 司馬 東方 獨孤 南宮 聞人 諸葛 尉遲 赫連 澹臺 鍾離 長孫 鮮于 軒轅 納蘭".split()
)
_LATIN = re.compile(r"[A-Za-zÀ-ɏ]")
_ZH_TITLES = {"male": "先生", "female": "女士"}
_EN_TITLES = {"male": "Mr", "female": "Ms"}


def surname(name: str) -> str:
    """The surname of a Chinese name (one character, or a compound one of two), or of a Western one (the last
    word)."""
    plain = name.strip()
    if _LATIN.search(plain):
        return plain.split()[-1] if plain.split() else ""
    if len(plain) > 2 and plain[:2] in _COMPOUND:
        return plain[:2]
    return plain[:1]


def salutation(name: str, gender: str | None, kind: str, language: str) -> str:
    """The polite address of a client in ``language``.

    A company is addressed by its name. Without a known gender the full name is used, since a wrong title
    offends more than none. A transcribed name (with ·) keeps its whole form before the title.
    """
    plain = " ".join(name.split())
    if language.startswith("zh"):
        if kind != "person" or gender not in _ZH_TITLES:
            return plain or "客户"
        if "·" in plain or "•" in plain or _LATIN.search(plain):
            return plain + _ZH_TITLES[gender]
        return surname(plain) + _ZH_TITLES[gender]
    if kind != "person" or gender not in _EN_TITLES or not _LATIN.search(plain):
        return plain or "client"
    return f"{_EN_TITLES[gender]} {surname(plain)}"
