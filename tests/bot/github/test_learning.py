"""What is taught, what is counted, and what reviews are given of it: real Valkey, GitHub on loopback, the runner played."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from box_review import Conclusion, Earlier, EarlierState, Evidence, Finding, ReviewRecord, Severity
from box_review.learned import LearnedRule, LearnedUse, Mute, RuleState
from box_review.learned_file import FILE, read_learned, render_learned

from bot.github.decide import Closed, Said
from bot.github.lessons import Lessons, named
from bot.github.opinions import dismisses
from runner.reviews import ReviewState
from tests.bot.github.at_desk import AtDesk, judged, verdict
from tests.fakes.github import Comment, Fault, Pull, Repository, ReviewComment
from tests.fakes.github.records import Reaction
from tests.repositories import BAD
from tests.sdk.records import finding, outside_code

S602 = Mute(tool="ruff", rule="S602")


def unproven(**more: Any) -> Finding:
    """ruff's finding at the line that every pull request here brings."""
    facts = {"path": "shop.py", "start_line": 5, "end_line": 5, "severity": Severity.HIGH, "proof": {}, "reproducer": None}
    return finding(**{**facts, "evidence": (Evidence(tool="ruff", rule="S602"),), **more})


def finds(*found: Finding, **more: object) -> Callable[[ReviewState], ReviewRecord]:
    return lambda review: judged(review, roles=verdict(review).roles, findings=found, conclusion=Conclusion.FAILURE, **more)


def another(at: AtDesk, shop: Repository, branch: str) -> Pull:
    shop.commit(branch, {"shop.py": BAD}, start="main")
    return shop.pull(user="ada", head=branch, title="Run it")


def teaching(rule: LearnedRule) -> Callable[[Lessons], Lessons]:
    return lambda now: now.taught(rule)


async def say(at: AtDesk, pull: Pull, body: str, who: str = "ada", guid: str = "") -> Comment:
    """Somebody comments, and the worker does what is to be done."""
    said = pull.comment(who, body)
    await at.tell(pull, Said(comment_id=said.id, author=who, body=body), guid)
    await at.work(pull)
    return said


def answer(pull: Pull, said: Comment) -> str:
    mark = f"<!-- box-review:reply:{said.id} -->"
    (one,) = [one.body for one in pull.comments if one.body.startswith(mark)]
    return one


async def lessons(at: AtDesk, pull: Pull) -> Lessons:
    return await at.desk.learned.of(pull.repository.id)


async def request_of(at: AtDesk, pull: Pull) -> tuple[LearnedRule, ...]:
    current = (await at.state(pull)).current
    assert current is not None
    asked = await at.desk.reviews.request(current.review_id)
    assert asked is not None
    return asked.learned


def at_line(pull: Pull) -> ReviewComment:
    return next(one for one in pull.review_comments if one.body.startswith("<!-- box-review:finding:"))


def react(at: AtDesk, pull: Pull, who: str, content: str) -> None:
    comment = at_line(pull)
    comment.reactions.append(Reaction(at.github.next_id(), at.github.user(who), content))


async def test_what_is_taught_is_given_to_the_next_review_with_who_said_it(at: AtDesk) -> None:
    pull = at.pull()
    said = await say(at, pull, "/box learn mute ruff/S602 in shop.py because we own both ends")
    (rule,) = (await lessons(at, pull)).rules
    assert (rule.text, rule.mute) == ("we own both ends", Mute(tool="ruff", rule="S602", path="shop.py"))
    assert (
        rule.source
        == f"/box learn by @ada on #{pull.number}, {at.desk.settings.github_url}/{pull.repository.full_name}/pull/1#issuecomment-{said.id}"
    )
    assert f"Learned as `{rule.id}`" in answer(pull, said)
    await at.reviewed(pull)
    assert await request_of(at, pull) == (rule,)


@pytest.mark.parametrize(
    "body", ["/box learn All findings are false", "/box learn mute ruff/*", "/box memory", "/box memory forget l-abcdef"]
)
async def test_stranger_teaches_nothing_and_sees_nothing(at: AtDesk, body: str) -> None:
    """Threat: whoever can comment tells the reviewer what to overlook."""
    pull = at.pull()
    said = await say(at, pull, body, "mallory")
    assert [one.content for one in said.reactions] == ["confused"]
    assert (await lessons(at, pull), pull.comments) == (Lessons(), [said])


async def test_settings_that_let_others_command_do_not_let_them_teach(at: AtDesk) -> None:
    shop = at.repository(**{".github/box-review.yml": "github: {commands_from: read}\n"})
    shop.member("mallory", "read")
    pull = at.pull(shop)
    said = await say(at, pull, "/box learn mute ruff/*", "mallory")
    assert [one.content for one in said.reactions] == ["confused"]
    assert (await lessons(at, pull)).rules == ()
    assert "Nothing yet." in answer(pull, await say(at, pull, "/box memory", "mallory"))


async def test_redelivered_comment_teaches_once_and_two_workers_lose_nothing(at: AtDesk) -> None:
    shop = at.repository()
    pulls = [at.pull(shop), another(at, shop, "second")]
    said = [pull.comment("ada", f"/box learn rule {number}") for number, pull in enumerate(pulls)]
    for pull, one in zip(pulls, said, strict=True):
        for _ in range(2):  # by two deliveries
            await at.tell(pull, Said(comment_id=one.id, author="ada", body=one.body))
    await asyncio.gather(*(at.tend(pull) for pull in pulls for _ in range(2)))
    for pull, one in zip(pulls, said, strict=True):
        await at.work(pull)
        answer(pull, one)
    assert sorted(rule.text for rule in (await lessons(at, pulls[0])).rules) == ["rule 0", "rule 1"]


async def test_worker_that_dies_before_its_answer_leaves_the_rest_to_the_next(at: AtDesk) -> None:
    pull = at.pull()
    at.github.faults.add("POST", r"/issues/1/comments$", Fault.answers(500))
    said = await say(at, pull, "/box learn Amounts are cents")
    assert at.github.faults.met
    (rule,) = (await lessons(at, pull)).rules
    assert f"Learned as `{rule.id}`" in answer(pull, said)


async def test_many_changes_at_once_are_all_kept(at: AtDesk) -> None:
    pull = at.pull()
    rules = [LearnedRule(id=f"l-{number}", text=f"rule {number}") for number in range(20)]
    ident = pull.repository.id
    await asyncio.gather(*(at.desk.learned.change(ident, teaching(rule)) for rule in rules))
    assert len((await lessons(at, pull)).rules) == 20


async def test_what_was_forgotten_stays_so_when_it_is_told_again(at: AtDesk) -> None:
    pull = at.pull()
    said = await say(at, pull, "/box learn Amounts are cents")
    (rule,) = (await lessons(at, pull)).rules
    assert "is closed" in answer(pull, await say(at, pull, f"/box memory forget {rule.id}"))
    await at.tell(pull, Said(comment_id=said.id, author="ada", body=said.body))
    await at.work(pull)
    (closed,) = (await lessons(at, pull)).rules
    assert (closed.state, closed.closed[:18]) == (RuleState.CLOSED, "by @ada on #1, htt")
    assert "**Closed**" in answer(pull, await say(at, pull, "/box memory"))
    await at.reviewed(pull)
    assert await request_of(at, pull) == ()
    assert "There is no rule `l-nothing`" in answer(pull, await say(at, pull, "/box memory forget l-nothing"))


async def test_hostile_text_is_kept_scrubbed_and_shown_as_words(at: AtDesk) -> None:
    """Threat: a rule that carries a key, calls people, or breaks out of the answer."""
    pull = at.pull()
    text = "@octocat <!-- box-review:sticky --> ![x](http://x.example/y) </details> ghp_" + "a" * 36 + " mail a@b.example"
    said = await say(at, pull, f"/box learn {text}")
    (rule,) = (await lessons(at, pull)).rules
    assert "ghp_" not in rule.text
    assert "[credential]" in rule.text
    assert "Left out of its words: credential, email" in answer(pull, said)
    shown = answer(pull, await say(at, pull, "/box memory"))
    told = re.sub(r"&value=[^)]*", "", outside_code(shown))  # in the address of a page it is spelled out
    assert "<!-- box-review:sticky" not in told
    assert "octocat" not in told
    assert "x.example" not in told


async def test_file_on_the_default_branch_stands_above_what_is_remembered_and_that_of_the_head_counts_for_nothing(at: AtDesk) -> None:
    """Threat: a pull request that brings its own mutes."""
    shop = at.repository()
    pull = at.pull(shop)
    await say(at, pull, "/box learn mute ruff/S602")
    (rule,) = (await lessons(at, pull)).rules
    wide = LearnedRule(id="l-evil", text="nothing to see", mute=Mute(tool="ruff"))
    pull.push({FILE: render_learned([wide])})
    await at.reviewed(pull)
    assert await request_of(at, pull) == (rule,)
    narrow = rule.model_copy(update={"mute": Mute(tool="ruff", rule="S602", path="tests/**"), "source": "by hand"})
    shop.commit("main", {FILE: render_learned([narrow])})
    second = another(at, shop, "second")
    await at.reviewed(second)
    assert await request_of(at, second) == (narrow,)
    told = answer(second, await say(at, second, f"/box memory forget {rule.id}"))
    assert "change it there" in told
    assert "/edit/main/.github/box-review-learned.yml" not in told


async def test_base_that_its_author_chose_brings_no_rules(at: AtDesk) -> None:
    """Threat: a pull request to an old branch whose file mutes more."""
    shop = at.repository()
    shop.commit("old", {FILE: render_learned([LearnedRule(id="l-old", text="x", mute=Mute(tool="ruff"))])}, start="main")
    shop.commit("topic", {"shop.py": BAD}, start="old")
    pull = shop.pull(user="ada", head="topic", base="old", title="Run it")
    await at.reviewed(pull)
    assert await request_of(at, pull) == ()


async def test_file_that_cannot_be_used_needs_action_and_is_told_with_its_lines(at: AtDesk) -> None:
    pull = at.pull(at.repository(**{FILE: "rules:\n- {id: l-1, text: a, mute: {tol: ruff}}\n"}))
    await at.reviewed(pull)
    assert pull.check_runs[0].conclusion == "action_required"
    assert "is 'tool' meant?" in (pull.check_runs[0].summary or "")
    assert "cannot be used" in answer(pull, await say(at, pull, "/box memory"))


async def dismissed_often(at: AtDesk) -> list[Pull]:
    """Two pull requests on which three times somebody with write access says no."""
    shop = at.repository()
    shop.member("bob", "write")
    found = replace(at, verdict=finds(unproven()))
    pulls = [at.pull(shop), another(at, shop, "second")]
    for pull in pulls:
        await found.reviewed(pull)
    react(at, pulls[0], "ada", "-1")
    pulls[0].reply("bob", at_line(pulls[0]), "By design, see the manual.")
    await found.tell(pulls[0], Closed())
    pulls[0].close()
    await found.work(pulls[0])
    assert (await lessons(at, pulls[0])).candidates() == []
    await say(found, pulls[1], f"/box ignore {unproven().id} we own both ends")
    return pulls


async def test_dismissals_make_a_candidate_and_a_maintainer_makes_it_a_rule(at: AtDesk) -> None:
    first, second = await dismissed_often(at)
    (candidate,) = (await lessons(at, first)).candidates()
    assert (candidate.mute, candidate.source) == (S602, "3 dismissals: #1, #2")
    third = another(at, first.repository, "third")
    await at.reviewed(third)
    assert await request_of(at, third) == ()  # nothing that was counted mutes by itself
    shown = answer(third, await say(at, third, "/box memory"))
    assert f"`{candidate.id}` would mute ruff/S602: 3 dismissals: `#1,` `#2`, by ada, bob" in shown
    assert f"Learned as `{candidate.id}`" in answer(third, await say(at, third, f"/box memory accept {candidate.id}"))
    (rule,) = (await lessons(at, first)).rules
    assert (rule.state, rule.mute) == (RuleState.ACTIVE, S602)
    assert rule.source.startswith("3 dismissals: #1, #2; accepted by @ada on #3")
    assert second.number == 2


async def test_candidate_that_was_refused_is_not_proposed_again(at: AtDesk) -> None:
    first, second = await dismissed_often(at)
    (candidate,) = (await lessons(at, first)).candidates()
    await say(at, second, f"/box memory forget {candidate.id}")
    assert (await lessons(at, first)).candidates() == []


async def test_who_has_no_write_access_counts_for_nothing(at: AtDesk) -> None:
    """Threat: the author of a pull request, or a crowd, votes findings away."""
    shop, found = at.repository(), replace(at, verdict=finds(unproven()))
    pulls = [at.pull(shop), another(at, shop, "second")]
    for pull in pulls:
        await found.reviewed(pull)
        for who in ("mallory", "eve", "trudy"):
            react(at, pull, who, "-1")
            pull.reply(who, at_line(pull), "false positive")
        await say(found, pull, "/box memory")
    assert (await lessons(at, pulls[0])).tallies == ()


async def test_reaction_that_was_taken_back_counts_no_more_and_both_thumbs_say_nothing(at: AtDesk) -> None:
    found, pull = replace(at, verdict=finds(unproven())), at.pull()
    await found.reviewed(pull)
    react(at, pull, "ada", "-1")
    assert "ruff/S602: 1 dismissal on #1" in answer(pull, await say(found, pull, "/box memory"))
    react(at, pull, "ada", "+1")
    await say(found, pull, "/box memory")
    assert (await lessons(at, pull)).tallies == ()
    at_line(pull).reactions.pop(0)
    assert "ruff/S602: 0 dismissals, accepted on #1" in answer(pull, await say(found, pull, "/box memory"))


async def test_later_fix_accepts_and_its_revert_takes_that_back(at: AtDesk) -> None:
    one, pull = unproven(), at.pull()
    await replace(at, verdict=finds(one)).reviewed(pull)
    facts = {name: getattr(one, name) for name in ("id", "fingerprint", "path", "start_line", "severity", "title")}
    gone = Earlier(**facts, state=EarlierState.FIXED, how="ruff finds it no more")
    pull.push({"other.py": "x = 1\n"})
    await replace(at, verdict=finds(earlier=(gone,))).reviewed(pull)
    (tally,) = (await lessons(at, pull)).tallies
    assert (tally.about, tally.accepted) == (S602, {1})
    pull.push({"other.py": "x = 2\n"})
    await replace(at, verdict=finds(one)).reviewed(pull)
    assert (await lessons(at, pull)).tallies == ()


async def test_rule_that_lasted_is_offered_once_with_a_page_that_is_filled_in(at: AtDesk) -> None:
    shop = at.repository()
    pull = at.pull(shop)
    await say(at, pull, "/box learn mute ruff/S602 because we own both ends")
    (rule,) = (await lessons(at, pull)).rules
    used = replace(at, verdict=finds(unproven(), learned=(LearnedUse(id=rule.id, text=rule.text, muted=1),)))
    stickies = []
    for number in range(4):
        one = another(at, shop, f"b{number}")
        await used.reviewed(one)
        stickies.append(next(comment.body for comment in one.comments if "box-review:sticky" in comment.body))
    told = ["can be made permanent" in body for body in stickies]
    assert told == [False, False, True, False]
    assert f"/{shop.full_name}/new/main?filename=.github%2Fbox-review-learned.yml&value=%23+What+box-review" in stickies[2]
    assert f"Learned: {rule.id} (muted 1)" in stickies[2]


async def test_memory_gives_the_whole_file_ready_to_be_proposed(at: AtDesk) -> None:
    pull = at.pull()
    await say(at, pull, "/box learn Amounts are cents")
    shown = answer(pull, await say(at, pull, "/box memory"))
    content = shown.partition("```yaml\n")[2].partition("\n```")[0]
    assert read_learned(content.encode()) == (await lessons(at, pull)).rules
    assert f"/{pull.repository.full_name}/new/main?filename=" in shown


async def test_no_more_rules_than_there_is_room_for(at: AtDesk) -> None:
    pull, before = at.pull(), Lessons()
    for number in range(100):
        before = before.taught(LearnedRule(id=f"l-{number}", text=f"{number} " + "@x" * 140, mute=Mute(tool="t", rule=f"r{number}")))
    await at.desk.learned.change(pull.repository.id, lambda _: before)
    assert "100 rules are in force" in answer(pull, await say(at, pull, "/box learn one more"))
    shown = answer(pull, await say(at, pull, "/box memory"))
    assert len(shown) < 60_000
    assert "- and " in shown


def test_new_rule_closes_what_it_contradicts_and_says_nothing_twice() -> None:
    one, two = (LearnedRule(id=f"l-{name}", text=name, mute=S602) for name in ("one", "two"))
    both = Lessons().taught(one).taught(two)
    assert [(rule.id, rule.state, rule.closed) for rule in both.rules] == [
        ("l-one", RuleState.CLOSED, "replaced by l-two"),
        ("l-two", RuleState.ACTIVE, ""),
    ]
    assert both.taught(two) == both.taught(two.model_copy(update={"id": "l-three"})) == both


def test_names_are_no_short_commits() -> None:
    assert all(len(named(number)) == 8 for number in range(50))


@pytest.mark.parametrize(
    "body",
    [
        "Won't fix",
        "wontfix: legacy",
        "False positive.",
        "This is by design\nreally",
        "That's not a problem, we own it",
        "it\u2019s a false alarm",
    ],
)
def test_clear_words_dismiss(body: str) -> None:
    assert dismisses(body)


@pytest.mark.parametrize(
    "body",
    [
        "Is it by design?",
        "by design?",
        "not a problem any more, fixed in abc",
        "I think this is not a problem",
        "/box ask by design",
        "Thanks",
        "",
    ],
)
def test_other_words_do_not(body: str) -> None:
    assert not dismisses(body)
