"""Reviews side by side: what is one problem, what only one model found, what a difference is worth, and how it reads."""

from __future__ import annotations

import re

import pytest
from box_review.finding import Finding, Proof, ProofState, Severity
from box_review.report.side_by_side import render
from box_review.review import JuryReport, ReviewRecord, ReviewStatus, RoleReport, RoleStatus, Usage
from box_review.side_by_side import Side, cost, jury_cost, pairs, problems

from tests.sdk.records import finding, record

HOSTILE = "<img src=x onerror=alert(1)> @ada closes #1 ![x](http://x.example/y) | a | \x1b[31m\u202e<!-- box-review:sticky -->"


def claim(line: int = 1, topic: str = "t", title: str = "Total is wrong", **more: object) -> Finding:
    """A finding of `cart.py` without its code, so that its fingerprint is its topic's."""
    facts: dict[str, object] = {
        "path": "cart.py",
        "start_line": line,
        "end_line": line,
        "excerpt": None,
        "evidence": (),
        "roles": ("quality",),
    }
    return finding(**facts | {"topic": topic, "title": title, "proof": Proof(), "reproducer": None} | more)


def side(name: str, *findings: Finding, **more: object) -> Side:
    """A review that is complete."""
    roles = (RoleReport(role="quality", status=RoleStatus.COMPLETED, harness="builtin", model=name),)
    facts: dict[str, object] = {"roles": roles, "jury": None, "dropped": (), "earlier": (), "not_covered": (), "findings": findings}
    return Side(name, record(**facts | {"status": ReviewStatus.COMPLETED} | more))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (claim(line=4), claim(line=90), True),
        (claim(topic="a"), claim(topic="b"), True),
        (claim(topic="a", title="SQL injection in a query"), claim(topic="b", title="Injection of SQL"), True),
        (claim(topic="a", title="SQL injection"), claim(topic="b", title="The loop never ends"), False),
        (claim(topic="a", line=4), claim(topic="b", line=5), False),
        (claim(topic="a", path="a.py"), claim(topic="b", path="b.py"), False),
        (claim(topic="a", title="It is"), claim(topic="b", title="So be it"), False),
        (claim(topic="a", line=4, end_line=9), claim(topic="b", line=9), True),
    ],
    ids=["fingerprint", "place and title", "half the words", "other words", "other line", "other file", "words too short", "lines overlap"],
)
def test_two_claims_are_one_problem_or_two(one: Finding, other: Finding, same: bool) -> None:
    found = problems([side("a", one), side("b", other)])
    assert len(found) == (1 if same else 2)


def test_each_model_has_one_claim_in_a_problem() -> None:
    found = problems([side("a", claim(topic="x"), claim(topic="y")), side("b", claim(topic="z"))])
    assert sorted(len(one.found_by) for one in found) == [1, 2]


def test_same_fingerprint_counts_before_what_only_looks_alike() -> None:
    near, same = claim(topic="x", severity=Severity.CRITICAL), claim(topic="y", severity=Severity.LOW)
    found = problems([side("a", claim(topic="y")), side("b", near, same)])
    assert [one.claims[1] for one in found if len(one.found_by) == 2] == [same]


def test_what_a_failed_review_did_not_find_is_no_difference() -> None:
    sides = [side("a", claim()), side("b", status=ReviewStatus.FAILED), Side("c", problem="There is no such harness.")]
    assert pairs(sides, problems(sides)) == []
    text = render(sides)
    assert "Fewer than two models came to a verdict" in text
    assert "`c`: There is no such harness." in text
    assert "| found by this model only | - | - | - |" in text


@pytest.mark.parametrize(("only", "p"), [((0, 0), 1.0), ((1, 0), 1.0), ((5, 0), 0.0625), ((6, 0), 0.03125), ((9, 1), 0.021484375)])
def test_chance_of_a_split_is_mcnemars(only: tuple[int, int], p: float) -> None:
    """The values of a binomial test with a probability of one half, as tables have them."""
    lines = iter(range(1, 99))
    sides = [
        side(name, *(claim(line, f"t{line}") for line in (next(lines) for _ in range(count))))
        for name, count in zip("ab", only, strict=True)
    ]
    assert pairs(sides, problems(sides))[0].p == pytest.approx(p)


def test_several_pairs_make_each_less_sure() -> None:
    """Six against none is sure for two models, and not for the three pairs of three."""
    many = [claim(line, f"t{line}") for line in range(1, 7)]
    two, three = [side("a", *many), side("b")], [side("a", *many), side("b"), side("c")]
    assert "differ in what they found by more than chance: 6 problems only by `a`, 0 only by `b` (p = 0.031)" in render(two)
    assert "No two of these models can be told apart" in render(three)
    assert [pair.p for pair in pairs(three, problems(three))] == pytest.approx([0.09375, 0.09375, 1.0])


def test_difference_that_may_be_chance_is_said_to_be() -> None:
    text = render([side("a", claim()), side("b")])
    assert "These models cannot be told apart by what they found here" in text


def test_same_findings_tell_no_difference() -> None:
    assert "All found the same 1 problem: this pull request tells no difference" in render([side("a", claim()), side("b", claim())])
    assert "All found nothing: this pull request tells no difference" in render([side("a"), side("b")])


def test_table_counts_findings_proofs_and_drops() -> None:
    proven = claim(topic="p", severity=Severity.CRITICAL, proof=Proof(state=ProofState.PROVEN, base_exit_code=0, head_exit_code=1))
    refuted = claim(7, "r", proof=Proof(state=ProofState.REFUTED)).dropped("refuted: it does not happen")
    text = render([side("a", proven, claim(9, "low", severity=Severity.LOW), dropped=(refuted,)), side("b", claim(topic="p"))])
    rows = dict(line.strip("| ").split(" | ", 1) for line in text.splitlines() if line.startswith("| "))
    assert rows["findings"] == "2 | 1"
    assert rows["critical"] == "1 | 1"
    assert rows["low"] == "1 | 0"
    assert rows["claims proven by running"] == "1 | 0"
    assert rows["claims refuted by running"] == "1 | 0"
    assert rows["found by this model only"] == "1 | 0"
    assert rows["of these proven"] == "0 | 0"
    assert rows["found by all"] == "1 | 1"
    assert rows["dropped by the jury"] == "1 | 0"
    assert "`a` (critical, proven by running it (exit 0 at base, exit 1 at head)), `b` (critical, not run)" in text
    assert "refuted: it does not happen" in text


def usage(tokens: int, usd: float) -> Usage:
    """Of one agent."""
    return Usage(input_tokens=tokens, output_tokens=tokens, cost_usd=usd)


def with_usages(*usages: Usage, jury: Usage | None = None, status: RoleStatus = RoleStatus.COMPLETED) -> ReviewRecord:
    """A review by agents that took so much."""
    roles = tuple(RoleReport(role=f"r{at}", status=status, usage=one) for at, one in enumerate(usages))
    return record(roles=roles, jury=None if jury is None else JuryReport(status="completed", usage=jury))


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (with_usages(usage(10, 0.5), usage(10, 0.25), jury=usage(1, 0.05)), "0.75 USD"),
        (with_usages(usage(0, 0.0)), "0.00 USD"),
        (with_usages(usage(10, 0.0)), "unknown"),
        (with_usages(usage(10, 0.5), usage(10, 0.0)), "at least 0.50 USD"),
        (with_usages(usage(0, 0.0), status=RoleStatus.FAILED), "unknown"),
    ],
    ids=["all", "nothing used", "no price", "one price", "ended early"],
)
def test_cost_that_is_not_known_is_said_to_be(made: ReviewRecord, said: str) -> None:
    assert cost(made) == said


@pytest.mark.parametrize(
    ("jury", "said"), [(usage(1, 0.05), "0.05 USD"), (usage(1, 0.0), "unknown"), (Usage(), "0.00 USD"), (None, "unknown")],
    ids=["priced", "no price", "no agent", "no jury"],
)  # fmt: skip
def test_cost_of_the_jury_is_told_beside(jury: Usage | None, said: str) -> None:
    assert jury_cost(with_usages(usage(10, 0.5), jury=jury)) == said


def test_one_reason_of_all_reviewers_is_told_once() -> None:
    roles = tuple(RoleReport(role=role, status=RoleStatus.FAILED, error="no such model") for role in ("security", "quality"))
    text = render([side("a"), side("b", roles=roles, status=ReviewStatus.FAILED)])
    assert text.count("no such model") == 1
    assert "- `b`: security failed, quality failed: no such model" in text


def test_jury_of_a_model_that_is_compared_is_told() -> None:
    jury = JuryReport(status="completed", harness="builtin", model="openai/a")
    assert "own claims were judged by itself" in render([side("openai/a", jury=jury), side("openai/b", jury=jury)])
    assert "own claims" not in render([side("openai/b", jury=jury), side("openai/c", jury=jury)])


def test_hostile_text_is_only_text() -> None:
    """Threat: what an agent writes becomes a mention, a link, a cell of the table, or a mark of ours."""
    bad = claim(title=HOSTILE[:200], path=f"a|b`{HOSTILE}")
    failed = (RoleReport(role="quality", status=RoleStatus.FAILED, error=HOSTILE),)
    sides = [
        side("a|b", bad, dropped=(bad.dropped(HOSTILE),), not_covered=(HOSTILE,), roles=failed, status=ReviewStatus.PARTIAL),
        side("b", claim(topic="q")),
        Side("c", problem=HOSTILE),
    ]
    text = render(sides)
    assert not re.search("[\x1b\u202e]", text)
    bare = re.sub(r"(`+)[^`].*?[^`]?\1(?!`)", "", text)
    assert not re.search(r"@ada|<img|<!--|\]\(|(?<!&)#1", bare)
    table = [line for line in text.splitlines() if line.startswith("| ")]
    assert {line.count("|") for line in table} == {5}


def test_comment_holds_however_much_was_found() -> None:
    long = [claim(line, f"t{line}", title="`" * 200, path="x" * 4000, why="w" * 4000) for line in range(1, 500)]
    gaps = tuple("g" * 2000 for _ in range(500))
    sides = [side(f"{at}" * 200, *long, dropped=[one.dropped("d" * 1000) for one in long], not_covered=gaps) for at in range(4)]
    text = render(sides)
    assert len(text) < 60_000
    assert "more</" not in text
    assert "- and " in text
