"""Remakes the data beside it from the npm packages @octokit/openapi@23.0.2 and @octokit/webhooks-examples@7.6.1 (both MIT).

    npm pack @octokit/openapi@23.0.2 @octokit/webhooks-examples@7.6.1
    python cut.py octokit-openapi-23.0.2.tgz octokit-webhooks-examples-7.6.1.tgz

api.json: GitHub's description of its REST API, cut to `OPERATIONS` and the components that they reach, without prose and examples.
webhooks.json.gz: all examples of webhook payloads. The licence of both is beside them.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import tarfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
REPO = "/repos/{owner}/{repo}"

OPERATIONS = {
    "/app": "get",
    "/app/hook/config": "get patch",
    "/app/hook/deliveries": "get",
    "/app/hook/deliveries/{delivery_id}": "get",
    "/app/hook/deliveries/{delivery_id}/attempts": "post",
    "/app/installations": "get",
    "/app/installations/{installation_id}": "get delete",
    "/app/installations/{installation_id}/access_tokens": "post",
    "/app/installations/{installation_id}/suspended": "put delete",
    "/app-manifests/{code}/conversions": "post",
    "/installation/repositories": "get",
    "/installation/token": "delete",
    "/rate_limit": "get",
    "/user": "get",
    "/user/installations": "get",
    "/user/installations/{installation_id}/repositories": "get",
    "/users/{username}": "get",
    REPO: "get",
    f"{REPO}/branches/{{branch}}": "get",
    f"{REPO}/check-runs": "post",
    f"{REPO}/check-runs/{{check_run_id}}": "get patch",
    f"{REPO}/check-runs/{{check_run_id}}/annotations": "get",
    f"{REPO}/check-runs/{{check_run_id}}/rerequest": "post",
    f"{REPO}/check-suites/{{check_suite_id}}": "get",
    f"{REPO}/check-suites/{{check_suite_id}}/check-runs": "get",
    f"{REPO}/check-suites/{{check_suite_id}}/rerequest": "post",
    f"{REPO}/code-scanning/sarifs": "post",
    f"{REPO}/code-scanning/sarifs/{{sarif_id}}": "get",
    f"{REPO}/collaborators/{{username}}": "get",
    f"{REPO}/collaborators/{{username}}/permission": "get",
    f"{REPO}/commits/{{ref}}": "get",
    f"{REPO}/commits/{{ref}}/check-runs": "get",
    f"{REPO}/commits/{{ref}}/check-suites": "get",
    f"{REPO}/commits/{{commit_sha}}/pulls": "get",
    f"{REPO}/compare/{{basehead}}": "get",
    f"{REPO}/contents/{{path}}": "get put",
    f"{REPO}/git/ref/{{ref}}": "get",
    f"{REPO}/git/refs": "post",
    f"{REPO}/git/refs/{{ref}}": "patch delete",
    f"{REPO}/installation": "get",
    f"{REPO}/issues/{{issue_number}}": "get patch",
    f"{REPO}/issues/{{issue_number}}/comments": "get post",
    f"{REPO}/issues/{{issue_number}}/labels": "get post",
    f"{REPO}/issues/{{issue_number}}/labels/{{name}}": "delete",
    f"{REPO}/issues/comments/{{comment_id}}": "get patch delete",
    f"{REPO}/issues/comments/{{comment_id}}/reactions": "get post",
    f"{REPO}/issues/comments/{{comment_id}}/reactions/{{reaction_id}}": "delete",
    f"{REPO}/pulls": "get post",
    f"{REPO}/pulls/{{pull_number}}": "get patch",
    f"{REPO}/pulls/{{pull_number}}/comments": "get post",
    f"{REPO}/pulls/{{pull_number}}/comments/{{comment_id}}/replies": "post",
    f"{REPO}/pulls/{{pull_number}}/commits": "get",
    f"{REPO}/pulls/{{pull_number}}/files": "get",
    f"{REPO}/pulls/{{pull_number}}/reviews": "get post",
    f"{REPO}/pulls/{{pull_number}}/reviews/{{review_id}}": "get put delete",
    f"{REPO}/pulls/{{pull_number}}/reviews/{{review_id}}/comments": "get",
    f"{REPO}/pulls/{{pull_number}}/reviews/{{review_id}}/dismissals": "put",
    f"{REPO}/pulls/{{pull_number}}/reviews/{{review_id}}/events": "post",
    f"{REPO}/pulls/comments/{{comment_id}}": "get patch delete",
    f"{REPO}/pulls/comments/{{comment_id}}/reactions": "get post",
    f"{REPO}/pulls/comments/{{comment_id}}/reactions/{{reaction_id}}": "delete",
}

PROSE = {"description", "summary", "externalDocs", "example", "examples", "tags", "x-github-breaking-changes", "x-github-media-type"}


def main(description: str, examples: str) -> None:
    """Writes both files."""
    whole = member(description, "package/generated/api.github.com.json")
    paths = {path: operations(whole["paths"][path], methods.split()) for path, methods in OPERATIONS.items()}
    cut = {"openapi": whole["openapi"], "info": {k: whole["info"][k] for k in ("title", "version", "license")}, "paths": paths}
    cut["components"] = reachable(paths, whole["components"])
    (HERE / "api.json").write_text(json.dumps(cut, separators=(",", ":"), sort_keys=True) + "\n")
    packed = json.dumps(member(examples, "package/api.github.com/index.json"), separators=(",", ":")).encode()
    (HERE / "webhooks.json.gz").write_bytes(gzip.compress(packed, 9, mtime=0))


def member(archive: str, name: str) -> Any:
    """A JSON file of a package."""
    with tarfile.open(archive) as tar:
        file = tar.extractfile(name)
        assert file is not None
        return json.load(file)


def operations(path: dict[str, Any], methods: list[str]) -> dict[str, Any]:
    """What the methods take and give."""
    kept = ("operationId", "parameters", "requestBody", "responses")
    return {method: plain({key: path[method][key] for key in kept if key in path[method]}) for method in methods}


def plain(value: Any, named: bool = False) -> Any:
    """Without prose; `named` says that the keys are names of properties or answers, not words of the format."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: plain(item, not named and key in ("properties", "responses")) for key, item in value.items() if named or key not in PROSE}
    # OpenAPI demands a description of every answer.
    return {key: {"description": "", **item} if key.isdigit() and "$ref" not in item else item for key, item in kept.items()}


def reachable(paths: dict[str, Any], components: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The components that they refer to, and those that these refer to."""
    kept: dict[str, dict[str, Any]] = {}
    todo = json.dumps(paths)
    while todo:
        found = [
            (kind, name)
            for kind, name in set(re.findall(r'"#/components/(\w[\w-]*)/([^"]+)"', todo))
            if name not in kept.get(kind, {}) and kind != "examples"
        ]
        for kind, name in found:
            kept.setdefault(kind, {})[name] = {**({"description": ""} if kind == "responses" else {}), **plain(components[kind][name])}
        todo = json.dumps([kept[kind][name] for kind, name in found]) if found else ""
    return kept


if __name__ == "__main__":
    main(*sys.argv[1:])
