"""Starting programs.

Most are spawned, because forking this process costs some 25 ms where the box has a kernel of its own: spawning
copies no memory. What needs code of ours in the child (a terminal, a file operation) is forked.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found,unused-ignore]
import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    _T = TypeVar("_T")

_PATH = b"/usr/local/bin:/usr/bin:/bin"


class CannotStart(OSError):
    """A program does not run. `code` as shells give it: 127 if there is no such program, else 126."""

    def __init__(self, subject: bytes, error: OSError, code: int) -> None:
        super().__init__("%s: %s" % (os.fsdecode(subject), os.strerror(error.errno or 0)))
        self.code = code


class User:
    """Who programs run as: a number where this process is root of a kernel of its own, None where it is nobody else itself."""

    def __init__(self, number: int | None) -> None:
        self.number = number
        if number is not None:
            os.setgroups([])
            os.setresgid(number, number, number)

    def __enter__(self) -> None:
        """Be it for now. A program that is started meanwhile can never be root again: starting it forgets the saved uid."""
        if self.number is not None:
            os.setresuid(self.number, self.number, 0)

    def __exit__(self, *_: object) -> None:
        if self.number is not None:
            os.setresuid(0, 0, 0)

    def become(self) -> None:
        """Be it for good."""
        if self.number is not None:
            os.setresuid(self.number, self.number, self.number)


def prefer(pid: int, user: User) -> None:
    """When memory runs out, the kernel shall end this process rather than the box's first one."""
    if user.number is not None:
        return  # a kernel of its own never ends anything, and remembers each process whose folder in /proc was looked at
    try:
        with open("/proc/%d/oom_score_adj" % pid, "w") as file:
            file.write("500")
    except OSError:
        pass


def bound(name: str, value: int) -> None:
    """Set a limit of this process and all it will start, by its name in `resource`."""
    import resource  # here: a box whose limits are set for it need not load it

    resource.setrlimit(getattr(resource, name), (value, value))


def spawn(args: list[bytes], env: dict[bytes, bytes], cwd: bytes, stdio: Sequence[int], user: User) -> int:
    """Run a program in a new session with the given stdin, stdout and stderr; returns its pid. Raises CannotStart, OSError."""
    actions = [(os.POSIX_SPAWN_DUP2, fd, target) for target, fd in enumerate(stdio)]
    try:
        with user:
            _enter(cwd)
            pid = _first_that_runs(
                args[0], env, lambda path: os.posix_spawn(path, args, env, file_actions=actions, setsid=True, setsigdef=[_signal.SIGPIPE])
            )
    finally:
        os.chdir("/")  # this process keeps no folder of the box in use
    prefer(pid, user)
    return pid


def fork(work: Callable[[], None], stdio: Sequence[int], user: User, terminal: bool = False) -> int:
    """Run `work` in a new session with the given stdin, stdout and stderr; returns its pid."""
    pid = os.fork()
    if pid:
        prefer(pid, user)
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
        user.become()
        work()
    except CannotStart as error:
        _complain(error)
    except BaseException as error:  # the child must never return into the loop
        os.write(2, b"box: %s\n" % str(error).encode("utf-8", "replace"))
    finally:
        os._exit(126)


def become(args: list[bytes], env: dict[bytes, bytes], cwd: bytes) -> None:
    """Become a program; never returns. Raises CannotStart."""
    _enter(cwd)
    _first_that_runs(args[0], env, lambda path: os.execve(path, args, env))


def _enter(folder: bytes) -> None:
    try:
        os.chdir(folder)
    except OSError as error:
        raise CannotStart(b"cannot enter " + folder, error, 126) from error


def _first_that_runs(name: bytes, env: dict[bytes, bytes], run: Callable[[bytes], _T]) -> _T:
    """Run the first program of that name on the PATH of `env` that can be run. Raises CannotStart."""
    paths = [name] if b"/" in name else [os.path.join(folder, name) for folder in env.get(b"PATH", _PATH).split(b":")]
    refusal: OSError = FileNotFoundError(errno.ENOENT, "")
    for path in paths:
        try:
            os.stat(path)  # trying to run what is not there costs more
            return run(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            refusal = error
    raise CannotStart(name, refusal, 127 if refusal.errno == errno.ENOENT else 126)


def _complain(error: CannotStart) -> None:
    os.write(2, b"box: %s\n" % os.fsencode(str(error)))
    os._exit(error.code)


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
