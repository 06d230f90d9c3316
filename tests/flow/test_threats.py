"""One test per threat of a hostile repository, named after the threat; each is a real review."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from box_review import ReviewRecord, ReviewRequest, ReviewStatus
from box_review.client import AsyncClient
from box_review.source import Source

from tests.repositories import BAD, Repository
from tests.server import Server, box_review

Make = Callable[..., Repository]


def review(server: Server, repository: Repository, *arguments: str) -> ReviewRecord:
    ended = box_review(
        *("review", repository.path, "--format", "json", "--quiet", *arguments),
        BOX_REVIEW_URL=server.address.url, BOX_REVIEW_API_KEY=server.address.api_key,
    )  # fmt: skip
    assert ended.code in (0, 1), ended
    return ReviewRecord.model_validate_json(ended.out)


def topics(record: ReviewRecord) -> set[str]:
    return {finding.topic for finding in record.findings}


def test_hook_filter_fsmonitor_or_textconv_runs_on_the_host(repository: Make, server: Server, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    hostile = repository({"a.py": "x = 1\n"}, {"a.py": BAD, ".gitattributes": "* filter=evil diff=evil\n"})
    for name, value in {
        "filter.evil.clean": f"touch {mark}; cat", "filter.evil.smudge": f"touch {mark}; cat", "filter.evil.process": f"touch {mark}",
        "diff.evil.textconv": f"touch {mark}; cat",
        "diff.evil.command": f"touch {mark}", "core.fsmonitor": f"touch {mark}",
        "uploadpack.packObjectsHook": f"touch {mark}", "core.pager": f"touch {mark}", "gpg.program": f"touch {mark}",
        "log.showSignature": "true",
        "core.sshCommand": f"touch {mark}", "core.alternateRefsCommand": f"touch {mark}",
    }.items():  # fmt: skip
        hostile.git("config", name, value)
    for hook in ("post-checkout", "reference-transaction", "pre-auto-gc", "post-index-change", "fsmonitor-watchman"):
        file = hostile.path / ".git" / "hooks" / hook
        file.write_text(f"#!/bin/sh\ntouch {mark}\n")
        file.chmod(0o755)
    hostile.write({"a.py": BAD + "# not committed\n"})
    os.utime(hostile.path / ".gitattributes", (1, 1))
    assert "command-injection" in topics(review(server, hostile))
    assert not mark.exists()


def test_linter_settings_of_the_repository_switch_rules_off(repository: Make, server: Server) -> None:
    settings = {
        "ruff.toml": "exclude = ['*.py']\n[lint]\nselect = []\n", "pyproject.toml": "[tool.ruff]\nexclude = ['*']\n",
        ".shellcheckrc": "disable=all\n",
        "setup.cfg": "[flake8]\nexclude = *\n", "whitelizer.txt": "a.py\n", ".zizmor.yml": "rules: {}\n", "a.py": "# ruff: noqa\n" + BAD,
    }  # fmt: skip
    assert "command-injection" in topics(review(server, repository({"x": "1"}, settings)))


def test_symlink_to_a_file_of_the_host_is_read(repository: Make, server: Server, tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_text("password = 'hunter2hunter2'\n" + BAD)
    hostile = repository({"x": "1"})
    (hostile.path / "link.py").symlink_to(tmp_path / "secret.py")
    (hostile.path / "passwd.py").symlink_to("/etc/passwd")
    hostile.commit({})
    record = review(server, hostile)
    assert "hunter2" not in record.model_dump_json()
    assert not record.findings


def test_file_name_that_steers_the_terminal_or_a_program(repository: Make, server: Server) -> None:
    hostile = repository({"x": "1"})
    for name in (
        b"--config=x.py",
        b"with space.py",
        b"new\nline.py",
        b"esc\x1b]0;owned\x07.py",
        b"bytes\xff\xfe.py",
        b"-rf.py",
        b"$(touch x).py",
    ):
        (hostile.path / os.fsdecode(name)).write_text(BAD)
    hostile.commit({})
    record = review(server, hostile)
    assert len({finding.path for finding in record.findings if finding.topic == "command-injection"}) == 7
    for form in ("text", "markdown", "html", "sarif"):
        ended = box_review(
            *("review", hostile.path, "--format", form, "--fail-on", "never"),
            BOX_REVIEW_URL=server.address.url, BOX_REVIEW_API_KEY=server.address.api_key,
        )  # fmt: skip
        assert ended.code == 0, ended
        assert not any(character in ended.out + ended.err for character in ("\x1b", "\x07"))


def test_submodule_is_fetched(repository: Make, server: Server) -> None:
    hostile = repository({"x": "1"}, {".gitmodules": '[submodule "m"]\n\tpath = m\n\turl = ext::sh -c touch%20/tmp/owned\n', "b.py": BAD})
    hostile.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},m")
    hostile.git("commit", "-qm", "submodule")
    record = review(server, hostile, "--base", "HEAD~2")
    assert "command-injection" in topics(record)
    assert any("submodule" in sentence.lower() for sentence in record.not_covered)


def test_tree_that_writes_into_git_is_unpacked(repository: Make, server: Server) -> None:
    hostile = repository({"x": "1"})
    blob = hostile.git("hash-object", "-w", "--stdin", stdin=b"[core]\n\tfsmonitor = touch /tmp/owned\n")
    inner = hostile.git("mktree", stdin=f"100644 blob {blob}\tconfig\n".encode())
    tree = hostile.git("mktree", stdin=f"040000 tree {inner}\t.git\n".encode())
    head = hostile.git("commit-tree", tree, "-p", "HEAD", "-m", "x")
    ended = box_review(
        *("review", hostile.path, "--base", "HEAD", "--head", head),
        BOX_REVIEW_URL=server.address.url, BOX_REVIEW_API_KEY=server.address.api_key,
    )  # fmt: skip
    assert (ended.code, "Traceback" in ended.err) == (2, False)
    assert "could not read the commits" in ended.err


def test_change_too_large_to_look_at_hides_that_it_was_not_looked_at(repository: Make, server: Server) -> None:
    hostile = repository({"x": "1"}, {"big.py": b"x = '" + b"a" * 5_000_000 + b"'\n", "b.py": BAD})
    record = review(server, hostile)
    assert "command-injection" in topics(record)
    assert any("big.py" in sentence or "1 MB" in sentence or "larger" in sentence for sentence in record.not_covered), record.not_covered


def test_ten_thousand_files_are_reviewed(repository: Make, server: Server) -> None:
    many = repository({"x": "1"}, {f"d{n % 100}/f{n}.py": f"x = {n}\n" for n in range(10_000)} | {"b.py": BAD})
    record = review(server, many)
    assert "command-injection" in topics(record)
    assert len(record.changed_files) == 10_001


async def test_archive_that_is_no_archive_breaks_the_runner(server: Server, tmp_path: Path) -> None:
    archive = tmp_path / "source.tar"
    archive.write_bytes(b"../../etc/passwd" * 100)
    digest = hashlib.sha256(b"../../etc/passwd" * 100).hexdigest()
    async with AsyncClient(server.address) as client:
        await client.upload(Source(archive, digest))
        request = ReviewRequest(repository="x", source=digest, base_sha="1" * 40, head_sha="2" * 40)
        record = await client.wait(await client.create(request))
    assert record.status is ReviewStatus.FAILED
    assert all("could not be checked out" in (report.error or "") for report in record.roles)
    assert record.conclusion.value == "neutral"
