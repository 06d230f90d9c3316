"""A small service with an agent for each customer: what a customer asks is observed, and the agent knows it later.

python examples/agent_server/service.py                                        # no key: the memory answers
python examples/agent_server/service.py builtin anthropic/claude-sonnet-4-5     # an agent answers
"""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import httpx
from box_review.agent_server import AgentServers
from box_review.agent_server.asgi import Observing, header
from box_review.serving import server
from fastapi import FastAPI, Header
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel


class Message(BaseModel):
    """What a customer writes."""

    text: str


def service(agents: AgentServers) -> FastAPI:
    """The service; the two lines about `agents` are all that is new in it."""
    app = FastAPI()
    app.add_middleware(Observing, servers=agents, tenant=lambda scope: header(scope, "x-customer"))

    @app.post("/chat")
    async def chat(message: Message) -> dict[str, str]:
        return {"reply": f"Noted: {message.text}"}

    @app.get("/about-me")
    async def about_me(question: str, x_customer: Annotated[str, Header()]) -> dict[str, str]:
        answer = await run_in_threadpool(agents.of(x_customer).ask, question)
        return {"answer": answer.text, "by": answer.by}

    return app


async def conversation(app: FastAPI, agents: AgentServers) -> None:
    """Two customers talk to the service; then each asks what is known."""
    said = [
        ("ada-shop", "My delivery day is Monday."),
        ("bert-books", "My delivery day is Friday."),
        ("ada-shop", "Please always answer in French."),
        ("ada-shop", "Actually, my delivery day is now Wednesday."),
    ]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service", timeout=600) as http:
        for customer, text in said:
            (await http.post("/chat", json={"text": text}, headers={"X-Customer": customer})).raise_for_status()
        for customer in ("ada-shop", "bert-books"):
            await run_in_threadpool(agents.of(customer).freeze)
            print(f"\n{customer}, frozen, is asked on which day it gets deliveries:")
            question = {"question": "Which delivery day does this customer have?"}
            print((await http.get("/about-me", params=question, headers={"X-Customer": customer})).json()["answer"])


def main(harness: str | None = None, model: str = "") -> None:
    """Serve two customers, and print what their agents know."""
    with server() as address, AgentServers(address=address, harness=harness, model=model) as agents:
        asyncio.run(conversation(service(agents), agents))
        print(f"\nobserved: {agents.observer.counts.delivered} requests, dropped: {agents.observer.counts.dropped}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
