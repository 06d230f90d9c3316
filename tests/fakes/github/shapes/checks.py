"""Check runs, check suites and uploaded analyses."""

from __future__ import annotations

from tests.fakes.github.clock import node, stamp, stamped
from tests.fakes.github.records import CheckRun, CheckSuite, Sarif
from tests.fakes.github.shapes import people, places, pulls
from tests.fakes.github.wire import JSON


def _pulls(suite_: CheckSuite) -> list[JSON]:
    # GitHub names pull requests of the repository's own branches only, never of forks.
    where = suite_.repository
    return [pulls.minimal(p) for p in where.pulls if p.head_repo is where and p.head_sha == suite_.head_sha and p.state == "open"]


def run(of: CheckRun, *, event: bool = False) -> JSON:
    """A check run; in an event it holds its suite."""
    where = of.suite.repository
    url = f"{places.api(where)}/check-runs/{of.id}"
    return {
        "id": of.id, "node_id": node("CR", of.id), "name": of.name, "head_sha": of.head_sha, "external_id": of.external_id, "url": url,
        "html_url": f"{where.url}/runs/{of.id}", "details_url": of.details_url or f"{where.url}/runs/{of.id}", "status": of.status,
        "conclusion": of.conclusion, "started_at": stamped(of.started_at), "completed_at": stamped(of.completed_at),
        "output": {
            "title": of.title, "summary": of.summary, "text": of.text, "annotations_count": len(of.annotations),
            "annotations_url": f"{url}/annotations",
        },
        "check_suite": suite(of.suite, event=True) if event else {"id": of.suite.id}, "app": people.app(of.suite.app),
        "pull_requests": _pulls(of.suite),
    }  # fmt: skip


def suite(of: CheckSuite, *, event: bool = False) -> JSON:
    """A check suite."""
    where = of.repository
    url = f"{places.api(where)}/check-suites/{of.id}"
    made: JSON = {
        "id": of.id, "node_id": node("CS", of.id), "head_branch": of.head_branch, "head_sha": of.head_sha, "status": of.status,
        "conclusion": of.conclusion, "url": url, "before": None, "after": of.head_sha, "pull_requests": _pulls(of),
        "app": people.app(of.app), "created_at": stamp(of.created_at), "updated_at": stamp(of.updated_at),
        "latest_check_runs_count": len(of.runs), "check_runs_url": f"{url}/check-runs",
        "head_commit": places.simple_commit(where, of.head_sha), "rerequestable": True, "runs_rerequestable": True,
    }  # fmt: skip
    return made if event else {**made, "repository": places.repository(where)}


def annotation(where: CheckRun, of: JSON) -> JSON:
    """An annotation."""
    same = ("path", "start_line", "end_line", "annotation_level", "message")
    return {
        **{name: of[name] for name in same}, **{name: of.get(name) for name in ("start_column", "end_column", "title", "raw_details")},
        "blob_href": f"{where.suite.repository.url}/blob/{where.head_sha}/{of['path']}",
    }  # fmt: skip


def sarif(of: Sarif) -> JSON:
    """How far an uploaded analysis is."""
    status = "failed" if of.errors else "complete"
    return {"processing_status": status, "analyses_url": None, "errors": of.errors or None}
