"""What becomes of a pull request where we may not do what we want, or things are gone: the rest is done, and told."""

from __future__ import annotations

import httpx
import pytest
from box_review import Conclusion

from bot.github.decide import Closed, Look, Said
from bot.github.jobs import Prepare, UninstalledJob
from bot.github.prepare import prepare
from bot.github.worker import uninstalled
from tests.bot.github.at_desk import AtDesk, found, judged
from tests.bot.github.test_publish import single
from tests.fakes.github import Fault, Pull
from tests.repositories import BAD


async def begun(at: AtDesk, pull: Pull) -> None:
    """Until its check and comment say that it is being reviewed."""
    await at.tell(pull)
    await at.tend(pull)
    await prepare(at.desk, Prepare(pull=at.ref(pull), review_id=(await at.state(pull)).rounds[-1].review_id))
    assert [run.status for run in pull.check_runs] == ["in_progress"]


async def goes_on(at: AtDesk) -> None:
    """The next pull request is reviewed as if nothing had been."""
    pull = at.pull()
    await at.reviewed(pull)
    single(pull)


async def test_without_permission_for_checks_the_comment_has_it_all_and_says_so(at: AtDesk) -> None:
    at.github.app.grant(checks="none")
    try:
        pull = at.pull()
        await at.reviewed(pull)
    finally:
        at.github.app.grant(checks="write")
    assert pull.repository.check_runs == []
    assert "GitHub did not take a check" in pull.comments[0].body
    assert (len(pull.comments), len(pull.reviews)) == (1, 1)


async def test_without_permission_for_comments_the_check_has_it_all(at: AtDesk) -> None:
    at.github.app.grant(pull_requests="read", issues="none")
    try:
        pull = at.pull()
        await at.reviewed(pull)
    finally:
        at.github.app.grant(pull_requests="write", issues="write")
    assert (pull.comments, pull.reviews) == ([], [])
    (run,) = pull.check_runs
    assert run.conclusion == "failure"
    assert "Trouble 1" in (run.text or "")
    await goes_on(at)


async def test_locked_conversation_is_told_in_the_check(at: AtDesk) -> None:
    pull = at.pull()
    pull.lock()
    await at.reviewed(pull)
    assert [run.conclusion for run in pull.check_runs] == ["failure"]
    assert pull.reviews == []


async def test_archived_repository_is_let_go(at: AtDesk) -> None:
    pull = at.pull()
    await begun(at, pull)
    pull.repository.archived = True
    await at.work(pull)
    assert (await at.state(pull)).settled
    await goes_on(at)


async def test_deleted_comment_is_written_anew_once(at: AtDesk) -> None:
    pull = at.pull()
    await begun(at, pull)
    pull.delete_comment(pull.comments[0], "ada")
    at.github.faults.add("POST", r"/issues/1/comments$", Fault.CUT_AFTER_WRITE)
    await at.work(pull)
    single(pull)


async def test_suspended_app_ends_the_check_once_it_is_back(at: AtDesk) -> None:
    pull = at.pull(at.repository("sleepy"))
    place = pull.repository.installation
    assert place is not None
    await begun(at, pull)
    at.github.app.suspend(pull.repository)
    await uninstalled(at.desk, UninstalledJob(installation_id=place.id))
    await at.tend(pull)
    assert [run.status for run in pull.check_runs] == ["in_progress"]
    at.github.app.unsuspend(pull.repository)
    await at.work(pull)
    assert [run.conclusion for run in pull.check_runs] == ["cancelled"]


async def test_review_of_an_app_that_was_removed_is_stopped_and_let_go(at: AtDesk) -> None:
    pull = at.pull(at.repository("gone"))
    place = at.ref(pull).installation_id
    await begun(at, pull)
    review_id = (await at.state(pull)).rounds[0].review_id
    at.github.app.uninstall(pull.repository)
    await uninstalled(at.desk, UninstalledJob(installation_id=place))
    await at.work(pull)
    assert (await at.desk.reviews.record(review_id)).status.value == "cancelled"
    await goes_on(at)


async def test_repository_that_was_deleted_is_let_go(at: AtDesk) -> None:
    pull = at.pull(at.repository("deleted"))
    await begun(at, pull)
    at.github.delete(pull.repository)
    await at.work(pull)
    assert (await at.state(pull)).rounds == ()
    await goes_on(at)


async def test_head_that_is_pushed_away_costs_the_review_and_not_the_verdict(at: AtDesk) -> None:
    pull = at.pull()
    await begun(at, pull)
    (run,) = pull.check_runs
    pull.push({"shop.py": BAD + "\n"}, force=True)
    await at.work(pull)
    assert (run.status, run.conclusion) == ("completed", "failure")
    assert pull.reviews == []
    assert "GitHub did not take the comments at lines" in pull.comments[0].body


async def test_round_that_is_cancelled_while_its_commits_come_leaves_no_review_behind(at: AtDesk) -> None:
    pull = at.pull()
    await at.tell(pull)
    await at.tend(pull)
    review_id = (await at.state(pull)).rounds[0].review_id
    fetched = at.desk.reviews.create

    async def closed_meanwhile(*arguments: object) -> str:
        made = await fetched(*arguments)  # type: ignore[arg-type]
        pull.close()
        await at.tell(pull, Closed())
        await at.tend(pull)
        return made

    at.desk.reviews.create = closed_meanwhile  # type: ignore[method-assign, assignment]
    await prepare(at.desk, Prepare(pull=at.ref(pull), review_id=review_id))
    await at.work(pull)
    assert (await at.desk.reviews.record(review_id)).status.value == "cancelled"
    assert [run.conclusion for run in pull.check_runs] == ["cancelled"]
    assert pull.reviews == []


async def test_deliveries_in_another_order_end_in_the_same_state(at: AtDesk) -> None:
    pull = at.pull()
    pull.close()
    pull.reopen()
    for what in (Look(why="reopened"), Closed(), Look(why="pushed"), Look(why="opened")):
        await at.tell(pull, what)
    await at.work(pull)
    single(pull)


async def test_head_that_comes_back_is_a_check_of_its_own(at: AtDesk) -> None:
    pull = at.pull()
    first = pull.head_sha
    await at.reviewed(pull)
    pull.push({"shop.py": BAD + "\n"})
    await at.reviewed(pull)
    pull.repository.commit("topic", {"shop.py": BAD + "\n\n"}, start=first, force=True)
    at.github.repositories[-1].bare.point("refs/heads/topic", first)
    pull.repository.moved("topic", pull.head_sha, first, at.github.user("ada"))
    await at.reviewed(pull)
    assert [run.external_id.rpartition(":")[2] for run in pull.check_runs] == ["1", "2"]
    assert [len(run.annotations) for run in pull.check_runs] == [2, 2]


async def test_check_of_somebody_else_is_not_taken_for_ours(at: AtDesk) -> None:
    pull = at.pull()
    await at.tell(pull)
    token = at.github.token(pull.repository, {"checks": "write"})
    name = f"{pull.repository.id}:1:{pull.head_sha}:1"
    forged(at, pull, token, name)
    await at.work(pull)
    assert [run.conclusion for run in pull.check_runs if run.suite.app is at.github.app] == ["failure"]


def forged(at: AtDesk, pull: Pull, token: str, name: str) -> None:
    """A workflow makes a check that has our name."""
    body = {"name": "box-review", "head_sha": pull.head_sha, "external_id": name, "status": "in_progress"}
    path = f"{at.github.api_url}/repos/{pull.repository.full_name}/check-runs"
    answer = httpx.post(path, json=body, headers={"authorization": f"Bearer {token}"}, trust_env=False)
    assert answer.status_code == 201, answer.text


async def test_answer_that_github_never_gives_is_waited_for_no_longer_than_said(at: AtDesk) -> None:
    pull = at.pull()
    at.github.faults.add("POST", r"/check-runs$", Fault.slow(3.4))  # beyond the deadline; done all the same
    await at.reviewed(pull)
    single(pull)


async def test_git_that_cannot_be_reached_is_asked_again(at: AtDesk) -> None:
    pull = at.pull()
    at.github.faults.add("*", r"/info/refs|git-upload-pack", Fault.answers(503), times=2)
    await at.reviewed(pull)
    single(pull)


async def test_git_that_was_killed_leaves_no_lock_behind(at: AtDesk) -> None:
    pull = at.pull()
    bare = at.desk.mirrors.folder_of(pull.repository.id)
    bare.mkdir(parents=True)
    (bare / "shallow.lock").touch()
    (bare / "HEAD").touch()
    await at.reviewed(pull)
    single(pull)


@pytest.mark.parametrize("where", ["GET", "PATCH", "*"])
async def test_outage_is_waited_out(at: AtDesk, where: str) -> None:
    pull = at.pull()
    await begun(at, pull)
    at.github.faults.add(where, rf"/{pull.repository.full_name}/", Fault.answers(503), times=25)
    await at.work(pull)
    single(pull)


async def test_endpoint_that_fails_for_long_costs_only_its_part(at: AtDesk) -> None:
    pull = at.pull()
    at.github.faults.add("POST", r"/pulls/1/reviews$", Fault.answers(500), times=-1)
    await at.reviewed(pull)
    assert pull.check_runs[0].conclusion == "failure"
    assert "Trouble 1" in pull.comments[0].body
    assert pull.reviews == []
    assert (await at.state(pull)).rounds == ()


async def test_more_findings_than_one_call_takes_are_annotated_once_each(at: AtDesk) -> None:
    at.verdict = lambda review: judged(review, findings=found(120), conclusion=Conclusion.FAILURE)
    pull = at.pull()
    at.github.faults.add("PATCH", r"/check-runs/", Fault.CUT_AFTER_WRITE, times=1, after=1)
    await at.reviewed(pull)
    assert len(pull.check_runs[0].annotations) == 120
    assert len(pull.reviews) == 1


@pytest.mark.parametrize(
    "words", [{"title": "x" * 256}, {"title": "\u202e🙂\x01`<!--", "body": "y" * 65_536}, {"title": " "}], ids=["long", "odd", "blank"]
)
async def test_words_of_any_kind_are_reviewed(at: AtDesk, words: dict[str, str]) -> None:
    shop = at.repository()
    shop.commit("topic", {"shop.py": BAD}, start="main")
    pull = shop.pull(user="ada", head="topic", **words)  # type: ignore[arg-type]
    await at.reviewed(pull)
    single(pull)


async def test_many_pushes_do_not_make_the_state_grow(at: AtDesk) -> None:
    pull = at.pull(at.repository(**{".github/box-review.yml": f"instructions: {'x' * 5000}\n"}))
    for number in range(12):
        pull.push({f"m{number}.md": "x\n"})
        await at.tell(pull, Look(why="pushed"))
        await at.tend(pull)
    await at.work(pull)
    state = await at.state(pull)
    assert len(state.rounds) == 1
    assert len(state.model_dump_json()) < 12_000
    assert len(pull.repository.check_runs) == 12


async def test_question_whose_comment_is_gone_holds_up_nothing(at: AtDesk) -> None:
    pull = at.pull()
    await at.tell(pull, Said(comment_id=1, author="ada", body="/box status"))
    await at.reviewed(pull)
    assert [run.conclusion for run in pull.check_runs] == ["failure"]


async def test_comments_that_github_does_not_take_at_their_lines_are_said_to_be_missing_there(at: AtDesk) -> None:
    pull = at.pull()
    at.github.faults.add("POST", rf"/{pull.repository.full_name}/pulls/\d+/reviews", Fault.answers(422, "Validation Failed"))
    await at.reviewed(pull)
    assert (len(pull.reviews), pull.review_comments) == (1, [])
    assert "No finding stands at its line" in pull.comments[0].body
    assert pull.check_runs[0].conclusion == "failure"
