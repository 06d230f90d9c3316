"""The system calls a box may not make, as a BPF program for `bwrap --seccomp`.

What is denied is what reaches past namespaces or into other processes: kernel keyrings (not
namespaced), ptrace and its kin, io_uring, bpf, new user namespaces, limits of other processes, and typing into
a terminal (TIOCSTI). Everything else is left to the namespaces and the missing capabilities.
Figures behind the list: isolation probe in docs/security.md. Numbers: Linux' syscall tables.
"""

from __future__ import annotations

import platform
import struct
from dataclasses import dataclass

from sandbox.errors import HostUnfit

_LD, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06
_NR, _ARCH, _ARG0, _ARG1 = 0, 4, 16, 24
_ALLOW = 0x7FFF0000
_EPERM, _ENOSYS = 0x00050000 | 1, 0x00050000 | 38
_CLONE_NEWUSER = 0x10000000
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C


@dataclass(frozen=True)
class _Abi:
    """Numbers of one processor architecture."""

    audit_arch: int
    denied: tuple[int, ...]
    clone: int
    unshare: int
    ioctl: int
    prlimit: int


_SAME_EVERYWHERE = (
    *(425, 426, 427),  # io_uring_setup, _enter, _register
    *(428, 429, 430, 431, 432, 433, 442),  # open_tree … fspick, mount_setattr
    438,  # pidfd_getfd
)
_ABIS = {
    "x86_64": _Abi(
        audit_arch=0xC000003E,
        # ptrace, add_key, request_key, keyctl, process_vm_*, kcmp, bpf, userfaultfd, perf_event_open, mount, umount2,
        # pivot_root, chroot, swapon/off, init/finit/delete_module, kexec_*, setns, open_by_handle_at, quotactl, acct, syslog
        denied=(
            *(101, 248, 249, 250, 310, 311, 312, 321, 323, 298, 165, 166, 155, 161, 167, 168),
            *(175, 313, 176, 246, 320, 308, 304, 179, 163, 103),
            *_SAME_EVERYWHERE,
        ),
        clone=56,
        unshare=272,
        ioctl=16,
        prlimit=302,
    ),
    "aarch64": _Abi(
        audit_arch=0xC00000B7,
        denied=(
            *(117, 217, 218, 219, 270, 271, 272, 280, 282, 241, 40, 39, 41, 51, 224, 225),
            *(105, 273, 106, 104, 294, 268, 265, 60, 89, 116),
            *_SAME_EVERYWHERE,
        ),
        clone=220,
        unshare=97,
        ioctl=29,
        prlimit=261,
    ),
}
_CLONE3 = 435
_X32_BIT = 0x40000000


def program(machine: str | None = None) -> bytes:
    """The filter for this machine (or the one named as `platform.machine()` names it).

    Raises:
        HostUnfit: there is no table for this architecture.
    """
    machine = machine or platform.machine()
    abi = _ABIS.get(machine)
    if abi is None:
        raise HostUnfit(f"no system call filter is known for {machine}; boxes run on {' and '.join(_ABIS)}")
    checks = [_load(_ARCH), *_unless_equal(abi.audit_arch, _EPERM), _load(_NR)]
    if machine == "x86_64":
        checks += [_op(_JGE, _X32_BIT, 0, 1), _op(_RET, _EPERM)]
    for number in abi.denied:
        checks += [_op(_JEQ, number, 0, 1), _op(_RET, _EPERM)]
    # Flags of clone3 lie in memory that a filter cannot read: without it, libc falls back to clone.
    checks += [_op(_JEQ, _CLONE3, 0, 1), _op(_RET, _ENOSYS)]
    for number in (abi.clone, abi.unshare):
        checks += [_op(_JEQ, number, 0, 4), _load(_ARG0), _op(_JSET, _CLONE_NEWUSER, 0, 1), _op(_RET, _EPERM), _load(_NR)]
    # Limits of other processes: the first one's would end the box.
    checks += [_op(_JEQ, abi.prlimit, 0, 4), _load(_ARG0), _op(_JEQ, 0, 1, 0), _op(_RET, _EPERM), _load(_NR)]
    checks += [_op(_JEQ, abi.ioctl, 0, 5), _load(_ARG1)]
    checks += [_op(_JEQ, _TIOCSTI, 1, 0), _op(_JEQ, _TIOCLINUX, 0, 1), _op(_RET, _EPERM), _load(_NR)]
    return b"".join([*checks, _op(_RET, _ALLOW)])


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One BPF instruction; the jumps count instructions to skip."""
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _load(offset: int) -> bytes:
    """Load the 32-bit word at `offset` of seccomp_data (low half of an argument on little-endian)."""
    return _op(_LD, offset)


def _unless_equal(value: int, verdict: int) -> list[bytes]:
    """Return `verdict` unless the loaded word equals `value`."""
    return [_op(_JEQ, value, 1, 0), _op(_RET, verdict)]
