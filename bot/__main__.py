"""The bot: `python -m bot [--fd N]`. Settings come from the environment; see `.env.example`."""

from __future__ import annotations

import argparse
import signal
import socket
import sys

import uvicorn
from pydantic import ValidationError

from bot.app import create_app
from bot.errors import Misconfigured
from bot.github.credentials import Keeper
from bot.settings import BotSettings
from jobs import logs, traces


def main() -> int:
    """Exit codes: 0 stopped as told; 2 a setting cannot be used; 3 the address cannot be listened on."""
    parser = argparse.ArgumentParser(prog="python -m bot", description="box-review's HTTP front; settings come from the environment")
    parser.add_argument("--fd", type=int, help="serve on this inherited listening socket instead of HOST and PORT")
    arguments = parser.parse_args()
    try:
        settings = BotSettings()
        Keeper(settings)
    except Misconfigured as error:
        print(f"bot: {error}", file=sys.stderr)
        return 2
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            print(f"bot: {'.'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}", file=sys.stderr)
        return 2
    logs.configure(settings.log_level, settings.log_format, settings)
    traces.configure(settings.otel_exporter_otlp_endpoint, "bot")
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,  # uvicorn logs as everything else does
        log_level="warning" if settings.log_level == "info" else settings.log_level,
        access_log=settings.log_level == "debug",
        timeout_graceful_shutdown=3,
        server_header=False,
    )
    server = uvicorn.Server(config)
    # uvicorn stops as told, and then raises the signal again: that ends the process in order instead of at once, traces unsent.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # uvicorn takes an inherited descriptor for a unix socket, and would let every answer wait 40 ms for more to send.
    server.run(sockets=None if arguments.fd is None else [socket.socket(fileno=arguments.fd)])
    return 0 if server.started else 3


if __name__ == "__main__":
    sys.exit(main())
