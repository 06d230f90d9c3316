"""Docs that can be checked are true."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
from box_review import ReviewRecord
from box_review.config import RepoConfig, read_config
from box_review.report import render

from bot.settings import BotSettings
from runner.settings import RunnerSettings
from tests.sdk.records import hostile_record, record

ROOT = Path(__file__).parent.parent
SCHEMA = ROOT / "docs" / "review-record.schema.json"


def test_published_schema_is_the_models_own() -> None:
    assert json.loads(SCHEMA.read_text()) == ReviewRecord.model_json_schema()


def test_published_config_schema_is_the_models_own() -> None:
    assert json.loads((ROOT / "docs" / "config.schema.json").read_text()) == RepoConfig.model_json_schema()


def test_config_in_the_docs_is_valid() -> None:
    text = (ROOT / "docs" / "config.md").read_text()
    [shown] = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert read_config(shown.encode()).model_fields_set == RepoConfig.model_fields.keys()


@pytest.mark.parametrize("made", [record, hostile_record])
def test_printed_records_are_valid_by_the_published_schema(made: object) -> None:
    assert callable(made)
    jsonschema.validate(json.loads(render(made(), "json")), json.loads(SCHEMA.read_text()))


@pytest.mark.parametrize("settings", [BotSettings, RunnerSettings])
def test_every_setting_is_in_the_example_environment(settings: type[BotSettings] | type[RunnerSettings]) -> None:
    listed = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert {name.upper() for name in settings.model_fields} <= listed


@pytest.mark.parametrize(
    "page", ["README.md", "ARCHITECTURE.md", "SECURITY.md", *(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))]
)
def test_links_and_named_files_exist(page: str) -> None:
    text = (ROOT / page).read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert not [link for link in links if not ((ROOT / page).parent / link).exists()]
    named = re.findall(r"`((?:sdk|bot|runner|sandbox|tests|docs|examples)/[\w./-]+)`", text)
    assert not [name for name in named if not (ROOT / name).exists()]
