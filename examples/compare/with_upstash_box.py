"""The comparison of `endpoints.yml` by hand, with the official client alone: no statistics, no cache, but the same boxes.

UPSTASH_BOX_BASE_URL and UPSTASH_BOX_API_KEY name the server.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml
from upstash_box import Box

HERE = Path(__file__).parent
SPEC = yaml.safe_load((HERE / "endpoints.yml").read_text())


def ask(snapshot_id: str, model: dict[str, object], page: str) -> list[str]:
    """One model's endpoints of one page, in a box of its own."""
    agent = {key: model[key] for key in ("harness", "model", "custom_harness")}
    with Box.from_snapshot(snapshot_id, agent=agent) as box:
        try:
            prompt = SPEC["prompts"][0]["text"].replace("{input}", page)
            return list(json.loads(box.agent.run(prompt=prompt).result))
        finally:
            box.delete()


def score(snapshot_id: str, model: dict[str, object]) -> tuple[float, float]:
    """F1 over all pages, and hallucinations in percent of what was said."""
    pages = [(HERE / one["file"]).read_text() for one in SPEC["inputs"]]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda page: ask(snapshot_id, model, page), pages))
    expected = [set(one["expected"]) for one in SPEC["inputs"]]
    right = sum(len(wanted & set(said)) for wanted, said in zip(expected, answers, strict=True))
    said, wanted = sum(map(len, answers)), sum(map(len, expected))
    made_up = sum(endpoint not in page for page, endpoints in zip(pages, answers, strict=True) for endpoint in endpoints)
    return 2 * right / (said + wanted), 100 * made_up / said


def main() -> None:
    """One snapshot for all; what each model comes to."""
    with Box.create() as base:
        base.files.write(path="extractor.py", content=(HERE / "extractor.py").read_text())
        snapshot = base.snapshot(name="endpoints")
        base.delete()
    for model in SPEC["models"]:
        f1, made_up = score(snapshot.id, model)
        print(f"{model['id']}: F1 {f1:.3f}, hallucinations {made_up:.1f} %")
    Box.delete_snapshots(snapshot_ids=[snapshot.id])


if __name__ == "__main__":
    main()
