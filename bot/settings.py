"""Settings of the bot, read once from the environment; `.env.example` lists them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from box_review.places import default_data_dir
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

APP_FILE = "github-app.json"


class BotSettings(BaseSettings):
    """One field, one variable: the name in capitals.

    Args:
        redis_url: queue and registry; `unix://` or `redis://`.
        box_data_dir: the generated API key lies here, and artifacts where no URL is given.
        box_artifacts_url: folder or fsspec URL shared with the runner hosts.
        box_api_keys: keys that clients may use, separated by commas; empty: one is made and kept in the data directory.
        box_max_source_bytes: largest archive a client may upload.
        box_audit_log: where each call is written down as a line of JSON; `off` for nowhere; empty for `audit.jsonl` in the data directory.
        box_public_url: pattern of the URLs of ports in boxes, whose first `*` stands for box and port and is a label of the host name;
            empty for `http://*.localhost` at the port that was asked.
        box_host_token: what hosts on other machines want to see.
        app_id, private_key, private_key_path, webhook_secret: of the GitHub App; empty: as the set-up page has stored them.
        client_id, client_secret: of the App, for signing in by GitHub.
        github_api_url: of GitHub, or of a GitHub Enterprise Server, where it ends in `/api/v3`.
        box_url: where people and GitHub reach this server, e.g. `https://review.example.com`; links in comments lead there.
        box_github_jobs: pull requests that one worker tends at the same time.
        box_knowledge_dir: where shared knowledge lies, on a disk of this machine; empty for `knowledge/` in the data directory.
        box_knowledge_support: tenants that must say the same before it is published without a person.
        box_knowledge_shared: organisations may share what they have approved with all others of this server.
        box_metrics_token: what `/metrics` wants to see; None: it is shown to everybody.
        otel_exporter_otlp_endpoint: where traces go; empty: none are made.
        host, port: where to listen.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    redis_url: str = "redis://127.0.0.1:6379"
    box_data_dir: Path = Field(default_factory=default_data_dir)
    box_artifacts_url: str | None = None
    box_api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    box_max_source_bytes: Annotated[int, Field(ge=1 << 20)] = 4 << 30
    box_audit_log: str = ""
    box_public_url: Annotated[str, Field(pattern=r"^$|^https?://\*\.[A-Za-z0-9.-]+(:\d+)?$")] = ""
    box_host_token: Annotated[SecretStr, Field(min_length=16)] | None = None
    app_id: int | None = None
    private_key: SecretStr | None = None
    private_key_path: Path | None = None
    webhook_secret: SecretStr | None = None
    client_id: str = ""
    client_secret: SecretStr | None = None
    github_api_url: Annotated[str, Field(pattern=r"^https?://[^\s?#]+$")] = "https://api.github.com"
    box_url: Annotated[str, Field(pattern=r"^$|^https?://[^\s?#]+$")] = ""
    box_github_jobs: Annotated[int, Field(ge=1, le=1000)] = 32
    box_knowledge_dir: Path | None = None
    box_knowledge_support: Annotated[int, Field(ge=2, le=1000)] = 3
    box_knowledge_shared: bool = False
    box_metrics_token: Annotated[SecretStr, Field(min_length=16)] | None = None
    otel_exporter_otlp_endpoint: str = ""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8380
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"

    @property
    def artifacts_url(self) -> str:
        """Where artifacts go."""
        return self.box_artifacts_url or str(self.box_data_dir / "artifacts")

    @property
    def knowledge_dir(self) -> Path:
        """Where shared knowledge lies."""
        return self.box_knowledge_dir or self.box_data_dir / "knowledge"

    @property
    def app_file(self) -> Path:
        """Where the set-up page stores the App's credentials."""
        return self.box_data_dir / APP_FILE

    @property
    def has_app(self) -> bool:
        """True if there are credentials of an App, whole or not."""
        return any((self.app_id, self.private_key, self.private_key_path, self.webhook_secret)) or self.app_file.exists()

    @property
    def github_url(self) -> str:
        """Where people see GitHub, and repositories are fetched from."""
        if self.github_api_url.rstrip("/") == "https://api.github.com":
            return "https://github.com"
        return self.github_api_url.rstrip("/").removesuffix("/api/v3")

    @property
    def audit_log(self) -> Path | None:
        """Where calls are written down, None for nowhere."""
        return None if self.box_audit_log == "off" else Path(self.box_audit_log or self.box_data_dir / "audit.jsonl")

    @field_validator("box_api_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(key.strip() for key in value.split(",") if key.strip()) if isinstance(value, str) else value
