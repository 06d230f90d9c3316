"""The rows of the client's surface that no other test here goes through."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from upstash_box import Box, BoxError, EphemeralBox


def test_code_is_streamed(box: Box) -> None:
    chunks = list(box.exec.stream_code(code="print(6 * 7)", lang="python"))
    assert "".join(chunk.data for chunk in chunks if chunk.type == "output") == "42\n"
    assert chunks[-1].exit_code == 0


def test_code_past_its_time_is_ended(box: Box) -> None:
    done = box.exec.code(code="import time; time.sleep(60)", lang="python", timeout=500)
    assert done.exit_code != 0
    assert "ended after 0.5 s" in done.stderr


def test_folder_is_downloaded(box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        box.files.write(path=f"down/{name}", content=name)
    box.files.mkdir("down/inner")
    box.files.download(folder="down")
    found = {path.name: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"one": "one", "two": "two"}


def test_run_has_logs_of_its_own(box: Box) -> None:
    run = box.exec.command("true")
    box.pause()
    box.resume()
    assert "box resumed" in [line.message for line in run.logs()]
    run.cancel()  # one that has ended, under an id the client made up: no error


def test_ephemeral_box_has_the_methods_of_its_kind(account: None) -> None:
    made = EphemeralBox.create(ttl=300, name="short", env={"A": "1"}, network_policy={"mode": "deny-all"}, size="medium")
    assert abs(made.expires_at - time.time() - 300) < 20
    assert EphemeralBox.get_by_name("short").id == made.id
    made.files.write(path="f", content="1")
    made.exec.command("mkdir sub")
    made.cd("sub")
    assert made.exec.command("pwd; echo $A").result == "/workspace/home/sub\n1\n"
    assert made.get_status()["status"] == "idle"
    schedule = made.schedule.exec(cron="@daily", command=["true"])
    assert [one.id for one in made.schedule.list()] == [schedule.id]
    kept = made.snapshot(name="of-a-short-one")
    assert [one.id for one in made.list_snapshots()] == [kept.id]
    again = EphemeralBox.from_snapshot(kept.id, ttl=60)
    assert again.files.read("/workspace/home/f") == "1"
    made.delete_snapshot(kept.id)
    EphemeralBox.delete_boxes(box_ids=[made.id, again.id])
    with pytest.raises(BoxError) as gone:
        made.exec.command("true")
    assert gone.value.status_code == 404


def test_box_is_made_with_everything_at_once(account: None) -> None:
    made = Box.create(
        name="all", size="large", runtime="python", labels=["a", "b:c"], keep_alive=True, init_command="true",
        env={"WORD": "x"}, attach_headers={"api.example.com": {"Authorization": "Bearer s3cret"}},
        network_policy={"mode": "custom", "allowed_domains": ["example.com"], "denied_cidrs": ["10.0.0.0/8"]},
        git={"user_name": "N", "user_email": "n@example.com"},
        mcp_servers=[
            {"name": "docs", "package": "some-package", "args": ["--x"]},
            {"name": "far", "url": "https://mcp.example.com/sse", "headers": {"X-Key": "k3y"}},
        ],
    )  # fmt: skip
    shown = next(listed for listed in Box.list() if listed.id == made.id)
    assert (shown.size, shown.runtime, shown.labels, shown.keep_alive) == ("large", "python", ["a", "b:c"], True)
    assert "s3cret" not in str(shown) and "k3y" not in str(shown)
    assert "s3cret" not in made.exec.command("env").result
    with pytest.raises(BoxError):
        made.pause()  # what is kept alive does not pause
    made.delete()
    with pytest.raises(BoxError, match="browser"):
        Box.create(browser=True)


@pytest.mark.parametrize(
    "bad", [{"labels": ["x" * 21]}, {"labels": ["a b"]}, {"labels": list("abcdef")}, {"size": "tiny"}, {"runtime": "cobol"}]
)
def test_box_that_cannot_be_is_refused(account: None, bad: dict[str, object]) -> None:
    with pytest.raises(BoxError) as refused:
        Box.create(**bad)  # type: ignore[arg-type]
    assert refused.value.status_code == 400
