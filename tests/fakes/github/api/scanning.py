"""Uploaded analyses (SARIF)."""

from __future__ import annotations

import base64
import gzip
import json
import re
import uuid

from tests.fakes.github.api.call import Call, found, operation
from tests.fakes.github.records import Sarif
from tests.fakes.github.shapes import checks, places
from tests.fakes.github.wire import JSON, Refused

MOST_BYTES = 10_000_000
REFS = re.compile(r"refs/(heads/.+|tags/.+|pull/\d+/(merge|head))")


@operation("code-scanning/upload-sarif", "security_events:write")
def upload(call: Call) -> JSON:
    where, body = call.repository, call.body
    if not where.code_scanning:
        raise Refused(403, "Code Security must be enabled for this repository to use code scanning.")
    if where.bare.resolve(body["commit_sha"]) is None:
        raise Refused(404, f"commit not found: {body['commit_sha']}")
    if not REFS.fullmatch(body["ref"]):
        raise Refused(400, f"ref {body['ref']} is not valid")
    try:
        packed = base64.b64decode(body["sarif"], validate=True)
        document = json.loads(gzip.decompress(packed))
    except (OSError, EOFError, ValueError) as error:
        raise Refused(400, "sarif is not gzip-compressed, base64-encoded JSON") from error
    if len(packed) > MOST_BYTES:
        raise Refused(413, "sarif is too large")
    made = Sarif(str(uuid.uuid4()), body["commit_sha"], body["ref"], document, body.get("tool_name"), _faults(document))
    where.sarifs.append(made)
    return {"id": made.id, "url": f"{places.api(where)}/code-scanning/sarifs/{made.id}"}


def _faults(document: JSON) -> list[str]:
    """What keeps an analysis from being read."""
    runs = document.get("runs")
    if document.get("version") != "2.1.0" or not isinstance(runs, list):
        return ["rejecting SARIF, as it is not of version 2.1.0"]
    if len(runs) > 20:
        return [f"rejecting SARIF, as there are more runs than allowed ({len(runs)} > 20)"]
    most = max((len(run.get("results") or ()) for run in runs), default=0)
    return [f"rejecting SARIF, as there are more results per run than allowed ({most} > 25000)"] if most > 25_000 else []


@operation("code-scanning/get-sarif", "security_events:read")
def get(call: Call) -> JSON:
    return checks.sarif(found(call.repository.sarifs, lambda sarif: sarif.id == call.values["sarif_id"]))
