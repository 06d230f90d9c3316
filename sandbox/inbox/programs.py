"""Starting programs: what happens between fork and exec."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found,unused-ignore]
import os
import resource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def fork(work: Callable[[], None], stdio: Sequence[int], limits: Sequence[tuple[int, int]], terminal: bool = False) -> int:
    """Run `work` in a new session with the given stdin, stdout and stderr; returns its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        _signal.set_wakeup_fd(-1)
        for number in (_signal.SIGCHLD, _signal.SIGPIPE):
            _signal.signal(number, _signal.SIG_DFL)
        os.setsid()
        for target, fd in enumerate([os.dup(fd) for fd in stdio]):
            os.dup2(fd, target)
        os.closerange(3, 1 << 16)
        if terminal:
            import fcntl
            import termios

            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        for kind, value in limits:
            resource.setrlimit(kind, (value, value))
        work()
    except BaseException as error:  # the child must never return into the loop
        os.write(2, b"box: %s\n" % str(error).encode("utf-8", "replace"))
    finally:
        os._exit(126)


def become(args: list[bytes], env: dict[bytes, bytes], cwd: bytes) -> None:
    """Become a program; never returns. 127: no such program, 126: it cannot be run."""
    try:
        os.chdir(cwd)
    except OSError as error:
        _complain(b"cannot enter " + cwd, error, 126)
    try:
        os.execvpe(args[0], args, env)
    except FileNotFoundError as error:
        _complain(args[0], error, 127)
    except OSError as error:
        _complain(args[0], error, 126)


def _complain(subject: bytes, error: OSError, code: int) -> None:
    os.write(2, b"box: %s: %s\n" % (subject, os.strerror(error.errno or 0).encode()))
    os._exit(code)


def set_window(fd: int, size: bytes) -> None:
    """Set a terminal's size from `ROWSxCOLS`."""
    import fcntl
    import struct
    import termios

    rows, columns = (int(number) for number in size.split(b"x"))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
