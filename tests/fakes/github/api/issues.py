"""The conversation of pull requests: comments, labels, reactions. GitHub takes either permission for them."""

from __future__ import annotations

from collections.abc import Callable

from tests.fakes.github.api.call import Call, found, operation, written
from tests.fakes.github.api.reviews import the_comment as review_comment
from tests.fakes.github.clock import now
from tests.fakes.github.records import REACTIONS, Comment, Reaction, ReviewComment
from tests.fakes.github.shapes import pulls, talk
from tests.fakes.github.wire import JSON, Answer, Page, Refused, invalid, since

READ = ("issues:read", "pull_requests:read")
WRITE = ("issues:write", "pull_requests:write")


@operation("issues/get", *READ)
def get(call: Call) -> JSON:
    return pulls.issue(call.pull)


@operation("issues/update", *WRITE)
def update(call: Call) -> JSON:
    of = call.pull
    if "title" in call.body or "body" in call.body:
        title = call.body.get("title")
        of.edit(title=None if title is None else str(title), body=call.body.get("body"), user=call.account.login)
    return pulls.issue(of)


@operation("issues/list-comments", *READ)
def list_comments(call: Call) -> Page:
    return Page(since(call.pull.comments, call.request), talk.comment)


@operation("issues/create-comment", *WRITE)
def create_comment(call: Call) -> JSON:
    of = call.pull
    text = written(call.body, "IssueComment")
    if of.locked:
        raise Refused(403, "Unable to create comment because issue is locked.")
    return talk.comment(of.add_comment(call.account, text, call.app))


def the_comment(call: Call) -> Comment:
    """The one in the path."""
    every = [comment for pull in call.repository.pulls for comment in pull.comments]
    return found(every, lambda comment: comment.id == call.ident("comment_id"))


@operation("issues/get-comment", *READ)
def get_comment(call: Call) -> JSON:
    return talk.comment(the_comment(call))


@operation("issues/update-comment", *WRITE)
def update_comment(call: Call) -> JSON:
    comment = the_comment(call)
    call.owns(comment.user, "issues:write")
    comment.pull.change_comment(comment, written(call.body, "IssueComment"), call.account)
    return talk.comment(comment)


@operation("issues/delete-comment", *WRITE)
def delete_comment(call: Call) -> None:
    comment = the_comment(call)
    call.owns(comment.user, "issues:write")
    comment.pull.remove_comment(comment, call.account)


@operation("issues/list-labels-on-issue", *READ)
def list_labels(call: Call) -> Page:
    return Page(call.pull.given_labels, lambda label: talk.label(call.repository, label))


@operation("issues/add-labels", *WRITE)
def add_labels(call: Call) -> list[JSON]:
    of = call.pull
    given = call.body.get("labels") if isinstance(call.body, dict) else call.body
    names = [given] if isinstance(given, str) else [label if isinstance(label, str) else label["name"] for label in given or ()]
    for name in names:
        if not name.strip() or len(name) > 50:
            raise invalid("Label", "name", code="invalid")
    for name in names:
        of.add_label(of.repository.label(name), call.account)
    return [talk.label(of.repository, label) for label in of.given_labels]


@operation("issues/remove-label", *WRITE)
def remove_label(call: Call) -> list[JSON]:
    of, name = call.pull, call.values["name"].lower()
    label = next((label for label in of.given_labels if label.name.lower() == name), None)
    if label is None:
        raise Refused(404, "Label does not exist")
    of.remove_label(label, call.account)
    return [talk.label(of.repository, label) for label in of.given_labels]


def _reactions(kind: str, which: Callable[[Call], Comment | ReviewComment], read: tuple[str, ...], write: tuple[str, ...]) -> None:
    @operation(f"reactions/list-for-{kind}", *read)
    def list_them(call: Call) -> Page:
        wanted = call.request.query.get("content")
        return Page([r for r in which(call).reactions if wanted in (None, r.content)], talk.reaction)

    @operation(f"reactions/create-for-{kind}", *write)
    def create(call: Call) -> Answer:
        comment, content = which(call), call.body["content"]
        assert content in REACTIONS
        for known in comment.reactions:
            if known.user is call.account and known.content == content:
                return Answer(200, talk.reaction(known))
        made = Reaction(call.github.next_id(), call.account, content, now())
        comment.reactions.append(made)
        return Answer(201, talk.reaction(made))

    name = "issue-comment" if kind == "issue-comment" else "pull-request-comment"

    @operation(f"reactions/delete-for-{name}", *write)
    def delete(call: Call) -> None:
        comment = which(call)
        reaction = found(comment.reactions, lambda reaction: reaction.id == call.ident("reaction_id"))
        call.owns(reaction.user, "administration:write")
        comment.reactions.remove(reaction)


_reactions("issue-comment", the_comment, READ, WRITE)
_reactions("pull-request-review-comment", review_comment, ("pull_requests:read",), ("pull_requests:write",))
