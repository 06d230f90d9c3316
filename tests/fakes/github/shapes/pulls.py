"""Pull requests, and the issues that they are as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes.github.accounts import Account
from tests.fakes.github.clock import node, stamp, stamped
from tests.fakes.github.shapes import people, places, talk
from tests.fakes.github.wire import JSON

if TYPE_CHECKING:
    from tests.fakes.github.pull import Pull
    from tests.fakes.github.repository import Repository


def simple(pull: Pull) -> JSON:
    """A pull request in a list."""
    where, number = pull.repository, pull.number
    url, issue = f"{places.api(where)}/pulls/{number}", f"{places.api(where)}/issues/{number}"
    statuses = f"{places.api(where)}/statuses/{pull.head_sha}"
    links = {
        "self": url, "html": pull.url, "issue": issue, "comments": f"{issue}/comments", "review_comments": f"{url}/comments",
        "review_comment": f"{places.api(where)}/pulls/comments{{/number}}", "commits": f"{url}/commits", "statuses": statuses,
    }  # fmt: skip
    return {
        "url": url, "id": pull.id, "node_id": node("PR", pull.id), "html_url": pull.url, "diff_url": f"{pull.url}.diff",
        "patch_url": f"{pull.url}.patch", "issue_url": issue, "commits_url": links["commits"],
        "review_comments_url": links["review_comments"], "review_comment_url": links["review_comment"],
        "comments_url": links["comments"], "statuses_url": statuses, "number": number, "state": pull.state, "locked": pull.locked,
        "title": pull.title, "user": people.account(pull.user), "body": pull.body,
        "labels": [talk.label(where, label) for label in pull.given_labels], "milestone": None, "active_lock_reason": None,
        "created_at": stamp(pull.created_at), "updated_at": stamp(pull.updated_at), "closed_at": stamped(pull.closed_at),
        "merged_at": stamped(pull.merged_at), "merge_commit_sha": pull.merge_commit_sha or None, "assignee": None, "assignees": [],
        "requested_reviewers": [], "requested_teams": [],
        "head": _side(pull.head_owner, pull.head_ref, pull.head_sha, pull.head_repo),
        "base": _side(where.owner, pull.base_ref, pull.base_sha, where),
        "_links": {name: {"href": link} for name, link in links.items()},
        "author_association": talk.association(where, pull.user), "auto_merge": None, "draft": pull.draft,
    }  # fmt: skip


def pull(of: Pull) -> JSON:
    """A pull request, with what takes git to know."""
    clean = bool(of.merge_commit_sha)
    found = of.changes
    return {
        **simple(of), "merged": of.merged_at is not None, "mergeable": clean if of.state == "open" else None,
        "rebaseable": clean if of.state == "open" else None,
        "mergeable_state": ("clean" if clean else "dirty") if of.state == "open" else "unknown",
        "merged_by": people.account(of.merged_by) if of.merged_by else None, "comments": len(of.comments),
        "review_comments": len(of.review_comments), "maintainer_can_modify": False, "commits": len(of.commits),
        "additions": sum(change.additions for change in found), "deletions": sum(change.deletions for change in found),
        "changed_files": len(found),
    }  # fmt: skip


def minimal(of: Pull) -> JSON:
    """A pull request as check runs have it."""
    sides = {
        name: {"ref": ref, "sha": sha, "repo": {"id": where.id, "url": places.api(where), "name": where.name}}
        for name, ref, sha, where in (
            ("head", of.head_ref, of.head_sha, of.head_repo or of.repository),
            ("base", of.base_ref, of.base_sha, of.repository),
        )
    }
    return {"url": f"{places.api(of.repository)}/pulls/{of.number}", "id": of.id, "number": of.number, **sides}


def issue(of: Pull) -> JSON:
    """A pull request as the issue that it is."""
    where = of.repository
    url = f"{places.api(where)}/issues/{of.number}"
    return {
        "url": url, "repository_url": places.api(where), "labels_url": f"{url}/labels{{/name}}", "comments_url": f"{url}/comments",
        "events_url": f"{url}/events", "timeline_url": f"{url}/timeline", "html_url": of.url, "id": of.id + 1, "node_id": node("PR", of.id),
        "number": of.number, "title": of.title, "user": people.account(of.user),
        "labels": [talk.label(where, label) for label in of.given_labels], "state": of.state, "locked": of.locked, "assignee": None,
        "assignees": [], "milestone": None, "comments": len(of.comments), "created_at": stamp(of.created_at),
        "updated_at": stamp(of.updated_at), "closed_at": stamped(of.closed_at), "closed_by": None,
        "author_association": talk.association(where, of.user), "active_lock_reason": None, "draft": of.draft,
        "pull_request": {
            "url": f"{places.api(where)}/pulls/{of.number}", "html_url": of.url, "diff_url": f"{of.url}.diff",
            "patch_url": f"{of.url}.patch", "merged_at": stamped(of.merged_at),
        },
        "body": of.body, "reactions": talk.rollup(url, []), "performed_via_github_app": None, "state_reason": None,
    }  # fmt: skip


def _side(owner: Account, ref: str, sha: str, where: Repository | None) -> JSON:
    return {
        "label": f"{owner.login}:{ref}", "ref": ref, "sha": sha, "user": people.account(owner),
        "repo": places.repository(where) if where else None,
    }  # fmt: skip
