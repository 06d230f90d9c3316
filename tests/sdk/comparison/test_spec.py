"""A spec that cannot be used is a sentence for each thing that is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from box_review.comparison.plan import Ask
from box_review.comparison.reading import make_plan, read_spec, spec_from
from box_review.comparison.spec import Agent, Spec
from box_review.errors import InputError

from tests.sdk.comparison.made import CUSTOM, spec

MODEL = {"id": "a", "model": "openai/x"}
GOOD: dict[str, Any] = {"models": [MODEL], "prompts": [{"id": "p", "text": "{input}"}], "inputs": [{"id": "i", "text": "x"}]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"models": []}, "models: "),
        ({"modles": 1}, "modles: there is no such key"),
        ({"models": [{**MODEL, "temperature": 1}]}, "models.0.temperature: there is no such key"),
        ({"models": [{"id": "a"}]}, "models.0: `model` is missing"),
        ({"models": [{"id": "a", "harness": "custom"}]}, "models.0: `custom_harness` and `harness: custom` belong together"),
        ({"models": [MODEL, MODEL]}, "models: the id 'a' stands twice"),
        ({"models": [{**MODEL, "id": "../x"}]}, "models.0.id"),
        ({"prompts": [{"id": "p"}]}, "prompts.0: give either `text` or `file`"),
        ({"scores": ["claim_f2"]}, "scores.0: there is no score 'claim_f2'; did you mean claim_f1?"),
        ({"scores": [{"claim_f1": {"ky": "x"}}]}, "ky"),
        ({"scores": [3]}, "scores.0: a score is a name"),
        ({"scores": ["exact_match"]}, "exact_match needs inputs with `expected`"),
        ({"scores": ["faithfulness"]}, "faithfulness needs inputs with `sources`"),
        ({"scores": [{"rubric": {"criteria": "good"}}]}, "rubric needs `judges`"),
        ({"scores": [{"rubric": {"criteria": "good", "lowest": 5}}]}, "`highest` must be above `lowest`"),
        ({"repeats": 0}, "repeats: "),
        ({"repeats": 100, "inputs": [{"id": f"i{number}"} for number in range(300)]}, "30000 answers are asked for"),
        ({"budget_usd": -1}, "budget_usd: "),
        ({"judge_api": {"base_url": "ftp://x", "model": "m"}}, "judge_api.base_url"),
        ({"inputs": [{"id": "i", "expected": float("nan")}]}, "inputs.0.expected"),
        ({"title": "\ud800"}, "half a letter"),
        ({"scores": [{"python": {"function": "s.py:answered"}}]}, "answered is what every comparison has"),
    ],
)
def test_wrong_spec_is_named_by_its_key(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as raised:
        spec_from({**GOOD, **change}, "spec.yml")
    assert said in str(raised.value)
    assert all(line.startswith("spec.yml: ") for line in str(raised.value).splitlines())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models: [", "this is no YAML"),
        ("models: 1\nmodels: 2", "spec.yml:2: this is no YAML: the key 'models' stands twice"),
        ("a: &x [1]\nb: *x", "aliases are not supported"),
        ("- 1", "a spec holds keys and values"),
        ("a: !!python/object:os.system x", "this is no YAML"),
        (b"\xff", "no UTF-8"),
        ("[" * 50_000, "this is no YAML"),
    ],
)
def test_file_that_is_no_spec_is_said_to_be(tmp_path: Path, text: str | bytes, said: str) -> None:
    path = tmp_path / "spec.yml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(InputError, match=said):
        read_spec(path)
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_spec(tmp_path / "none.yml")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"prompts": [{"id": "p", "file": "none.txt"}]}, "prompts.p.file: there is no file none.txt"),
        ({"prompts": [{"id": "p", "file": "../outside"}]}, "not below the folder of the spec"),
        ({"prompts": [{"id": "p", "file": "link"}]}, "not below the folder of the spec"),
        ({"prompts": [{"id": "p", "file": "/etc/passwd"}]}, "not below the folder of the spec"),
        ({"inputs": [{"id": "i", "text": "x", "files": {"../x": "here.txt"}}]}, "must be a path below the workspace"),
        ({"inputs": [{"id": "i", "text": "x", "files": {"/x": "here.txt"}}]}, "must be a path below the workspace"),
        ({"inputs": [{"id": "i", "file": "binary"}]}, "no UTF-8 text"),
        ({"inputs": [{"id": "i", "text": "x", "expected_file": "broken.json"}]}, "no JSON"),
        ({"inputs": [{"id": "i"}]}, "prompts.p with inputs.i is empty"),
        ({"inputs": [{"id": "i", "text": "x" * 130_000}]}, "130000 bytes; 120000 are allowed"),
    ],
)
def test_files_of_a_spec_must_be_there_and_below_it(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    (tmp_path / "outside").write_text("secret")
    folder = tmp_path / "spec"
    folder.mkdir()
    (folder / "link").symlink_to("../outside")
    (folder / "here.txt").write_text("x")
    (folder / "binary").write_bytes(b"\xff\x00")
    (folder / "broken.json").write_text("{")
    with pytest.raises(InputError) as raised:
        make_plan(spec_from({**GOOD, **change}, "spec"), folder)
    assert said in str(raised.value)


def test_input_is_placed_as_it_is() -> None:
    made = make_plan(spec(prompts=[{"id": "p", "text": "{a} {input} {0}"}], inputs=[{"id": "i", "text": "{input} %s {b}"}]), Path())
    assert made.cases[0].prompt == "{a} {input} %s {b} {0}"


def test_spec_in_the_docs_is_one(tmp_path: Path) -> None:
    shown = re.findall(r"```yaml\n(.*?)```", (Path(__file__).parents[3] / "docs" / "comparing.md").read_text(), re.DOTALL)
    (tmp_path / "spec.yml").write_text(shown[0])
    assert read_spec(tmp_path / "spec.yml").model_fields_set >= Spec.model_fields.keys() - {"judges", "judge_api"}


def test_cells_are_all_combinations_with_models_in_turn() -> None:
    made = make_plan(spec(["a", "b"], repeats=2, inputs=[{"id": "i", "text": "x"}, {"id": "j", "text": "y"}]), Path())
    assert [cell.id for cell in made.cells()] == ["a/p/i", "b/p/i", "a/p/j", "b/p/j", "a/p/i#2", "b/p/i#2", "a/p/j#2", "b/p/j#2"]


def test_key_changes_with_whatever_decides_the_answer_and_with_nothing_else() -> None:
    agent = Agent.model_validate({"id": "a", **CUSTOM})
    ask = Ask(agent, "x", {"f": b"1"})
    key = ask.key("digest")
    assert Ask(agent.model_copy(update={"id": "renamed"}), "x", {"f": b"1"}).key("digest") == key
    others = [
        ask.key("other"),
        Ask(agent, "y", {"f": b"1"}).key("digest"),
        Ask(agent, "x", {"f": b"2"}).key("digest"),
        Ask(agent, "x", {"f": b"1"}, {"type": "object"}).key("digest"),
        Ask(agent, "x", {"f": b"1"}, repeat=1).key("digest"),
        Ask(agent.model_copy(update={"model": "m"}), "x", {"f": b"1"}).key("digest"),
        Ask(agent.model_copy(update={"options": {"effort": "high"}}), "x", {"f": b"1"}).key("digest"),
    ]
    assert len({key, *others}) == 8
