"""A model server that says what a script tells it, in the three wire formats that agents speak.

It keeps no state between requests: how far a conversation has come is counted from the tool results in it. So clients may retry,
run side by side and come back after a freeze, and get the same answers.
"""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

KEY = "sk-the-real-key-of-the-provider"
_STALL_S = 600.0


@dataclass(frozen=True)
class Tool:
    """A tool that the model calls; `name` may be a tuple: the first that the client offers is taken."""

    name: str | tuple[str, ...]
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """One answer.

    Args:
        text: what it says.
        tools: what it calls.
        status: other than 200: an error, with `text` as its message.
        headers: of the answer.
        delay_s: before it.
        stall: it begins and then says nothing.
        cut: the connection breaks in the middle.
        raw: the body as it is, with status 200.
        usage: input, cached and output tokens; the cached ones are part of the input as OpenAI counts, beside it as Anthropic does.
    """

    text: str = ""
    tools: Sequence[Tool] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    stall: bool = False
    cut: bool = False
    raw: bytes | None = None
    usage: tuple[int, int, int] = (100, 10, 20)


def answer(value: Any) -> Step:
    """The last step of a task with a schema, for every client: a call of its answering tool if it offers one, else JSON as text."""
    return Step(text=json.dumps(value), tools=(Tool(("StructuredOutput", "final_result"), value),))


@dataclass(frozen=True)
class Asked:
    """One request as it came, with what a script needs to know of it: `turn` counts tool results, `said` is all text of it."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    turn: int
    tools: tuple[str, ...]

    @property
    def said(self) -> str:
        """All of it as text."""
        return json.dumps(self.body, ensure_ascii=False)

    @property
    def model(self) -> str:
        """Which model is asked."""
        return str(self.body.get("model"))


Script = Callable[[Asked], Step]


def steps(*given: Step, side: Step = Step(text="ok")) -> Script:
    """A script that goes through steps by the turn, and stays at the last; requests without tools get `side`."""

    def script(asked: Asked) -> Step:
        return given[min(asked.turn, len(given) - 1)] if asked.tools else side

    return script


class ModelServer:
    """Serves a script at `url`; a context manager. `asked` are all requests, `counted` the tokens that it told of, each once."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self.fetched: list[str] = []
        self.counted = [0, 0, 0]
        server = self

        class Handler(_Handler):
            fake = server

        self._http = _Quiet(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def environment(self) -> dict[str, str]:
        """What leads a box-review server here."""
        keys = {"ANTHROPIC_API_KEY": KEY, "OPENAI_API_KEY": KEY}
        return {"ANTHROPIC_BASE_URL": self.url, "OPENAI_BASE_URL": f"{self.url}/v1", **keys}


class _Quiet(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is nothing to speak of."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: ModelServer

    def log_message(self, *_: Any) -> None:
        """Says nothing."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        self.fetched_at(self.path)
        self._send(200, json.dumps({"data": [{"id": "scripted", "object": "model"}], "object": "list"}).encode())

    def fetched_at(self, path: str) -> None:
        """A path that somebody got who has nothing to get here."""
        if not path.endswith("/models"):
            self.fake.fetched.append(path)

    def do_POST(self) -> None:
        raw = self._body()
        body = json.loads(raw)
        path = self.path.partition("?")[0]
        wire = _WIRES.get(path)
        if wire is None:
            self._send(404, b'{"error": {"message": "no such path"}}')
            return
        asked = Asked(path, dict(self.headers), body, wire.turn(body), wire.tools(body))
        self.fake.asked.append(asked)
        step = self.fake.script(asked)
        time.sleep(step.delay_s)
        if step.status != 200:
            self._send(step.status, json.dumps(wire.error(step)).encode(), step.headers)
        elif step.raw is not None:
            self._send(200, step.raw, step.headers)
        elif body.get("stream"):
            self._stream(wire, asked, step)
        elif step.stall or step.cut:
            self._begin_and_break(step)
        else:
            self._count(step)
            self._send(200, json.dumps(wire.whole(asked, _offered(asked, step))).encode())

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            raw = b""
            while size := int(self.rfile.readline(), 16):
                raw += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return gzip.decompress(raw) if self.headers.get("Content-Encoding") == "gzip" else raw

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] = {}) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _begin_and_break(self, step: Step) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'{"id":')
        self.wfile.flush()
        if step.stall:
            self.fake.stopping.wait(_STALL_S)
        self.connection.shutdown(socket.SHUT_RDWR)

    def _stream(self, wire: _Wire, asked: Asked, step: Step) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        pieces = list(wire.stream(asked, _offered(asked, step)))
        for number, piece in enumerate(pieces):
            if number == len(pieces) // 2 and step.stall:
                self.fake.stopping.wait(_STALL_S)
                return
            if number == len(pieces) // 2 and step.cut:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        self._count(step)
        self.wfile.write(b"0\r\n\r\n")

    def _count(self, step: Step) -> None:
        for place, number in enumerate(step.usage):
            self.fake.counted[place] += number


def _offered(asked: Asked, step: Step) -> Step:
    """The step with tools by the names that this client has for them; text stands in for what it does not offer."""
    chosen = []
    for tool in step.tools:
        names = (tool.name,) if isinstance(tool.name, str) else tool.name
        name = next((name for name in names if name in asked.tools), None)
        if name is not None:
            chosen.append(Tool(name, tool.arguments))
    text = "" if chosen and step.tools and step.text.startswith("{") else step.text
    return Step(text=text, tools=chosen, usage=step.usage)


class _Wire:
    def turn(self, body: Mapping[str, Any]) -> int:
        raise NotImplementedError

    def tools(self, body: Mapping[str, Any]) -> tuple[str, ...]:
        raise NotImplementedError

    def whole(self, asked: Asked, step: Step) -> dict[str, Any]:
        raise NotImplementedError

    def stream(self, asked: Asked, step: Step) -> Iterator[bytes]:
        raise NotImplementedError

    def error(self, step: Step) -> dict[str, Any]:
        return {"error": {"message": step.text or "scripted", "type": "scripted", "code": None, "param": None}}


class _Anthropic(_Wire):
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


class _Chat(_Wire):
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


class _Responses(_Wire):
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


_WIRES: Mapping[str, _Wire] = {
    "/v1/messages": _Anthropic(),
    "/v1/chat/completions": _Chat(),
    "/v1/responses": _Responses(),
}
