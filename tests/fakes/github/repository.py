"""A repository: its git, its members, and how tests let something happen to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.fakes.github import events
from tests.fakes.github.accounts import Account, Installation
from tests.fakes.github.bare import Bare, Files
from tests.fakes.github.clock import now
from tests.fakes.github.locked import locked
from tests.fakes.github.pull import Proposal, Pull
from tests.fakes.github.records import CheckRun, CheckSuite, Label, Sarif

if TYPE_CHECKING:
    from tests.fakes.github.github import GitHub

ROLES = ("none", "read", "triage", "write", "maintain", "admin")


class Repository:
    """One repository; `path` is its bare git repository.

    `archived`, `private` and `code_scanning` may be set by tests.
    """

    def __init__(self, github: GitHub, owner: Account, name: str, bare: Bare, *, private: bool, default_branch: str) -> None:
        self.github = github
        self.id = github.next_id()
        self.owner = owner
        self.name = name
        self.bare = bare
        self.private = private
        self.default_branch = default_branch
        self.parent: Repository | None = None
        self.archived = False
        self.code_scanning = True
        self.members: dict[str, str] = {}
        self.pulls: list[Pull] = []
        self.known_labels: list[Label] = []
        self.suites: list[CheckSuite] = []
        self.sarifs: list[Sarif] = []
        self.created_at = self.pushed_at = now()

    @property
    def full_name(self) -> str:
        """`owner/name`."""
        return f"{self.owner.login}/{self.name}"

    @property
    def path(self) -> Path:
        """Where its git is."""
        return self.bare.path

    @property
    def url(self) -> str:
        """Its page; with `.git` behind it, where git gets it from."""
        return f"{self.github.url}/{self.full_name}"

    @property
    def installation(self) -> Installation | None:
        """Where the App is installed for it."""
        return self.github.app.installation(self)

    @property
    def installation_id(self) -> int:
        """The installation's number. Raises AssertionError when there is none."""
        place = self.installation
        assert place is not None, f"the App is not installed for {self.full_name}"
        return place.id

    @property
    def check_runs(self) -> list[CheckRun]:
        """All of them, oldest first."""
        return sorted((run for suite in self.suites for run in suite.runs), key=lambda run: run.id)

    @locked
    def member(self, login: str, role: str) -> None:
        """Give somebody a role: admin, maintain, write, triage, read or none."""
        assert role in ROLES, role
        self.members[self.github.user(login).login.lower()] = role

    def role(self, account: Account) -> str:
        """What somebody may: everybody may read what is public."""
        if account is self.owner:
            return "admin"
        return self.members.get(account.login.lower(), "none" if self.private else "read")

    def sha(self, name: str) -> str:
        """The commit that a branch means. Raises AssertionError when there is none."""
        found = self.bare.resolve(name)
        assert found is not None, f"{self.full_name} has no {name}"
        return found

    @locked
    def commit(
        self, branch: str, files: Files, *, start: str | None = None, user: str | None = None, message: str = "change", force: bool = False
    ) -> str:
        """Push a commit and return its id.

        Args:
            branch: where to; made when it is not there.
            files: contents by path: text, bytes, `executable(…)`, `symlink(…)`, `submodule(…)`; None removes one.
            start: the branch or commit that a new branch begins at; the default branch unless given.
            user: who pushes; the owner unless given.
            message: the commit's.
            force: replace the branch's last commit instead of adding one.
        """
        before = self.bare.resolve(f"refs/heads/{branch}")
        parent = before or self.bare.resolve(start or self.default_branch)
        if force and before is not None:
            parent = self.bare.resolve(start) if start else self.bare.resolve(f"{before}~1")
        actor = self.github.user(user) if user else self.owner
        after = self.bare.commit(f"refs/heads/{branch}", files, message, actor.login, parent)
        self.moved(branch, before, after, actor)
        return after

    @locked
    def delete_branch(self, branch: str, user: str | None = None) -> None:
        """Delete a branch; pull requests from it and to it are closed, as GitHub does."""
        before = self.sha(branch)
        self.bare.drop(f"refs/heads/{branch}")
        self.moved(branch, before, None, self.github.user(user) if user else self.owner)

    def moved(self, branch: str, before: str | None, after: str | None, actor: Account) -> None:
        """A branch points somewhere else (None: nowhere): pull requests follow and Apps are told."""
        self.pushed_at = now()
        self.github.webhooks.send(self, "push", lambda: events.push(self, branch, before, after, actor))
        for pull in [pull for pull in self.github.pulls() if pull.state == "open"]:
            is_head = pull.head_repo is self and pull.head_ref == branch
            if after is None and (is_head or (pull.repository is self and pull.base_ref == branch)):
                pull.close(actor.login)
            elif after is not None and is_head and pull.head_sha != after:
                pull.synchronize(after, actor)

    @locked
    def pull(
        self, *, user: str, head: str, base: str | None = None, title: str = "A change", body: str | None = None, draft: bool = False
    ) -> Pull:
        """Open a pull request; `head` is a branch, or `owner:branch` of a fork."""
        login, _, branch = head.rpartition(":")
        place = self if not login or login == self.owner.login else self.github.fork_of(self, login)
        assert place is not None, f"{login} has no fork of {self.full_name}"
        actor = self.github.user(user)
        proposal = Proposal(place, branch, base or self.default_branch, title, body, draft)
        made = Pull(self, self.next_number(), actor, proposal)
        self.pulls.append(made)
        made.tell("opened", actor)
        return made

    def next_number(self) -> int:
        """The next pull request's."""
        return len(self.pulls) + 1

    @locked
    def fork(self, login: str, name: str | None = None) -> Repository:
        """Fork it to somebody."""
        owner = self.github.user(login)
        path = self.github.folder / "git" / owner.login / f"{name or self.name}.git"
        made = Repository(
            self.github, owner, name or self.name, self.bare.copied(path), private=self.private, default_branch=self.default_branch
        )
        made.parent = self
        self.github.repositories.append(made)
        return made

    def label(self, name: str) -> Label:
        """A label by its name, made when it is not there."""
        found = next((label for label in self.known_labels if label.name.lower() == name.lower()), None)
        if found is None:
            found = Label(self.github.next_id(), name)
            self.known_labels.append(found)
        return found
