"""Three ways to use boxes with agents, as programs for the hosted service do it: nothing here is box-review's own.

UPSTASH_BOX_BASE_URL and UPSTASH_BOX_API_KEY name the server. The agent is a few lines of shell, so that no key is needed; a real one is
named in its place.
"""

from __future__ import annotations

from upstash_box import Box, BoxError

SAY = """printf 'event: done\\ndata: {"output": "%s"}\\n\\n' "$(printf %s "$2" | tr a-z A-Z) ($4)" """


def agent(model: str) -> dict[str, object]:
    """An agent that answers every prompt in capitals."""
    return {"harness": "custom", "model": model, "custom_harness": {"command": "sh", "args": ["-c", SAY, "sh"]}}


def fan_out(topics: list[str]) -> str:
    """One box for each topic, and one that sums up."""
    boxes = [Box.create(agent=agent("worker"), labels=["fan-out"]) for _ in [*topics, "sum"]]
    try:
        parts = [box.agent.run(prompt=topic).result for box, topic in zip(boxes, topics, strict=False)]
        return str(boxes[-1].agent.run(prompt=" + ".join(parts)).result)
    finally:
        Box.delete_boxes(box_ids=[box.id for box in boxes])


def compare(prompt: str, models: list[str]) -> dict[str, str]:
    """The same prompt for several models, each in a box that starts from the same files."""
    base = Box.create()
    base.files.write(path="input.txt", content="same")
    snapshot = base.snapshot(name="input")
    base.delete()
    answers = {}
    for model in models:
        box = Box.from_snapshot(snapshot.id, agent=agent(model))
        answers[model] = str(box.agent.run(prompt=f"{prompt}: {box.files.read('input.txt')}").result)
        box.delete()
    Box.delete_snapshots(snapshot_ids=[snapshot.id])
    return answers


def visit(tenant: str) -> int:
    """A box per tenant that remembers how often it was asked, and uses nothing in between."""
    try:
        box = Box.get_by_name(f"tenant-{tenant}")
    except BoxError:
        box = Box.create(name=f"tenant-{tenant}", agent=agent("server"))
    count = int(box.exec.command("echo x >> visits; wc -l < visits").result)
    box.pause()
    return count


if __name__ == "__main__":
    print(fan_out(["one", "two", "three"]))
    print(compare("hello", ["small", "large"]))
    print([visit("a"), visit("a"), visit("b"), visit("a")])
    for name in ("a", "b"):
        Box.get_by_name(f"tenant-{name}").delete()
