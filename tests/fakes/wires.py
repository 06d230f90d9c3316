"""The three wire formats that agents speak, from the server's side."""

from __future__ import annotations

import abc
import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.fakes.script import Asked, Step


class Wire(abc.ABC):
    """One format: how far a conversation is, and how an answer is written."""

    @abc.abstractmethod
    def turn(self, body: Mapping[str, Any]) -> int:
        """How many tool results it holds."""

    @abc.abstractmethod
    def tools(self, body: Mapping[str, Any]) -> tuple[str, ...]:
        """Names of the tools offered."""

    @abc.abstractmethod
    def whole(self, asked: Asked, step: Step) -> dict[str, Any]:
        """An answer in one piece."""

    @abc.abstractmethod
    def stream(self, asked: Asked, step: Step) -> Iterator[bytes]:
        """The same as server-sent events."""

    def error(self, step: Step) -> dict[str, Any]:
        """What goes with a status that is not 200."""
        return {"error": {"message": step.text or "scripted", "type": "scripted", "code": None, "param": None}}


class _Anthropic(Wire):
    def turn(self, body: Mapping[str, Any]) -> int:
        blocks = [b for m in body["messages"] if isinstance(m["content"], list) for b in m["content"]]
        return sum(block.get("type") == "tool_result" for block in blocks)

    def tools(self, body: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(tool["name"] for tool in body.get("tools", ()))

    def whole(self, asked: Asked, step: Step) -> dict[str, Any]:
        content: list[dict[str, Any]] = [{"type": "text", "text": step.text}] if step.text else []
        content += [
            {"type": "tool_use", "id": f"toolu_{asked.turn}_{number}", "name": tool.name, "input": dict(tool.arguments)}
            for number, tool in enumerate(step.tools)
        ]
        asked_, cached, said = step.usage
        return {
            "id": "msg_1", "type": "message", "role": "assistant", "model": asked.model, "content": content,
            "stop_reason": "tool_use" if step.tools else "end_turn", "stop_sequence": None,
            "usage": {
                "input_tokens": asked_ - cached, "cache_read_input_tokens": cached, "cache_creation_input_tokens": 0, "output_tokens": said,
            },
        }  # fmt: skip

    def stream(self, asked: Asked, step: Step) -> Iterator[bytes]:
        message = self.whole(asked, step)
        usage, content, reason = message["usage"], message["content"], message["stop_reason"]
        begin = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
        yield _event("message_start", {"message": begin})
        for number, block in enumerate(content):
            if block["type"] == "text":
                empty, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": block["text"]}
            else:
                empty, delta = {**block, "input": {}}, {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
            yield _event("content_block_start", {"index": number, "content_block": empty})
            yield _event("content_block_delta", {"index": number, "delta": delta})
            yield _event("content_block_stop", {"index": number})
        yield _event(
            "message_delta", {"delta": {"stop_reason": reason, "stop_sequence": None}, "usage": {"output_tokens": usage["output_tokens"]}}
        )
        yield _event("message_stop", {})

    def error(self, step: Step) -> dict[str, Any]:
        return {"type": "error", "error": {"type": "scripted", "message": step.text or "scripted"}}


class _Chat(Wire):
    def turn(self, body: Mapping[str, Any]) -> int:
        return sum(message["role"] == "tool" for message in body["messages"])

    def tools(self, body: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(tool["function"]["name"] for tool in body.get("tools") or () if tool.get("type") == "function")

    def _usage(self, step: Step) -> dict[str, Any]:
        asked, cached, said = step.usage
        details = {"cached_tokens": cached}
        return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said, "prompt_tokens_details": details}

    def _calls(self, asked: Asked, step: Step) -> list[dict[str, Any]]:
        return [
            {"id": f"call_{asked.turn}_{n}", "type": "function", "function": {"name": tool.name, "arguments": json.dumps(tool.arguments)}}
            for n, tool in enumerate(step.tools)
        ]

    def whole(self, asked: Asked, step: Step) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": step.text or None}
        if step.tools:
            message["tool_calls"] = self._calls(asked, step)
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if step.tools else "stop"}
        return {
            "id": "c1",
            "object": "chat.completion",
            "created": 1,
            "model": asked.model,
            "choices": [choice],
            "usage": self._usage(step),
        }

    def stream(self, asked: Asked, step: Step) -> Iterator[bytes]:
        def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
            choice = {"index": 0, "delta": delta, "finish_reason": reason}
            return _data({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": asked.model, "choices": [choice]})

        yield chunk({"role": "assistant", "content": ""})
        if step.text:
            yield chunk({"content": step.text})
        for number, call in enumerate(self._calls(asked, step)):
            yield chunk({"tool_calls": [{"index": number, **call}]})
        yield chunk({}, "tool_calls" if step.tools else "stop")
        if (asked.body.get("stream_options") or {}).get("include_usage"):
            last = {
                "id": "c1",
                "object": "chat.completion.chunk",
                "created": 1,
                "model": asked.model,
                "choices": [],
                "usage": self._usage(step),
            }
            yield _data(last)
        yield b"data: [DONE]\n\n"


class _Responses(Wire):
    def turn(self, body: Mapping[str, Any]) -> int:
        items = body["input"] if isinstance(body["input"], list) else []
        return sum(str(item.get("type", "")).endswith("call_output") for item in items)

    def tools(self, body: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(tool["name"] for tool in body.get("tools") or () if tool.get("type") == "function")

    def _items(self, asked: Asked, step: Step) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        if step.text:
            part = {"type": "output_text", "text": step.text, "annotations": []}
            items.append({"type": "message", "id": f"msg_{asked.turn}", "role": "assistant", "status": "completed", "content": [part]})
        for number, tool in enumerate(step.tools):
            ident = f"{asked.turn}_{number}"
            call = {"id": f"fc_{ident}", "call_id": f"call_{ident}", "name": tool.name, "arguments": json.dumps(tool.arguments)}
            items.append({"type": "function_call", "status": "completed", **call})
        return items

    def whole(self, asked: Asked, step: Step) -> dict[str, Any]:
        asked_, cached, said = step.usage
        usage = {
            "input_tokens": asked_, "input_tokens_details": {"cached_tokens": cached}, "output_tokens": said,
            "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": asked_ + said,
        }  # fmt: skip
        return {
            "id": "resp_1", "object": "response", "created_at": 1, "model": asked.model, "status": "completed", "error": None,
            "incomplete_details": None, "instructions": None, "metadata": {}, "parallel_tool_calls": True, "temperature": 1.0,
            "tool_choice": "auto", "tools": [], "top_p": 1.0, "output": self._items(asked, step), "usage": usage,
        }  # fmt: skip

    def stream(self, asked: Asked, step: Step) -> Iterator[bytes]:
        whole, number = self.whole(asked, step), 0

        def event(kind: str, data: dict[str, Any]) -> bytes:
            nonlocal number
            number += 1
            return _event(kind, {"sequence_number": number, **data})

        yield event("response.created", {"response": {**whole, "status": "in_progress", "output": [], "usage": None}})
        for index, item in enumerate(whole["output"]):
            place = {"output_index": index, "item_id": item["id"]}
            begun = {**item, "status": "in_progress", **({"content": []} if item["type"] == "message" else {"arguments": ""})}
            yield event("response.output_item.added", {"output_index": index, "item": begun})
            if item["type"] == "message":
                yield event("response.output_text.delta", {**place, "content_index": 0, "delta": item["content"][0]["text"]})
            else:
                yield event("response.function_call_arguments.delta", {**place, "delta": item["arguments"]})
                yield event("response.function_call_arguments.done", {**place, "arguments": item["arguments"]})
            yield event("response.output_item.done", {"output_index": index, "item": item})
        yield event("response.completed", {"response": whole})


def _event(kind: str, data: dict[str, Any]) -> bytes:
    return f"event: {kind}\n".encode() + _data({"type": kind, **data})


def _data(data: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


WIRES: Mapping[str, Wire] = {
    "/v1/messages": _Anthropic(),
    "/v1/chat/completions": _Chat(),
    "/v1/responses": _Responses(),
}
