"""Where GitHub takes comments: real diffs of git, with names and contents that try to look like something else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from box_review.errors import InputError

from bot.github import hunks
from bot.github.hunks import Hunk, Place, parse, place, read_hunks
from tests.repositories import Repository
from tests.sdk.records import finding

Made = Callable[..., Repository]


def hunks_of(repository: Repository) -> dict[str, tuple[Hunk, ...]]:
    base, head = repository.git("rev-parse", "HEAD^"), repository.git("rev-parse", "HEAD")
    paths = repository.git("diff", "--name-only", "-z", base, head).split("\0")[:-1]
    return dict(read_hunks(repository.path / ".git", base, head, paths))


def test_hunks_are_the_changed_lines_and_three_around_them(repository: Made) -> None:
    old = "".join(f"{n}\n" for n in range(1, 41))
    new = old.replace("10\n", "ten\n").replace("30\n", "")
    assert hunks_of(repository({"a.txt": old}, {"a.txt": new})) == {"a.txt": (Hunk(7, 13), Hunk(27, 32))}


def test_new_renamed_and_removed_files(repository: Made) -> None:
    long = "".join(f"line {n}\n" for n in range(30))
    made = repository({"old.txt": long, "gone.txt": "x\n"}, {"old.txt": None, "gone.txt": None, "new.txt": long + "end\n", "n.txt": "1\n2"})
    assert hunks_of(made) == {"n.txt": (Hunk(1, 2),), "new.txt": (Hunk(28, 31),)}


def test_names_that_need_quoting(repository: Made) -> None:
    names = ["a b.txt", "tab\there.txt", 'quo"te.txt', "grün.txt", "new\nline.txt", "back\\slash.txt", "b/b.txt"]
    found = hunks_of(repository({"x": "1"}, dict.fromkeys(names, "1\n")))
    assert sorted(found) == sorted(names)


def test_lines_that_look_like_a_diff_are_only_lines(repository: Made) -> None:
    text = "+++ b/evil.txt\n@@ -1,3 +1,90 @@\n--- a/x\ndiff --git a/e b/e\n\n\\ No newline\n"
    assert hunks_of(repository({"a": "1\n"}, {"a": text, "z": "1\n"})) == {"a": (Hunk(1, 6),), "z": (Hunk(1, 1),)}


def test_binary_files_and_empty_changes_have_no_lines(repository: Made) -> None:
    assert hunks_of(repository({"a.bin": b"\0\1"}, {"a.bin": b"\0\2", "empty": ""})) == {}
    assert parse(b"") == {}


def test_commits_that_are_not_there_are_said_to_be(repository: Made) -> None:
    made = repository({"a": "1"})
    with pytest.raises(InputError, match="git failed: bad object"):
        read_hunks(made.path / ".git", "0" * 40, "1" * 40, ["a"])


def test_change_that_would_not_fit_into_memory_is_not_read(repository: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hunks, "MOST_BYTES", 10_000)
    made = repository({"a": "1\n"}, {"a": "2\n", "large": "x\n" * 20_000})
    base, head = made.git("rev-parse", "HEAD^"), made.git("rev-parse", "HEAD")
    assert read_hunks(made.path / ".git", base, head, ["a"]) == {"a": (Hunk(1, 1),)}
    with pytest.raises(InputError, match="more than"):
        read_hunks(made.path / ".git", base, head, ["large"])


def test_name_that_is_no_text_gets_no_comment(repository: Made) -> None:
    assert hunks_of(repository({"a": "1"}, {"n\udcff.txt": "1\n", "b": "1\n"})) == {"b": (Hunk(1, 1),)}


@pytest.mark.parametrize(
    ("lines", "where"),
    [
        ((5, 5), Place(5, 5, exact=True)),
        ((3, 9), Place(3, 9, exact=True)),
        ((1, 4), Place(3, 4, exact=False)),
        ((8, 40), Place(8, 9, exact=False)),
        ((10, 12), None),
        ((1, 2), None),
    ],
)
def test_finding_is_placed_where_the_diff_shows_its_lines(lines: tuple[int, int], where: Place | None) -> None:
    one = finding(path="a.py", start_line=lines[0], end_line=lines[1])
    assert place(one, {"a.py": (Hunk(3, 9),)}) == where
    assert place(one, {"b.py": (Hunk(3, 9),)}) is None
