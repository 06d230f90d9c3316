"""The Action as a workflow runs it: `python -I -m action` with a runner's environment, on real repositories."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import PIPE

import httpx
import pytest

from action import telling
from tests.action.check_runs import REVIEW_ID, TOKEN, check_run, check_runs, listed
from tests.repositories import BAD, Repository
from tests.sdk.records import hostile_record, record
from tests.server import Ended, Server

ROOT = Path(__file__).parent.parent.parent
WAITS = {"INPUT_WAIT_FOR_APP": "true", "BOX_REVIEW_URL": "", "BOX_REVIEW_API_KEY": ""}
NOT_OURS = ("GITHUB_", "INPUT_", "RUNNER_", "BOX_REVIEW")


@dataclass(frozen=True)
class Workflow:
    """One job on a runner: a workspace with the checkout, and the files that the runner reads."""

    folder: Path
    repository: Repository
    base: str
    head: str
    server: Server

    def run(self, event: str = "pull_request", payload: object = None, **environment: str) -> Ended:
        """Run the action's step."""
        (self.folder / "temp").mkdir(exist_ok=True)
        default = {"pull_request": {"number": 7, "base": {"sha": self.base}, "head": {"sha": self.head}}}
        (self.folder / "event.json").write_text(json.dumps(default if payload is None else payload))
        runner = {
            "GITHUB_WORKSPACE": str(self.repository.path), "GITHUB_EVENT_NAME": event, "RUNNER_TEMP": str(self.folder / "temp"),
            "GITHUB_EVENT_PATH": str(self.folder / "event.json"), "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"), "GITHUB_ACTIONS": "true",
            "BOX_REVIEW_URL": self.server.url, "BOX_REVIEW_API_KEY": self.server.address.api_key,
        }  # fmt: skip
        kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_OURS)}
        stopped = environment.pop("STOPPED", None)
        argv, environment = [sys.executable, "-I", "-m", "action"], kept | runner | environment
        with subprocess.Popen(argv, cwd=self.repository.path, env=environment, stdout=PIPE, stderr=PIPE, text=True) as step:
            assert step.stderr is not None
            first = ""
            if stopped is not None:
                first = step.stderr.readline() + step.stderr.readline()  # it is under way
                step.send_signal(signal.SIGTERM)
            out, err = step.communicate(timeout=50)
        return Ended(step.returncode, out, first + err)

    @property
    def outputs(self) -> dict[str, str]:
        """What later steps see."""
        return dict(line.split("=", 1) for line in (self.folder / "output").read_text().splitlines())


@pytest.fixture
def workflow(tmp_path: Path, server: Server) -> Workflow:
    made = Repository(tmp_path / "workspace")
    base = made.commit({"x": "1"})
    return Workflow(tmp_path, made, base, made.commit({"a.py": BAD, "b c,d.py": BAD}), server)


def test_pull_request_is_reviewed_and_told(workflow: Workflow) -> None:
    done = workflow.run()
    assert done.code == 1, done.err
    marks = done.out.splitlines()
    assert all(re.match(r"::(error|warning|notice) file=", line) for line in marks), done.out
    assert any("file=a.py,line=5,endLine=5,title=high%3A " in line for line in marks), done.out
    assert any("file=b c%2Cd.py,line=5" in line for line in marks), done.out
    outputs = workflow.outputs
    assert (outputs["conclusion"], outputs["status"], int(outputs["findings"]) > 1) == ("failure", "completed", True)
    assert outputs["review-url"] == f"{workflow.server.url}/reviews/{outputs['review-id']}"
    assert "/login" in str(httpx.get(outputs["review-url"], follow_redirects=True, trust_env=False).url)  # a page, for who signs in
    assert json.loads(Path(outputs["sarif-file"]).read_text())["version"] == "2.1.0"
    assert json.loads(Path(outputs["record-file"]).read_text())["head_sha"] == workflow.head
    assert "<html" in Path(outputs["report-file"]).read_text()
    assert "shell" in (workflow.folder / "summary").read_text()


def test_runner_without_a_server_reviews_itself(workflow: Workflow, data_dir: Path) -> None:
    done = workflow.run(BOX_REVIEW_URL="", BOX_REVIEW_API_KEY="", BOX_DATA_DIR=str(data_dir / "d"), INPUT_ROLES="security")
    assert done.code == 1, done.err
    assert workflow.outputs["status"] == "completed"


def test_inputs_stand_above_the_repositorys_own_settings(workflow: Workflow) -> None:
    """And those of the head decide nothing."""
    made = workflow.repository
    base = made.commit({".github/box-review.yml": "roles: [architecture]\nfail_on: never\n"})
    head = made.commit({"e.py": BAD, ".github/box-review.yml": "roles: [quality]\n"})
    job = replace(workflow, base=base, head=head)
    assert job.run().code == 0
    assert [role["role"] for role in json.loads(Path(job.outputs["record-file"]).read_text())["roles"]] == ["architecture"]
    done = job.run(INPUT_ROLES="security, quality", INPUT_FAIL_ON="high")
    assert done.code == 1
    assert [role["role"] for role in json.loads(Path(job.outputs["record-file"]).read_text())["roles"]] == ["security", "quality"]


def test_commits_that_a_shallow_checkout_lacks_are_fetched(workflow: Workflow, tmp_path: Path) -> None:
    workflow.repository.git("config", "uploadpack.allowAnySHA1InWant", "true")
    url, shallow = f"file://{workflow.repository.path}", tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth=1", url, shallow], check=True)
    job = replace(workflow, repository=Repository(shallow))
    assert job.run().code == 1
    away = replace(workflow, repository=Repository(shallow), head="0" * 39 + "1")
    told = away.run()
    assert (told.code, told.out.startswith("::error title=box-review::")) == (2, True), told
    assert "clone with fetch-depth%3A 0" in told.out.replace("fetch-depth: 0", "fetch-depth%3A 0")


@pytest.mark.parametrize("event", ["push", "merge_group", "workflow_dispatch"])
def test_other_events_say_which_commits_they_mean(event: str, workflow: Workflow) -> None:
    payload = {
        "push": {"before": workflow.base, "after": workflow.head},
        "merge_group": {"merge_group": {"base_sha": workflow.base, "head_sha": workflow.head}},
        "workflow_dispatch": {},
    }
    assert workflow.run(event, payload[event]).code == 1
    assert json.loads(Path(workflow.outputs["record-file"]).read_text())["base_sha"] == workflow.base


@pytest.mark.parametrize(
    ("event", "payload", "environment", "said"),
    [
        ("pull_request_target", None, {}, "not on pull_request_target"),
        ("issue_comment", None, {}, "not on issue_comment"),
        ("pull_request", {"pull_request": {}}, {}, "the event pull_request cannot be read"),
        ("pull_request", [], {}, "the event pull_request cannot be read"),
        ("pull_request", None, {"INPUT_FAIL_ON": "sometimes"}, "the input fail-on cannot be 'sometimes'"),
        ("pull_request", None, {"INPUT_BUDGET_USD": "much"}, "the input budget-usd cannot be 'much'"),
        ("pull_request", None, {"INPUT_ROLES": "Security"}, "the input roles cannot be"),
        ("pull_request", None, {"INPUT_HARNESS": "cursor"}, "no runner host has the harness 'cursor'"),
        ("pull_request", None, {"INPUT_PATH": "nowhere"}, "does not exist"),
        ("pull_request", None, {"BOX_REVIEW_API_KEY": "wrong"}, "API key"),
        ("pull_request", None, {"BOX_REVIEW_API_KEY": ""}, "with wait-for-app: true this step waits for the App"),
        ("pull_request", None, {"BOX_REVIEW_URL": ""}, "api-key is given, but server-url is empty"),
        ("pull_request", None, {"INPUT_WAIT_FOR_APP": "yes"}, "the input wait-for-app cannot be 'yes': it is true or false"),
        ("pull_request", None, WAITS, "to wait for the App, the input github-token must not be empty"),
        ("pull_request", None, WAITS | {"INPUT_GITHUB_TOKEN": "t"}, "to wait for the App, GITHUB_REPOSITORY must not be empty"),
        ("workflow_dispatch", {}, WAITS, "wait-for-app works on pull_request, which the App reviews, not on workflow_dispatch"),
    ],
    ids=[
        *("target", "comment", "payload", "list", "fail-on", "budget", "roles", "harness", "path", "key"),
        *("no-key", "no-server", "wait", "no-token", "no-repository", "no-pull-request"),
    ],
)
def test_what_cannot_be_used_is_one_error_on_the_step(
    event: str, payload: object, environment: dict[str, str], said: str, workflow: Workflow
) -> None:
    done = workflow.run(event, payload, **environment)
    assert (done.code, done.out.count("::error"), said in done.out) == (2, 1, True), done
    assert "Traceback" not in done.err


@pytest.mark.parametrize("where", ["runner", "server"])
def test_programs_of_the_checkout_are_not_run(where: str, workflow: Workflow, data_dir: Path) -> None:
    """Threat: a pull request that brings modules named as those that the action, or the server it starts, loads."""
    evil = "open('/tmp/ran-by-the-action', 'w')\nraise SystemExit(0)\n"
    names: tuple[str, ...] = (
        "action/__init__.py",
        "action/__main__.py",
        "sitecustomize.py",
        "json.py",
        "click.py",
        "box_review/__init__.py",
        "Makefile",
        "bot/__init__.py",
    )
    names += ("runner/__init__.py", "bot/serve.py", "uvicorn.py", "arq/__init__.py")
    alone = {"BOX_REVIEW_URL": "", "BOX_REVIEW_API_KEY": "", "BOX_DATA_DIR": str(data_dir / "d"), "PYTHONPATH": "."}
    head = workflow.repository.commit(dict.fromkeys(names, evil))
    done = replace(workflow, head=head).run(**(alone if where == "runner" else {}))
    assert done.code == 1, done.err
    assert not Path("/tmp/ran-by-the-action").exists()


def test_checkout_that_looks_like_a_bare_repository_starts_nothing(workflow: Workflow, tmp_path: Path) -> None:
    """Threat: files of the change that git takes for a repository, whose settings name a program."""
    ran = tmp_path / "ran"
    config = f'[core]\n\tbare = true\n[remote "origin"]\n\turl = file:///\n\tuploadpack = touch {ran};\n'
    files = {"sub/HEAD": "ref: refs/heads/main\n", "sub/config": config, "sub/objects/x": "", "sub/refs/x": ""}
    head = workflow.repository.commit(dict(files))
    done = replace(workflow, head=head).run(INPUT_PATH="sub")
    assert (done.code, "is no checkout with a working tree" in done.out) == (2, True), done
    assert not ran.exists()


def test_standard_error_holds_words_of_ours_alone(workflow: Workflow) -> None:
    """Threat: a runner takes `##[command]` from the middle of any line of either stream."""
    evil = "##[stop-commands]x ::add-mask::e"
    head = workflow.repository.commit({f"{evil}.py": BAD}, message=evil)
    done = replace(workflow, head=head).run()
    assert done.code == 1
    assert "##[" not in done.err
    assert "::" not in done.err
    assert all(line.startswith("::") for line in done.out.splitlines())


def test_without_a_model_the_settings_that_need_one_are_left_aside(workflow: Workflow, data_dir: Path) -> None:
    """As in a pull request from a fork, which gets no secrets."""
    made = workflow.repository
    settings = "roles: [security, money]\nharness: builtin\nmodel: openai/x\nreviewers: {money: {instructions: Look.}}\nfail_on: never\n"
    base = made.commit({".github/box-review.yml": settings})
    job = replace(workflow, base=base, head=made.commit({"f.py": BAD}))
    done = job.run(BOX_REVIEW_URL="", BOX_REVIEW_API_KEY="", BOX_DATA_DIR=str(data_dir / "d"), ANTHROPIC_API_KEY="")
    assert done.code == 0, done
    assert "analyzers review alone" in done.out
    assert (job.outputs["conclusion"], job.outputs["status"]) == ("neutral", "completed")


def test_pull_request_of_a_fork_is_told_why_no_model_is_asked(workflow: Workflow, data_dir: Path) -> None:
    sides = {"number": 7, "base": {"sha": workflow.base, "repo": {"full_name": "acme/shop"}}, "head": {"sha": workflow.head, "repo": None}}
    done = workflow.run(payload={"pull_request": sides}, BOX_REVIEW_URL="", BOX_REVIEW_API_KEY="", BOX_DATA_DIR=str(data_dir / "d"))
    assert "A pull request of a fork gets no secrets, so no key of a model and no server is given" in done.out
    assert workflow.outputs["review-url"] == ""


def test_app_is_waited_for_where_there_is_no_key(workflow: Workflow) -> None:
    with check_runs(listed(), listed(check_run("in_progress")), listed(check_run(conclusion="failure"))) as page:
        at = {"GITHUB_API_URL": page.url, "GITHUB_REPOSITORY": "acme/shop", "INPUT_GITHUB_TOKEN": TOKEN, "GITHUB_WORKSPACE": ""}
        done = workflow.run(**WAITS, **at)
        assert workflow.run(**WAITS, **at, INPUT_FAIL_ON="never").code == 0
    assert (done.code, len(page.asked)) == (1, 4), done
    assert done.out == ("::error title=box-review%3A the App's review::failure: 2 findings https://github.com/acme/shop/runs/7\n")
    assert "the App has not begun" in done.err
    assert {name: value for name, value in workflow.outputs.items() if value} == {
        "review-id": REVIEW_ID, "review-url": "https://github.com/acme/shop/runs/7", "conclusion": "failure",
        "status": "completed", "findings": "2",
    }  # fmt: skip
    shown = "### failure: 2 findings\n\n[The App's review](https://github.com/acme/shop/runs/7)\n\nOne of them is **high**.\n"
    assert (workflow.folder / "summary").read_text() == 2 * shown


def test_token_of_the_workflow_is_not_passed_on(workflow: Workflow) -> None:
    """Threat: a program that is started for a review, and reads or shows its environment."""
    spy, seen = workflow.folder / "programs" / "git", workflow.folder / "seen"
    spy.parent.mkdir()
    spy.write_text(f'#!/bin/sh\nenv >>{seen}\nexec {shutil.which("git")} "$@"\n')
    spy.chmod(0o755)
    assert workflow.run(INPUT_GITHUB_TOKEN=TOKEN, PATH=f"{spy.parent}:{os.environ['PATH']}").code == 1
    assert "GITHUB_EVENT_NAME" in seen.read_text()
    assert TOKEN not in seen.read_text()


def test_stopped_workflow_cancels_its_review(workflow: Workflow) -> None:
    stopped = workflow.run(INPUT_ROLES="security", STOPPED="yes")
    assert (stopped.code, "a review that it asked for is cancelled" in stopped.out) == (130, True), stopped


def test_words_of_findings_are_no_commands() -> None:
    """Threat: a finding whose text is a workflow command, on its own line or in a property."""
    hostile = hostile_record()
    evil = hostile.findings[0].model_copy(
        update={"title": "x::\n::set-env name=PATH::/tmp", "why": "a\r\n::add-mask::b%0A::error::c", "path": "a.py,line=1::x\n::debug::y"}
    )
    told = list(telling.marks(hostile.model_copy(update={"findings": (evil, *hostile.findings[1:])})))
    assert told
    for line in told:
        assert re.fullmatch(r"::(error|warning|notice) file=[^:\n]*::[^\n\r]*", line), line
    outputs = telling.of_review(hostile, {"sarif-file": Path("/x\nconclusion=success")}, "", None).outputs
    assert [line.partition("=")[0] for line in telling.outputs(outputs).splitlines()] == [
        "review-id", "review-url", "conclusion", "status", "findings", "sarif-file",
    ]  # fmt: skip


def test_no_more_marks_than_are_shown_and_a_summary_that_fits() -> None:
    rich = record()
    many = rich.model_copy(update={"findings": tuple(rich.findings[0].model_copy(update={"folded": False}) for _ in range(400))})
    assert len(list(telling.marks(many))) == telling.ANNOTATIONS_SHOWN
    long = many.model_copy(update={"findings": tuple(f.model_copy(update={"why": "x " * 1500}) for f in many.findings)})
    assert len(telling.summary(long).encode()) <= telling.SUMMARY_BYTES + 200


def test_action_passes_every_input_by_the_environment() -> None:
    """No `${{ }}` in a script: what somebody typed would be run."""
    text = (ROOT / "action.yml").read_text()
    inputs = set(re.findall(r"^  ([a-z-]+):$", text.split("outputs:")[0].split("inputs:")[1], re.MULTILINE))
    passed = set(re.findall(r"\$\{\{ inputs\.([a-z-]+) \}\}", text))
    assert inputs == passed
    assert not re.search(r"run:.*\$\{\{", text)
