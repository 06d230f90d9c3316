"""Git over HTTP, by git's own program."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

from tests.fakes.github.bare import GIT_ENVIRONMENT
from tests.fakes.github.credentials import Caller
from tests.fakes.github.wire import Answer, Refused, Request

if TYPE_CHECKING:
    from tests.fakes.github.github import GitHub
    from tests.fakes.github.repository import Repository

PATH = re.compile(r"/(?P<owner>[^/]+)/(?P<name>[^/]+?)(?:\.git)?(?P<rest>/info/refs|/git-upload-pack|/git-receive-pack)")


def answer(github: GitHub, request: Request) -> tuple[Answer, Caller] | None:
    """The answer to git, or None if it is not git that asks."""
    found = PATH.fullmatch(request.path)
    if found is None:
        return None
    caller = Caller("none")
    try:
        with github.lock:
            caller = github.credentials.caller(request)
            repository = _allowed(github, request, caller, f"{found['owner']}/{found['name']}")
    except Refused as refused:
        status = refused.answer.status
        basic = {"www-authenticate": 'Basic realm="GitHub"'} if status == 401 else {}
        return Answer(status, str(refused).encode(), {"content-type": "text/plain", **basic}), caller
    # Others need not wait until a large repository is fetched.
    return _run(github, repository, found["rest"], request, caller), caller


def _allowed(github: GitHub, request: Request, caller: Caller, full_name: str) -> Repository:
    if caller.kind in ("none", "app"):
        raise Refused(401, "Bad credentials")
    repository = github.find(full_name)
    if repository is None:
        raise Refused(404, "Repository not found.")
    pushes = "receive-pack" in request.path + request.query_string
    caller.needs(repository, "contents:write" if pushes else "contents:read")
    if pushes and repository.archived:
        raise Refused(403, "This repository was archived so it is read-only.")
    return repository


def _run(github: GitHub, repository: Repository, rest: str, request: Request, caller: Caller) -> Answer:
    environment = {
        **os.environ, **GIT_ENVIRONMENT, "GIT_PROJECT_ROOT": str(repository.path.parent), "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{repository.path.name}{rest}", "QUERY_STRING": request.query_string, "REQUEST_METHOD": request.method,
        "CONTENT_TYPE": request.headers.get("content-type", ""), "CONTENT_LENGTH": str(len(request.body)),
        "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""), "REMOTE_USER": caller.who,
        "GIT_PROTOCOL": request.headers.get("git-protocol", ""), "REMOTE_ADDR": "127.0.0.1",
    }  # fmt: skip
    before = _branches(repository) if rest == "/git-receive-pack" else {}
    ran = subprocess.run(["git", "http-backend"], input=request.body, capture_output=True, check=False, env=environment)
    head, _, body = ran.stdout.partition(b"\r\n\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head.decode().split("\r\n"))}
    status = int(headers.pop("status", "200").split()[0])
    if rest == "/git-receive-pack":
        after, actor = _branches(repository), caller.account or repository.owner
        with github.lock:
            for branch in before.keys() | after.keys():
                if before.get(branch) != after.get(branch):
                    repository.moved(branch, before.get(branch), after.get(branch), actor)
    return Answer(status, body, headers)


def _branches(repository: Repository) -> dict[str, str]:
    out = repository.bare.git("for-each-ref", "--format=%(refname:strip=2) %(objectname)", "refs/heads").decode()
    return dict(line.split() for line in out.splitlines())
