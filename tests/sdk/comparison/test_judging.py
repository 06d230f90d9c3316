"""Judge metrics through autoevals: what they come to, and that nobody but the judge of the spec is asked."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from box_review.comparison.judging import JudgeDesk, OneServer
from box_review.comparison.plan import Case, SourceText
from box_review.comparison.scores import Mark
from box_review.comparison.store import Store
from box_review.errors import InputError

from tests.fakes.models import ModelServer
from tests.fakes.script import Asked, Step, Tool
from tests.sdk.comparison.made import spec

CASE = Case("p", "i", "Where is it?", {}, "In Paris.", (SourceText("s", "It is in Paris."),))
ANSWERS: dict[str, Any] = {
    "extract_statements": {"statements": ["It is in Paris.", "It is red."]},
    "judge_statements": {
        "faithfulness": [
            {"statement": "It is in Paris.", "verdict": 1, "reason": "said"},
            {"statement": "It is red.", "verdict": 0, "reason": "not said"},
        ]
    },
    "classify_statements": {"TP": ["It is in Paris."], "FP": ["It is red."], "FN": []},
    "recall": {"statements": [{"statement": "In Paris.", "attributed": 1, "reason": "said"}]},
    "verify": {"verdict": 1, "reason": "useful"},
}


def script(asked: Asked) -> Step:
    """Calls whatever function is asked for."""
    [tool] = asked.tools
    return Step(tools=(Tool(tool, ANSWERS["recall" if "attributed" in asked.said else tool]),))


@pytest.fixture
def judge() -> Iterator[ModelServer]:
    with ModelServer(script) as server:
        yield server


@pytest.fixture(autouse=True)
def _elsewhere_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any connection, or name looked up, that is not this machine's fails the test; keys and gateways of others lie about to be taken."""
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def here_only(sock: socket.socket, address: Any) -> None:
        if sock.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1"):
            pytest.fail(f"connected to {address}")
        connect(sock, address)

    def local_names(host: Any, *more: Any, **how: Any) -> Any:
        if host not in ("127.0.0.1", "localhost"):
            pytest.fail(f"looked up {host}")
        return look_up(host, *more, **how)

    monkeypatch.setattr(socket.socket, "connect", here_only)
    monkeypatch.setattr(socket, "getaddrinfo", local_names)
    for name in ("OPENAI_API_KEY", "BRAINTRUST_API_KEY"):
        monkeypatch.setenv(name, "sk-not-to-be-used")
    for name in ("OPENAI_BASE_URL", "BRAINTRUST_AI_GATEWAY_URL", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://gateway.example:9")


@contextlib.contextmanager
def desk(url: str, **more: Any) -> Iterator[JudgeDesk]:
    """The judge of a spec."""
    made = spec(scores=[{"faithfulness": {"by": "judge"}}], judge_api={"base_url": url, "model": "judge", "timeout_s": 5, **more})
    found = JudgeDesk.of(made)
    assert found is not None
    with contextlib.closing(found):
        yield found


def mark(judge: ModelServer, tmp_path: Path, score: Any, answer: str = "It is in Paris. It is red.") -> Mark:
    """What the judge says of an answer."""
    [made] = spec(scores=[score], judge_api={"base_url": f"{judge.url}/v1", "model": "judge"}).scores
    with desk(f"{judge.url}/v1") as asking:
        return asking.mark(made, answer, CASE, Store(tmp_path))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("faithfulness", 0.5),
        ("hallucination_pct", 50.0),
        ("answer_correctness", pytest.approx(2 / 3)),
        ("context_precision", 1.0),
        ("context_recall", 1.0),
    ],
)
def test_metric_is_what_the_judge_made_of_the_claims(judge: ModelServer, tmp_path: Path, name: str, value: float) -> None:
    found = mark(judge, tmp_path, {name: {"by": "judge"}})
    assert (found.value, found.error) == (value, "")
    if name in ("faithfulness", "hallucination_pct", "answer_correctness"):
        assert found.unsupported == ("It is red.",)
    assert {asked.model for asked in judge.asked} == {"judge"}
    assert not any("not-to-be-used" in json.dumps(dict(asked.headers)) for asked in judge.asked)


def test_judge_is_not_asked_twice_for_the_same(judge: ModelServer, tmp_path: Path) -> None:
    score = {"faithfulness": {"by": "judge"}}
    first = mark(judge, tmp_path, score)
    count = len(judge.asked)
    assert mark(judge, tmp_path, score) == first
    assert len(judge.asked) == count
    mark(judge, tmp_path, score, "Another.")
    assert len(judge.asked) > count


def test_model_with_another_api_by_default_is_asked_for_chat_completions_too(judge: ModelServer, tmp_path: Path) -> None:
    [score] = spec(scores=[{"faithfulness": {"by": "judge"}}], judge_api={"base_url": judge.url, "model": "gpt-5"}).scores
    with desk(f"{judge.url}/v1", model="gpt-5-mini") as asking:
        assert asking.mark(score, "x", CASE, Store(tmp_path)).value == 0.5
    assert {asked.path for asked in judge.asked} == {"/v1/chat/completions"}


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (Step(status=401, text="no key"), "AuthenticationError"),
        (Step(status=400, text="too long"), "BadRequestError"),
        (Step(text="I would rather not say"), "Error"),
        (Step(tools=(Tool("extract_statements", {"nonsense": 1}),)), "KeyError"),
        (Step(raw=b"{"), "Error"),
    ],
    ids=["key", "refused", "words", "nonsense", "broken"],
)
def test_judge_that_fails_is_the_marks_error_and_is_asked_again_next_time(
    judge: ModelServer, tmp_path: Path, step: Step, said: str
) -> None:
    judge.script = lambda _: step
    found = mark(judge, tmp_path, {"faithfulness": {"by": "judge"}})
    assert found.value is None
    assert said in found.error
    judge.script = script
    assert mark(judge, tmp_path, {"faithfulness": {"by": "judge"}}).value == 0.5


def test_limited_rate_is_waited_out_a_bounded_number_of_times(judge: ModelServer, tmp_path: Path) -> None:
    judge.script = lambda _: Step(status=429, text="slowly", headers={"retry-after-ms": "1"})
    assert "RateLimitError" in mark(judge, tmp_path, {"faithfulness": {"by": "judge"}}).error
    assert len(judge.asked) == 3


def test_redirect_to_another_host_is_not_followed(judge: ModelServer, tmp_path: Path) -> None:
    judge.script = lambda _: Step(status=307, text="there", headers={"Location": "http://elsewhere.example/v1/chat/completions"})
    assert mark(judge, tmp_path, {"faithfulness": {"by": "judge"}}).error


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/v1", "https://127.0.0.1:9/", "http://other.example/"])
def test_transport_carries_nothing_to_another_origin(url: str) -> None:
    with httpx.Client(transport=OneServer("http://127.0.0.1:9/v1")) as client, pytest.raises(InputError, match="only the `judge_api`"):
        client.get(url)


@pytest.mark.parametrize("package", ["openai", "autoevals.ragas"])
def test_package_that_is_not_installed_is_one_sentence(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=r"need autoevals and openai: pip install"), desk("http://127.0.0.1:9/v1"):
        pass


def test_key_that_is_not_there_is_said_before_the_work() -> None:
    with pytest.raises(InputError, match="NO_SUCH_KEY holds no key"), desk("http://127.0.0.1:9/v1", api_key_env="NO_SUCH_KEY"):
        pass


def test_key_of_the_spec_is_used(judge: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-mine")
    [score] = spec(scores=[{"faithfulness": {"by": "judge"}}], judge_api={"base_url": judge.url, "model": "judge"}).scores
    with desk(f"{judge.url}/v1", api_key_env="JUDGE_KEY") as asking:
        asking.mark(score, "x", CASE, Store(tmp_path))
    assert {asked.headers["authorization"] for asked in judge.asked} == {"Bearer sk-mine"}
