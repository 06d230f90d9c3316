"""Run a program that ends with its parent, also when the parent is killed: `python tied.py PARENT_PID PROGRAM ARGS…`.

A file of its own that is run by path: it imports next to nothing, so that it costs a few milliseconds.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() == int(sys.argv[1]):  # else the parent died before it could be watched
        os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - no shell on purpose
