"""How the first process of a box begins: its arguments."""

from __future__ import annotations

import sys

from . import guard, programs
from .bounds import Bounds
from .supervisor import Supervisor


def main() -> None:
    """Take up the work.

    Arguments: `RLIMIT_X=value` bounds each process, `pids=number` all of them where the box's kernel counts,
    `user=uid` is what they run as, `keys` says that terminals raise no signals themselves, `port=service` is a way to
    the host, `filter=path` the system call filter.
    """
    guard.hide()
    user, bounds, services, keys = None, Bounds(), {}, False
    for name, _, value in (word.partition("=") for word in sys.argv[1:]):
        if name == "filter":
            guard.filter_calls(value)
        elif name == "user":
            user = int(value)
            guard.shed()
        elif name == "keys":
            keys = True
        elif name == "pids":
            bounds.limit_pids(int(value))
        elif name.isdigit():
            services[int(name)] = value.encode()
        else:
            programs.bound(name, int(value))
    Supervisor(programs.User(user), bounds, services, keys).run()
