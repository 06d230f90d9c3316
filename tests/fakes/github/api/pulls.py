"""Pull requests: what they are, their files and commits."""

from __future__ import annotations

from tests.fakes.github.api.call import Call, bounded, operation, written
from tests.fakes.github.changes import MOST_FILES, MOST_FILES_OF_A_DIFF, MOST_LINES, diff
from tests.fakes.github.pull import Proposal, Pull
from tests.fakes.github.shapes import places, pulls
from tests.fakes.github.wire import JSON, Answer, Page, Refused, invalid

READ, WRITE = "pull_requests:read", "pull_requests:write"


@operation("pulls/list", READ)
def list_pulls(call: Call) -> Page:
    query = call.request.query
    state, head, base = query.get("state", "open"), query.get("head"), query.get("base")
    kept = [
        pull
        for pull in call.repository.pulls
        if state in ("all", pull.state)
        and head in (None, "", f"{pull.head_owner.login}:{pull.head_ref}")
        and base in (None, "", pull.base_ref)
    ]
    newest_first = query.get("direction", "desc" if query.get("sort", "created") == "created" else "asc") == "desc"
    return Page(kept[::-1] if newest_first else kept, pulls.simple)


@operation("pulls/create", WRITE)
def create(call: Call) -> JSON:
    where, body = call.repository, call.body
    title = written(body, "PullRequest", "title")
    login, _, branch = body["head"].rpartition(":")
    place = where if not login or login.lower() == where.owner.login.lower() else call.github.fork_of(where, login)
    if place is None or place.bare.resolve(f"refs/heads/{branch}") is None:
        raise invalid("PullRequest", "head", code="invalid")
    if where.bare.resolve(f"refs/heads/{body['base']}") is None:
        raise invalid("PullRequest", "base", code="invalid")
    if any(p.state == "open" and (p.head_repo, p.head_ref, p.base_ref) == (place, branch, body["base"]) for p in where.pulls):
        message = f"A pull request already exists for {place.owner.login}:{branch}."
        raise Refused(422, "Validation Failed", [{"resource": "PullRequest", "code": "custom", "message": message}])
    if place is where and not where.bare.between(where.sha(body["base"]), where.sha(branch)):
        message = f"No commits between {body['base']} and {branch}"
        raise Refused(422, "Validation Failed", [{"resource": "PullRequest", "code": "custom", "message": message}])
    text = bounded(body.get("body") or "", "PullRequest")
    made = Pull(
        where, where.next_number(), call.account, Proposal(place, branch, body["base"], title, text or None, bool(body.get("draft")))
    )
    where.pulls.append(made)
    made.tell("opened", call.account)
    return pulls.pull(made)


@operation("pulls/get", READ)
def get(call: Call) -> JSON | Answer:
    of, accepted = call.pull, call.request.headers.get("accept", "")
    if "diff" in accepted or ".patch" in accepted:
        _check_size(of)
        text = diff(of.repository.bare, of.parted(of.head_sha), of.head_sha)
        return Answer(200, text, {"content-type": "application/vnd.github.diff; charset=utf-8"})
    return pulls.pull(of)


def _check_size(of: Pull) -> None:
    lines = sum(len(hunk.places) for change in of.changes for hunk in change.hunks)
    for count, most, what in ((len(of.changes), MOST_FILES_OF_A_DIFF, "files"), (lines, MOST_LINES, "lines")):
        if count > most:
            error = {"resource": "PullRequest", "field": "diff", "code": "too_large"}
            raise Refused(406, f"Sorry, the diff exceeded the maximum number of {what} ({most}).", [error])


@operation("pulls/update", WRITE)
def update(call: Call) -> JSON:
    of, body = call.pull, call.body
    if body.get("base") and of.repository.bare.resolve(f"refs/heads/{body['base']}") is None:
        raise invalid("PullRequest", "base", code="invalid")
    if body.get("state") == "open" and (of.head_repo is None or of.head_repo.bare.resolve(f"refs/heads/{of.head_ref}") is None):
        raise invalid("PullRequest", "state", f"state cannot be changed. The {of.head_ref} branch has been deleted.")
    if "title" in body or "body" in body:
        text = None if body.get("body") is None else bounded(body["body"], "PullRequest")
        title = body.get("title")
        of.edit(title=None if title is None else str(title), body=text, user=call.account.login)
    if body.get("state") == "closed" and of.state == "open":
        of.close(call.account.login)
    if body.get("state") == "open" and of.state == "closed":
        of.reopen(call.account.login)
    if body.get("base") and body["base"] != of.base_ref:
        of.retarget(body["base"], call.account.login)
    return pulls.pull(of)


@operation("pulls/list-files", READ)
def files(call: Call) -> Page:
    of = call.pull
    return Page(of.changes[:MOST_FILES], lambda change: places.file(of.repository, of.head_sha, change))


@operation("pulls/list-commits", READ)
def commits(call: Call) -> Page:
    return Page(call.pull.commits[:250], lambda sha: places.commit(call.repository, sha))


@operation("repos/list-pull-requests-associated-with-commit", READ)
def of_commit(call: Call) -> Page:
    sha = call.repository.bare.resolve(call.values["commit_sha"])
    return Page([p for p in call.repository.pulls if sha in (p.head_sha, p.merge_commit_sha) or sha in p.commits], pulls.simple)
