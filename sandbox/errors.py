"""What can go wrong with boxes, and whose fault it is.

SandboxError
├── HostUnfit                      the host: it lacks something boxes need; the text says what would fix it
├── DiskFull (OSError)             the host: no room left under the data directory
├── BoxNotFound (LookupError)      the caller: no such box or snapshot
├── BoxBusy                        the caller: not possible in the box's present state
├── BadRequest (ValueError)        the caller: a command, path or option that cannot be used
├── Unsupported                    the caller asked for what this driver cannot do
├── NothingListens                 the caller: no program in the box listens on that port
├── BoxFileError (OSError)         a file operation in the box failed; carries the errno
├── BoxDead                        the box: its supervisor is gone, or does not answer
└── ImageCorrupt                   a frozen image does not match its manifest

A command that fails in a box is none of these: it is an `ExecResult`.
"""

from __future__ import annotations


class SandboxError(Exception):
    """Base of all errors of this package; the text is one sentence for the person who runs the host."""


class HostUnfit(SandboxError):
    """The host lacks something that boxes need."""


class DiskFull(SandboxError, OSError):
    """There is no room left under the data directory."""

    def __str__(self) -> str:
        return self.strerror or super().__str__()


class BoxNotFound(SandboxError, LookupError):
    """No box or snapshot has this id."""


class BoxBusy(SandboxError):
    """The box is in a state in which this cannot be done."""


class BadRequest(SandboxError, ValueError):
    """A command, path or option cannot be used."""


class Unsupported(SandboxError):
    """This driver cannot do what was asked."""


class NothingListens(SandboxError):
    """No program in the box listens on that port."""


class BoxFileError(SandboxError, OSError):
    """A file operation in the box failed; `errno` and `filename` as for any OSError."""


class BoxDead(SandboxError):
    """The box's first process is gone or does not answer."""


class ImageCorrupt(SandboxError):
    """A frozen image is incomplete or altered."""
