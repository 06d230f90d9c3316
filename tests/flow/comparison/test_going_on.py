"""The command line, and comparisons that are killed, interrupted, asked again, or beside others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

from box_review.boxes import Boxes
from box_review.comparison import Comparison, compare
from box_review.comparison.answer import Status
from box_review.comparison.store import Store

from tests.fakes.models import ModelServer
from tests.fakes.script import Asked, Step
from tests.flow.box_api.conftest import until
from tests.flow.comparison.made import number, run, snapshots, spec, statuses
from tests.server import Server, box_review


def test_command_line_prints_what_it_is_asked_for_and_exits_by_what_came_of_it(served: Server, beside: Path) -> None:
    (beside / "spec.yml").write_text(json.dumps(spec("first", count=2)))
    done = run(served, beside / "spec.yml", "--out", beside / "out")
    assert done.code == 0, done.err
    assert "exact_match ↑" in done.out
    assert "2/2 " in done.err
    quiet = run(served, beside / "spec.yml", "--out", beside / "out", "--format", "json", "--quiet")
    assert (json.loads(quiet.out)["known_before"], quiet.err) == (2, "")
    (beside / "bad.yml").write_text("models: 1\n")
    bad = run(served, beside / "bad.yml")
    assert (bad.code, bad.out) == (2, "")
    assert "bad.yml: models: " in bad.err
    assert "Traceback" not in bad.err
    (beside / "dear.yml").write_text(json.dumps(spec("dear", count=3)))
    short = run(served, beside / "dear.yml", "--out", beside / "dear", "--budget", "1", "--at-once", "1")
    assert (short.code, "2 of 3 cells were not run" in short.out) == (3, True)


def test_what_failed_is_asked_again_when_that_is_wished(served: Server, models: ModelServer, beside: Path) -> None:
    (beside / "spec.yml").write_text(json.dumps(spec("first", count=2) | {"models": [{"id": "a", "model": "openai/away"}]}))
    before, models.script = models.script, lambda asked: Step(status=404, text="away") if number(asked) == "1" else Step(text="x0")
    try:
        first = run(served, beside / "spec.yml", "--out", beside / "out", "--format", "json")
    finally:
        models.script = before
    kept = run(served, beside / "spec.yml", "--out", beside / "out", "--format", "json")
    again = run(served, beside / "spec.yml", "--out", beside / "out", "--format", "json", "--retry-failed")
    found = [Comparison.model_validate_json(ended.out) for ended in (first, kept, again)]
    assert [one.known_before for one in found] == [0, 2, 1]
    assert [statuses(one)["a"][Status.FAILED] for one in found] == [1, 1, 0]


def test_server_of_the_official_client_is_found_too(served: Server, beside: Path) -> None:
    (beside / "spec.yml").write_text(json.dumps(spec("first", count=1)))
    where = {"UPSTASH_BOX_BASE_URL": served.url, "UPSTASH_BOX_API_KEY": served.address.api_key}
    assert box_review("compare", beside / "spec.yml", "--out", beside / "out", "--quiet", **where).code == 0


def test_server_that_is_not_there_is_one_sentence(beside: Path) -> None:
    (beside / "spec.yml").write_text(json.dumps(spec("first")))
    done = box_review("compare", beside / "spec.yml", "--out", beside / "o", BOX_REVIEW_URL="http://127.0.0.1:9", BOX_REVIEW_API_KEY="x")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("box-review: no answer from the server at http://127.0.0.1:9: ")


def test_killed_in_the_middle_it_goes_on_without_repeating_a_finished_cell(served: Server, models: ModelServer, beside: Path) -> None:
    given = spec("first", count=8) | {"models": [{"id": "one", "model": "openai/one"}, {"id": "two", "model": "openai/two"}]}
    given["setup"]["commands"] = ["date +%s%N > made-at"]  # never the same again
    (beside / "spec.yml").write_text(json.dumps(given))
    out, asked_before, script, killed = beside / "out", len(models.asked), models.script, threading.Event()

    def hold(asked: Asked) -> Step:  # from the fifth request on, until the comparison is dead
        return Step(text="ok") if len(models.asked) - asked_before <= 4 or killed.wait(30) else Step(status=500)

    environment = {**os.environ, "BOX_REVIEW_URL": served.url, "BOX_REVIEW_API_KEY": served.address.api_key}
    argv = [sys.executable, "-m", "box_review", "compare", beside / "spec.yml", "--out", out, "--at-once", "2"]
    models.script = hold
    with subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until(lambda: len(list(out.glob("answers/*.json"))) == 4 and len(models.asked) - asked_before == 6, patience_s=40)
        process.send_signal(signal.SIGKILL)
    finished = {path.name: path.read_bytes() for path in out.glob("answers/*.json")}
    boxes = Boxes(served.address)
    assert len(boxes.list()) == 2  # of the cells that were at work
    models.script = script
    killed.set()
    done = run(served, beside / "spec.yml", "--out", out, "--format", "json", "--quiet")
    found = Comparison.model_validate_json(done.out)
    assert (found.known_before, found.complete) == (4, True)
    asked = Counter((asked.model, number(asked)) for asked in models.asked[asked_before:])
    kept = [cell for cell in found.cells if f"{cell.answer.key}.json" in finished]
    assert len(kept) == 4
    assert {asked[cell.model, cell.input.removeprefix("i")] for cell in kept} == {1}
    assert all((out / "answers" / name).read_bytes() == data for name, data in finished.items())
    assert boxes.list() == []
    assert (out / ".label").read_text() not in snapshots(served)


def test_what_an_earlier_run_left_is_removed_and_nothing_of_others(served: Server, beside: Path) -> None:
    boxes, label = Boxes(served.address), Store(beside / "out").label
    with boxes.create(labels=[label]) as left, boxes.create(labels=["mine"]) as other:
        left.snapshot(name="left")
        other.snapshot(name="other")
        compare(spec("first", count=1), folder=beside, out=beside / "out", address=served.address)
        assert [box.id for box in boxes.list()] == [other.id]
        assert snapshots(served) >= {"other"}
        assert "left" not in snapshots(served)
        other.delete()


def test_server_of_this_machine_is_started_for_it_and_again_after_a_kill(data_dir: Path, beside: Path) -> None:
    (beside / "spec.yml").write_text(json.dumps(spec("first", count=10, at_once=1)))
    out, environment = beside / "out", {"BOX_DATA_DIR": str(data_dir / "d")}
    argv = [sys.executable, "-m", "box_review", "compare", beside / "spec.yml", "--out", out]
    with subprocess.Popen(argv, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until(lambda: len(list(out.glob("answers/*.json"))) >= 2, patience_s=40)
        process.send_signal(signal.SIGKILL)
    finished = len(list(out.glob("answers/*.json")))
    done = box_review("compare", beside / "spec.yml", "--out", out, "--format", "json", "--quiet", **environment)
    assert done.code == 0, done.err
    assert Comparison.model_validate_json(done.out).known_before == finished < 10


def test_two_comparisons_in_one_folder_at_once_are_refused(served: Server, beside: Path) -> None:
    (beside / "spec.yml").write_text(json.dumps(spec("first", count=1)))
    with Store(beside / "out").turn():
        second = run(served, beside / "spec.yml", "--out", beside / "out")
    assert (second.code, "another comparison works in" in second.err) == (2, True)
    assert run(served, beside / "spec.yml", "--out", beside / "out").code == 0


def test_interrupted_it_leaves_no_box_behind(served: Server, models: ModelServer, beside: Path) -> None:
    given = spec("first", count=6) | {"models": [{"id": "one", "model": "openai/slow"}]}
    (beside / "spec.yml").write_text(json.dumps(given))
    environment = {**os.environ, "BOX_REVIEW_URL": served.url, "BOX_REVIEW_API_KEY": served.address.api_key}
    argv = [sys.executable, "-m", "box_review", "compare", beside / "spec.yml", "--out", beside / "out", "--at-once", "2"]
    before, script, ended = len(models.asked), models.script, threading.Event()
    models.script = lambda _: Step(text="ok") if ended.wait(30) else Step(status=500)
    with subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        until(lambda: len(models.asked) == before + 2, patience_s=40)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    models.script = script
    ended.set()
    assert process.returncode == 130
    assert "the same command goes on from there" in said
    assert "Traceback" not in said
    assert Boxes(served.address).list() == []
