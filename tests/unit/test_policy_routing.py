"""Which policy a message falls under, and what `outreach content check` tells of policies."""

import re
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.composing.moving import added
from outreach.composing.routing import Facts, Routes, candidates, choose, holds, rules_of
from outreach.content.approval_formats import EscalationStep, Governs, PolicyFile
from outreach.content.faults import Fault
from outreach.content.in_force import PolicyVersion
from outreach.content.loader import load_folder
from outreach.content.starter import lay_out
from outreach.content.strictness import laxer
from outreach.messages.findings import Finding
from tests.support.policies import policy, starter_policy

MONTH = timedelta(days=30)
ADVISORS = frozenset({"advisors"})


def facts(**changed: Any) -> Facts:
    return Facts(**{"category": "product", "authors": ADVISORS, **changed})


# ── one condition ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("governs", "said", "expected"),
    [
        ({"tiers": ["diamond", "vip"]}, {"tier": "vip"}, True),
        ({"tiers": ["diamond"]}, {"tier": "ordinary"}, False),
        ({"findings": ["guarantee"]}, {"rules": frozenset({"guarantee", "opening"})}, True),
        ({"findings": ["guarantee"]}, {"rules": frozenset({"opening"})}, False),
        ({"findings": ["any"]}, {"rules": frozenset({"opening"})}, True),
        ({"findings": ["any"]}, {}, False),
        ({"free_text_over": 300}, {"free_text": 300}, False),
        ({"free_text_over": 300}, {"free_text": 301}, True),
        ({"free_text_over": 0}, {"free_text": 0}, False),
        ({"recipients_over": 25, "same_text_within": "30d"}, {"recipients": {MONTH: 25}}, False),
        ({"recipients_over": 25, "same_text_within": "30d"}, {"recipients": {MONTH: 26}}, True),
        ({"recipients_over": 25}, {"recipients": {MONTH: 26, timedelta(0): 3}}, False),
        ({"recipients_over": 25}, {"recipients": {timedelta(0): 26}}, True),
        # all parts of a condition must hold
        ({"tiers": ["vip"], "free_text_over": 10}, {"tier": "vip", "free_text": 10}, False),
        ({"tiers": ["vip"], "free_text_over": 10}, {"tier": "vip", "free_text": 11}, True),
        # and only for the authors and categories that are meant
        ({"tiers": ["vip"], "authors": "jobs"}, {"tier": "vip"}, False),
        ({"tiers": ["vip"], "authors": "jobs"}, {"tier": "vip", "authors": {"jobs", "advisors"}}, True),
        ({"tiers": ["vip"], "categories": ("relationship",)}, {"tier": "vip"}, False),
    ],
)
def test_a_condition_holds_when_every_part_of_it_does(
    governs: dict[str, Any], said: dict[str, Any], expected: bool
) -> None:
    assert holds(policy("one", **governs).meta.governs, facts(**said)) is expected


def test_a_hint_is_no_finding_that_asks_for_another_decision() -> None:
    found = [Finding("too_long", "", "hint"), Finding("opening", "art. 54", "flag")]
    assert rules_of(found) == {"opening"}


# ── of several ────────────────────────────────────────────────────────────────────────────────────────────


def chosen(base: PolicyVersion, *others: PolicyVersion, **said: Any) -> str:
    known = facts(**said)
    return choose(base, candidates(others, base, known.category, known.authors), known).name


def test_the_highest_priority_is_taken_and_of_equal_ones_the_first_by_name() -> None:
    base = policy("base", "batch")
    low = policy("a-low", tiers=["vip"], priority=1)
    high = policy("z-high", tiers=["vip"], priority=2)
    equal = policy("b-high", free_text_over=5, priority=2)
    assert chosen(base, low, high, tier="vip") == "z-high"
    assert chosen(base, low, high, equal, tier="vip", free_text=6) == "b-high"
    assert chosen(base, low, high, equal, tier="core") == "base"


def test_without_a_condition_a_policy_takes_over_from_nothing() -> None:
    assert candidates([policy("other", "each")], policy("base", "batch"), "product", ADVISORS) == ()


def test_a_policy_takes_over_within_its_own_scope_only() -> None:
    base = policy("base", "batch", scope="firm", deciders=["head_office"])
    assert chosen(base, policy("branch", tiers=["vip"]), tier="vip") == "base"
    own = policy("firm", tiers=["vip"], scope="firm", deciders=["head_office"])
    assert chosen(base, own, tier="vip") == "firm"


def test_from_a_condition_that_holds_only_a_higher_priority_takes_over() -> None:
    base = policy("legal", findings=["any"], priority=5)
    same = policy("legal", findings=["any"], priority=5)
    lower, higher = policy("low", tiers=["vip"], priority=4), policy("high", tiers=["vip"], priority=6)
    assert chosen(base, same, lower, tier="vip", rules=frozenset({"x"})) == "legal"
    assert chosen(base, same, lower, higher, tier="vip", rules=frozenset({"x"})) == "high"


@pytest.mark.parametrize(
    ("other", "base", "key"),
    [
        (policy("o", "batch"), policy("b", "each"), "mode"),
        (policy("o", "each"), policy("b", "batch"), None),
        (policy("o", "batch"), policy("b", "standing"), None),
        (policy("o", "batch", sample={"least": 3}), policy("b", "batch", sample={"least": 5}), "sample"),
        (policy("o", "each", sample={"least": 3}), policy("b", "batch", sample={"least": 5}), None),
        (policy("o", deciders=["manager"]), policy("b", deciders=["manager", "deputy"]), None),
        (policy("o", deciders=["manager", "deputy"]), policy("b", deciders=["manager"]), "deciders"),
        (policy("o", deciders=["compliance"]), policy("b", deciders=["manager"]), "deciders"),
        (policy("o", approvers=[["compliance"], ["manager"]]), policy("b", deciders=["manager"]), None),
        (
            policy("o", deciders=["manager"]),
            policy("b", approvers=[["manager"], ["compliance"]]),
            "deciders",
        ),
        # one approver is not two
        (
            policy("o", approvers=[["manager"], ["compliance"]]),
            policy("b", approvers=[["manager", "deputy"], ["manager"]]),
            "approvers",
        ),
    ],
)
def test_laxer_is_whatever_reads_less_or_drops_an_approver(
    other: PolicyVersion, base: PolicyVersion, key: str | None
) -> None:
    found = laxer(other.meta, base.meta)
    assert (found.key if found else None) == key


ROLES = st.sampled_from(["manager", "deputy", "head_office", "compliance"])
STEPS = st.lists(st.lists(ROLES, min_size=1, max_size=2, unique=True), min_size=1, max_size=3)
CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "tiers": st.lists(st.sampled_from(["vip", "gold"]), min_size=1, max_size=2),
        "findings": st.lists(st.sampled_from(["any", "guarantee", "opening"]), min_size=1, max_size=2),
        "free_text_over": st.integers(0, 20),
        "recipients_over": st.integers(0, 20),
    },
)


@st.composite
def policies(draw: st.DrawFn, conditional: bool) -> PolicyVersion:
    condition = draw(CONDITIONS.filter(bool)) if conditional else {}
    return policy(
        draw(st.sampled_from("abcdefgh")) if conditional else "base",
        draw(st.sampled_from(["each", "batch"])),
        approvers=draw(STEPS),
        scope=draw(st.sampled_from(["branch", "firm"])),
        authors=draw(st.sampled_from(["any", "advisors", "jobs"])),
        priority=draw(st.integers(0, 3)) if conditional else 0,
        **condition,
    )


FACTS = st.builds(
    Facts,
    category=st.just("product"),
    authors=st.frozensets(st.sampled_from(["advisors", "jobs"]), min_size=1),
    tier=st.sampled_from(["vip", "gold", "core"]),
    rules=st.frozensets(st.sampled_from(["guarantee", "opening", "peers"])),
    free_text=st.integers(0, 25),
    recipients=st.builds(lambda count: {timedelta(0): count}, st.integers(0, 25)),
)


@given(policies(False), st.lists(policies(True), max_size=8), FACTS)
def test_whatever_is_published_a_laxer_policy_never_takes_over(
    base: PolicyVersion, others: list[PolicyVersion], known: Facts
) -> None:
    found = choose(base, candidates(others, base, known.category, known.authors), known)
    assert laxer(found.meta, base.meta) is None or found is base
    assert found.meta.scope == base.meta.scope
    if found is not base:
        assert holds(found.meta.governs, known)
        better = [one for one in others if one.meta.priority > found.meta.priority]
        assert not any(
            holds(one.meta.governs, known)
            and one.meta.scope == base.meta.scope
            and laxer(one.meta, base.meta) is None
            for one in better
        )


@given(policies(False), st.lists(policies(True), max_size=8), FACTS, st.randoms())
def test_the_order_of_publication_decides_nothing(
    base: PolicyVersion, others: list[PolicyVersion], known: Facts, random: Any
) -> None:
    others = list({one.name: one for one in others}.values())
    shuffled = random.sample(others, len(others))
    first, second = (
        choose(base, candidates(some, base, known.category, known.authors), known)
        for some in (others, shuffled)
    )
    assert first is second


@given(policies(False), policies(True))
def test_a_policy_asks_for_no_less_than_itself(base: PolicyVersion, other: PolicyVersion) -> None:
    assert laxer(base.meta, base.meta) is None
    assert laxer(other.meta, other.meta) is None


def test_a_phrase_with_a_finding_takes_the_routes_of_its_authors_own_words() -> None:
    words = Routes(policy("own"), ADVISORS, (policy("legal", findings=["guarantee"]),))
    routes = Routes(policy("phrases", "standing"), frozenset({"phrases"}), flagged=words)
    clean = facts(authors=frozenset({"phrases"}))
    assert routes.of(clean).name == "phrases"
    found = facts(authors=frozenset({"phrases"}), rules=frozenset({"opening"}))
    assert routes.of(found).name == "own"
    worse = facts(authors=frozenset({"phrases"}), rules=frozenset({"guarantee"}))
    assert routes.of(worse).name == "legal"
    assert not routes.plain


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("新年快乐！", "新年快乐！", 0),
        ("新年快乐！", "新年快乐！祝您阖家安康。", 7),
        ("甲，新年快乐！乙", "甲，祝新年快乐！好乙", 2),
        ("甲，新年快乐！乙", "甲，乙", 0),
        ("abc", "xyz", 3),
        ("", "全是自己写的", 6),
    ],
)
def test_what_was_added_to_a_text_is_counted_in_characters(before: str, after: str, expected: int) -> None:
    assert added(before, after) == expected


@given(st.text(max_size=60), st.text(max_size=60))
def test_never_more_was_added_than_stands_there(before: str, after: str) -> None:
    assert max(0, len(after) - len(before)) <= added(before, after) <= len(after)


# ── what content check tells ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lay_out(tmp_path / "content")
    return tmp_path / "content"


def edit(folder: Path, name: str, *changes: tuple[str, str]) -> list[Fault]:
    file = folder / "approvals" / "policies" / f"{name}.toml"
    said = file.read_text("utf-8")
    for old, new in changes:
        assert old in said
        said = said.replace(old, new, 1)
    file.write_text(said, "utf-8")
    return load_folder(folder)[1]


VIP, LEGAL, MANY, LONG = "vip-each", "legal-words", "same-text-to-many", "long-text-each"


@pytest.mark.parametrize(
    ("name", "changes", "line", "words"),
    [
        (LEGAL, [('"exaggeration",', '"exageration",')], "findings", "'exageration'"),
        (VIP, [('"diamond"', '"diamant"')], "tiers", "'diamant'"),
        (VIP, [("priority = 30", "priority = 40")], "priority", "same priority"),
        (VIP, [('mode = "each"', 'mode = "batch"')], "mode", "ask for less: mode batch"),
        (VIP, [('["manager"]', '["compliance"]')], "deciders", "no approver who is manager / deputy"),
        (
            LEGAL,
            [('[["manager"], ["compliance"]]', '[["manager", "deputy"], ["head_office"]]')],
            "approvers",
            "less",
        ),
        (
            LONG,
            [('authors = "advisors"', 'authors = "jobs"')],
            "free_text_over",
            "no text of an author's own",
        ),
        (MANY, [("recipients_over = 200\n", "")], "same_text_within", "nothing is counted"),
        (
            VIP,
            [('scope = "branch"', 'scope = "firm"'), ('["manager"]', '["head_office"]')],
            "categories",
            "takes over from no policy",
        ),
        (
            LONG,
            [("free_text_over = 300", 'tiers = ["diamond", "platinum", "gold"]')],
            "priority",
            "vip-each never has its turn: long-text-each",
        ),
        ("advisor-each", [('authors = "advisors"', 'authors = "phrases"')], "categories", "both govern"),
    ],
)
def test_content_check_tells_what_a_policy_can_not_mean(
    folder: Path, name: str, changes: list[tuple[str, str]], line: str, words: str
) -> None:
    found = [one for one in edit(folder, name, *changes) if words in one.message]
    assert found, [str(one) for one in load_folder(folder)[1]]
    [fault] = found[:1]
    lines = (folder / fault.file).read_text("utf-8").splitlines()
    assert lines[fault.line - 1].startswith(line)
    assert fault.mend


def test_a_job_can_not_begin_with_a_policy_that_takes_over(folder: Path) -> None:
    job = folder / "jobs" / "new-year.toml"
    job.write_text(job.read_text("utf-8").replace("festival-batch", "legal-words"), "utf-8")
    [fault] = load_folder(folder)[1]
    assert fault.file == "jobs/new-year.toml"
    assert "legal-words takes over from other policies" in fault.message


def test_policies_of_disjoint_tiers_need_no_priority(folder: Path) -> None:
    source = (folder / "approvals/policies/vip-each.toml").read_text("utf-8")
    other = source.replace('"diamond", "platinum"', '"gold"')
    (folder / "approvals/policies/gold-each.toml").write_text(other, "utf-8")
    assert load_folder(folder)[1] == []


def test_a_set_without_conditions_is_whole(folder: Path) -> None:
    for path in (folder / "approvals/policies").glob("*.toml"):
        if "priority" in path.read_text("utf-8"):
            path.unlink()
    assert load_folder(folder)[1] == []


# ── its page ──────────────────────────────────────────────────────────────────────────────────────────────

PAGE = (Path(__file__).parents[2] / "docs/reference/policies.md").read_text("utf-8")


def test_every_key_of_a_policy_is_explained_and_the_example_is_one() -> None:
    keys = set(PolicyFile.model_fields) | set(Governs.model_fields) | set(EscalationStep.model_fields)
    assert {key for key in keys if f"`{key}`" not in PAGE and f"\n{key} =" not in PAGE} == {"governs"}
    [example] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    shipped = tomllib.loads(starter_policy("vip-each"))
    assert PolicyFile.model_validate(tomllib.loads(example)) == PolicyFile.model_validate(shipped)


def test_every_condition_that_is_shipped_stands_on_the_page_with_its_priority(folder: Path) -> None:
    for name, source in load_folder(folder)[0].policies.items():
        if source.meta.governs.conditional:
            [line] = [one for one in PAGE.splitlines() if one.startswith("|") and f"`{name}`" in one]
            assert f"({source.meta.priority})" in line
