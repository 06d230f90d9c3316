"""What comes out of a box is checked before anybody uses it."""

from __future__ import annotations

import json

import pytest

from runner.evidence.errors import BrokenReport, CollectionFailed
from runner.evidence.report import MAX_BYTES, parse_report
from runner.evidence.request import EVIDENCE, REPOSITORY, TOOLS, collector_argv, collector_request
from tests.runner.evidence.conftest import Change, MakeChange

EMPTY: dict[str, object] = {"version": 1, "changed_files": [], "results": [], "tools": []}
RESULT: dict[str, object] = {"tool": "ruff", "rule": "S602", "path": "app.py", "start_line": 1, "end_line": 1}


def test_a_collector_that_gave_up_says_why_in_its_last_line() -> None:
    with pytest.raises(CollectionFailed, match=r"exit code 2\): GitError: no such commit"):
        parse_report(b"", 2, b"warning\nGitError: no such commit\n")


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"[]",
        json.dumps(EMPTY).encode()[:-1],
        json.dumps({**EMPTY, "version": 2}).encode(),
        json.dumps({**EMPTY, "results": [{**RESULT, "start_line": 2}]}).encode(),
        json.dumps({**EMPTY, "results": [{**RESULT, "tool": "RUFF\u001b"}]}).encode(),
        json.dumps({**EMPTY, "results": [{**RESULT, "rule": "<script>"}]}).encode(),
        json.dumps({**EMPTY, "results": [{**RESULT, "message": "x" * 1001}]}).encode(),
        json.dumps({**EMPTY, "results": [{**RESULT, "path": ""}]}).encode(),
        json.dumps({**EMPTY, "not_covered": ["x"] * 101}).encode(),
    ],
    ids=["empty", "no object", "cut", "version", "lines", "tool", "rule", "message", "path", "sentences"],
)
def test_a_broken_report_is_refused(broken: bytes) -> None:
    with pytest.raises(BrokenReport):
        parse_report(broken)


def test_a_report_beyond_the_limit_is_not_even_parsed() -> None:
    with pytest.raises(BrokenReport, match="more than"):
        parse_report(b" " * (MAX_BYTES + 1))


def test_the_collector_runs_isolated_on_the_paths_of_a_box() -> None:
    assert collector_argv() == ["/usr/bin/python3", "-I", "-B", f"{EVIDENCE}/collect.py"]
    request = json.loads(collector_request("quality", "1" * 40, "2" * 40, only_paths={"b", "a"}))
    assert (request["repo"], request["tools_dir"], request["role"], request["only_paths"]) == (REPOSITORY, TOOLS, "quality", ["a", "b"])
    assert "tools" not in request


@pytest.mark.parametrize("sha", ["0" * 40, "--upload-pack=x", "HEAD"], ids=["absent", "an option", "a name"])
def test_a_commit_that_is_not_there_is_said(make_change: MakeChange, sha: str) -> None:
    change = make_change({"a": "x"}, {"b": "y"})
    with pytest.raises(CollectionFailed):
        Change(change.path, sha, change.head, change.toolbox).collect("security")


def test_a_role_without_tools_is_said(make_change: MakeChange) -> None:
    with pytest.raises(CollectionFailed, match="no tools for role 'poetry'"):
        make_change({"a": "x"}, {"b": "y"}).collect("poetry")
