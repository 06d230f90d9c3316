"""What the first process does to itself before it lets anything else run."""

from __future__ import annotations

import ctypes

_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 4, 38, 22, 2


def hide() -> None:
    """Keep other processes of the box out of this one's memory and descriptors."""
    _prctl(_PR_SET_DUMPABLE, 0)


def filter_calls(path: str) -> None:
    """Put the system call filter in `path` on this process and all it will start."""

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))

    with open(path, "rb") as file:
        code = file.read()
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    program = Program(len(code) // 8, code)
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program))


def _prctl(option: int, value: int, pointer: object = 0) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, pointer, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(%d) failed" % option)
