"""What the book keeps: boxes, snapshots, runs, schedules and ports with visitors, as their owners made them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from runner.api.wire import CustomRunner, McpServer, Size, Webhook
from sandbox.gateway.policy import NetworkPolicy

RunStatus = Literal["running", "completed", "failed", "cancelled"]


class BoxEntry(BaseModel):
    """One box of a tenant. `cloned` are the GitHub repositories its owner had cloned into it. Times in seconds since 1970."""

    id: str
    tenant: str
    name: str | None = None
    size: Size = "small"
    runtime: str | None = None
    labels: tuple[str, ...] = ()
    keep_alive: bool = False
    env: dict[str, str] = {}
    agent: str | None = None
    model: str | None = None
    custom_runner: CustomRunner | None = None
    session_id: str | None = None
    enabled_skills: tuple[str, ...] = ()
    mcp_servers: tuple[McpServer, ...] = ()
    clone_repo: str | None = None
    cloned: tuple[str, ...] = ()
    total_prompts: int = 0
    total_input_tokens: int = 0
    total_output_tokens: int = 0
    total_token_cost_usd: float = 0.0
    expires_at: int | None = None
    network_policy: NetworkPolicy = NetworkPolicy()
    git_user_name: str = "box-review"
    git_user_email: str = "box@localhost"
    created_at: int
    updated_at: int
    last_activity_at: int
    deleted: bool = False


class SnapshotEntry(BaseModel):
    """One snapshot of a tenant."""

    id: str
    name: str
    box_id: str
    size_bytes: int
    created_at: int
    size: Size
    runtime: str | None = None
    env: dict[str, str] = {}
    agent: str | None = None
    model: str | None = None
    custom_runner: CustomRunner | None = None
    enabled_skills: tuple[str, ...] = ()


class Run(BaseModel):
    """One run as `B/runs` lists it; what is None is left out. `webhook` is told of its end."""

    id: str
    box_id: str
    customer_id: str
    type: Literal["agent", "shell"]
    status: RunStatus
    prompt: str
    model: str | None = None
    output: str | None = None
    error_message: str | None = None
    session_id: str | None = None
    schedule_id: str | None = None
    webhook: Webhook | None = None
    cached_input_tokens: int | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cpu_ns: int = 0
    cost_usd: float = 0.0
    compute_cost_usd: float = 0.0
    duration_ms: int = 0
    created_at: int
    completed_at: int | None = None


class Schedule(BaseModel):
    """Work that begins by the clock. `folder` is absolute, `timeout` in milliseconds, times in seconds since 1970."""

    id: str
    box_id: str
    customer_id: str
    type: Literal["exec", "prompt"]
    cron: str
    status: Literal["active", "paused"] = "active"
    command: tuple[str, ...] | None = None
    prompt: str | None = None
    folder: str
    model: str | None = None
    agent_options: dict[str, Any] | None = None
    timeout: int | None = None
    webhook_url: str | None = None
    webhook_headers: dict[str, str] | None = None
    total_runs: int = 0
    total_failures: int = 0
    created_at: int
    updated_at: int
    last_run_at: int | None = None
    last_run_status: Literal["completed", "failed", "skipped"] | None = None
    last_run_id: str | None = None


class Visit(BaseModel):
    """A port of a box that can be visited from outside, and how a visitor shows that he may."""

    port: int
    url: str
    token: str | None = None
    username: str | None = None
    password: str | None = None
    created_at: int
