"""`/box …`: every command is read as it is meant, and what is none is answered with what would be right."""

from __future__ import annotations

import pytest
from box_review.learned import Mute
from hypothesis import given
from hypothesis import strategies as st

from bot.github.commands import Ask, Cancel, Command, Help, Ignore, Learn, Memory, Resume, Review, Status, is_call, read_command
from bot.github.errors import NotUnderstood


@pytest.mark.parametrize(
    ("body", "command"),
    [
        ("/box", Help()),
        ("/box help", Help()),
        ("/box  HELP  ", Help()),
        ("/box status\nthanks!", Status()),
        ("/box cancel", Cancel()),
        ("/box review", Review()),
        ("/box review security quality security", Review(roles=("security", "quality"))),
        ("/box review --model openai/gpt-x --harness=builtin --force", Review(model="openai/gpt-x", harness="builtin", force=True)),
        ("\r\n/box review --force\r\nplease", Review(force=True)),
        ("/box ask Why is this wrong?", Ask("Why is this wrong?")),
        ("/box ask\nWhy?\n\n```py\nx\n```", Ask("Why?\n\n```py\nx\n```")),
        ("/box ignore F-0a1b2c3d", Ignore("F-0a1b2c3d")),
        ("/box ignore F-0a1b2c3d-2 only in tests", Ignore("F-0a1b2c3d-2", "only in tests")),
        ("/box learn Amounts are cents,\n  not euros", Learn("Amounts are cents, not euros")),
        ("/box learn mute ruff/E501", Learn("", Mute(tool="ruff", rule="E501"))),
        (
            "/box learn mute `eslint/react/key` in `src/**` because we know",
            Learn("we know", Mute(tool="eslint", rule="react/key", path="src/**")),
        ),
        ("/box learn mute lizard/*", Learn("", Mute(tool="lizard"))),
        ("/box memory", Memory()),
        ("/box memory forget l-abcdef", Memory("forget", "l-abcdef")),
        ("/box memory ACCEPT `l-1`", Memory("accept", "l-1")),
        ("/box resume", Resume()),
        ("/box resume security", Resume("security")),
    ],
)
def test_command_is_read_as_it_is_meant(body: str, command: Command) -> None:
    assert is_call(body)
    assert read_command(body) == command


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("/box reveiw", "is `review` meant"),
        ("/box rm -rf /", "no command `rm`"),
        ("/box review --nope", "no option `--nope`"),
        ("/box review --model", "needs a value"),
        ("/box review --model --force", "needs a value"),
        ("/box review Security!", "cannot be a role"),
        ("/box review jury", "cannot be a role"),
        ("/box ask", "needs a question"),
        ("/box ask " + "x" * 9000, "8,000 characters"),
        ("/box ignore", "needs the id"),
        ("/box ignore F-1; DROP", "needs the id"),
        ("/box resume a b", "one role at most"),
        ("/box status now", "takes no words"),
        ("/box learn", "needs what is to be known"),
        ("/box learn " + "x" * 301, "300 characters at most, not 301"),
        ("/box learn mute", "as `ruff/E501`"),
        ("/box learn mute buttons must be big", "as `ruff/E501`"),
        ("/box learn mute ruff/E501 in", "needs a pattern"),
        ("/box learn mute ruff/E501 in /etc", "without a slash at its beginning"),
        ("/box learn mute ruff/E501 because", "`because` needs words"),
        ("/box learn mute ruff/E501 everywhere", "`everywhere` cannot stand there"),
        ("/box learn mute -x/E501", "the tool `-x` cannot be"),
        ("/box memory forget", "take an id"),
        ("/box memory burn l-1", "take an id"),
    ],
)
def test_what_is_no_command_is_answered_with_what_would_be_right(body: str, said: str) -> None:
    with pytest.raises(NotUnderstood, match=said):
        read_command(body)


@given(st.text(max_size=300))
def test_no_comment_can_break_the_reader(text: str) -> None:
    for body in (text, f"/box {text}"):
        if is_call(body):
            try:
                read_command(body)
            except NotUnderstood as error:
                assert len(str(error)) < 400
