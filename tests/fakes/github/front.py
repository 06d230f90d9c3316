"""The way of a request through the API: operation, caller, validation, work, validation, answer."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.fakes.github.api import apps, checks, issues, pulls, repositories, reviews, scanning, users
from tests.fakes.github.api.call import Call, run
from tests.fakes.github.credentials import Caller
from tests.fakes.github.description import Operation, description
from tests.fakes.github.wire import Answer, Page, Refused, Request, missing, paged

if TYPE_CHECKING:
    from tests.fakes.github.github import GitHub

SUBJECTS = (apps, checks, issues, pulls, repositories, reviews, scanning, users)
_UNCOUNTED = ("rate-limit/get",)
_FORBIDDEN = Answer(403, b"Request forbidden by administrative rules. Please make sure your request has a User-Agent header.")


class Front:
    """Answers requests to the API; `problems` are what broke GitHub's description, on either side."""

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self.problems: list[str] = []

    def answer(self, request: Request) -> tuple[Answer, Caller]:
        """The answer, and who asked. `request.path` is without `/api/v3`."""
        caller = Caller("none")
        try:
            caller = self._github.credentials.caller(request)
            answer = self._known(request, caller) if request.headers.get("user-agent") else _FORBIDDEN
        except Refused as refused:
            answer = refused.answer
        return replace(answer, headers={**self._common(request, caller), **answer.headers}), caller

    def _known(self, request: Request, caller: Caller) -> Answer:
        found = description().find(request.method, request.path)
        if found is None:
            self.problems.append(f"{request.method} {request.path}: no such operation is known")
            raise missing()
        operation, values = found
        if operation.id not in _UNCOUNTED:
            self._github.rates.count(caller)
        try:
            answer = self._validated(request, caller, operation, values)
        except Refused as refused:
            answer = refused.answer
        body = json.loads(answer.raw) if answer.body is not None and not isinstance(answer.body, bytes) else None
        for problem in description().answer_problems(operation, answer.status, body):
            self.problems.append(f"{operation.id}: the answer {answer.status} is wrong: {problem}")
        return answer

    def _validated(self, request: Request, caller: Caller, operation: Operation, values: dict[str, str]) -> Answer:
        body: Any = None
        if request.body:
            try:
                body = json.loads(request.body)
            except ValueError as error:
                raise Refused(400, "Problems parsing JSON") from error
        unknown = description().unknown_words(operation, request.query, body)
        self.problems += [f"{operation.id}: the request says {name}, which GitHub does not know" for name in unknown]
        problems = description().request_problems(operation, values, request.query, body)
        if problems:
            self.problems += [f"{operation.id}: the request is wrong: {problem}" for problem in problems]
            raise Refused(422, "Invalid request.\n\n" + "\n".join(problems))
        done: Any = run(Call(self._github, operation, request, caller, values, {} if body is None else body))
        return self._finished(request, operation, done)

    def _finished(self, request: Request, operation: Operation, done: Any) -> Answer:
        answer: Answer
        if isinstance(done, Page):
            answer = paged(done, request, f"{self._github.api_url}{request.path}")
        else:
            answer = done if isinstance(done, Answer) else Answer(operation.success, done)
        if request.method != "GET" or answer.status != 200:
            return answer
        tag = f'W/"{hashlib.sha256(answer.raw).hexdigest()}"'
        if request.headers.get("if-none-match", "").removeprefix("W/") == tag.removeprefix("W/"):
            return Answer(304, None, {"etag": tag})
        return replace(answer, headers={"etag": tag, **answer.headers})

    def _common(self, request: Request, caller: Caller) -> dict[str, str]:
        return {
            "x-github-request-id": f"{self._github.next_id():X}", "x-github-media-type": "github.v3; format=json",
            "x-github-api-version-selected": request.headers.get("x-github-api-version", "2022-11-28"),
            **self._github.rates.headers(caller),
        }  # fmt: skip
