"""Repositories, their branches, commits, files and members."""

from __future__ import annotations

import base64
import subprocess

from tests.fakes.github.api.call import Call, operation
from tests.fakes.github.changes import MOST_FILES_OF_A_DIFF, changes, diff
from tests.fakes.github.repository import Repository
from tests.fakes.github.shapes import places
from tests.fakes.github.wire import JSON, Answer, Page, Refused, missing, paged


@operation("repos/get", "metadata:read")
def get(call: Call) -> JSON:
    return places.full(call.repository)


@operation("repos/check-collaborator", "metadata:read")
def is_member(call: Call) -> None:
    if call.repository.members.get(call.values["username"].lower(), "none") == "none":
        raise missing()


@operation("repos/get-collaborator-permission-level", "metadata:read")
def permission(call: Call) -> JSON:
    account = call.github.account(call.values["username"])
    if account is None or account.type != "User":
        raise Refused(404, f"{call.values['username']} is not a user")
    return places.permission(account, call.repository.role(account))


@operation("repos/get-branch", "contents:read")
def branch(call: Call) -> JSON:
    name, where = call.values["branch"], call.repository
    sha = where.bare.resolve(f"refs/heads/{name}")
    if sha is None:
        raise Refused(404, "Branch not found")
    url = f"{places.api(where)}/branches/{name}"
    return {
        "name": name, "commit": places.commit(where, sha), "_links": {"html": f"{where.url}/tree/{name}", "self": url},
        "protected": False, "protection": {"enabled": False}, "protection_url": f"{url}/protection",
    }  # fmt: skip


@operation("repos/get-commit", "contents:read")
def commit(call: Call) -> JSON | Answer:
    where = call.repository
    sha = where.bare.resolve(call.values["ref"])
    if sha is None:
        raise Refused(422, f"No commit found for SHA: {call.values['ref']}")
    accepted = call.request.headers.get("accept", "")
    if ".sha" in accepted:
        return Answer(200, sha.encode(), {"content-type": "application/vnd.github.sha; charset=utf-8"})
    return places.commit(where, sha, files=True)


@operation("repos/compare-commits-with-basehead", "contents:read")
def compare(call: Call) -> Answer:
    where = call.repository
    names = call.values["basehead"].split("...")
    if len(names) != 2:
        raise missing()
    base, head = (_side(where, name) for name in names)
    parted = where.bare.merge_base(base, head)
    if parted is None:
        raise Refused(404, f"No common ancestor between {names[0]} and {names[1]}.")
    if "diff" in call.request.headers.get("accept", ""):
        return Answer(200, diff(where.bare, parted, head), {"content-type": "application/vnd.github.diff; charset=utf-8"})
    ahead, behind = where.bare.between(base, head), where.bare.between(head, base)
    status = {(True, True): "diverged", (True, False): "ahead", (False, True): "behind"}.get((bool(ahead), bool(behind)), "identical")
    url, page = f"{places.api(where)}/compare/{call.values['basehead']}", f"{where.url}/compare/{call.values['basehead']}"
    body = {
        "url": url, "html_url": page, "permalink_url": page, "diff_url": f"{page}.diff", "patch_url": f"{page}.patch",
        "base_commit": places.commit(where, base), "merge_base_commit": places.commit(where, parted), "status": status,
        "ahead_by": len(ahead), "behind_by": len(behind), "total_commits": len(ahead),
        "files": [places.file(where, head, change) for change in changes(where.bare, parted, head)[:MOST_FILES_OF_A_DIFF]],
    }  # fmt: skip
    answer = paged(Page(ahead, lambda sha: places.commit(where, sha)), call.request, url)
    return Answer(200, {**body, "commits": answer.body}, answer.headers)


def _side(where: Repository, name: str) -> str:
    login, _, ref = name.rpartition(":")
    place = where if not login or login.lower() == where.owner.login.lower() else where.github.fork_of(where, login)
    sha = place.bare.resolve(ref) if place else None
    if place is None or sha is None:
        raise missing()
    if place is not where:
        where.bare.take(place.bare, sha, f"refs/network/{login}")
    return sha


@operation("repos/get-content", "contents:read")
def contents(call: Call) -> JSON | list[JSON] | Answer:
    where, path = call.repository, call.values["path"].strip("/")
    ref = call.request.query.get("ref") or where.default_branch
    sha = where.bare.resolve(ref)
    if sha is None:
        raise Refused(404, f"No commit found for the ref {ref}")
    accepted = call.request.headers.get("accept", "")
    rows = _rows(where, sha, path)
    if not path or rows[0][0] == "040000":
        below = _rows(where, sha, f"{path}/" if path else "")
        return [places.content(where, ref, name, mode, blob, size, None) for mode, blob, size, name in below]
    mode, blob, size, name = rows[0]
    body = where.bare.blob(blob) if mode != "160000" else b""
    if ".raw" in accepted:
        return Answer(200, body, {"content-type": "application/vnd.github.raw; charset=utf-8"})
    return places.content(where, ref, name, mode, blob, size, body)


def _rows(where: Repository, sha: str, path: str) -> list[tuple[str, str, int, str]]:
    """Mode, id, size and path of an entry, or of all below when the path ends in a slash. Raises Refused when there are none."""
    if "\0" in path:
        raise missing()
    out = where.bare.git("ls-tree", "-l", "-z", sha, *(["--", path] if path else []), fails=True).decode("utf-8", "replace")
    rows = []
    for line in out.split("\0")[:-1]:
        facts, _, name = line.partition("\t")
        mode, _, blob, size = facts.split()
        rows.append((mode, blob, 0 if size == "-" else int(size), name))
    if not rows:
        raise missing()
    return rows


@operation("repos/create-or-update-file-contents", "contents:write")
def put_contents(call: Call) -> Answer:
    where, path = call.repository, call.values["path"]
    name = call.body.get("branch") or where.default_branch
    try:
        content = base64.b64decode(call.body["content"], validate=False)
    except ValueError as error:
        raise Refused(422, "content is not valid Base64") from error
    before = where.bare.resolve(f"refs/heads/{name}")
    if before is None:
        raise Refused(404, f"Branch {name} not found")
    try:
        old: str | None = _rows(where, before, path)[0][1]
    except Refused:
        old = None
    if old is not None and call.body.get("sha") is None:
        raise Refused(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if old != call.body.get("sha"):
        raise Refused(409, f"{path} does not match {call.body.get('sha')}")
    try:
        sha = where.commit(name, {path: content}, user=call.account.login, message=call.body["message"])
    except subprocess.CalledProcessError as error:
        raise Refused(422, "path is malformed") from error
    mode, blob, size, _ = _rows(where, sha, path)[0]
    made = places.content(where, name, path, mode, blob, size, None)
    return Answer(201 if old is None else 200, {"content": made, "commit": _file_commit(where, sha)})


def _file_commit(where: Repository, sha: str) -> JSON:
    whole = places.commit(where, sha)
    return {**whole["commit"], "sha": sha, "node_id": whole["node_id"], "html_url": whole["html_url"], "parents": whole["parents"]}


def _ref(where: Repository, ref: str, sha: str) -> JSON:
    target = {"type": "commit", "sha": sha, "url": f"{places.api(where)}/git/commits/{sha}"}
    return {"ref": ref, "node_id": f"REF_{sha[:12]}", "url": f"{places.api(where)}/git/{ref}", "object": target}


@operation("git/get-ref", "contents:read")
def get_ref(call: Call) -> JSON:
    ref = f"refs/{call.values['ref']}"
    sha = call.repository.bare.resolve(ref)
    if sha is None:
        raise missing()
    return _ref(call.repository, ref, sha)


def _check_commit(where: Repository, sha: str) -> None:
    if where.bare.resolve(sha) != sha:
        raise Refused(422, "Object does not exist")


@operation("git/create-ref", "contents:write")
def create_ref(call: Call) -> JSON:
    where, ref, sha = call.repository, call.body["ref"], call.body["sha"]
    if not ref.startswith("refs/") or ref.count("/") < 2:
        raise Refused(422, "Reference name must start with 'refs/' and have at least two slashes.")
    if where.bare.resolve(ref) is not None:
        raise Refused(422, "Reference already exists")
    _check_commit(where, sha)
    where.bare.point(ref, sha)
    if ref.startswith("refs/heads/"):
        where.moved(ref.removeprefix("refs/heads/"), None, sha, call.account)
    return _ref(where, ref, sha)


@operation("git/update-ref", "contents:write")
def update_ref(call: Call) -> JSON:
    where, ref, sha = call.repository, f"refs/{call.values['ref']}", call.body["sha"]
    before = where.bare.resolve(ref)
    if before is None:
        raise Refused(422, "Reference does not exist")
    _check_commit(where, sha)
    if not call.body.get("force") and where.bare.merge_base(before, sha) != before:
        raise Refused(422, "Update is not a fast forward")
    where.bare.point(ref, sha)
    where.moved(ref.removeprefix("refs/heads/"), before, sha, call.account)
    return _ref(where, ref, sha)


@operation("git/delete-ref", "contents:write")
def delete_ref(call: Call) -> None:
    where, ref = call.repository, f"refs/{call.values['ref']}"
    before = where.bare.resolve(ref)
    if before is None:
        raise Refused(422, "Reference does not exist")
    if ref == f"refs/heads/{where.default_branch}":
        raise Refused(422, "Cannot delete the default branch")
    where.bare.drop(ref)
    where.moved(ref.removeprefix("refs/heads/"), before, None, call.account)
