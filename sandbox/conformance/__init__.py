"""What every driver promises, as a list of checks that run against a real one.

The tests run the list, and so does `box-review doctor` on a user's host. A check gets an open driver, makes its
own boxes and raises `AssertionError` (or any error) when the promise is broken. The list in order:
"""

from sandbox.conformance import exec, files, snapshots, freezing, isolation, escape, limits, ports, life  # noqa: A004, I001  (in the order they are told)
from sandbox.conformance.check import CHECKS, Check, Outcome, run_checks

__all__ = [
    "CHECKS",
    "Check",
    "Outcome",
    "escape",
    "exec",
    "files",
    "freezing",
    "isolation",
    "life",
    "limits",
    "ports",
    "run_checks",
    "snapshots",
]
