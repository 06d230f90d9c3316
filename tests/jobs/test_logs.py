"""What reaches the log: everything that was bound, and no credential, whoever said it and however deep it stands."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

TOKEN = "ghs_" + "a1B2" * 9
KNOWN = "correct horse battery"
SAY = """
import logging, sys, structlog
from pydantic import SecretStr
from pydantic_settings import BaseSettings
from jobs import logs

class Settings(BaseSettings):
    hidden: SecretStr = SecretStr("correct horse battery")
    several: tuple[SecretStr, ...] = (SecretStr("another long secret"),)
    redis_url: str = "redis://:queue-password@queue:6379/0"

class Odd:
    def __repr__(self): return "Odd(" + token + ")"

token = "ghs_" + "a1B2" * 9
logs.configure("info", sys.argv[1], Settings())
log = structlog.get_logger()
"""


def said(form: str, code: str) -> str:
    """What a process logs that runs the code."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", SAY + code, form], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    "code",
    [
        "log.info('it is ' + token)",
        "log.info('said', token=token)",
        "log.info('said', raw=token.encode())",
        "log.info('said', deep={'list': [{'key': (token,)}], token: 1})",
        "log.info('said', odd=Odd())",
        "log.info('said', error=ValueError(token))",
        "log.bind(bound=token.encode()).info('said')",
        "structlog.contextvars.bind_contextvars(bound=[token]); log.info('said')",
        "try: raise ValueError('cannot use ' + token)\nexcept ValueError: log.exception('failed')",
        "try:\n  try: raise KeyError(token)\n  except KeyError as e: raise OSError('x') from e\nexcept OSError: log.exception('failed')",
        "try: raise ValueError('cannot use ' + token)\nexcept ValueError: logging.getLogger('arq').exception('%s failed', token)",
        "logging.getLogger('uvicorn.error').warning('it is %s', token)",
        "log.warning('said', key='-----BEGIN RSA PRIVATE KEY-----\\n' + token)",
    ],
    ids=lambda code: code.replace("\n", " ")[:60],
)
def test_token_is_not_written_down(form: str, code: str) -> None:
    text = said(form, code)
    assert "[redacted]" in text
    assert TOKEN not in text and TOKEN[4:20] not in text


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("secret", [KNOWN, "another long secret", "queue-password"])
def test_secrets_of_the_settings_are_known_by_value(form: str, secret: str) -> None:
    text = said(form, f"log.info('said', why='it is {secret}!')")
    assert secret not in text and "it is [redacted]!" in text


def test_json_is_one_object_a_line_also_of_libraries_and_exceptions() -> None:
    code = """
structlog.contextvars.bind_contextvars(review_id="rv-1", job_id="review:rv-1:security")
log.info("box is made", box_id="b1", parts=(1, 2), path=__import__("pathlib").Path("/x"), raw=b"\\xff")
try: 1 / 0
except ZeroDivisionError:
    log.exception("failed")
    logging.getLogger("arq.worker").exception("job %s failed", "a")
"""
    first, second, third = (json.loads(line) for line in said("json", code).splitlines())
    about = {"review_id": "rv-1", "job_id": "review:rv-1:security"}
    assert first.items() >= {"event": "box is made", "level": "info", "box_id": "b1", "raw": "\\xff", **about}.items()
    assert (first["parts"], first["timestamp"][-1]) == ([1, 2], "Z")
    assert second.items() >= {"event": "failed", "level": "error", **about}.items()
    assert third.items() >= {"event": "job a failed", "level": "error", "logger": "arq.worker", **about}.items()
    assert all(one["exception"].endswith("ZeroDivisionError: division by zero") for one in (second, third))


def test_text_shows_whole_exceptions() -> None:
    text = said("text", "try: 1 / 0\nexcept ZeroDivisionError: log.exception('failed', box_id='b1')")
    assert "failed" in text and "box_id=b1" in text and "ZeroDivisionError: division by zero" in text
