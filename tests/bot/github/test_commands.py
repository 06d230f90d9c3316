"""`/box …`: every command is read as it is meant, and what is none is answered with what would be right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.github.commands import Ask, Cancel, Command, Help, Ignore, Resume, Review, Status, is_call, read_command
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
        ("/box learn x", "not there yet"),
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
