"""PID 1 of a box: starts, signals and reaps the box's programs on the host's request.

Runs inside the box on the box's own Python (3.8 or newer) with `-I -S`; it must import nothing
of this project but its neighbours. The C modules behind `socket` and `signal` are used directly, because
importing those two costs 5 ms in every box.

The host speaks `wire` on stdin and listens on stdout, and treats all it hears as untrusted. When the host
goes away, the box ends. Programs hang on pipes of the box, never on the host's: so they can be frozen with
the box and go on after it was restored elsewhere, with another host at the other end.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found,unused-ignore]
import _socket
import os
import struct

from . import files, programs, wire
from .bounds import Bounds
from .doors import Doors
from .poller import Poller
from .processes import Processes, count_deleted_files, count_living, kill_largest, kill_tree, newest_group, send, signal_tree
from .streams import Sink, Source, end_writing, shut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Supervisor:
    """The loop: frames in, at most one process started by each, output and exits reported as they come."""

    def __init__(self, user: programs.User, bounds: Bounds, services: dict[int, bytes], keys: bool) -> None:
        self.user, self.bounds = user, bounds
        self.keys = keys  # typing ^C raises a signal only if this process does it
        self.processes = Processes()
        self.running: dict[int, int] = {}  # pid -> id
        self.terminals: dict[int, int] = {}  # id -> master
        self.file_work: set[int] = set()  # ids of file operations
        self.sources: dict[tuple[int, int], Source] = {}
        self.sinks: dict[tuple[int, int], Sink] = {}
        self.poller = Poller()
        self.doors = Doors(self.poller, self.opened)
        self.outgoing = bytearray()
        self.held = False
        self.next_connection = wire.CONNECTIONS
        self.frames = wire.Frames()
        self.wake_r, wake_w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        _signal.signal(_signal.SIGCHLD, lambda *_: None)
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # which the kernel keeps from a first process; Python would raise
        _signal.set_wakeup_fd(wake_w, warn_on_full_buffer=False)
        for port, service in services.items():
            self.doors.listen(port, lambda fd, service=service: self.arrived(service, fd))  # type: ignore[misc]

    def run(self) -> None:
        """Serve until the host closes its end."""
        os.set_blocking(0, False)
        os.set_blocking(1, False)
        self.poller.watch(0, self.hear)
        self.poller.watch(self.wake_r, self.reap)
        self.tell(b"!", 0)
        while True:
            self.poller.wait()

    # The host

    def hear(self) -> None:
        """Read what the host says and act on it; the box ends when the host is gone."""
        try:
            data = os.read(0, 1 << 19)
        except BlockingIOError:
            return
        if not data:
            os._exit(0)
        for kind, stream, ident, payload in self.frames.feed(data):
            try:
                ACTIONS[kind](self, ident, stream, payload)
            except (OSError, ValueError, OverflowError, struct.error) as error:
                self.fail(kind, ident, error)

    def fail(self, kind: bytes, ident: int, error: Exception) -> None:
        """A request could not be done: the box is full, or the words made no sense. The box goes on."""
        if kind in (b"x", b"f"):
            code = error.code if isinstance(error, programs.CannotStart) else 126
            self.tell(b"d", ident, b"box: %s\n" % os.fsencode(str(error)), wire.STDERR)
            self.tell(b"d", ident, b"", wire.STDOUT)
            self.tell(b"d", ident, b"", wire.STDERR)
            self.tell(b"e", ident, b"%d" % code)

    def tell(self, kind: bytes, ident: int, payload: bytes = b"", stream: int = 0) -> None:
        """Send one frame."""
        self.outgoing += wire.pack(kind, ident, payload, stream)
        if len(self.outgoing) < wire.CHUNK * 2:
            self.flush()

    def flush(self) -> None:
        """Write what waits for the host, as far as it reads."""
        try:
            while self.outgoing:
                del self.outgoing[: os.write(1, self.outgoing)]
        except BlockingIOError:
            self.poller.watch_writing(1, self.flush)
            return
        except BrokenPipeError:
            os._exit(0)
        self.poller.forget_writing(1)

    # Streams

    def read_from(self, fd: int, ident: int, stream: int) -> None:
        """Send what a descriptor gives to the host, as one stream."""
        os.set_blocking(fd, False)
        self.sources[ident, stream] = Source(fd, lambda data: self.tell(b"d", ident, data, stream))
        self.poller.watch(fd, lambda: self.pump(ident, stream))

    def write_to(self, fd: int, ident: int, end: Callable[[int], None] = os.close) -> None:
        """Give what the host sends to a descriptor; `end` closes it."""
        os.set_blocking(fd, False)
        self.sinks[ident, 0] = Sink(fd, lambda count: self.tell(b"c", ident, b"%d" % count), end)

    def pump(self, ident: int, stream: int) -> None:
        """Move what there is, as far as the host has given credit."""
        source = self.sources[ident, stream]
        if not source.wants or self.held:
            self.poller.forget(source.fd)
        elif not source.ready():
            self.poller.forget(source.fd)
            del self.sources[ident, stream]
            self.settle(ident)

    def drain(self, ident: int) -> None:
        """Move what the host sent, as far as the program reads."""
        sink = self.sinks[ident, 0]
        if not sink.wants:
            self.poller.forget_writing(sink.fd)
        elif not sink.ready():
            self.poller.forget_writing(sink.fd)
            del self.sinks[ident, 0]
            self.settle(ident)

    def settle(self, ident: int) -> None:
        """A connection is over when both its streams are."""
        if ident >= wire.CONNECTIONS and (ident, 1) not in self.sources and (ident, 0) not in self.sinks:
            self.tell(b"z", ident)

    def take_data(self, ident: int, stream: int, payload: bytes) -> None:
        """Input for a program or connection; for one that is gone it is taken and lost."""
        sink = self.sinks.get((ident, stream))
        if payload and self.keys and ident in self.terminals:
            payload = self.raise_keys(ident, payload)
            if not payload:
                return
        if sink is None:
            self.tell(b"c", ident, b"%d" % len(payload))
            return
        sink.take(payload)
        self.poller.watch_writing(sink.fd, lambda: self.drain(ident))
        self.drain(ident)

    def take_credit(self, ident: int, stream: int, payload: bytes) -> None:
        """The host has room for more."""
        source = self.sources.get((ident, stream))
        if source is not None:
            source.credit += int(payload)
            self.poller.watch(source.fd, lambda: self.pump(ident, stream))

    def leave(self, ident: int, _stream: int = 0, _payload: bytes = b"") -> None:
        """Nobody listens to this id any more: output is thrown away, input is at its end, connections are cut."""
        self.doors.close(ident)
        for stream in (1, 2):
            source = self.sources.get((ident, stream))
            if source is not None:
                source.ignore()
                self.poller.watch(source.fd, lambda stream=stream: self.pump(ident, stream))  # type: ignore[misc]
        if (ident, 0) in self.sinks:
            self.take_data(ident, 0, b"")
        if ident >= wire.CONNECTIONS and (ident, 1) in self.sources:
            shut(self.sources[ident, 1].fd, _socket.SHUT_RDWR)

    # Programs

    def start(self, ident: int, _stream: int, payload: bytes) -> None:
        """Start a program on pipes of its own, or on a new terminal."""
        words = payload.split(b"\0")
        tty, cwd, count = words[0], words[1], int(words[2])
        args, rest = words[3 : 3 + count], words[3 + count :]
        env = dict(pair.split(b"=", 1) for pair in rest[1 : 1 + int(rest[0])])
        if tty:
            self.start_on_terminal(ident, tty, lambda: programs.become(args, env, cwd))
        else:
            self.start_on_pipes(ident, lambda stdio: programs.spawn(args, env, cwd, stdio, self.user))

    def start_on_pipes(self, ident: int, start: Callable[[Sequence[int]], int]) -> None:
        """Start something on three pipes; `start` gives its pid."""
        fds: list[int] = []
        try:
            for _ in range(3):
                fds += os.pipe2(os.O_CLOEXEC)
            in_r, in_w, out_r, out_w, err_r, err_w = fds
            self.started(start((in_r, out_w, err_w)), ident)
        except OSError:
            for fd in fds:
                os.close(fd)
            raise
        for fd in (in_r, out_w, err_w):
            os.close(fd)
        self.write_to(in_w, ident)
        self.read_from(out_r, ident, wire.STDOUT)
        self.read_from(err_r, ident, wire.STDERR)

    def start_on_terminal(self, ident: int, size: bytes, work: Callable[[], None]) -> None:
        """Run `work` with a terminal of the given size."""
        master, slave = os.openpty()
        try:
            programs.set_window(master, size)
            self.started(programs.fork(work, (slave, slave, slave), self.user, terminal=True), ident)
        except Exception:
            os.close(master)
            raise
        finally:
            os.close(slave)
        self.terminals[ident] = os.dup(master)
        self.write_to(os.dup(master), ident)
        self.read_from(master, ident, wire.STDOUT)

    def started(self, pid: int, ident: int) -> None:
        """Know a program, and tell its pid."""
        self.running[pid] = ident
        self.tell(b"p", ident, b"%d" % pid)

    def file(self, ident: int, _stream: int, payload: bytes) -> None:
        """Do a file operation in a child: a hang harms nothing."""
        self.start_on_pipes(ident, lambda stdio: programs.fork(lambda: files.run(payload.split(b"\0")), stdio, self.user))
        self.file_work.add(ident)

    def reap(self) -> None:
        """Report every program that ended; orphans adopted from the box are reaped in silence."""
        os.read(self.wake_r, 4096)
        if self.bounds.full:
            self.tell(b"l", 0, b"pids")
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            ident = self.running.pop(pid, None)
            self.file_work.discard(ident or 0)
            if ident is not None:
                if ident in self.terminals:
                    os.close(self.terminals.pop(ident))
                if not self.held:
                    self.last_words(ident)
                self.tell(b"e", ident, b"%d" % os.waitstatus_to_exitcode(status))

    def last_words(self, ident: int) -> None:
        """Send what a program that has ended left in its pipes."""
        for stream in (wire.STDOUT, wire.STDERR):
            source = self.sources.get((ident, stream))
            if source is not None and not source.last_words():
                self.poller.forget(source.fd)
                del self.sources[ident, stream]

    def pids(self, ident: int) -> set[int]:
        """The program's own process, while it lives."""
        return {pid for pid, owner in self.running.items() if owner == ident}

    def kill(self, ident: int, _stream: int, _payload: bytes) -> None:
        """Kill a program and everything it started."""
        kill_tree(self.pids(ident))

    def signal(self, ident: int, _stream: int, payload: bytes) -> None:
        """Signal a program and everything it started."""
        signal_tree(self.pids(ident), int(payload))

    def resize(self, ident: int, _stream: int, payload: bytes) -> None:
        """Change the size of a program's terminal."""
        if ident in self.terminals:
            programs.set_window(self.terminals[ident], payload)

    def raise_keys(self, ident: int, data: bytes) -> bytes:
        """Raise the signals of keys such as ^C, where the box's kernel does not; returns the other keys."""
        raised, rest = programs.keys_pressed(self.terminals[ident], data)
        for pid in self.pids(ident):
            for number in raised:
                send(newest_group(pid), number, group=True)
        self.tell(b"c", ident, b"%d" % (len(data) - len(rest)))
        return rest

    # Connections

    def arrived(self, service: bytes, fd: int) -> None:
        """A program in the box wants to reach a service of the host."""
        if self.held:
            os.close(fd)
            return
        ident = self.next_connection
        self.next_connection += 1
        self.tell(b"n", ident, service)
        self.carry(ident, fd)

    def visit(self, ident: int, _stream: int, payload: bytes) -> None:
        """The host wants to reach a port of the box."""
        self.doors.open(ident, int(payload))

    def opened(self, ident: int, fd: int) -> None:
        """What came of it."""
        if fd < 0:
            self.tell(b"e", ident, b"1")
            self.tell(b"z", ident)
            return
        self.tell(b"p", ident, b"1")
        self.carry(ident, fd)

    def carry(self, ident: int, fd: int) -> None:
        """Move what a connection has both ways."""
        try:
            other = os.dup(fd)
        except OSError:  # there are too many
            os.close(fd)
            self.tell(b"z", ident)
            return
        self.write_to(other, ident, end_writing)
        self.read_from(fd, ident, wire.STDOUT)

    # Freezing

    def answer(self, ident: int, _stream: int, payload: bytes) -> None:
        """Answer a question by a number."""
        self.tell(b"a", ident, b"%d" % ANSWERS[payload](self))

    def hold(self) -> int:
        """Say nothing more until `go_on`: what programs write stays in their pipes, connections are cut."""
        self.held = True
        self.doors.close_all()
        for ident in {ident for ident, _ in (*self.sources, *self.sinks) if ident >= wire.CONNECTIONS}:
            self.leave(ident)
        return 0

    def go_on(self) -> int:
        """The host is back."""
        self.held = False
        for (ident, stream), source in list(self.sources.items()):
            self.poller.watch(source.fd, lambda ident=ident, stream=stream: self.pump(ident, stream))  # type: ignore[misc]
        return 0

    def orphan(self) -> int:
        """Another host than the one that started them: nobody listens to the programs, and nobody answers them."""
        kill_tree({pid for pid, ident in self.running.items() if ident in self.file_work})
        idents = {ident for ident, _ in (*self.sources, *self.sinks)}
        for ident in idents:
            self.leave(ident)
        return len(idents)


ACTIONS: dict[bytes, Callable[[Supervisor, int, int, bytes], None]] = {
    b"x": Supervisor.start,
    b"f": Supervisor.file,
    b"k": Supervisor.kill,
    b"s": Supervisor.signal,
    b"w": Supervisor.resize,
    b"q": Supervisor.answer,
    b"o": Supervisor.visit,
    b"z": Supervisor.leave,
    b"d": Supervisor.take_data,
    b"c": Supervisor.take_credit,
}
ANSWERS: dict[bytes, Callable[[Supervisor], int]] = {
    b"stop": lambda supervisor: supervisor.processes.stop_all(),
    b"cont": lambda supervisor: supervisor.processes.continue_all(),
    b"killall": lambda supervisor: supervisor.processes.kill_all(),
    b"ps": lambda _: count_living(),
    b"kill largest": lambda _: kill_largest(),
    b"deleted": lambda _: count_deleted_files(),
    b"memory": lambda supervisor: supervisor.bounds.memory_used(),
    b"hold": Supervisor.hold,
    b"go on": Supervisor.go_on,
    b"orphan": Supervisor.orphan,
}
