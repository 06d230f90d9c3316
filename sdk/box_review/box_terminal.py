"""A program in a box on this terminal, or between these pipes."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys
import termios
import threading
import tty
from collections.abc import Iterator, Sequence
from typing import Any

from box_review.boxes import Box

SHELL = ("sh", "-c", "command -v bash >/dev/null && exec bash -l; exec sh -l")
"""The best shell that a box has."""
_READ_BYTES = 1 << 16


def run(box: Box, argv: Sequence[str], *, tty: bool, interactive: bool, workdir: str | None) -> int:
    """Run a program to its end; returns its exit code. It dies with this process.

    Args:
        tty: give it a terminal; ours is then passed through as it is.
        interactive: pass on standard input.
    """
    size = shutil.get_terminal_size((80, 24))
    about: dict[str, Any] = {"tty": True, "rows": size.lines, "cols": size.columns} if tty else {}
    about |= {"cwd": workdir} if workdir else {}
    environment = [f"TERM={os.environ.get('TERM', 'xterm')}"] if tty else []
    output, errors = sys.stdout.buffer, sys.stderr.buffer

    def show(stream: Any) -> Any:
        def write(data: bytes) -> None:
            stream.write(data)
            stream.flush()

        return write

    with box.exec.session(argv=[*argv], env=environment, on_stdout=show(output), on_stderr=show(errors), **about) as session, _raw(tty):
        done, resized = threading.Event(), threading.Event()
        if tty:
            signal.signal(signal.SIGWINCH, lambda *_: resized.set())  # sent by the feeder: the session's lock may be held right now
        feeder = threading.Thread(target=_feed, args=(session, done, resized, interactive), daemon=True)
        feeder.start()
        code = session.wait()
        done.set()
        feeder.join(1)
    return 255 if code < 0 else code


def _feed(session: Any, done: threading.Event, resized: threading.Event, interactive: bool) -> None:
    """Pass standard input on, to its end, and the terminal's size when it has changed."""
    with contextlib.suppress(Exception):  # the program may be gone, and with it the connection
        descriptor = sys.stdin.fileno() if interactive else -1
        while interactive and not done.is_set():
            if resized.is_set():
                resized.clear()
                size = shutil.get_terminal_size((80, 24))
                session.resize(rows=size.lines, cols=size.columns)
            if not select.select([descriptor], [], [], 0.2)[0]:
                continue
            data = os.read(descriptor, _READ_BYTES)
            if not data:
                break
            session.write(data)
        if not done.is_set():
            session.end_stdin()


@contextlib.contextmanager
def _raw(wanted: bool) -> Iterator[None]:
    """Keys go to the program as they are; afterwards the terminal is as it was."""
    if not wanted or not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    tty.setraw(sys.stdin, termios.TCSADRAIN)  # the default would throw away what was typed since the program began
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
