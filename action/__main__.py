"""`python -m action`: what `action.yml` runs.

Exit codes are those of `box-review review`: 0 nothing at or above fail-on, 1 something, 2 wrong inputs, 3 the review is incomplete.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from box_review import BoxReviewError, Severity, exit_codes
from box_review.client import Client, Options
from box_review.config import RepoConfig, base_config
from box_review.events import LaneEvent, ReviewEvent
from box_review.sanitize import visible
from box_review.serving import server
from box_review.source import Change, fetch_missing, find_change

from action import inputs, telling, waiting

WAIT_MINUTES = 30.0
"""Longer than a review has: it may be queued first, and the jury comes after it."""


def main() -> int:
    """Review, and tell the workflow."""
    for name in list(os.environ):  # an empty address would be one, and Python's own settings may lead into the checkout
        if name.startswith("PYTHON") or (name == "BOX_REVIEW_URL" and not os.environ[name]):
            del os.environ[name]
    try:
        with exit_codes.sigterm_interrupts():
            told = _tell()
    except BoxReviewError as error:
        return _failed(str(error), exit_codes.of_error(error))
    except KeyboardInterrupt:
        return _failed("the workflow was stopped; a review that it asked for is cancelled", exit_codes.INTERRUPTED)
    except Exception as error:  # the step's boundary: Python would end with 1, which says that something was found
        print(telling.command("debug", visible(traceback.format_exc(), multiline=True)))
        return _failed(f"box-review broke: {type(error).__name__}: {error}", exit_codes.INCOMPLETE)
    for line in told.marks:
        print(line)
    _append("GITHUB_OUTPUT", telling.outputs(told.outputs))
    _append("GITHUB_STEP_SUMMARY", told.summary)
    return told.code


def _tell() -> telling.Told:
    token = os.environ.pop("INPUT_GITHUB_TOKEN", "")  # what is started from here has no use for it
    given = inputs.wanted(os.environ)
    awaited = inputs.awaited(os.environ, token)
    return _review(given) if awaited is None else _wait(awaited, given)


def _wait(awaited: inputs.Awaited, given: RepoConfig) -> telling.Told:
    from action.checks import checks  # noqa: PLC0415 - who reviews needs no PyGithub

    print(f"Waiting for the App's review of {awaited.head_sha[:12]}", file=sys.stderr)
    with checks(awaited) as look:
        check = waiting.wait(look, 60 * (given.timeout_minutes or WAIT_MINUTES))
    return telling.of_check(check, given.options().get("fail_on", Severity.HIGH))


def _review(given: RepoConfig) -> telling.Told:
    asks, wanted = inputs.asks_server(os.environ), inputs.commits(os.environ)
    change = _change(wanted)
    chosen = base_config(change).under(given.options())
    alone = inputs.for_analyzers(chosen, os.environ)
    if alone is not None:
        why = "A pull request of a fork gets no secrets, so no" if wanted.fork else "No"
        print(telling.command("notice", f"{why} key of a model and no server is given: analyzers review alone.", title="box-review"))
    options = Options(driver=os.environ.get("INPUT_DRIVER", "") or "auto", **(chosen if alone is None else alone))
    print(f"Reviewing {change.head_sha[:12]} against {change.base_sha[:12]}", file=sys.stderr)
    with server(options.driver) as address, Client(address) as client:
        record = client.review_change(change, options=options, on_event=_show)
    url = f"{address.url}/reviews/{record.review_id}" if asks else ""
    return telling.of_review(record, telling.write_files(record, _folder()), url, options.fail_on)


def _show(event: ReviewEvent) -> None:
    """Progress, in words of ours alone: a runner takes commands from standard error too, also from the middle of a line."""
    if isinstance(event, LaneEvent):
        print(f"{event.at_s:7.1f} s  {event.lane}: {event.stage}", file=sys.stderr, flush=True)


def _change(wanted: inputs.Commits) -> Change:
    path = Path(os.environ.get("GITHUB_WORKSPACE", ""), os.environ.get("INPUT_PATH", ""))
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


def _failed(why: str, code: int) -> int:
    print(telling.command("error", visible(why, multiline=True), title="box-review"))
    return code


if __name__ == "__main__":
    sys.exit(main())
