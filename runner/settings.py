"""Settings of a runner host, read once from the environment; `.env.example` lists them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from box_review.places import default_data_dir
from pydantic import BeforeValidator, Field, IPvAnyNetwork, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

ANTHROPIC_MODEL, OPENAI_MODEL = "anthropic/claude-opus-5-5", "responses/gpt-5.4"


def _words(value: object) -> object:
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


class RunnerSettings(BaseSettings):
    """One field, one variable: the name in capitals.

    Args:
        redis_url: queue and registry; `unix://` or `redis://`.
        box_data_dir: boxes, snapshots and checkouts of this host.
        box_driver: what isolates boxes: gvisor, docker or bubblewrap; `auto` takes the first of them that works here.
        box_docker_runtime: runc or runsc; empty takes the better one that the Docker engine has.
        box_docker_image: what Docker boxes start from; empty takes the host's own programs.
        box_artifacts_url: folder or fsspec URL where findings, records and sources are kept; None: in the data directory.
        box_runner_jobs: reviewers that work at the same time on this host.
        box_lease_s: seconds after which the jobs of a host that fell silent are taken over.
        box_freeze_after_s: idle boxes are frozen in memory (warm) after this, 0 never.
        box_freeze_cold_after_s: idle boxes go to disk (cold) after this, unless that would lose a process.
        box_standby: empty boxes that are kept ready, so that a new one need not be started first.
        box_listen: `address:port` for fronts on other machines; empty for those of this machine alone.
        box_listen_url: how they reach it, where that is not `http://` and box_listen.
        box_host_token: what fronts must show there.
        box_allowed_ports: ports outside that boxes with a network may reach, separated by commas.
        box_allow_private: networks (CIDR, separated by commas) that they may reach although they are private.
        anthropic_api_key, openai_api_key: keys of model providers. They stay in the gateway; no box sees them.
        anthropic_base_url, openai_base_url: where their calls go.
        box_model: what agents ask where nothing else is said: `anthropic/NAME`, `openai/NAME` (chat completions), `responses/NAME` or
            `NAME`; empty: a model of the provider whose key is set.
        box_harness: what reviews where nothing else is said; `auto`: `builtin` if there is a model to ask, else `static`.
        box_harness_dir: where the programs of agents lie; None: in the data directory.
        box_budget_usd: the most that one review may cost, also where it asks for more; None for no bound.
        box_roles_dir: a folder with roles of your own, `ROLE.md` each; None for none.
        box_prices: a file with prices of models beside those that are known, in the form of `sandbox/gateway/prices.toml`.
        github_api_url: where boxes' GitHub tokens are for.
        box_retention_s: how long the frozen boxes of a review are kept.
        otel_exporter_otlp_endpoint: where traces go; empty: none are made.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    redis_url: str = "redis://127.0.0.1:6379"
    box_data_dir: Path = Field(default_factory=default_data_dir)
    box_driver: str = "auto"
    box_docker_runtime: str = ""
    box_docker_image: str = ""
    box_artifacts_url: str | None = None
    box_runner_jobs: Annotated[int, Field(ge=1, le=1000)] = max(4, 2 * (os.cpu_count() or 1))
    box_lease_s: Annotated[float, Field(ge=1, le=600)] = 15.0
    box_freeze_after_s: Annotated[float, Field(ge=0)] = 600.0
    box_freeze_cold_after_s: Annotated[float, Field(ge=0)] = 3600.0
    box_standby: Annotated[int, Field(ge=0, le=100)] = 2
    box_listen: Annotated[str, Field(pattern=r"^$|^\S+:\d{1,5}$")] = ""
    box_listen_url: Annotated[str, Field(pattern=r"^$|^https?://\S+$")] = ""
    box_host_token: Annotated[SecretStr, Field(min_length=16)] | None = None
    box_allowed_ports: Annotated[frozenset[int], NoDecode, BeforeValidator(_words)] = frozenset({80, 443})
    box_allow_private: Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(_words)] = ()
    anthropic_api_key: SecretStr | None = None
    anthropic_base_url: str = "https://api.anthropic.com"
    openai_api_key: SecretStr | None = None
    openai_base_url: str = "https://api.openai.com/v1"
    box_model: str = ""
    box_harness: str = "auto"
    box_harness_dir: Path | None = None
    box_budget_usd: Annotated[float, Field(gt=0)] | None = None
    box_roles_dir: Path | None = None
    box_prices: Path | None = None
    github_api_url: Annotated[str, Field(pattern=r"^https?://[^\s/]+")] = "https://api.github.com"
    box_retention_s: Annotated[float, Field(ge=60)] = 7 * 24 * 3600.0
    otel_exporter_otlp_endpoint: str = ""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"

    @property
    def harness_dir(self) -> Path:
        """Where the programs of agents lie."""
        return self.box_harness_dir or self.box_data_dir / "harness"

    @property
    def model(self) -> str:
        """What agents ask where nothing else is said; empty if there is no model that could be known."""
        if self.box_model:
            return self.box_model
        if self.anthropic_api_key is not None:
            return ANTHROPIC_MODEL
        ours = self.openai_base_url == type(self).model_fields["openai_base_url"].default
        return OPENAI_MODEL if self.openai_api_key is not None and ours else ""

    @property
    def harness(self) -> str:
        """What reviews where nothing else is said."""
        if self.box_harness != "auto":
            return self.box_harness
        return "builtin" if self.model else "static"

    @property
    def artifacts_url(self) -> str:
        """Where artifacts go."""
        return self.box_artifacts_url or str(self.box_data_dir / "artifacts")
