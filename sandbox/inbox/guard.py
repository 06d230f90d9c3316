"""What the first process does to itself before it lets anything else run."""

from __future__ import annotations

import _ctypes  # type: ignore[import-not-found,unused-ignore]  # `ctypes` around it would cost every box 5 ms
import os

_PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 4, 22, 24, 38
_SECCOMP_MODE_FILTER = 2


class _Long(_ctypes._SimpleCData):  # type: ignore[type-arg,unused-ignore]
    _type_ = "l"


class _Short(_ctypes._SimpleCData):  # type: ignore[type-arg,unused-ignore]
    _type_ = "H"


class _Bytes(_ctypes._SimpleCData):  # type: ignore[type-arg,unused-ignore]
    _type_ = "z"


class _Program(_ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", _Short), ("instructions", _Bytes))


class _Call(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL
    _restype_ = _Long


_prctl = _Call(_ctypes.dlsym(_ctypes.dlopen(None, os.RTLD_NOW), "prctl"))  # type: ignore[arg-type,unused-ignore]
_zero = _Long(0)


def hide() -> None:
    """Keep other processes of the box out of this one's memory and descriptors."""
    _must(_PR_SET_DUMPABLE, _zero)


def shed() -> None:
    """Take every capability out of reach of what this process starts; its own stay."""
    for number in range(64):
        if _prctl(_Long(_PR_CAPBSET_DROP), _Long(number), _zero, _zero, _zero) != 0:
            break  # beyond the last one


def filter_calls(path: str) -> None:
    """Put the system call filter in `path` on this process and all it will start."""
    with open(path, "rb") as file:
        code = file.read()
    _must(_PR_SET_NO_NEW_PRIVS, _Long(1))
    program = _Program(len(code) // 8, code)
    _must(_PR_SET_SECCOMP, _Long(_SECCOMP_MODE_FILTER), _Long(_ctypes.addressof(program)))


def _must(option: int, *arguments: _Long) -> None:
    padding = [_zero] * (4 - len(arguments))
    if _prctl(_Long(option), *arguments, *padding) != 0:
        raise OSError("prctl(%d) failed" % option)
