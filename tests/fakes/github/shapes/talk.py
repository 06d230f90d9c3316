"""Comments, reviews, labels and reactions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tests.fakes.github.accounts import Account
from tests.fakes.github.clock import node, stamp
from tests.fakes.github.records import REACTIONS, Comment, Label, Reaction, Review, ReviewComment
from tests.fakes.github.reviewing import outdated
from tests.fakes.github.shapes import people, places
from tests.fakes.github.wire import JSON

if TYPE_CHECKING:
    from tests.fakes.github.repository import Repository


def association(where: Repository, somebody: Account) -> str:
    """What somebody is to a repository."""
    if somebody is where.owner:
        return "OWNER"
    if where.members.get(somebody.login.lower(), "none") != "none":
        return "MEMBER" if where.owner.type == "Organization" else "COLLABORATOR"
    return "NONE"


def label(where: Repository, of: Label) -> JSON:
    """A label."""
    return {
        "id": of.id, "node_id": node("LA", of.id), "url": f"{places.api(where)}/labels/{of.name}", "name": of.name, "color": of.color,
        "default": False, "description": of.description or "",
    }  # fmt: skip


def reaction(of: Reaction) -> JSON:
    """A reaction."""
    return {
        "id": of.id, "node_id": node("REA", of.id), "user": people.account(of.user), "content": of.content,
        "created_at": stamp(of.created_at),
    }  # fmt: skip


def rollup(url: str, given: Sequence[Reaction]) -> JSON:
    """How many there are of each kind."""
    counts = {content: sum(reaction.content == content for reaction in given) for content in REACTIONS}
    return {"url": f"{url}/reactions", "total_count": len(given), **counts}


def comment(of: Comment) -> JSON:
    """A comment in the conversation."""
    where, number = of.pull.repository, of.pull.number
    url = f"{places.api(where)}/issues/comments/{of.id}"
    return {
        "url": url, "html_url": f"{of.pull.url}#issuecomment-{of.id}", "issue_url": f"{places.api(where)}/issues/{number}", "id": of.id,
        "node_id": node("IC", of.id), "user": people.account(of.user), "created_at": stamp(of.created_at),
        "updated_at": stamp(of.updated_at), "author_association": association(where, of.user), "body": of.body,
        "reactions": rollup(url, of.reactions), "performed_via_github_app": people.app(of.app) if of.app else None,
    }  # fmt: skip


def review(of: Review) -> JSON:
    """A review."""
    url = f"{places.api(of.pull.repository)}/pulls/{of.pull.number}"
    page = f"{of.pull.url}#pullrequestreview-{of.id}"
    submitted = {"submitted_at": stamp(of.submitted_at)} if of.submitted_at else {}
    return {
        "id": of.id, "node_id": node("PRR", of.id), "user": people.account(of.user), "body": of.body, "state": of.state,
        "html_url": page, "pull_request_url": url, "author_association": association(of.pull.repository, of.user),
        "_links": {"html": {"href": page}, "pull_request": {"href": url}}, **submitted, "commit_id": of.commit_id,
    }  # fmt: skip


def review_comment(of: ReviewComment) -> JSON:
    """A comment at a line; the line is null once the head shows it no more."""
    where = of.pull.repository
    url, pull = f"{places.api(where)}/pulls/comments/{of.id}", f"{places.api(where)}/pulls/{of.pull.number}"
    page, gone = f"{of.pull.url}#discussion_r{of.id}", outdated(of)
    made: JSON = {
        "url": url, "pull_request_review_id": of.review.id if of.review else None, "id": of.id, "node_id": node("PRRC", of.id),
        "diff_hunk": of.diff_hunk, "path": of.path, "commit_id": of.commit_id if gone else of.pull.head_sha,
        "original_commit_id": of.commit_id, "user": people.account(of.user), "body": of.body, "created_at": stamp(of.created_at),
        "updated_at": stamp(of.updated_at), "html_url": page, "pull_request_url": pull,
        "author_association": association(where, of.user),
        "_links": {"self": {"href": url}, "html": {"href": page}, "pull_request": {"href": pull}}, "reactions": rollup(url, of.reactions),
        "start_line": None if gone else of.start_line, "original_start_line": of.start_line, "start_side": of.start_side,
        "line": None if gone else of.line, "original_line": of.line, "side": of.side, "subject_type": of.subject_type,
        "position": None if gone else of.position, "original_position": of.position,
    }  # fmt: skip
    if of.in_reply_to is not None:
        made["in_reply_to_id"] = of.in_reply_to.id
    return made
