"""The description of all that the server answers to: reviews, which the front answers itself, and boxes, which a host does."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import jinja2
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse

from bot.errors import Refused
from bot.fleet import Fleet

FRESH_S = 60.0
_TIMEOUT_S = 10.0
_ERROR = {
    "description": "Refused; the text says what was wrong.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}
_ERROR_SCHEMA = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
_KEY = {"type": "apiKey", "in": "header", "name": "X-Box-Api-Key"}
_PAGE = jinja2.Environment(loader=jinja2.PackageLoader("bot", "pages"), autoescape=True).get_template("docs.html.j2")
router = APIRouter(include_in_schema=False)


class Description:
    """The OpenAPI document, put together anew now and then."""

    def __init__(self, app: FastAPI, fleet: Fleet) -> None:
        self._app, self._fleet = app, fleet
        self._known: dict[str, Any] | None = None
        self._at = 0.0
        self._lock = asyncio.Lock()

    async def get(self) -> dict[str, Any]:
        """The document; without the boxes' part while no host is up."""
        async with self._lock:
            if self._known is None or time.monotonic() - self._at > FRESH_S:
                boxes = await self._boxes()
                whole = _joined(self._app.openapi(), boxes)
                if not boxes:
                    return whole
                self._known, self._at = whole, time.monotonic()
            return self._known

    async def _boxes(self) -> dict[str, Any]:
        try:
            place = (await self._fleet.places())[0]
            answer = await self._fleet.client(place).get(f"{place.url}/openapi.json", headers=self._fleet.shown(place), timeout=_TIMEOUT_S)
            found: dict[str, Any] = answer.raise_for_status().json()
        except (Refused, httpx.HTTPError, ValueError):
            return {}
        return found


@router.get("/openapi.json")
async def openapi(request: Request) -> dict[str, Any]:
    """The document."""
    description: Description = request.app.state.description
    return await description.get()


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """A page to read it, without scripts and without anything from elsewhere."""
    description: Description = request.app.state.description
    document = await description.get()
    page = _PAGE.render(document=document, groups=_groups(document))
    return HTMLResponse(page, headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"})


def _groups(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Operations by the first words of their path."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in document["paths"].items():
        words = [word for word in path.split("/") if word and not word.startswith("{")]
        name = " ".join(words[1:3] if words[:1] == ["v2"] else words[1:2]) or "server"
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {})
            schemas = [_resolved(kind.get("schema", {}), document) for kind in body.values()]
            shown = {
                "method": method.upper(),
                "path": path,
                "text": operation.get("description", ""),
                "parameters": operation.get("parameters", []),
            }
            groups.setdefault(name, []).append(shown | {"body": schemas[0] if schemas else None, "kinds": ", ".join(body)})
    return dict(sorted(groups.items()))


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """A schema, or the one it refers to."""
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    found: dict[str, Any] = document["components"]["schemas"].get(name, schema)
    return found


def _joined(reviews: dict[str, Any], boxes: dict[str, Any]) -> dict[str, Any]:
    """Both parts as one document; what is refused says so in one shape."""
    paths = {**reviews["paths"], **{path: _told(methods) for path, methods in boxes.get("paths", {}).items()}}
    schemas = {**reviews.get("components", {}).get("schemas", {}), **boxes.get("components", {}).get("schemas", {}), "Error": _ERROR_SCHEMA}
    return {**reviews, "paths": paths, "components": {"schemas": schemas, "securitySchemes": {"key": _KEY}}, "security": [{"key": []}]}


def _told(methods: dict[str, Any]) -> dict[str, Any]:
    return {method: operation | {"responses": _responses(operation["responses"])} for method, operation in methods.items()}


def _responses(known: dict[str, Any]) -> dict[str, Any]:
    refusals = dict.fromkeys(("400", "401", "404", "409", "413"), _ERROR)
    return {status: response for status, response in known.items() if status != "422"} | refusals
