"""The idea of an agent server with the official Upstash Box client alone: a named box a tenant, notes in its files, frozen in between.

UPSTASH_BOX_BASE_URL and UPSTASH_BOX_API_KEY name the server. What `box_review.agent_server` adds: observing without waiting, facts
that close each other, forgetting, search, and prompts in which what was observed is quoted.
"""

from __future__ import annotations

import shlex

from upstash_box import Box, BoxError

ANSWER = """printf 'event: done\\ndata: {"output": "I was told: %s"}\\n\\n' "$(tail -1 notes.md)" """
AGENT = {"harness": "custom", "model": "notes", "custom_harness": {"command": "sh", "args": ["-c", ANSWER, "sh"]}}


def box_of(tenant: str) -> Box:
    """A tenant's box, found or made."""
    try:
        return Box.get_by_name(f"notes-{tenant}")
    except BoxError:
        return Box.create(name=f"notes-{tenant}", agent=AGENT, network_policy={"mode": "deny-all"})


def note(tenant: str, text: str) -> None:
    """Keep something in the tenant's box, and let it sleep."""
    box = box_of(tenant)
    box.exec.command(f"echo {shlex.quote(text)} >> notes.md")
    box.pause()


def ask(tenant: str, question: str) -> str:
    """Wake the tenant's agent."""
    return str(box_of(tenant).agent.run(prompt=question).result)


if __name__ == "__main__":
    note("ada-shop", "deliveries on Monday")
    note("bert-books", "deliveries on Friday")
    note("ada-shop", "deliveries on Wednesday")
    for name in ("ada-shop", "bert-books"):
        print(f"{name}: {ask(name, 'When do deliveries come?')}")
        box_of(name).delete()
