"""The command line as people use it: what it prints, writes and answers with."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from box_review.client import AsyncClient, Client, Options
from box_review.jobs import events_key

from jobs.queue import connect
from tests.repositories import BAD, Repository
from tests.server import Ended, Server, box_review

Make = Callable[..., Repository]


def ask(server: Server, *arguments: str | Path) -> Ended:
    return box_review("review", *arguments, BOX_REVIEW_URL=server.address.url, BOX_REVIEW_API_KEY=server.address.api_key)


def test_exit_code_says_whether_something_was_found(repository: Make, server: Server) -> None:
    path = repository({"x": "1"}, {"a.py": BAD}).path
    assert ask(server, path).code == 1
    assert ask(server, path, "--fail-on", "critical").code == 0
    assert ask(server, path, "--fail-on", "never").code == 0
    assert ask(server, path, "--role", "architecture").code == 0


def test_progress_goes_to_stderr_and_the_review_to_stdout_or_a_file(repository: Make, server: Server, tmp_path: Path) -> None:
    path = repository({"x": "1"}, {"a.py": BAD}).path
    ended = ask(server, path, "--format", "json")
    assert json.loads(ended.out)["status"] == "completed"
    assert "security" in ended.err
    ended = ask(server, path, "--format", "json", "-o", tmp_path / "out.json", "--quiet")
    assert (ended.out, ended.err) == ("", "")
    assert json.loads((tmp_path / "out.json").read_text())["findings"]


def test_uncommitted_changes_are_said_not_to_be_reviewed(repository: Make, server: Server) -> None:
    made = repository({"a.py": "x = 1\n"}, {"a.py": "x = 2\n"})
    made.write({"a.py": BAD})
    ended = ask(server, made.path)
    assert "1 file with uncommitted changes" in ended.err
    assert ended.code == 0


def test_branch_is_compared_with_its_merge_base(repository: Make, server: Server) -> None:
    made = repository({"x": "1"})
    made.git("checkout", "-q", "-b", "topic")
    made.commit({"b.py": "x = 1\n"})
    made.git("checkout", "-q", "main")
    made.commit({"a.py": BAD})
    made.git("checkout", "-q", "topic")
    record = json.loads(ask(server, made.path, "--format", "json").out)
    assert [file["path"] for file in record["changed_files"]] == ["b.py"]


def test_problem_that_was_there_before_is_not_told(repository: Make, server: Server) -> None:
    made = repository({"a.py": BAD}, {"a.py": BAD + "\n\nx = 1\n"})
    assert json.loads(ask(server, made.path, "--format", "json").out)["findings"] == []


@pytest.mark.parametrize("command", ["review", "serve", "doctor"])
def test_every_command_has_a_help_text(command: str) -> None:
    ended = box_review(command, "--help")
    assert ended.code == 0
    assert "Usage:" in ended.out


def test_program_reviews_by_the_sync_client(repository: Make, server: Server) -> None:
    events: list[str] = []
    with Client(server.address) as client:
        path = repository({"x": "1"}, {"a.py": BAD}).path
        record = client.review(path, options=Options(roles=("security",)), on_event=lambda event: events.append(event.kind))
        assert client.record(record.review_id) == record
    assert [finding.topic for finding in record.findings] == ["command-injection"]
    assert events[-1] == "finished"


def test_reviews_side_by_side_on_one_data_directory_take_turns(repository: Make, data_dir: Path) -> None:
    path = repository({"x": "1"}, {"a.py": BAD}).path
    with ThreadPoolExecutor(3) as pool:
        ended = list(pool.map(lambda _: box_review("review", path, BOX_DATA_DIR=str(data_dir / "d")), range(3)))
    assert [end.code for end in ended] == [1, 1, 1], ended
    assert sum("waiting for it to end" in end.err for end in ended) == 2


def test_proxy_of_the_environment_sees_nothing_of_a_local_review(repository: Make, data_dir: Path) -> None:
    proxy = dict.fromkeys(("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"), "http://127.0.0.1:9")
    ended = box_review("review", repository({"x": "1"}, {"a.py": BAD}).path, BOX_DATA_DIR=str(data_dir / "d"), **proxy)
    assert ended.code == 1, ended


async def test_verdict_whose_writer_died_before_it_could_say_so_still_ends_the_wait(repository: Make, server: Server) -> None:
    path = repository({"x": "1"}, {"a.py": BAD}).path
    async with AsyncClient(server.address) as client:
        record = await client.review(path)
        redis = connect(f"unix://{server.data_dir}/queue/valkey.sock")
        entries = await redis.xrevrange(events_key(record.review_id), count=1)
        await redis.xdel(events_key(record.review_id), entries[0][0])
        await redis.aclose(close_connection_pool=True)
        assert (await client.wait(record.review_id)).status == record.status
