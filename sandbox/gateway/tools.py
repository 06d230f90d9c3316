"""What in a model call would let the provider act for the box: reach hosts, or ask more than the grant covers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandbox.gateway.errors import BadHttp

_NETWORK_FIELDS = ("mcp_servers", "web_search_options", "container", "plugins")
# What stands there is kept at the provider, or is another model: it cannot be checked here.
_UNSEEN_FIELDS = ("fallbacks", "models", "prompt", "conversation")
_CONTENT_FIELDS = ("system", "messages", "input", "instructions")
# Tools that the program in the box runs itself. Everything else is the provider's, or not known here.
_OWN_TOOLS = frozenset((None, "custom", "function", "local_shell", "apply_patch", "tool_search"))
_OWN_FAMILIES = ("bash_", "text_editor_", "computer_", "memory_", "tool_search_")
_GROUP = "namespace"  # tools within are checked each
# What programs and models made up: no instruction to the provider, whatever it looks like.
_FREE_FIELDS = frozenset(("input_schema", "input_examples", "output_schema", "parameters", "schema", "arguments"))
_TOOL_CALLS = frozenset(("tool_use", "server_tool_use", "mcp_tool_use", "custom_tool_call"))


def unseen(body: dict[str, Any]) -> str | None:
    """The field of a body that stands for something which cannot be checked here; None if there is none."""
    return next((field for field in _UNSEEN_FIELDS if body.get(field)), None)


def way_around(body: dict[str, Any]) -> str | None:
    """What in a body would let the provider reach hosts for the box; None if nothing does.

    Raises:
        BadHttp: a `type` that is no text.
    """
    for field in _NETWORK_FIELDS:
        if body.get(field):
            return field
    for tool in _tools(body):
        if not _is_own(tool):
            return f"the tool {str(tool.get('type'))[:40]!a}"
    for part in _objects([body.get(field) for field in _CONTENT_FIELDS]):
        if any(_is_web(part.get(key)) for key in ("image_url", "file_url")) or (part.get("type") == "url" and _is_web(part.get("url"))):
            return "a URL the provider would fetch"
    return None


def _tools(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every tool that is offered anywhere in a body, also within other tools and within what was said before."""
    fields = {name: value for name, value in body.items() if name != "tools"}
    for place in ({"tools": body.get("tools")}, *_objects(list(fields.values())), *_objects(body.get("tools"))):
        for name, value in place.items():
            if name.casefold() == "tools":
                yield from (tool for tool in (value if isinstance(value, list) else [value]) if isinstance(tool, dict))


def _is_own(tool: dict[str, Any]) -> bool:
    if any(name != name.casefold() in ("type", "environment") for name in tool):
        return False  # some providers read these too
    kind = _kind(tool)
    if kind == "shell":
        environment = tool.get("environment")
        return isinstance(environment, dict) and environment.get("type") == "local" and _is_plain(environment)
    return kind in _OWN_TOOLS or kind == _GROUP or (isinstance(kind, str) and kind.startswith(_OWN_FAMILIES))


def _kind(part: dict[str, Any]) -> str | None:
    kind = part.get("type")
    if kind is not None and not isinstance(kind, str):
        raise BadHttp("the request's body has a `type` that is no text")
    return kind


def _is_plain(place: dict[str, Any]) -> bool:
    return all(name == name.casefold() for name in place)


def _objects(value: object) -> Iterator[dict[str, Any]]:
    """Every JSON object within a value that means something to the provider."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            made_up = _FREE_FIELDS | {"input"} if _kind(part) in _TOOL_CALLS else _FREE_FIELDS
            yield part
            waiting.extend(value for key, value in part.items() if key not in made_up)
        elif isinstance(part, list):
            waiting.extend(part)


def _is_web(value: object) -> bool:
    url = value.get("url") if isinstance(value, dict) else value
    return isinstance(url, str) and not url.lower().lstrip().startswith("data:")
