"""What agents are told: the templates of `prompts`, filled in.

Whatever comes from a pull request stands between marks with a number that its author cannot know, so that no text in it can end them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial
from importlib import resources
from typing import Any

from box_review import Finding, untrusted
from box_review.learned import LearnedRule
from jinja2 import Environment, FunctionLoader, StrictUndefined

from runner.evidence.survey import Survey

_TEXT = 8000
_LISTED = 20_000


def instructions(role: str, guidance: str) -> str:
    """What a reviewer is, whichever change it looks at. `guidance` is the owners' own word."""
    return _render("instructions.md.j2", role=role, guidance=guidance)


def review(
    role: str, words: str, title: str, survey: Survey, evidence: Sequence[Finding], nonce: str = "", *, said: Sequence[LearnedRule] = ()
) -> str:
    """A reviewer's task; `words` say what is looked for in this role, `said` what maintainers said before."""
    callers = [f"{use.path}:{use.line}: {use.text}  (uses {use.name})" for use in survey.callers]
    found = [f"{number}. {item.path}:{item.start_line} {item.topic}: {item.title}" for number, item in enumerate(evidence, 1)]
    values = {
        "role": role,
        "words": words,
        "title": title,
        "diff": survey.diff,
        "left_out": _bounded(survey.left_out),
        "callers": callers,
        "evidence": found,
        "said": _said(said),
    }
    return _render("review.md.j2", nonce=nonce, **values)


def repair(problem: str, schema: str = "") -> str:
    """What is said to an agent whose answer cannot be read."""
    return _render("repair.md.j2", problem=problem[:1000], schema=schema)


def jury_instructions(guidance: str) -> str:
    """What the jury is."""
    return _render("jury_instructions.md.j2", guidance=guidance)


def jury(findings: Sequence[Finding], title: str, files: Sequence[str], nonce: str = "", *, said: Sequence[LearnedRule] = ()) -> str:
    """The jury's task: what is claimed and what was measured, without what the reviewers thought on the way."""
    claims = [_claim(finding) for finding in findings]
    return _render("jury.md.j2", nonce=nonce, findings=claims, title=title, files=_bounded(files), said=_said(said))


def _said(rules: Sequence[LearnedRule]) -> list[str]:
    """Guidance, each with who said it; what mutes is none of the agents' business."""
    return _bounded([f"{rule.id}: {rule.text} ({rule.source})" for rule in rules if rule.mute is None])


def _claim(finding: Finding) -> Mapping[str, Any]:
    excerpt = (
        "\n".join(f"{number}: {line}" for number, line in enumerate(finding.excerpt.lines, finding.excerpt.start_line))
        if finding.excerpt
        else ""
    )
    evidence = "\n".join(f"{item.tool} {item.rule}: {item.message}" for item in finding.evidence)
    script = (
        f"reproducer ({finding.reproducer.kind}):\n{finding.reproducer.script}\noutput:\n{finding.proof.output}"
        if finding.reproducer
        else ""
    )
    place = f"{finding.path}:{finding.start_line}-{finding.end_line}"
    text = "\n".join(filter(None, [place, finding.title, f"scenario: {finding.scenario}", evidence, excerpt, script]))
    known = {
        "id": finding.id,
        "severity": finding.severity.value,
        "topic": finding.topic,
        "roles": finding.roles,
        "proof": finding.proof.state.value,
    }
    return {**known, "text": text[:_TEXT]}


def _bounded(lines: Sequence[str]) -> list[str]:
    """As many lines as a prompt has room for; how many more there are is said."""
    room, kept = _LISTED, list[str]()
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            return [*kept, f"… and {len(lines) - len(kept)} more"]
        kept.append(line)
    return kept


def _render(name: str, *, nonce: str = "", **values: object) -> str:
    given = nonce or untrusted.nonce()
    text = _environment().get_template(name).render(untrusted=partial(untrusted.untrusted, given), **values)
    return "\n".join(line.rstrip() for line in text.strip().split("\n"))


@cache
def _environment() -> Environment:
    def load(name: str) -> str:
        return resources.files("prompts").joinpath(name).read_text(encoding="utf-8")

    # Prompts are no HTML: nothing is escaped; what is untrusted is fenced instead.
    return Environment(loader=FunctionLoader(load), undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True)  # noqa: S701
