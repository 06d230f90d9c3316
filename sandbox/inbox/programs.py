"""Starting programs: what happens between fork and exec."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found,unused-ignore]
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Rules:
    """What holds for every program: `limits` as (RLIMIT_X, value), the user to become (None to stay), and whether ^C is our business."""

    def __init__(self) -> None:
        self.keys = False
        self.limits: list[tuple[str, int]] = []
        self.user: int | None = None

    def apply(self) -> None:
        """Put them on this process."""
        for name, value in self.limits:
            bound(name, value)
        if self.user is not None:
            os.setgroups([])
            os.setresgid(self.user, self.user, self.user)
            os.setresuid(self.user, self.user, self.user)


def prefer() -> None:
    """When memory runs out, the kernel shall end this process rather than the box's first one."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("500")
    except OSError:
        pass


def bound(name: str, value: int) -> None:
    """Set a limit of this process, by its name in `resource`."""
    import resource  # here: a box whose limits are set for it need not load it

    resource.setrlimit(getattr(resource, name), (value, value))


def fork(work: Callable[[], None], stdio: Sequence[int], rules: Rules, terminal: bool = False) -> int:
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
        rules.apply()
        prefer()
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


def keys_pressed(terminal: int, data: bytes) -> tuple[list[int], bytes]:
    """Signals that typing `data` at a terminal raises, as its settings are now, and what is left for the program to read."""
    import termios

    flags, characters = termios.tcgetattr(terminal)[3::3]
    if not flags & termios.ISIG:
        return [], data
    raised = []
    for key, number in ((termios.VINTR, _signal.SIGINT), (termios.VQUIT, _signal.SIGQUIT)):
        if characters[key] in data:
            raised.append(number)
            data = data.replace(characters[key], b"")
    return raised, data


def set_window(fd: int, size: bytes) -> None:
    """Set a terminal's size from `ROWSxCOLS`."""
    import fcntl
    import struct
    import termios

    rows, columns = (int(number) for number in size.split(b"x"))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
