"""Scores that a model gives through autoevals, at one server that the spec names and at no other."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import threading
from collections.abc import Mapping
from typing import Any

import httpx

from box_review.comparison.plan import Case
from box_review.comparison.score_specs import ContextScore, Grounded, ScoreSpec
from box_review.comparison.scores.claimed import contexts_of, share
from box_review.comparison.scores.mark import Mark, listed
from box_review.comparison.spec import JudgeApi, Spec
from box_review.comparison.store import Store
from box_review.errors import InputError

INSTALL = "scores `by: judge` need autoevals and openai: pip install 'box-review-sdk[judges]' openai"
RETRIES = 2
_METRICS = {
    "faithfulness": "Faithfulness",
    "hallucination_pct": "Faithfulness",
    "answer_correctness": "AnswerCorrectness",
    "context_precision": "ContextPrecision",
    "context_recall": "ContextRecall",
}


class OneServer(httpx.HTTPTransport):
    """Carries requests to one origin. Any other is an error, whatever a library, an answer or a redirect would like."""

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self._origin = _origin(httpx.URL(base_url))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if _origin(request.url) != self._origin:
            raise InputError(f"a judge metric wanted to ask {request.url.host}; only the `judge_api` of the spec is asked")
        return super().handle_request(request)


class _NeverRaised(Exception):
    """Stands where autoevals looks for errors that it would wait out a hundred times; the client has its own bound."""


class JudgeDesk:
    """Asks the metrics of autoevals, with a client of ours for every single call."""

    def __init__(self, api: JudgeApi, api_key: str) -> None:
        self._api = api
        self._turns: dict[str, threading.Lock] = {}
        self._metrics: Any = importlib.import_module("autoevals.ragas")
        self._openai, self._client = _clients(api, api_key)

    @classmethod
    def of(cls, spec: Spec) -> JudgeDesk | None:
        """For the scores of a spec; None if none needs it. Raises InputError if a package or the key is missing."""
        if spec.judge_api is None or not any(score.needs_api for score in spec.scores):
            return None
        name = spec.judge_api.api_key_env
        if name and not os.environ.get(name):
            raise InputError(f"judge_api: the variable {name} holds no key")
        try:
            return cls(spec.judge_api, os.environ[name] if name else "none")
        except ImportError as error:
            raise InputError(f"{INSTALL} ({error})") from error

    def close(self) -> None:
        """End its connections."""
        self._openai.close()

    def mark(self, score: ScoreSpec, answer: str, case: Case, store: Store) -> Mark:
        """What the judge says of an answer; what it has said before is not asked again. An error is the mark's."""
        try:
            question = _question(score, answer, case)
        except ValueError as error:
            return Mark(value=0.0, note=str(error)[:500])
        asked = {"score": score.model_dump(), "api": self._api.model_dump(exclude={"timeout_s"}), **question}
        key = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:32]
        with self._turns.setdefault(key, threading.Lock()):  # models that answer alike are judged alike, once
            known = store.get("judged", key, Mark)
            if known is not None:
                return known
            try:
                found = self._ask(score, question)
            except Exception as error:  # a boundary: the library raises whatever a strange answer makes of it
                return Mark(error=f"{type(error).__name__}: {error!s:.500}")
            store.put("judged", key, found)
            return found

    def _ask(self, score: ScoreSpec, question: Mapping[str, Any]) -> Mark:
        more = {"answer_similarity_weight": 0} if score.name == "answer_correctness" else {}
        metric = getattr(self._metrics, _METRICS[score.name])(model=self._api.model, client=self._client, **more)
        try:
            found = metric.eval(**question)
        except ZeroDivisionError:
            return Mark(note="the judge found no claims")
        if isinstance(score, Grounded):
            claims = found.metadata["faithfulness"]
            return share(score, len(claims), [str(claim["statement"])[:2000] for claim in claims if not claim["verdict"]])
        if score.name == "answer_correctness":
            sorted_out = found.metadata["factuality"]
            wrong, missing = (listed([str(claim)[:2000] for claim in sorted_out.get(name, ())]) for name in ("FP", "FN"))
            return Mark(value=float(found.score), unsupported=wrong, missing=missing)
        return Mark(value=float(found.score))


def _question(score: ScoreSpec, answer: str, case: Case) -> dict[str, Any]:
    """What a metric is given. Raises ValueError if the answer lacks what the score looks at."""
    context = contexts_of(score, answer, case) if isinstance(score, ContextScore) else [source.text for source in case.sources]
    return {"input": case.prompt, "output": answer, "expected": _as_text(case.expected), "context": "\n\n".join(context)}


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _clients(api: JudgeApi, api_key: str) -> tuple[Any, Any]:
    """A client of ours, and one of autoevals around it: it asks `base_url` alone, by chat completions, and gives up by itself."""
    openai: Any = importlib.import_module("openai")
    llm: Any = importlib.import_module("autoevals.oai").LLMClient
    ours = openai.OpenAI(
        api_key=api_key,
        base_url=api.base_url,
        timeout=api.timeout_s,
        max_retries=RETRIES,
        http_client=httpx.Client(transport=OneServer(api.base_url), timeout=api.timeout_s, trust_env=False),
    )

    def complete(*, use_responses_api: bool = False, **given: Any) -> Any:
        return ours.chat.completions.create(**given)

    client = llm(openai=ours, complete=complete)  # with a function of its own it is not wrapped for anybody's tracing
    client.complete, client.RateLimitError = complete, _NeverRaised
    return ours, client


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)
