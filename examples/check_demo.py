"""Check what `make demo` left: the four files are valid, and the review found what it must find."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from box_review import ReviewRecord

HERE = Path(__file__).parent


def main(folder: Path) -> int:
    """Exit codes: 0 all is there; 1 something is missing, which is printed."""
    record = ReviewRecord.model_validate_json((folder / "review.json").read_bytes())
    problems = []
    expected = json.loads((HERE / "pull-request" / "expected.json").read_text())
    found = {(role, finding.path, finding.topic) for finding in record.findings for role in finding.roles}
    problems += [f"not found: {item}" for item in expected if (item["role"], item["path"], item["topic"]) not in found]
    boxes = [report.box for report in record.roles] + [record.jury.box if record.jury else None]
    problems += [f"box not frozen: {box}" for box in boxes if box is None or box.state != "paused" or not box.freeze.startswith("cold")]
    if len({box.box_id for box in boxes if box}) != 4:
        problems.append("three reviewers and the jury do not have a box each")
    if json.loads((folder / "review.sarif").read_text())["version"] != "2.1.0":
        problems.append("review.sarif is not SARIF 2.1.0")
    problems += [f"{name} is empty" for name in ("review.md", "review.html") if len((folder / name).read_text()) < 1000]
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{folder}: {len(record.findings)} findings, {len(expected)} expected ones checked, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
