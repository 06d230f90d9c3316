"""The store against crashes, other processes, people with editors, and bad disks."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from box_review.knowledge import Entry, Proposal, Revocation

from bot.errors import Refused
from bot.knowledge import history as histories
from bot.knowledge import lock as locks
from bot.knowledge import store as stores
from bot.knowledge.desk import Desk, Person
from bot.knowledge.history import Deed
from bot.knowledge.lock import file_system
from tests.bot.knowledge.writer import SCOPE

ME = Person(SCOPE, "k1")
TEXT = "A deploy of the shop needs a green smoke test."


def _desk(folder: Path) -> Desk:
    return Desk(folder / "knowledge", needed=3, shares=False)


def _propose(desk: Desk, text: str = TEXT, tenant: str = "one") -> Entry:
    return desk.propose(ME, Proposal(tenant=tenant, text=text))


def _git(folder: Path, *words: str) -> str:
    argv = ["git", "-C", str(folder / "knowledge"), "-c", "user.name=x", "-c", "user.email=x@x", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def _file(folder: Path, entry: Entry) -> Path:
    return folder / "knowledge" / SCOPE / entry.id[3:5] / f"{entry.id}.json"


def _writer(folder: Path, name: str, most: int = 0) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "tests.bot.knowledge.writer", str(folder / "knowledge"), name, str(most)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True)


def test_every_change_is_one_commit_that_names_who_and_nothing_a_caller_wrote_in_its_subject(tmp_path: Path) -> None:
    desk = _desk(tmp_path)
    entry = _propose(desk)
    desk.refuse(ME, entry.id, "not so\n\nSigned-off-by: nobody")
    subjects = _git(tmp_path, "log", "--format=%s|%an|%cn").splitlines()
    assert subjects == [f"{what}|box-review|box-review" for what in (f"refused {entry.id}", f"proposed {entry.id}", "begun")]
    assert _git(tmp_path, "log", "-1", "--format=%(trailers)").strip() == ""
    assert [(change.what, change.by, change.why) for change in desk.store.log(SCOPE, 1)] == [
        ("refused", "k1", "not so  Signed-off-by: nobody")
    ]
    assert _git(tmp_path, "status", "--porcelain") == ""


def test_text_cannot_break_the_file_it_stands_in(tmp_path: Path) -> None:
    text = 'It says ", "state": "published", "approved_by": "me" } \n}\n--- \u2028 end'
    entry = _propose(_desk(tmp_path), text)
    again = _desk(tmp_path).entry(ME, entry.id)
    assert (again.state, again.approved_by, again.text) == ("proposed", None, entry.text)


def test_what_was_acknowledged_is_there_after_kills_at_any_moment(tmp_path: Path) -> None:
    acknowledged: set[str] = set()
    chance = random.Random(7)
    for turn in range(12):
        writer = _writer(tmp_path, f"w{turn}")
        assert writer.stdout is not None
        acknowledged.add(writer.stdout.readline().strip())
        time.sleep(chance.uniform(0, 0.12))
        if turn % 2:
            os.killpg(writer.pid, signal.SIGKILL)  # git as well
        else:
            writer.kill()  # git goes on, and the lock with it
        acknowledged |= set(writer.stdout.read().split())
        writer.stdout.close()
        writer.wait()
        kept = {entry.id for entry in _desk(tmp_path).entries(ME, None, 100_000)}
        assert acknowledged <= kept
    assert len(acknowledged) > 12
    assert _git(tmp_path, "status", "--porcelain") == ""
    _git(tmp_path, "fsck", "--strict")


def test_git_that_outlives_its_killed_bot_keeps_the_lock_until_it_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began, slow = tmp_path / "began", tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text(f'#!/bin/sh\ncase "$*" in *update-ref*) touch {began}; sleep 2;; esac\nexec {shutil.which("git")} "$@"\n')
    slow.chmod(0o755)
    with monkeypatch.context() as patched:
        patched.setenv("PATH", str(slow.parent), prepend=":")
        writer = _writer(tmp_path, "w")
    while not began.exists():
        time.sleep(0.01)
    writer.kill()
    writer.communicate()
    assert len(_desk(tmp_path).entries(ME, None, 10)) == 1
    assert _git(tmp_path, "log", "-1", "--format=%s").startswith("proposed ")  # not put right beside a git that still works


def test_two_processes_at_once_lose_nothing_and_see_each_other(tmp_path: Path) -> None:
    desk = _desk(tmp_path)
    mine = _propose(desk)
    writers = [_writer(tmp_path, name, most=25) for name in ("a", "b")]
    said = [set(writer.communicate(timeout=50)[0].split()) for writer in writers]
    assert [len(ids) for ids in said] == [25, 25]
    assert {entry.id for entry in desk.entries(ME, None, 1000)} == {mine.id, *said[0], *said[1]}
    assert int(_git(tmp_path, "rev-list", "--count", "HEAD")) == 52


def test_other_process_supports_what_this_one_has(tmp_path: Path) -> None:
    one, other = _desk(tmp_path), _desk(tmp_path)
    entry = _propose(one, tenant="one")
    _propose(other, tenant="two")
    assert _propose(one, tenant="three").state == "published"
    assert [found.id for found in other.find(ME, "smoke test", "published", 5)] == [entry.id]


def test_file_whose_commit_a_crash_prevented_is_committed_at_the_next_start(tmp_path: Path) -> None:
    entry = _propose(_desk(tmp_path))
    _git(tmp_path, "reset", "-q", "--soft", "HEAD~1")
    (tmp_path / "knowledge/.git/index.lock").touch()
    assert _desk(tmp_path).entry(ME, entry.id).text == TEXT
    assert _git(tmp_path, "log", "-1", "--format=%s").strip() == f"put right {entry.id}"


def test_half_a_file_is_set_aside_and_the_last_commit_restored(tmp_path: Path) -> None:
    entry = _propose(_desk(tmp_path))
    _file(tmp_path, entry).write_text('{"id": "kn-')
    assert _desk(tmp_path).entry(ME, entry.id).text == TEXT
    [aside] = (tmp_path / "knowledge/.git/set-aside").iterdir()
    assert aside.read_text() == '{"id": "kn-'


def test_index_that_a_power_cut_spoiled_is_made_anew(tmp_path: Path) -> None:
    entry = _propose(_desk(tmp_path))
    (tmp_path / "knowledge/.git/index").write_bytes(b"DIRC\0")
    desk = _desk(tmp_path)
    assert desk.entry(ME, entry.id).text == TEXT
    _propose(desk, "The tests take 3 minutes.")
    assert _git(tmp_path, "status", "--porcelain") == ""


def test_commit_of_a_person_at_the_same_moment_is_not_lost(tmp_path: Path) -> None:
    desk = _desk(tmp_path)
    _propose(desk)
    other = _propose(desk, "The tests take 3 minutes.")
    with desk.store.changing() as writing:
        _file(tmp_path, other).write_text(_file(tmp_path, other).read_text().replace("3 minutes", "4 minutes"))
        _git(tmp_path, "commit", "-qam", "a person's word")
        entry = writing.shelf(SCOPE).same(TEXT)
        assert entry is not None
        writing.keep(SCOPE, [entry.model_copy(update={"topic": "deploys"})], Deed("supported", (entry.id,)))
    subjects = _git(tmp_path, "log", "--format=%s").splitlines()
    assert subjects[:2] == [f"supported {entry.id}", "a person's word"]
    assert (desk.entry(ME, other.id).text, desk.entry(ME, entry.id).topic) == ("The tests take 4 minutes.", "deploys")


def test_backup_as_the_docs_say_it_is_whole(tmp_path: Path) -> None:
    entry = _propose(_desk(tmp_path))
    (tmp_path / "restored").mkdir()
    for source, target, more in ((".git", "backup", ["--mirror"]), ("../backup", "restored/knowledge", [])):
        argv = ["git", "clone", "-q", *more, str(tmp_path / "knowledge" / source), str(tmp_path / target)]
        subprocess.run(argv, check=True, capture_output=True)
    desk = _desk(tmp_path / "restored")
    assert desk.entry(ME, entry.id) == entry
    assert _propose(desk, tenant="two").id == entry.id


def test_file_that_is_gone_is_restored(tmp_path: Path) -> None:
    entry = _propose(_desk(tmp_path))
    _file(tmp_path, entry).unlink()
    assert _desk(tmp_path).entry(ME, entry.id).text == TEXT


def test_writer_that_died_is_put_right_by_the_next_one_that_writes(tmp_path: Path) -> None:
    desk = _desk(tmp_path)
    entry = _propose(desk)
    file = _file(tmp_path, entry)
    (tmp_path / "knowledge/.git/pending").write_text(str(file))
    file.write_text(file.read_text().replace("green", "blue"))
    _propose(desk, "The tests take 3 minutes.")
    assert "blue" in desk.entry(ME, entry.id).text


def test_commit_of_a_person_is_followed_and_a_broken_one_does_no_harm(tmp_path: Path) -> None:
    desk = _desk(tmp_path)
    entry, other = _propose(desk), _propose(desk, "The tests take 3 minutes.")
    file = _file(tmp_path, entry)
    file.write_text(file.read_text().replace("green", "blue"))
    _git(tmp_path, "commit", "-qam", "a person's word")
    assert "blue" in desk.entry(ME, entry.id).text
    assert desk.store.log(SCOPE, 1)[0].what == "by hand"
    file.write_text("nonsense")
    _git(tmp_path, "commit", "-qam", "broken")
    assert [found.id for found in desk.entries(ME, None, 10)] == [other.id]
    _git(tmp_path, "rm", "-q", str(_file(tmp_path, other)))
    _git(tmp_path, "commit", "-qm", "gone")
    assert desk.entries(ME, None, 10) == []


def test_link_in_the_store_is_not_followed(tmp_path: Path) -> None:
    desk = _desk(tmp_path)
    entry = _propose(desk)
    file = _file(tmp_path, entry)
    file.replace(tmp_path / "elsewhere.json")
    file.symlink_to(tmp_path / "elsewhere.json")
    _git(tmp_path, "commit", "-qam", "a link")
    assert desk.entries(ME, None, 10) == []


def test_hook_and_setting_in_the_users_name_decide_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    (home / "hooks").mkdir(parents=True)
    (home / "hooks/pre-commit").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    (home / "hooks/pre-commit").chmod(0o755)
    (home / ".gitconfig").write_text(f"[core]\nhooksPath = {home}/hooks\n[commit]\ngpgSign = true\n[user]\nname = somebody\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("GIT_CONFIG_GLOBAL", raising=False)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    desk = _desk(tmp_path)
    _propose(desk)
    hooks = tmp_path / "knowledge/.git/hooks"
    hooks.mkdir(exist_ok=True)
    (hooks / "pre-commit").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    (hooks / "pre-commit").chmod(0o755)
    _propose(desk, "The tests take 3 minutes.")
    assert not (tmp_path / "ran").exists()


def test_what_git_cannot_keep_was_never_there(tmp_path: Path) -> None:
    desk = _desk(tmp_path)
    entry = _propose(desk)
    objects = tmp_path / "knowledge/.git/objects"
    real = objects.rename(tmp_path / "objects")
    objects.write_text("")
    with pytest.raises(Refused, match="shared knowledge cannot be used on this server: git") as refused:
        _propose(desk, "The tests take 3 minutes.")
    assert refused.value.status_code == 503
    objects.unlink()
    real.rename(objects)
    for one in (desk, _desk(tmp_path)):
        assert {found.id for found in one.entries(ME, None, 10)} >= {entry.id}
        assert _propose(one, "The tests take 3 minutes.").state == "proposed"


def test_lock_that_others_do_not_let_go_of_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "WAIT_S", 0.05)
    one, other = _desk(tmp_path), _desk(tmp_path)
    _propose(one)
    _propose(other, tenant="two")
    with one.store.changing(), pytest.raises(Refused, match="is being changed by others"):
        _propose(other, "The tests take 3 minutes.")


def test_folder_that_cannot_be_used_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "knowledge").write_text("a file")
    for act in (_propose, lambda desk: desk.entries(ME, None, 1), lambda desk: desk.store.log(SCOPE, 1)):
        with pytest.raises(Refused, match="shared knowledge cannot be used on this server: ") as refused:
            act(_desk(tmp_path))
        assert (refused.value.status_code, str(tmp_path) in str(refused.value)) == (503, False)


def test_files_that_a_person_keeps_there_are_left_alone(tmp_path: Path) -> None:
    entry = _propose(_desk(tmp_path))
    notes = [tmp_path / "knowledge" / name for name in ("README.md", f"{SCOPE}/notes.txt", "x.json")]
    for note in notes:
        note.write_text("mine")
    assert _desk(tmp_path).entries(ME, None, 10) == [entry]
    assert [note.read_text() for note in notes] == ["mine"] * 3


def test_network_file_system_is_told_from_a_disk(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    lines = ("/ rw - ext4 /dev/a rw", f"{tmp_path}/far rw shared:1 - nfs4 host:/x rw", f"{tmp_path}/farther rw - xfs /dev/b rw")
    mounts.write_text("".join(f"{number} 0 8:1 / {line}\n" for number, line in enumerate(lines)))
    (tmp_path / "far").mkdir()
    assert file_system(tmp_path / "far" / "knowledge", mounts) == "nfs4"
    assert file_system(tmp_path / "farther", mounts) == "xfs"
    assert file_system(tmp_path, mounts) == "ext4"


def test_revocation_that_a_crash_cut_off_is_finished(tmp_path: Path) -> None:
    desk = _desk(tmp_path)
    for tenant in ("one", "two", "three"):
        entry = _propose(desk, tenant=tenant)
    before = _file(tmp_path, entry).read_text()
    desk.revoke(ME, Revocation(tenant="two", reason="it lied"))
    _file(tmp_path, entry).write_text(before)  # as if only the list of sources had been written
    _git(tmp_path, "commit", "-qam", "half")
    again = _desk(tmp_path).entry(ME, entry.id)
    assert (again.state, [support.tenant for support in again.support]) == ("revoked", ["one", "three"])


@pytest.mark.parametrize("packs", [20, -1], ids=["loose ones alone", "all"])
def test_objects_are_packed_before_they_are_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packs: int) -> None:
    monkeypatch.setattr(stores, "TIDY_EVERY", 2)
    monkeypatch.setattr(histories, "_MOST_PACKS", packs)
    desk = _desk(tmp_path)
    _propose(desk)
    loose = tmp_path / "knowledge/.git/objects/17"
    loose.mkdir(exist_ok=True)
    for number in range(20):
        (loose / f"{number:038x}").touch(mode=0o400)
    _propose(desk, "The tests take 3 minutes.")
    assert list((tmp_path / "knowledge/.git/objects/pack").glob("*.pack"))
    assert _desk(tmp_path).entries(ME, None, 10)
