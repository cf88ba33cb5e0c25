"""The lexicon's matcher: short messages a second on one core with 5,000 phrases, against the bare automaton."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import ahocorasick

from outreach.content.approval_formats import LexiconFile
from outreach.content.matcher import compile_lexicons

PHRASES = 5000
TEXTS = 20_000
_EVERY = 20  # one text in so many holds a phrase
_WORDS = (
    "the of your account market price report please branch phone today return risk offer guarantee profit share fund"
    " bond order number visit advisor letter notice"
).split()


@dataclass(frozen=True)
class Matched:
    """Texts of one language: how many, found hits, ours and the bare automaton's texts a second."""

    language: str
    texts: int
    hits: int
    per_second: float
    limit_per_second: float

    def to_json(self) -> dict[str, object]:
        """For the process that asked."""
        return vars(self)


def measure(language: str, count: int) -> Matched:
    """``count`` distinct texts (70 characters of Chinese with a signature and how to opt out, 165 of English), one in
    twenty with a phrase in it. The limit: pyahocorasick over the same phrases and the bare text, folding nothing."""
    random_ = random.Random(20260101)
    han = [chr(0x4E00 + random_.randrange(6000)) for _ in range(1500)]
    chinese = ["".join(random_.choices(han, k=random_.randint(3, 6))) for _ in range(PHRASES // 2)]
    english = [
        " ".join(
            f"{word}{random_.randrange(40)}" for word in random_.choices(_WORDS, k=random_.randint(2, 4))
        )
        for _ in range(PHRASES // 2)
    ]
    matcher = compile_lexicons([_lexicon([*chinese, *english])])
    if language == "zh-CN":
        texts = [
            f"【示例证券】{random_.choice(han)}女士，您好！{''.join(random_.choices(han, k=48))}。拒收请回复R"
            for _ in range(count)
        ]
        texts[::_EVERY] = [text[:30] + random_.choice(chinese) + text[30:] for text in texts[::_EVERY]]
    else:
        texts = [
            f"[Example Securities] Dear Ms Carter, {' '.join(random_.choices(_WORDS, k=17))}. Reply STOP to opt out"
            for _ in range(count)
        ]
        texts[::_EVERY] = [f"{random_.choice(english)} {text}" for text in texts[::_EVERY]]
    bare = ahocorasick.Automaton()
    for phrase in (*chinese, *english):
        bare.add_word(phrase, phrase)
    bare.make_automaton()
    hits = sum(len(matcher.find(text)) for text in texts)
    return Matched(
        language,
        count,
        hits,
        _per_second(matcher.find, texts),
        _per_second(lambda text: list(bare.iter(text)), texts),
    )


def _lexicon(phrases: list[str]) -> LexiconFile:
    title = {"zh": "测", "en": "Trial"}
    rules = [
        {
            "id": f"rule-{start}",
            "article": "art. 17",
            "severity": "block",
            "why": title,
            "phrases": phrases[start : start + 50],
            "exceptions": [f"不{phrases[start]}"],
        }
        for start in range(0, len(phrases), 50)
    ]
    return LexiconFile.model_validate({"title": title, "language": "zh-CN", "rules": rules})


def _per_second(act: Callable[[str], object], texts: list[str]) -> float:
    best = 0.0
    for _ in range(3):
        began = time.process_time()
        for text in texts:
            act(text)
        best = max(best, len(texts) / (time.process_time() - began))
    return best
