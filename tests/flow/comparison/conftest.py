"""A server, and agents of known quality."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import short_folder
from tests.fakes.models import ModelServer
from tests.fakes.script import Step
from tests.server import Server

# An agent whose answers depend on its model and on the number it is asked about. `x` is what stands in the sources of an input.
AGENT = """
import json, sys, time
prompt, model = sys.argv[sys.argv.index("-p") + 1], sys.argv[sys.argv.index("--model") + 1]
number = int(prompt.split()[1])
said, cost = f"x{number}", 0.01
if model == "first": said = "made up" if number == 3 else said
if model == "second": said = "made up" if number == 5 else said
if model == "worse": said = "made up" if number % 2 else said
if model == "half" and number % 2: sys.exit("it broke")
if model == "hostile": said = "<script>alert(1)</script>\\x1b[31m\\x00\\u202e" * 3 + said
if model == "huge":
    for _ in range(20): print("event: text\\ndata: " + json.dumps({"text": "word " * 100_000}) + "\\n", flush=True)
    sys.exit()
if model == "late": time.sleep(60)
if model == "dear": cost = 1.0
if model == "files": said = open("given.txt").read() + open("base.txt").read()
print("event: done\\ndata: " + json.dumps({"output": said, "total_cost_usd": cost, "input_tokens": 7, "output_tokens": 3}) + "\\n\\n")
"""
JUDGE = """
import json, re, sys
prompt, model = sys.argv[sys.argv.index("-p") + 1], sys.argv[sys.argv.index("--model") + 1]
prompt = prompt.split("Answer with JSON alone")[0]
found = re.findall(r"Candidate ([A-Z]):\\n=== [0-9a-f]+ ===\\n(.*)\\n", prompt)
grades = [{"candidate": name, "grade": (1 if "made up" in said else 5) - (model == "strict"), "reason": "r"} for name, said in found]
print("event: done\\ndata: " + json.dumps({"output": json.dumps({"grades": grades}), "total_cost_usd": 0.5}) + "\\n\\n")
"""


@pytest.fixture(scope="module")
def models() -> Iterator[ModelServer]:
    with ModelServer(lambda asked: Step(text="ok", delay_s=0.05)) as server:
        yield server


@pytest.fixture(scope="module")
def served(models: ModelServer) -> Iterator[Server]:
    for folder in short_folder():
        (folder / "prices.toml").write_text('["priced"]\ninput = 10000.0\noutput = 50000.0\n')
        with Server(folder / "d", **models.environment, BOX_PRICES=str(folder / "prices.toml")) as server:
            yield server


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """The folder of a spec."""
    (tmp_path / "agent.py").write_text(AGENT)
    (tmp_path / "judge.py").write_text(JUDGE)
    return tmp_path
