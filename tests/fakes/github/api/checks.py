"""Check runs and check suites: only Apps write them, and each only its own."""

from __future__ import annotations

from datetime import datetime

from tests.fakes.github import events
from tests.fakes.github.api.call import Call, found, operation
from tests.fakes.github.clock import now
from tests.fakes.github.records import CheckRun, CheckSuite
from tests.fakes.github.repository import Repository
from tests.fakes.github.shapes import checks
from tests.fakes.github.wire import JSON, Page, Refused, invalid

READ, WRITE = "checks:read", "checks:write"
MOST_ANNOTATIONS = 50


def _by_an_app(call: Call) -> None:
    if call.caller.kind not in ("installation", "workflow"):
        raise Refused(403, "You must authenticate via a GitHub App.")


@operation("checks/create", WRITE)
def create(call: Call) -> JSON:
    _by_an_app(call)
    where, body = call.repository, call.body
    sha = body["head_sha"]
    if len(sha) != 40 or where.bare.resolve(sha) is None:
        raise Refused(422, f"No commit found for SHA: {sha}")
    suite = _suite(call, where, sha)
    run = CheckRun(call.github.next_id(), suite, body["name"])
    run.started_at = now()
    _apply(run, body)
    suite.runs.append(run)
    _tell(call, run, "created")
    return checks.run(run)


def _suite(call: Call, where: Repository, sha: str) -> CheckSuite:
    assert call.app is not None
    for suite in where.suites:
        if suite.head_sha == sha and suite.app is call.app:
            return suite
    branch = next((pull.head_ref for pull in where.pulls if pull.head_sha == sha and pull.head_repo is where), None)
    suite = CheckSuite(call.github.next_id(), where, call.app, sha, branch)
    where.suites.append(suite)
    return suite


def _run(call: Call) -> CheckRun:
    return found(call.repository.check_runs, lambda run: run.id == call.ident("check_run_id"))


@operation("checks/update", WRITE)
def update(call: Call) -> JSON:
    _by_an_app(call)
    run, before = _run(call), _run(call).status
    if run.suite.app is not call.app:
        raise Refused(
            403, f"Invalid app_id `{call.app.id if call.app else ''}` - check run can only be modified by the GitHub App that created it."
        )
    _apply(run, call.body)
    if run.status == "completed" and before != "completed":
        _tell(call, run, "completed")
    return checks.run(run)


def _apply(run: CheckRun, body: JSON) -> None:
    """Take over what is asked for. Raises Refused, and then nothing is changed."""
    output = body.get("output") or {}
    if output.get("title") is None and output:
        raise invalid("CheckRun", "output", "title is missing", "missing_field")
    annotations = output.get("annotations") or []
    _check_annotations(annotations)
    _check_status(run, body)
    for name in ("name", "external_id", "details_url", "actions"):
        if name in body:
            setattr(run, name, body[name])
    for name in ("title", "summary", "text"):
        if name in output:
            setattr(run, name, output[name])
    run.annotations += annotations
    for name in ("started_at", "completed_at"):
        if name in body:
            setattr(run, name, datetime.fromisoformat(body[name]))
    if "conclusion" in body:
        run.conclusion, run.status = body["conclusion"], "completed"
    elif "status" in body:
        run.status = body["status"]
        run.conclusion = run.conclusion if run.status == "completed" else None
    run.completed_at = (run.completed_at or now()) if run.status == "completed" else None
    run.suite.updated_at = now()


def _check_status(run: CheckRun, body: JSON) -> None:
    status, conclusion = body.get("status"), body.get("conclusion")
    if status == "completed" and conclusion is None and run.conclusion is None:
        raise Refused(422, "Invalid request.\n\nFor 'allOf/1', \"conclusion\" is required when status is completed.")
    if status in ("queued", "in_progress") and conclusion is not None:
        raise Refused(422, "Invalid request.\n\nconclusion is given, so status must be completed.")


def _check_annotations(annotations: list[JSON]) -> None:
    if len(annotations) > MOST_ANNOTATIONS:
        raise Refused(422, f"Invalid request.\n\nNo more than {MOST_ANNOTATIONS} items are allowed; {len(annotations)} were supplied.")
    for annotation in annotations:
        if annotation["end_line"] < annotation["start_line"]:
            raise invalid("CheckAnnotation", "end_line", "end_line must not be before start_line")
        columns = {"start_column", "end_column"} & annotation.keys()
        if columns and annotation["start_line"] != annotation["end_line"]:
            raise invalid("CheckAnnotation", "start_column", "columns need start_line and end_line to be the same")
        if len(annotation["message"].encode()) > 65_536 or len(annotation.get("title") or "") > 255:
            raise invalid("CheckAnnotation", "message", "is too long")


def _tell(call: Call, run: CheckRun, action: str) -> None:
    events.send_check_run(run, action, call.account)
    if run.status != "completed":
        return
    if action == "created":
        events.send_check_run(run, "completed", call.account)
    if run.suite.status == "completed":
        events.send_check_suite(run.suite, "completed", call.account)


@operation("checks/get", READ)
def get(call: Call) -> JSON:
    return checks.run(_run(call))


@operation("checks/list-annotations", READ)
def list_annotations(call: Call) -> Page:
    run = _run(call)
    return Page(run.annotations, lambda annotation: checks.annotation(run, annotation))


@operation("checks/list-for-ref", READ)
def for_ref(call: Call) -> Page:
    sha, query = call.repository.bare.resolve(call.values["ref"]), call.request.query
    if sha is None:
        raise Refused(422, f"No commit found for SHA: {call.values['ref']}")
    runs = [run for run in call.repository.check_runs if run.head_sha == sha]
    return _listed(runs, query)


def _listed(runs: list[CheckRun], query: dict[str, str]) -> Page:
    for name, of in (("check_name", "name"), ("status", "status")):
        runs = [run for run in runs if query.get(name) in (None, getattr(run, of))]
    if app := query.get("app_id"):
        runs = [run for run in runs if str(run.suite.app.id) == app]
    if query.get("filter", "latest") == "latest":
        runs = list({(run.suite.id, run.name): run for run in runs}.values())
    return Page(runs[::-1], checks.run, "check_runs")


@operation("checks/get-suite", READ)
def get_suite(call: Call) -> JSON:
    return checks.suite(_the_suite(call))


@operation("checks/list-suites-for-ref", READ)
def suites_for_ref(call: Call) -> Page:
    sha = call.repository.bare.resolve(call.values["ref"])
    return Page([suite for suite in call.repository.suites if suite.head_sha == sha], checks.suite, "check_suites")


@operation("checks/list-for-suite", READ)
def for_suite(call: Call) -> Page:
    return _listed(_the_suite(call).runs, call.request.query)


def _the_suite(call: Call) -> CheckSuite:
    return found(call.repository.suites, lambda suite: suite.id == call.ident("check_suite_id"))


@operation("checks/rerequest-run", WRITE)
def rerequest_run(call: Call) -> JSON:
    events.send_check_run(_run(call), "rerequested", call.account)
    return {}


@operation("checks/rerequest-suite", WRITE)
def rerequest_suite(call: Call) -> JSON:
    events.send_check_suite(_the_suite(call), "rerequested", call.account)
    return {}
