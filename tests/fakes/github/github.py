"""GitHub, as far as a reviewer of pull requests needs it, on loopback. See the package's text."""

from __future__ import annotations

import itertools
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Self, TypeVar

from tests.fakes.github import git_http
from tests.fakes.github.accounts import Account, App
from tests.fakes.github.bare import Bare
from tests.fakes.github.credentials import Caller, Credentials
from tests.fakes.github.faults import Faults
from tests.fakes.github.front import Front
from tests.fakes.github.locked import locked
from tests.fakes.github.pull import Pull
from tests.fakes.github.rates import Rates
from tests.fakes.github.repository import Repository
from tests.fakes.github.server import Application, Asked, Serving
from tests.fakes.github.web import Web
from tests.fakes.github.webhooks import Delivery, Webhooks
from tests.fakes.github.wire import Answer, Request

T = TypeVar("T")

API = "/api/v3"
_FIRST_ID = 2_400_000_001  # as large as GitHub's are by now: they do not fit into 32 bits
_FIRST_APP = 1_200_001


class GitHub:
    """A GitHub whose git is in `folder`. A context manager that serves it; `asgi` is the same for use in this process.

    Attributes:
        url: of pages and git.
        api_url: of the API.
        app: the App that repositories are installed for.
        apps: all Apps, also those made from a manifest.
        signed_in: who sits at the browser, or None.
        faults: what goes wrong.
        rates: how much callers may ask.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = threading.RLock()
        self._ids = itertools.count(_FIRST_ID)
        self.app_ids = itertools.count(_FIRST_APP)
        self.faults = Faults()
        self.rates = Rates()
        self.asgi = Application(self._answer, self.faults)
        self._serving = Serving(self.asgi)
        self.url = f"http://127.0.0.1:{self._serving.port}"
        self.api_url = self.url + API
        self._accounts: dict[str, Account] = {}
        self.repositories: list[Repository] = []
        self.manifests: dict[str, App] = {}
        self.signed_in: str | None = None
        self.credentials = Credentials(self)
        self.webhooks = Webhooks(self)
        self._front = Front(self)
        self._web = Web(self)
        self.app = App(self, "box-review", self.user("box-reviewers"))
        self.actions = App(self, "github-actions", self.user("github"), {})
        self.apps = [self.app, self.actions]

    def __enter__(self) -> Self:
        self._serving.start()
        self.webhooks.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.webhooks.stop()
        self._serving.stop()

    @property
    def github(self) -> Self:
        """Itself, for `locked`."""
        return self

    def next_id(self) -> int:
        """A number that nothing else has."""
        return next(self._ids)

    # Who and what there is.

    @locked
    def user(self, login: str) -> Account:
        """A user, made when there is none of that name."""
        return self.account(login) or self._accounts.setdefault(login.lower(), Account(self, login))

    @locked
    def organization(self, login: str) -> Account:
        """An organization, made when there is none of that name."""
        return self.account(login) or self._accounts.setdefault(login.lower(), Account(self, login, "Organization"))

    def account(self, login: str) -> Account | None:
        """Anybody of that name, bots too, or None."""
        bots = {app.bot.login: app.bot for app in self.apps} if hasattr(self, "apps") else {}
        return self._accounts.get(login.lower()) or bots.get(login.lower())

    def owner_of(self, account: Account) -> Account:
        """The person who acts for an account."""
        return account if account.type == "User" else self.user(f"{account.login}-owner")

    @locked
    def repository(
        self,
        full_name: str,
        *,
        private: bool = False,
        default_branch: str = "main",
        installed: bool = True,
        files: Mapping[str, str] | None = None,
    ) -> Repository:
        """Make a repository with one commit.

        Args:
            full_name: `owner/name`; a new owner is an organization.
            private: whether only members see it.
            default_branch: its branch.
            installed: whether the App is installed for it.
            files: of the first commit.
        """
        login, _, name = full_name.partition("/")
        bare = Bare.create(self.folder / "git" / login / f"{name}.git", default_branch)
        made = Repository(self, self.organization(login), name, bare, private=private, default_branch=default_branch)
        bare.commit(f"refs/heads/{default_branch}", files or {"README.md": f"# {name}\n"}, "first", login, None)
        self.repositories.append(made)
        if installed:
            self.app.install(made)
        return made

    def find(self, full_name: str) -> Repository | None:
        """A repository by its name, or None."""
        return next((repository for repository in self.repositories if repository.full_name.lower() == full_name.lower()), None)

    def fork_of(self, parent: Repository, login: str) -> Repository | None:
        """Somebody's fork of a repository, or None."""
        forks = (other for other in self.repositories if parent in (other.parent, other) and other.owner.login.lower() == login.lower())
        return next(forks, None)

    def pulls(self) -> Iterator[Pull]:
        """All pull requests."""
        return (pull for repository in self.repositories for pull in list(repository.pulls))

    @locked
    def delete(self, repository: Repository) -> None:
        """Delete a repository; pull requests from it stay, and do not know any more where they came from."""
        self.repositories.remove(repository)
        for pull in self.pulls():
            if pull.head_repo is repository:
                pull.head_repo = None
        for app in self.apps:
            if app.installation(repository):
                app.uninstall(repository)

    # Tokens.

    def token(self, repository: Repository, permissions: Mapping[str, str]) -> str:
        """What a workflow of a repository has as GITHUB_TOKEN."""
        return self.credentials.workflow_token(self.actions, repository, permissions)

    def user_token(self, login: str) -> str:
        """A user's own token, which may do what the user may."""
        return self.credentials.user_token(self.user(login))

    def installation_token(self, repository: Repository, permissions: Mapping[str, str] | None = None) -> str:
        """A token of the App, as it could have asked for."""
        place = repository.installation
        assert place is not None
        return self.credentials.install_token(place, permissions, [repository]).token

    def expire_tokens(self) -> None:
        """All tokens of installations are an hour old."""
        self.credentials.expire()

    # What was sent and asked.

    @property
    def deliveries(self) -> list[Delivery]:
        """Every attempt to deliver an event, oldest first."""
        return self.webhooks.deliveries

    @property
    def requests(self) -> list[Asked]:
        """Every request, oldest first."""
        return self.asgi.asked

    @property
    def problems(self) -> list[str]:
        """What broke GitHub's description of its API, in requests and answers."""
        return self._front.problems

    def redeliver(self, ident: int) -> Delivery:
        """Send a delivery once more, as the button on GitHub's page does."""
        return self.webhooks.again(next(delivery for delivery in self.deliveries if delivery.id == ident))

    def lose_next_deliveries(self, count: int) -> None:
        """The next deliveries fail on their way; GitHub's list of deliveries has them."""
        self.webhooks.lose(count)

    def held_deliveries(self) -> AbstractContextManager[list[Delivery]]:
        """Keep deliveries inside, and send them afterwards in the order that the list has then."""
        return self.webhooks.held()

    def settle(self, timeout_s: float = 10.0) -> None:
        """Wait until every delivery is answered. Raises TimeoutError."""
        self.webhooks.settle(timeout_s)

    def until(self, condition: Callable[[], T], timeout_s: float = 10.0) -> T:
        """Wait until something here is so, and return what the condition returned. Raises AssertionError, with what happened last."""
        ends = time.monotonic() + timeout_s
        while True:
            with self.lock:
                if found := condition():
                    return found
            if time.monotonic() > ends:
                asked = [f"{asked.method} {asked.path} {asked.status}" for asked in self.requests[-20:]]
                told = [f"{delivery.event}.{delivery.action} {delivery.status}" for delivery in self.deliveries[-10:]]
                raise AssertionError(
                    "\n".join([f"not so after {timeout_s} s; last requests and deliveries:", *asked, *told, *self.problems])
                )
            time.sleep(0.01)

    def _answer(self, request: Request) -> tuple[Answer, Caller]:
        try:
            return self._answered(request)
        except Exception as error:  # a mistake of this GitHub's own fails the test that met it, and not only the server
            self.problems.append(f"{request.method} {request.path}: this GitHub failed: {''.join(traceback.format_exception(error))}")
            return Answer(500, {"message": "Server Error"}), Caller("none")

    def _answered(self, request: Request) -> tuple[Answer, Caller]:
        if (answer := git_http.answer(self, request)) is not None:
            return answer
        with self.lock:
            if request.path.startswith(f"{API}/"):
                return self._front.answer(replace(request, path=request.path.removeprefix(API)))
            return self._web.answer(request), Caller("none")
