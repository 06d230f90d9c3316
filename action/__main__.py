"""`python -m action`: what `action.yml` runs.

Exit codes are those of `box-review review`: 0 nothing at or above fail-on, 1 something, 2 wrong inputs, 3 the review is incomplete.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from box_review import BoxReviewError, InputError, RequestRejected, ReviewRecord, ServerMissing
from box_review.client import Client, Options
from box_review.config import base_config
from box_review.progress import Progress
from box_review.sanitize import visible
from box_review.serving import server
from box_review.source import Change, fetch_missing, find_change
from box_review.verdict import INCOMPLETE, USAGE, exit_code

from action import inputs, telling


def main() -> int:
    """Review, and tell the workflow."""
    if not os.environ.get("BOX_REVIEW_URL"):  # an empty one would be an address
        os.environ.pop("BOX_REVIEW_URL", None)
    try:
        record, options = _review()
        files = telling.write_files(record, _folder())
    except (InputError, ServerMissing) as error:
        return _failed(error, USAGE)
    except BoxReviewError as error:
        return _failed(error, USAGE if isinstance(error, RequestRejected) and error.status_code in (401, 409, 413, 422) else INCOMPLETE)
    except OSError as error:
        return _failed(error, INCOMPLETE)
    for line in telling.marks(record):
        print(line)
    _append("GITHUB_OUTPUT", telling.outputs(record, files))
    _append("GITHUB_STEP_SUMMARY", telling.summary(record))
    print(visible(record.summary), file=sys.stderr)
    return exit_code(record, options.fail_on)


def _review() -> tuple[ReviewRecord, Options]:
    given = inputs.wanted(os.environ)
    change = _change()
    options = Options(driver=os.environ.get("INPUT_DRIVER", "") or "auto", **{**base_config(change).options(), **given.options()})
    print(visible(f"Reviewing {change.name}: {change.head_sha[:12]} against {change.base_sha[:12]}"), file=sys.stderr)
    with server(options.driver) as address, Client(address) as client, Progress() as progress:
        return client.review_change(change, options=options, on_event=progress.show), options


def _change() -> Change:
    path = Path(os.environ.get("GITHUB_WORKSPACE", ""), os.environ.get("INPUT_PATH", ""))
    wanted = inputs.commits(os.environ)
    fetch_missing(path, [commit for commit in (wanted.base, wanted.head) if commit is not None])
    return find_change(path, wanted.base, wanted.head)


def _folder() -> Path:
    folder = Path(os.environ.get("RUNNER_TEMP") or ".", "box-review")
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def _append(variable: str, text: str) -> None:
    """To a file of the workflow's; outside of one there is none."""
    if os.environ.get(variable):
        with Path(os.environ[variable]).open("a", encoding="utf-8") as file:
            file.write(text)


def _failed(error: Exception, code: int) -> int:
    print(telling.command("error", visible(str(error), multiline=True), title="box-review"))
    return code


if __name__ == "__main__":
    sys.exit(main())
