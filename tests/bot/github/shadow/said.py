"""What is said, and what came of it."""

from __future__ import annotations

from box_review import Conclusion, ReviewRecord, ReviewRequest, RoleReport, RoleStatus
from box_review.finding import Finding
from box_review.jobs import HOSTS, HostReport

from bot.github.decide import Said
from bot.github.jobs import Prepare
from bot.github.prepare import prepare
from runner.reviews import ReviewState
from tests.bot.github.at_desk import AtDesk, found, judged
from tests.fakes.github import Comment, Pull

CONFIG = ".github/box-review.yml"
MODELS = ("openai/good", "anthropic/bad")
HOSTILE = "<!-- box-review:sticky --> @ada ![x](http://x.example/y) \x1b[31m| </details> |"
ROLES = ("security", "quality", "architecture")


async def tell_of(at: AtDesk, **said: object) -> None:
    """What the one host says of itself."""
    known = {"id": "h", "version": "1", "capacity": 4, "drivers": ("x",), "roles": ROLES, "seen_at": 1e12, **said}
    await at.desk.pulls.redis.hset(HOSTS, "h", HostReport.model_validate(known).model_dump_json())  # type: ignore[misc]


def model_of(request: ReviewRequest) -> str:
    """Which model its reviewers ask."""
    (model,) = {request.reviewer(role).model for role in request.roles}
    return model


def by_model(review: ReviewState) -> ReviewRecord:
    """What the good model finds, and the bad one does not; whoever else reviews finds two things."""
    model = model_of(review.request)
    roles = tuple(RoleReport(role=role, status=RoleStatus.COMPLETED, harness="builtin", model=model) for role in review.request.roles)
    findings: tuple[Finding, ...] = found(1) if model == MODELS[0] else () if model == MODELS[1] else found()
    conclusion = Conclusion.FAILURE if findings else Conclusion.SUCCESS
    return judged(review, roles=roles, findings=findings, conclusion=conclusion)


def saying(pull: Pull, body: str = f"/box compare {' '.join(MODELS)}", author: str = "ada") -> tuple[Comment, Said]:
    """A comment, and the event of it."""
    made = pull.comment(author, body)
    return made, Said(comment_id=made.id, author=author, body=body)


async def compared(at: AtDesk, pull: Pull, body: str = f"/box compare {' '.join(MODELS)}") -> Comment:
    """What was said, when all that follows has come."""
    made, said = saying(pull, body)
    await at.tell(pull, said)
    await at.work(pull)
    return made


def answers(pull: Pull, said: Comment) -> list[str]:
    """What we say to a comment at once."""
    return [one.body for one in pull.comments if one.body.startswith(f"<!-- box-review:reply:{said.id} -->")]


def comparisons(pull: Pull) -> list[str]:
    """The comments that compare."""
    return [one.body for one in pull.comments if one.body.startswith("<!-- box-review:comparison:")]


def untouched(pull: Pull) -> None:
    """One check, one review and one comment on it, as the review has left them."""
    (run,) = pull.check_runs
    assert (run.status, run.conclusion, len(run.annotations)) == ("completed", "failure", 2)
    assert ["Trouble 1" in one.body for one in pull.comments if "box-review:sticky" in one.body.partition("\n")[0]] == [True]
    assert [len(review.comments) for review in pull.reviews] == [2]


async def requests(at: AtDesk, pull: Pull) -> list[ReviewRequest]:
    """What the shadows asked for."""
    found = [await at.desk.reviews.request(shadow.review_id) for shadow in (await at.state(pull)).shadows]
    return [one for one in found if one is not None]


async def begun(at: AtDesk, pull: Pull, body: str = f"/box compare {' '.join(MODELS)}") -> Comment:
    """Until both reviews run."""
    made, said = saying(pull, body)
    await at.tell(pull, said)
    await at.tend(pull)
    for shadow in (await at.state(pull)).shadows:
        await prepare(at.desk, Prepare(pull=at.ref(pull), review_id=shadow.review_id))
    return made
