"""Settings."""

from __future__ import annotations

HOST = "127.0.0.1"
PORT = 8080
HEADERS = {"X-Content-Type-Options": "nosniff"}
