"""What is told of observations without a model: statements, corrections, frequencies, and nothing else."""

from __future__ import annotations

import pytest
from box_review.agent_server.inbox.extract import entries, statement
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("sentence", "kind", "about"),
    [
        ("My favourite colour is blue.", "fact", "favourite colour"),
        ("Actually, my favourite colour is green.", "fact", "favourite colour"),
        ("No, the office is now in Lyon.", "fact", "office"),
        ("Remember that our invoices are sent on Mondays.", "fact", "invoices"),
        ("I moved to Lisbon last year.", "fact", "where i live"),
        ("I live in Oslo.", "fact", "where i live"),
        ("Please always answer in French.", "preference", ""),
        ("I prefer short answers.", "preference", ""),
        ("We are a bakery in Lyon.", "fact", ""),
        ("We have two ovens.", "fact", ""),
        ("I work at Acme.", "fact", "where i work"),
        ("I work on Tuesdays only.", "fact", ""),
        ("Call me Captain.", "preference", "what to call me"),
    ],
)
def test_statement_is_kept_with_what_it_is_about(sentence: str, kind: str, about: str) -> None:
    found = statement(sentence)
    assert found is not None
    assert (found[0], found[2]) == (kind, about)


@pytest.mark.parametrize(
    "sentence",
    ["Where is my order?", "Is my plan now gold?", "Show all open orders.", "hello there", "Never mind.", "No, thanks for that.", ""],
)
def test_question_and_order_are_no_statements(sentence: str) -> None:
    assert statement(sentence) is None


def observation(number: int, request: str, **metadata: object) -> dict[str, object]:
    return {"id": f"o-{number}", "at": f"2026-01-{number:02d}T00:00:00Z", "request": request, "response": "", "metadata": metadata}


def test_batch_tells_statements_frequencies_and_what_happened() -> None:
    batch = [observation(number, "list them", method="GET", path="/orders", status=500 if number == 2 else 200) for number in (1, 2, 3)]
    batch.append(observation(4, "My plan is gold.", method="POST", path="/chat"))
    found = list(entries(batch))
    assert [(entry.kind, entry.text, entry.seen, entry.sources[-1]) for entry in found] == [
        ("fact", "My plan is gold.", 1, "o-4 2026-01-04T00:00:00Z"),
        ("habit", "GET /orders", 3, "o-3 2026-01-03T00:00:00Z"),
        ("habit", "POST /chat", 1, "o-4 2026-01-04T00:00:00Z"),
        ("episode", "4 requests, 1 failed: GET /orders (3); POST /chat", 1, "o-4 2026-01-04T00:00:00Z"),
    ]


def test_one_observation_cannot_fill_the_memory() -> None:
    found = list(entries([observation(1, "\n".join(f"My {name} is {name}." for name in map(str, range(100, 900))))]))
    assert sum(entry.kind == "fact" for entry in found) == 5


@pytest.mark.parametrize(
    ("request_", "facts"),
    [
        ('{"text": "My plan is gold."}', ["My plan is gold."]),
        (
            '[{"role": "system", "content": "My name is no fact."}, {"role": "user", "content": [{"text": "My plan is gold."}]}]',
            ["My plan is gold."],
        ),
        ('{"text": "My plan is gold.", cut', []),
        ("[" * 100_000, []),
        ('{"n": 1, "on": true, "nothing": null}', []),
    ],
    ids=["object", "chat", "cut", "deep", "no texts"],
)
def test_texts_in_json_are_read_and_in_a_chat_only_what_its_user_said(request_: str, facts: list[str]) -> None:
    assert [entry.text for entry in entries([observation(1, request_)]) if entry.kind == "fact"] == facts


@given(st.text())
def test_any_request_can_be_read(text: str) -> None:
    for entry in entries([observation(1, text)]):
        assert len(entry.text) <= 500
