"""`/box compare …`, turn by turn: each model has a review of its own, nothing of it is published but one comment, and that once."""

from __future__ import annotations

import re

import pytest
from box_review import Conclusion, ReviewRecord, ReviewStatus, RoleStatus

from bot.github.decide import Closed, Look, Said
from bot.github.jobs import Prepare, UninstalledJob
from bot.github.prepare import prepare
from bot.github.worker import uninstalled
from runner.reviews import ReviewState
from tests.bot.github.at_desk import AtDesk, found
from tests.bot.github.shadow.said import (
    CONFIG,
    HOSTILE,
    MODELS,
    answers,
    begun,
    by_model,
    compared,
    comparisons,
    model_of,
    requests,
    saying,
    tell_of,
    untouched,
)
from tests.fakes.github import Fault, Pull


async def test_models_are_compared_in_one_comment_and_nothing_else_is_published(at: AtDesk, pull: Pull) -> None:
    before, head = await at.state(pull), pull.head_sha
    said = await compared(at, pull)
    (told,) = answers(pull, said)
    assert f"2 reviews of `{head[:10]}` run in the shadow" in told
    assert "as security, quality, architecture" in told
    assert "No budget is set for them" in told
    assert [one.content for one in said.reactions] == ["eyes"]
    (text,) = comparisons(pull)
    assert f"### 2 models on `{head[:10]}`, side by side" in text
    assert "| | `openai/good` | `anthropic/bad` |" in text
    assert "| findings | 1 | 0 |" in text
    assert "| found by this model only | 1 | 0 |" in text
    assert "These models cannot be told apart" in text
    assert "One pull request proves little" in text
    untouched(pull)
    assert await at.state(pull) == before


async def test_shadows_ask_for_the_same_but_the_model(at: AtDesk) -> None:
    settings = "budget_usd: 2.5\nroles: [security, quality]\nmodel: openai/usual\nfallback_models: [openai/else]\nfail_on: low\n"
    at.verdict = by_model
    pull = at.pull(at.repository(**{CONFIG: settings}))
    await at.reviewed(pull)
    usual = await at.desk.reviews.request((await at.state(pull)).rounds[-1].review_id)
    said = await begun(at, pull)
    asked = await requests(at, pull)
    assert usual is not None
    assert tuple(model_of(one) for one in asked) == MODELS
    assert {one.reviewer("security").harness for one in asked} == {"builtin"}
    assert {one.model for one in asked} == {"openai/usual"}  # which is what the jury asks
    assert all(one.fallback_models == () and one.before is None for one in asked)
    left = {"reviewers", "fallback_models", "before"}
    assert [one.model_dump(exclude=left) for one in asked] == [usual.model_dump(exclude=left)] * 2
    await at.work(pull)
    assert "Each may cost 2.50 USD at most, as the settings have it" in answers(pull, said)[0]


async def test_roles_and_harness_are_those_that_were_named(at: AtDesk, pull: Pull) -> None:
    await begun(at, pull, "/box compare a b --role quality --harness codex")
    asked = await requests(at, pull)
    assert [(one.roles, one.reviewer("quality").harness, one.harness) for one in asked] == [(("quality",), "codex", "builtin")] * 2


async def test_second_comparison_waits_for_the_first(at: AtDesk, pull: Pull) -> None:
    await begun(at, pull)
    other, said = saying(pull, "/box compare a b")
    await at.tell(pull, said)
    await at.tend(pull)
    assert "A comparison of `openai/good`, `anthropic/bad`" in answers(pull, other)[0]
    assert "`/box cancel` stops it" in answers(pull, other)[0]
    asks, status = saying(pull, "/box status")
    await at.tell(pull, status)
    await at.tend(pull)
    assert "is under way." in answers(pull, asks)[0]
    await at.work(pull)
    assert len(comparisons(pull)) == 1


async def test_model_that_cannot_be_asked_costs_the_other_nothing(at: AtDesk, pull: Pull) -> None:
    def one_fails(review: ReviewState) -> ReviewRecord:
        record = by_model(review)
        if model_of(review.request) != MODELS[1]:
            return record
        roles = tuple(report.model_copy(update={"status": RoleStatus.FAILED, "error": f"no provider {HOSTILE}"}) for report in record.roles)
        return record.model_copy(update={"roles": roles, "status": ReviewStatus.FAILED, "conclusion": Conclusion.NEUTRAL})

    at.verdict = one_fails
    await compared(at, pull)
    (text,) = comparisons(pull)
    assert "| findings | 1 | - |" in text
    assert "`anthropic/bad`: security failed, quality failed, architecture failed: no provider &lt;!-- box-review:sticky --&gt;" in text
    assert "Fewer than two models came to a verdict" in text
    assert "`openai/good` (high," in text


async def test_what_the_host_refuses_is_told_for_each_model(at: AtDesk, pull: Pull) -> None:
    await compared(at, pull, "/box compare a b --harness nothing")
    (text,) = comparisons(pull)
    assert "| verdict | no review | no review |" in text
    for name in "ab":
        assert (
            f"- `{name}`: The review could not be asked for: no runner host has the harness 'nothing'; there is builtin, codex, static"
            in text
        )
    untouched(pull)


async def test_no_model_is_asked_where_analyzers_review_alone(at: AtDesk, pull: Pull) -> None:
    await tell_of(at, harness="static", harnesses=("static", "builtin"))
    await compared(at, pull)
    assert "no model would be asked: reviews are made by analyzers alone here" in comparisons(pull)[0]
    await begun(at, pull, "/box compare a b --harness builtin")
    assert [one.reviewer("quality").harness for one in await requests(at, pull)] == ["builtin"] * 2
    await at.work(pull)


async def test_cancel_stops_the_shadows_and_tells_what_there_is(at: AtDesk, pull: Pull) -> None:
    await begun(at, pull)
    first, second = (await at.state(pull)).shadows
    await at.judge(first.review_id)
    await at.tend(pull)
    _, cancels = saying(pull, "/box cancel")
    await at.tell(pull, cancels)
    await at.work(pull)
    (text,) = comparisons(pull)
    assert "`anthropic/bad`: Cancelled by ada." in text
    assert "| findings | 1 | - |" in text
    assert (await at.desk.reviews.record(second.review_id)).status is ReviewStatus.CANCELLED
    untouched(pull)


async def test_shadow_that_is_cancelled_while_it_is_prepared_reviews_nothing(at: AtDesk, pull: Pull) -> None:
    _, said = saying(pull)
    await at.tell(pull, said)
    await at.tend(pull)
    shadows = (await at.state(pull)).shadows
    _, cancels = saying(pull, "/box cancel")
    await at.tell(pull, cancels)
    await at.tend(pull)
    for shadow in shadows:
        await prepare(at.desk, Prepare(pull=at.ref(pull), review_id=shadow.review_id))
        assert not await at.desk.reviews.exists(shadow.review_id)
    assert (await at.state(pull)).settled
    assert len(comparisons(pull)) == 1


async def test_newer_head_and_an_end_of_the_pull_request_leave_it_to_its_head(at: AtDesk, pull: Pull) -> None:
    head = pull.head_sha
    await begun(at, pull)
    pull.push({"other.py": "x = 1\n"})
    await at.tell(pull, Look(why="pushed", head_sha=pull.head_sha))
    await at.tend(pull)
    pull.close()
    await at.tell(pull, Closed())
    await at.work(pull)
    (text,) = comparisons(pull)
    assert f"2 models on `{head[:10]}`" in text
    assert "| findings | 1 | 0 |" in text


async def test_closed_pull_request_is_compared_no_more(at: AtDesk, pull: Pull) -> None:
    pull.close()
    said = await compared(at, pull)
    assert "The pull request was closed." in answers(pull, said)[0]
    assert comparisons(pull) == []


async def test_settings_that_cannot_be_used_are_told(at: AtDesk) -> None:
    pull = at.pull(at.repository(**{CONFIG: "budget: 3\n"}))
    said = await compared(at, pull)
    assert "cannot be used" in answers(pull, said)[0]
    assert "budget" in answers(pull, said)[0]
    assert comparisons(pull) == []


async def test_ignored_findings_are_none_of_any_models(at: AtDesk, pull: Pull) -> None:
    ident = found(1)[0].id
    _, ignores = saying(pull, f"/box ignore {ident} we own both ends")
    await at.tell(pull, ignores)
    await at.work(pull)
    await compared(at, pull)
    (text,) = comparisons(pull)
    assert "| findings | 0 | 0 |" in text
    assert "ignored by ada: we own both ends" in text


async def test_ask_and_ignore_know_nothing_of_shadows(at: AtDesk, pull: Pull) -> None:
    published = (await at.state(pull)).published
    await compared(at, pull)
    assert (await at.state(pull)).published == published
    asks, said = saying(pull, "/box resume")
    await at.tell(pull, said)
    await at.work(pull)
    assert "No box of a reviewer is kept" in answers(pull, asks)[0]


@pytest.mark.parametrize(("who", "level"), [("mallory", None), ("reader", "read")])
async def test_stranger_compares_nothing(at: AtDesk, pull: Pull, who: str, level: str | None) -> None:
    at.github.user(who)
    if level is not None:
        pull.repository.member(who, level)
    made, said = saying(pull, author=who)
    await at.tell(pull, said)
    await at.work(pull)
    assert [one.content for one in made.reactions] == ["confused"]
    assert (answers(pull, made), comparisons(pull)) == ([], [])
    untouched(pull)


async def test_hostile_findings_are_words_in_the_comparison(at: AtDesk, pull: Pull) -> None:
    """Threat: what an agent writes becomes a mark of ours, a mention, or a part of the table."""

    def hostile(review: ReviewState) -> ReviewRecord:
        finding = found(1)[0].model_copy(update={"title": HOSTILE, "path": f"`|{HOSTILE}"})
        return by_model(review).model_copy(update={"findings": (finding,), "not_covered": (HOSTILE,)})

    at.verdict = hostile
    await compared(at, pull)
    (text,) = comparisons(pull)
    assert "\x1b" not in text
    assert all(line.count("|") == 4 for line in text.splitlines() if line.startswith("| "))
    bare = re.sub(r"(`+)[^`].*?[^`]?\1(?!`)", "", text.partition("-->")[2].replace("@ada asked", ""))
    assert bare.count("</details>") == bare.count("<details>")
    assert not re.search(r"@ada|<!--|\]\(http://", bare)


async def test_each_begins_when_the_hosts_have_room_for_it(at: AtDesk, pull: Pull) -> None:
    """Four reviewers at a time are one review of three, and then the next."""
    _, said = saying(pull, "/box compare a b c")
    await at.tell(pull, said)
    await at.tend(pull)
    shadows = (await at.state(pull)).shadows
    assert [await queued(at, one.review_id) for one in shadows] == [True, False, False]
    await prepare(at.desk, Prepare(pull=at.ref(pull), review_id=shadows[0].review_id))
    await at.tend(pull)
    assert [await queued(at, one.review_id) for one in shadows] == [True, False, False]
    await at.judge(shadows[0].review_id)
    await at.tend(pull)
    assert [await queued(at, one.review_id) for one in shadows] == [True, True, False]
    await at.work(pull)
    await tell_of(at, harness="builtin", harnesses=("static", "builtin"), capacity=6)
    _, again = saying(pull, "/box compare a b c")
    await at.tell(pull, again)
    await at.tend(pull)
    assert [await queued(at, one.review_id) for one in (await at.state(pull)).shadows] == [True, True, False]
    await at.work(pull)


async def queued(at: AtDesk, review_id: str) -> bool:
    """True once somebody was to prepare it."""
    return bool(await at.desk.pulls.redis.exists(f"arq:job:github:prepare:{review_id}"))


async def test_pull_request_that_nobody_reviewed_is_compared_without_a_check(at: AtDesk) -> None:
    at.verdict = by_model
    pull = at.pull()
    await compared(at, pull)
    assert len(comparisons(pull)) == 1
    assert (pull.check_runs, pull.reviews) == ([], [])
    assert (await at.state(pull)).published == ""


async def test_command_in_a_thread_is_answered_there(at: AtDesk, pull: Pull) -> None:
    line = pull.review_comments[0]
    made = pull.reply("ada", line, "/box compare a b")
    await at.tell(pull, Said(comment_id=made.id, on_line=True, thread_id=line.id, author="ada", body=made.body))
    await at.work(pull)
    mine = [one for one in pull.review_comments if one.body.startswith(f"<!-- box-review:reply:{made.id} -->")]
    assert [one.in_reply_to for one in mine] == [line]
    assert len(comparisons(pull)) == 1


async def test_uninstalled_app_stops_the_shadows(at: AtDesk, pull: Pull) -> None:
    await begun(at, pull)
    ids = [shadow.review_id for shadow in (await at.state(pull)).shadows]
    await uninstalled(at.desk, UninstalledJob(installation_id=at.ref(pull).installation_id))
    assert {(await at.desk.reviews.record(ident)).status for ident in ids} == {ReviewStatus.CANCELLED}
    await at.work(pull)


async def test_locked_conversation_ends_the_comparison_unheard(at: AtDesk, pull: Pull) -> None:
    made, said = saying(pull)
    await at.tell(pull, said)
    for _ in range(2):
        at.github.faults.add("POST", rf"/{pull.repository.full_name}/issues/1/comments$", Fault.answers(403, "locked"))
    await at.work(pull)
    assert (answers(pull, made), comparisons(pull)) == ([], [])
    assert (await at.state(pull)).settled


async def test_review_that_is_lost_is_said_to_be(at: AtDesk, pull: Pull, monkeypatch: pytest.MonkeyPatch) -> None:
    await begun(at, pull)
    first, second = (await at.state(pull)).shadows
    await at.judge(first.review_id)
    await at.desk.pulls.redis.delete(f"box:review:{second.review_id}")
    await at.tend(pull)
    assert comparisons(pull) == []
    monkeypatch.setattr("bot.github.shadow.PATIENCE_S", -1.0)
    await at.tend(pull)
    assert "`anthropic/bad`: The review was lost." in comparisons(pull)[0]
