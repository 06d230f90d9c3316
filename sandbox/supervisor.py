"""PID 1 of a box: starts, signals and reaps the box's processes on the host's request.

Runs inside the box on the box's own Python (3.8 or newer) with `-I -S`; it must import nothing
of this project. The C modules behind `socket` and `signal` are used directly, because importing
those two costs 5 ms in every box.

One SOCK_SEQPACKET connection leads to the host. A message is a list of byte strings joined
by NUL. From the host, with the descriptors for stdin, stdout and stderr attached:

    exec ID TTY CWD NARGS arg… NENV key=value…     start a program (TTY: `ROWSxCOLS` or empty)
    file ID ACTION arg…                            a file operation, see `FILE_ACTIONS`
    kill ID                                        kill all that this exec started
    signal ID NUMBER                               signal the exec's process group
    stop ID · cont ID · killall ID                 every process of the box but this one
    ps ID                                          how many processes live, this one not counted

To the host: `ready PID`, `tty ID` (the master attached), `exit ID CODE` (negative: minus the
signal), `done ID NUMBER`. The host treats all of it as untrusted. When the host goes away the
box ends.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found,unused-ignore]
import _socket
import os
import resource
import select
import sys

TYPE_CHECKING = False  # as in `typing`, which would cost 4 ms to import
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HOME = b"/workspace/home"
SOL_SOCKET, SCM_RIGHTS = 1, 1
PR_SET_DUMPABLE = 4


def harden() -> None:
    """Keep other processes of the box out of this one's memory and descriptors."""
    import ctypes

    if ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError("prctl(PR_SET_DUMPABLE) failed")


class Supervisor:
    """The loop: one message in, at most one process started, exits reported as they come."""

    def __init__(self, host: _socket.socket, limits: list[tuple[int, int]]) -> None:
        self.host = host
        self.limits = limits
        self.running: dict[int, bytes] = {}  # pid -> exec id
        self.stopped_before: set[int] = set()
        self.wake_r, self.wake_w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        _signal.signal(_signal.SIGCHLD, lambda *_: None)
        _signal.set_wakeup_fd(self.wake_w, warn_on_full_buffer=False)

    def run(self) -> None:
        """Serve until the host closes its end."""
        self.tell(b"ready", b"%d" % os.getpid())
        poller = select.poll()
        poller.register(self.host, select.POLLIN)
        poller.register(self.wake_r, select.POLLIN)
        while True:
            for fd, _ in poller.poll():
                if fd == self.wake_r:
                    os.read(self.wake_r, 4096)
                    self.reap()
                elif not self.take():
                    return

    def tell(self, *parts: bytes, fds: tuple[int, ...] = ()) -> None:
        """Send one message to the host."""
        packed = b"".join(fd.to_bytes(4, sys.byteorder) for fd in fds)
        ancillary = [(SOL_SOCKET, SCM_RIGHTS, packed)] if fds else []
        self.host.sendmsg([b"\0".join(parts)], ancillary)

    def take(self) -> bool:
        """Receive one message and act on it; False when the host is gone."""
        data, ancillary, _, _ = self.host.recvmsg(1 << 20, _socket.CMSG_SPACE(4 * 8))
        if not data:
            return False
        fds: list[int] = []
        for level, kind, payload in ancillary:
            if level == SOL_SOCKET and kind == SCM_RIGHTS:
                fds += [int.from_bytes(payload[i : i + 4], sys.byteorder) for i in range(0, len(payload) - 3, 4)]
        try:
            verb, exec_id, *rest = data.split(b"\0")
            getattr(self, "do_" + verb.decode())(exec_id, rest, fds)
        finally:
            for fd in fds:
                os.close(fd)
        return True

    def reap(self) -> None:
        """Report every exec that ended; orphans adopted from the box are reaped in silence."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            exec_id = self.running.pop(pid, None)
            if exec_id is not None:
                self.tell(b"exit", exec_id, b"%d" % os.waitstatus_to_exitcode(status))

    def do_exec(self, exec_id: bytes, rest: list[bytes], fds: list[int]) -> None:
        """Start a program on the given descriptors, or on a new terminal."""
        tty, cwd, rest = rest[0], rest[1], rest[2:]
        count = int(rest[0])
        args, rest = rest[1 : 1 + count], rest[1 + count :]
        env = dict(pair.split(b"=", 1) for pair in rest[1 : 1 + int(rest[0])])
        master = slave = -1
        if tty:
            master, slave = os.openpty()
            set_window(master, tty)
            fds = [*fds, slave]
        try:
            stdio = (slave, slave, slave) if tty else fds[:3]
            self.fork(exec_id, lambda: run_program(args, env, cwd, bool(tty)), stdio)
            if tty:
                self.tell(b"tty", exec_id, fds=(master,))
        finally:
            if tty:
                os.close(master)
                os.close(slave)

    def do_file(self, exec_id: bytes, rest: list[bytes], fds: list[int]) -> None:
        """Do a file operation in a child: links are resolved in the box, and a hang harms nothing."""
        self.fork(exec_id, lambda: run_file_action(rest), fds[:3])

    def fork(self, exec_id: bytes, work: Callable[[], None], stdio: Sequence[int]) -> None:
        """Run `work` in a new session with the given stdin, stdout and stderr."""
        pid = os.fork()
        if pid:
            self.running[pid] = exec_id
            return
        try:
            _signal.set_wakeup_fd(-1)
            for number in (_signal.SIGCHLD, _signal.SIGPIPE):
                _signal.signal(number, _signal.SIG_DFL)
            os.setsid()
            for target, fd in enumerate([os.dup(fd) for fd in stdio]):
                os.dup2(fd, target)
            os.closerange(3, 1024)
            for kind, value in self.limits:
                resource.setrlimit(kind, (value, value))
            work()
        except BaseException as error:  # the child must never return into the loop
            os.write(2, b"box: %s\n" % str(error).encode("utf-8", "replace"))
        finally:
            os._exit(126)

    def do_signal(self, exec_id: bytes, rest: list[bytes], _fds: list[int]) -> None:
        """Signal the process group of one exec."""
        for pid in [pid for pid, owner in self.running.items() if owner == exec_id]:
            send(pid, int(rest[0]), group=True)

    def do_kill(self, exec_id: bytes, _rest: list[bytes], _fds: list[int]) -> None:
        """Kill one exec: its session, its group and everything descended from it."""
        roots = {pid for pid, owner in self.running.items() if owner == exec_id}
        doomed, before = set(roots), -1
        while len(doomed) != before:  # until a pass over /proc finds nobody new
            before = len(doomed)
            for pid, (parent, session, _) in processes().items():
                if parent in doomed or session in roots:
                    doomed.add(pid)
                    send(pid, _signal.SIGSTOP)
        for pid in doomed:
            send(pid, _signal.SIGKILL)

    def do_stop(self, exec_id: bytes, _rest: list[bytes], _fds: list[int]) -> None:
        """Stop every process where it stands; those stopped already are remembered."""
        self.stopped_before = {pid for pid, (_, _, state) in processes().items() if state in "Tt"}
        for _ in range(1000):
            moving = [pid for pid, (_, _, state) in processes().items() if state not in "TtZX"]
            if not moving:
                break
            for pid in moving:
                send(pid, _signal.SIGSTOP)
            os.sched_yield()
        self.tell(b"done", exec_id, b"%d" % len(processes()))

    def do_cont(self, exec_id: bytes, _rest: list[bytes], _fds: list[int]) -> None:
        """Let everything go on that `stop` stopped."""
        for pid in processes():
            if pid not in self.stopped_before:
                send(pid, _signal.SIGCONT)
        self.tell(b"done", exec_id, b"%d" % len(processes()))

    def do_killall(self, exec_id: bytes, _rest: list[bytes], _fds: list[int]) -> None:
        """Kill every process of the box but this one."""
        count = len(processes())
        send(-1, _signal.SIGKILL)
        self.tell(b"done", exec_id, b"%d" % count)

    def do_ps(self, exec_id: bytes, _rest: list[bytes], _fds: list[int]) -> None:
        """Count the living processes."""
        alive = [pid for pid, (_, _, state) in processes().items() if state not in "ZX"]
        self.tell(b"done", exec_id, b"%d" % len(alive))


def processes() -> dict[int, tuple[int, int, str]]:
    """All processes of the box but this one: pid -> (parent, session, state letter)."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                with open("/proc/" + name + "/stat", "rb") as stat:
                    fields = stat.read().rpartition(b")")[2].split()
            except OSError:
                continue  # ended meanwhile
            found[int(name)] = (int(fields[1]), int(fields[3]), fields[0].decode())
    return found


def send(pid: int, number: int, group: bool = False) -> None:
    """Signal a process that may be gone already."""
    try:
        (os.killpg if group else os.kill)(pid, number)
    except ProcessLookupError:
        pass


def set_window(fd: int, size: bytes) -> None:
    """Set a terminal's size from `ROWSxCOLS`."""
    import fcntl
    import struct
    import termios

    rows, columns = (int(number) for number in size.split(b"x"))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def run_program(args: list[bytes], env: dict[bytes, bytes], cwd: bytes, tty: bool) -> None:
    """Become the program; never returns. 127: no such program, 126: it cannot be run."""
    if tty:
        import fcntl
        import termios

        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    try:
        os.chdir(cwd)
    except OSError as error:
        complain(b"cannot enter " + cwd, error, 126)
    try:
        os.execvpe(args[0], args, env)
    except FileNotFoundError as error:
        complain(args[0], error, 127)
    except OSError as error:
        complain(args[0], error, 126)


def complain(subject: bytes, error: OSError, code: int) -> None:
    """Say why a program could not be started, and end with its exit code."""
    os.write(2, b"box: %s: %s\n" % (subject, os.strerror(error.errno or 0).encode()))
    os._exit(code)


def run_file_action(parts: list[bytes]) -> None:
    """Do one file operation; never returns. On failure stderr holds `ERRNO NUL text`, exit code 1."""
    try:
        os.chdir(HOME)
        FILE_ACTIONS[parts[0]](*parts[1:])
    except OSError as error:
        os.write(2, b"%d\0%s" % (error.errno or 0, os.strerror(error.errno or 0).encode()))
        os._exit(1)
    os._exit(0)


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`, however small the pipe."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def file_read(path: bytes, offset: bytes, length: bytes) -> None:
    """Copy a range of a regular file to stdout; length -1 means to the end."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # never hang on a named pipe
    if (os.fstat(fd).st_mode & 0o170000) != 0o100000:
        raise IsADirectoryError(21, "not a regular file") if os.path.isdir(path) else OSError(22, "not a regular file")
    os.lseek(fd, int(offset), os.SEEK_SET)
    left = int(length)
    while left:
        chunk = os.read(fd, 1 << 16 if left < 0 else min(left, 1 << 16))
        if not chunk:
            return
        left -= len(chunk) if left > 0 else 0
        write_all(1, chunk)


def file_write(path: bytes, mode: bytes) -> None:
    """Replace a file by what comes on stdin, in one step; its folders are made."""
    folder = os.path.dirname(path)
    if folder:
        os.makedirs(folder, exist_ok=True)
    part = path + b".part-%d" % os.getpid()
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, int(mode, 8))
    try:
        while True:
            chunk = os.read(0, 1 << 16)
            if not chunk:
                break
            write_all(fd, chunk)
        os.fchmod(fd, int(mode, 8))
        os.replace(part, path)
    except OSError:
        os.unlink(part)
        raise


def describe(path: bytes, name: bytes) -> bytes:
    """One record of `list` and `stat`: kind, mode, size, seconds of the last change, name."""
    info = os.lstat(path)
    kinds = {0o040000: b"dir", 0o100000: b"file", 0o120000: b"link"}
    kind = kinds.get(info.st_mode & 0o170000, b"other")
    return b"%s\0%d\0%d\0%d\0%s\0" % (kind, info.st_mode & 0o7777, info.st_size, int(info.st_mtime), name)


def file_list(path: bytes) -> None:
    """Records of a folder's entries, sorted by name."""
    for name in sorted(os.listdir(path)):
        write_all(1, describe(os.path.join(path, name), name))


def file_stat(path: bytes) -> None:
    """The record of one path; a link is described, not followed."""
    write_all(1, describe(path, path))


def file_remove(path: bytes) -> None:
    """Remove a file, a link or a folder with all it holds."""
    if os.path.isdir(path) and not os.path.islink(path):
        import shutil

        shutil.rmtree(path)
    else:
        os.unlink(path)


FILE_ACTIONS: dict[bytes, Callable[..., None]] = {
    b"read": file_read,
    b"write": file_write,
    b"list": file_list,
    b"stat": file_stat,
    b"mkdir": lambda path: os.makedirs(path, exist_ok=True),
    b"rename": os.rename,
    b"remove": file_remove,
}


def main() -> None:
    """Take over the connection given by number; limits follow as `RLIMIT=value`."""
    harden()
    host = _socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(host.fileno(), False)
    limits = [(getattr(resource, name), int(value)) for name, _, value in (word.partition("=") for word in sys.argv[2:])]
    Supervisor(host, limits).run()


if __name__ == "__main__":
    main()
