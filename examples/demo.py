"""Review the pull request of `examples/pull-request` in real boxes; what `make demo` runs.

Leaves the review in `demo/` as review.json, review.md, review.sarif and review.html.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from box_review import BoxReviewError
from box_review.client import Client
from box_review.progress import Progress
from box_review.report import render

from bot.serve import embedded

HERE = Path(__file__).parent
OUTPUT = Path("demo")
FILES = {"json": "review.json", "markdown": "review.md", "sarif": "review.sarif", "html": "review.html"}


def main() -> int:
    """Exit codes: 0 reviewed, whatever was found; 3 the review could not be done or is incomplete."""
    with tempfile.TemporaryDirectory(prefix="box-review-demo-") as folder:
        repository = Path(folder, "parcels")
        subprocess.run([sys.executable, HERE / "pull-request" / "build.py", repository], check=True, stdout=subprocess.DEVNULL)
        try:
            with embedded() as address, Client(address) as client, Progress() as progress:
                record = client.review(repository, base="main", head="pull-request", on_event=progress.show)
        except BoxReviewError as error:
            print(f"demo: {error}", file=sys.stderr)
            return 3
    print(render(record, "text", color=sys.stdout.isatty() and not os.environ.get("NO_COLOR")))
    OUTPUT.mkdir(exist_ok=True)
    for form, name in FILES.items():
        (OUTPUT / name).write_text(render(record, form), encoding="utf-8")
    print(f"The same review as {', '.join(str(OUTPUT / name) for name in FILES.values())}")
    return 0 if record.status.value == "completed" else 3


if __name__ == "__main__":
    sys.exit(main())
