"""`python -m jobs.healthy github|runner`: exits with 0 if such a process of this machine gave Redis a sign of life lately, else with 1.

For health checks of containers, as the processes listen nowhere. REDIS_URL is theirs.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time

from redis.exceptions import RedisError

from jobs.metrics import ALIVE_S, NOW
from jobs.queue import connect

DEADLINE_S = 4.0


async def healthy(redis_url: str, kind: str) -> bool:
    """True if one was heard of. Raises RedisError, OSError, TimeoutError."""
    redis = connect(redis_url, connections=1)
    try:
        async with asyncio.timeout(DEADLINE_S):
            said = await redis.hgetall(NOW)  # type: ignore[misc]
    finally:
        await redis.aclose(close_connection_pool=True)
    ours = f"{kind}:{socket.gethostname()}:".encode()
    return any(who.startswith(ours) and time.time() - json.loads(about)[0] < ALIVE_S for who, about in said.items())


def main() -> int:
    """Exit codes: 0 healthy, 1 not, 2 wrong usage."""
    if len(sys.argv) != 2 or sys.argv[1] not in ("bot", "github", "runner"):
        print("usage: python -m jobs.healthy bot|github|runner", file=sys.stderr)
        return 2
    try:
        found = asyncio.run(healthy(os.environ.get("REDIS_URL") or "redis://127.0.0.1:6379", sys.argv[1]))
    except (RedisError, OSError) as error:
        print(f"the queue cannot be reached: {error}", file=sys.stderr)
        return 1
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
