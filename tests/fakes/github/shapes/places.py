"""Repositories, commits, files and what is between two commits."""

from __future__ import annotations

import base64
import functools
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.fakes.github.changes import Change, changes
from tests.fakes.github.clock import node, stamp
from tests.fakes.github.shapes import people
from tests.fakes.github.wire import JSON

if TYPE_CHECKING:
    from tests.fakes.github.accounts import Account
    from tests.fakes.github.repository import Repository

_LISTS = (
    "contributors", "deployments", "downloads", "events", "forks", "hooks", "languages", "merges", "stargazers", "subscribers",
    "subscription", "tags", "teams",
)  # fmt: skip
_TEMPLATES = {
    "archive": "{archive_format}{/ref}", "assignees": "assignees{/user}", "blobs": "git/blobs{/sha}", "branches": "branches{/branch}",
    "collaborators": "collaborators{/collaborator}", "comments": "comments{/number}", "commits": "commits{/sha}",
    "compare": "compare/{base}...{head}", "contents": "contents/{+path}", "git_commits": "git/commits{/sha}",
    "git_refs": "git/refs{/sha}", "git_tags": "git/tags{/sha}", "issue_comment": "issues/comments{/number}",
    "issue_events": "issues/events{/number}", "issues": "issues{/number}", "keys": "keys{/key_id}", "labels": "labels{/name}",
    "milestones": "milestones{/number}", "notifications": "notifications{?since,all,participating}", "pulls": "pulls{/number}",
    "releases": "releases{/id}", "statuses": "statuses/{sha}", "trees": "git/trees{/sha}",
}  # fmt: skip
_HAS = {"has_issues": True, "has_projects": True, "has_downloads": True, "has_wiki": True, "has_pages": False, "has_discussions": False}


def api(where: Repository) -> str:
    """Its place in the API."""
    return f"{where.github.api_url}/repos/{where.full_name}"


def repository(where: Repository) -> JSON:
    """A repository."""
    url, open_pulls = api(where), sum(pull.state == "open" for pull in where.pulls)
    forks = sum(other.parent is where for other in where.github.repositories)
    host = where.github.url.partition("://")[2].partition(":")[0]
    return {
        **short(where), "owner": people.account(where.owner), "html_url": where.url, "description": None, "fork": where.parent is not None,
        "url": url, **{f"{name}_url": f"{url}/{name}" for name in _LISTS},
        **{f"{name}_url": f"{url}/{rest}" for name, rest in _TEMPLATES.items()},
        "created_at": stamp(where.created_at), "updated_at": stamp(where.pushed_at), "pushed_at": stamp(where.pushed_at),
        "git_url": f"git://{host}/{where.full_name}.git", "ssh_url": f"git@{host}:{where.full_name}.git",
        "clone_url": f"{where.url}.git", "svn_url": where.url, "homepage": None, "size": 1, "stargazers_count": 0, "watchers_count": 0,
        "language": None, **_HAS, "forks_count": forks, "mirror_url": None, "archived": where.archived, "disabled": False,
        "open_issues_count": open_pulls, "license": None, "allow_forking": True, "is_template": False, "web_commit_signoff_required": False,
        "topics": [], "visibility": "private" if where.private else "public", "forks": forks, "open_issues": open_pulls, "watchers": 0,
        "default_branch": where.default_branch,
    }  # fmt: skip


def full(where: Repository) -> JSON:
    """A repository, with what only its own address tells."""
    parent = {"parent": repository(where.parent), "source": repository(where.parent)} if where.parent else {}
    return {**repository(where), "network_count": 0, "subscribers_count": 0, **parent}


def short(where: Repository) -> JSON:
    """A repository as events of installations have it."""
    return {
        "id": where.id, "node_id": node("R", where.id), "name": where.name, "full_name": where.full_name, "private": where.private,
    }  # fmt: skip


@functools.lru_cache(maxsize=1024)
def _read(where: Repository, sha: str) -> tuple[str, list[str], str, str, str]:
    out = where.bare.git("show", "-s", "--no-color", "--format=%T%x00%P%x00%an%x00%ct%x00%B", sha).decode("utf-8", "replace")
    tree, parents, author, when, message = out.split("\0", 4)
    return tree, parents.split(), author, when, message.rstrip("\n")


def commit(where: Repository, sha: str, *, files: bool = False) -> JSON:
    """A commit; `files` says whether with what it changed."""
    tree, parents, author, when, message = _read(where, sha)
    url, page = f"{api(where)}/commits/{sha}", f"{where.url}/commit/{sha}"
    who = {"name": author, "email": f"{author}@users.noreply.github.com", "date": _date(when)}
    account = where.github.account(author)
    made: JSON = {
        "sha": sha, "node_id": node("C", int(sha[:8], 16)), "url": url, "html_url": page, "comments_url": f"{url}/comments",
        "commit": {
            "author": who, "committer": who, "message": message, "tree": {"sha": tree, "url": f"{api(where)}/git/trees/{tree}"},
            "url": f"{api(where)}/git/commits/{sha}", "comment_count": 0,
            "verification": {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None},
        },
        "author": people.account(account) if account else None, "committer": people.account(account) if account else None,
        "parents": [{"sha": p, "url": f"{api(where)}/commits/{p}", "html_url": f"{where.url}/commit/{p}"} for p in parents],
    }  # fmt: skip
    if files:
        found = changes(where.bare, parents[0] if parents else _EMPTY_TREE, sha)
        added, removed = sum(change.additions for change in found), sum(change.deletions for change in found)
        made |= {"stats": {"total": added + removed, "additions": added, "deletions": removed}}
        made |= {"files": [file(where, sha, change) for change in found]}
    return made


_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def pushed_commit(where: Repository, sha: str) -> JSON:
    """A commit as events of pushes have it."""
    tree, parents, author, when, message = _read(where, sha)
    who = {"name": author, "email": f"{author}@users.noreply.github.com", "username": author}
    found = changes(where.bare, parents[0] if parents else _EMPTY_TREE, sha)
    paths = {status: [change.path for change in found if change.status == status] for status in ("added", "removed", "modified")}
    return {
        "id": sha, "tree_id": tree, "distinct": True, "message": message, "timestamp": _date(when), "url": f"{where.url}/commit/{sha}",
        "author": who, "committer": who, **paths,
    }  # fmt: skip


def simple_commit(where: Repository, sha: str) -> JSON:
    """A commit as check suites have it."""
    tree, _, author, when, message = _read(where, sha)
    who = {"name": author, "email": f"{author}@users.noreply.github.com"}
    return {"id": sha, "tree_id": tree, "message": message, "timestamp": _date(when), "author": who, "committer": who}


def _date(seconds: str) -> str:

    return stamp(datetime.fromtimestamp(int(seconds), UTC))


def file(where: Repository, sha: str, change: Change) -> JSON:
    """A file that is changed; without `patch` when it is binary or too large."""
    path, whole = quote(change.path), quote(change.path, safe="")
    made: JSON = {
        "sha": change.sha, "filename": change.path, "status": change.status, "additions": change.additions,
        "deletions": change.deletions, "changes": change.additions + change.deletions,
        "blob_url": f"{where.url}/blob/{sha}/{whole}", "raw_url": f"{where.url}/raw/{sha}/{whole}",
        "contents_url": f"{api(where)}/contents/{path}?ref={sha}",
    }  # fmt: skip
    if change.previous is not None:
        made["previous_filename"] = change.previous
    if change.patch is not None:
        made["patch"] = change.patch
    return made


def content(where: Repository, ref: str, path: str, mode: str, sha: str, size: int, body: bytes | None) -> JSON:
    """A file or folder at a path; `body` is None in a listing."""
    kind = {"120000": "symlink", "160000": "submodule", "040000": "dir"}.get(mode, "file")
    url = f"{api(where)}/contents/{quote(path)}?ref={ref}"
    git = f"{api(where)}/git/{'trees' if kind == 'dir' else 'blobs'}/{sha}"
    page = f"{where.url}/{'tree' if kind == 'dir' else 'blob'}/{ref}/{quote(path)}"
    made: JSON = {
        "name": path.rpartition("/")[2], "path": path, "sha": sha, "size": size, "url": url, "html_url": page, "git_url": git,
        "download_url": f"{where.url}/raw/{ref}/{quote(path)}" if kind == "file" else None, "type": kind,
        "_links": {"self": url, "git": git, "html": page},
    }  # fmt: skip
    if body is not None and kind == "file":
        shown = size <= 1_000_000  # above that only the raw form has it
        made |= {"content": base64.encodebytes(body).decode() if shown else "", "encoding": "base64" if shown else "none"}
    elif body is not None and kind == "symlink":
        made["target"] = body.decode()
    elif kind == "submodule":
        made["submodule_git_url"] = None
    return made


def permission(somebody: Account, role: str) -> JSON:
    """What somebody may; the old word has four levels."""
    old = {"maintain": "write", "triage": "read"}.get(role, role)
    may = {name: at <= _ORDER.index(role) for at, name in ((1, "pull"), (2, "triage"), (3, "push"), (4, "maintain"), (5, "admin"))}
    return {"permission": old, "role_name": role, "user": {**people.account(somebody), "role_name": role, "permissions": may}}


_ORDER = ("none", "read", "triage", "write", "maintain", "admin")
