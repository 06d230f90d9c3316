"""`python -m action`: what `action.yml` runs.

Exit codes are those of `box-review review`: 0 nothing at or above fail-on, 1 something, 2 wrong inputs, 3 the review is incomplete.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType

from box_review import BoxReviewError, InputError, RequestRejected, ReviewRecord, ServerMissing
from box_review.client import Client, Options
from box_review.config import base_config
from box_review.events import LaneEvent, ReviewEvent
from box_review.sanitize import visible
from box_review.serving import server
from box_review.source import Change, fetch_missing, find_change
from box_review.verdict import INCOMPLETE, INTERRUPTED, USAGE, exit_code

from action import inputs, telling


def main() -> int:
    """Review, and tell the workflow."""
    signal.signal(signal.SIGTERM, _interrupt)
    for name in list(os.environ):  # an empty address would be one, and Python's own settings may lead into the checkout
        if name.startswith("PYTHON") or (name == "BOX_REVIEW_URL" and not os.environ[name]):
            del os.environ[name]
    try:
        record, options = _review()
        files = telling.write_files(record, _folder())
    except (InputError, ServerMissing) as error:
        return _failed(error, USAGE)
    except BoxReviewError as error:
        return _failed(error, USAGE if isinstance(error, RequestRejected) and error.status_code in (401, 409, 413, 422) else INCOMPLETE)
    except KeyboardInterrupt:
        return _failed(InterruptedError("the workflow was stopped; the review is cancelled"), INTERRUPTED)
    except Exception as error:
        return _failed(error, INCOMPLETE)
    for line in telling.marks(record):
        print(line)
    _append("GITHUB_OUTPUT", telling.outputs(record, files))
    _append("GITHUB_STEP_SUMMARY", telling.summary(record))
    return exit_code(record, options.fail_on)


def _review() -> tuple[ReviewRecord, Options]:
    given = inputs.wanted(os.environ)
    change = _change()
    chosen = base_config(change).under(given.options())
    alone = inputs.for_analyzers(chosen, os.environ)
    if alone is not None:
        print(telling.command("notice", "No key of a model and no server is given: analyzers review alone.", title="box-review"))
    options = Options(driver=os.environ.get("INPUT_DRIVER", "") or "auto", **(chosen if alone is None else alone))
    print(f"Reviewing {change.head_sha[:12]} against {change.base_sha[:12]}", file=sys.stderr)
    with server(options.driver) as address, Client(address) as client:
        return client.review_change(change, options=options, on_event=_show), options


def _show(event: ReviewEvent) -> None:
    """Progress, in words of ours alone: a runner takes commands from standard error too, also from the middle of a line."""
    if isinstance(event, LaneEvent):
        print(f"{event.at_s:7.1f} s  {event.lane}: {event.stage}", file=sys.stderr, flush=True)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


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
