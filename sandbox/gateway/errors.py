"""What can go wrong at the gateway, and whose fault it is.

GatewayError (sandbox.errors.SandboxError)
├── Refused                  the box: it asked for what it may not have; `rule` says by which rule
├── CallRefused              the box: its grant does not cover a model call; carries the status and kind to answer with
├── BadName (ValueError)     the box, or who wrote a policy: not a host name, address or port as it should be written
├── BadHttp (ValueError)     the box: not HTTP as it should be; carries the status to answer with
├── BadHeaders (ValueError)  the caller: headers that cannot be attached
├── BadPrices (ValueError)   the operator: a price table that cannot be read
└── UpstreamFailed           the server outside: unknown, silent, broken off; carries the status to answer with

Each becomes an HTTP answer to the program in the box, so its text names nothing secret.
"""

from __future__ import annotations

from sandbox.errors import SandboxError


class GatewayError(SandboxError):
    """Base of all errors of the gateway; `status` is what HTTP clients are told."""

    status = 500


class Refused(GatewayError):
    """A rule forbids it.

    Attributes:
        host: whom it was about, as the box wrote it in canonical form.
        rule: short name of the rule, for the log and the answer.
    """

    status = 403

    def __init__(self, host: str, rule: str) -> None:
        super().__init__(f"{host} is refused by the box's network policy: {rule}")
        self.host, self.rule = host, rule


class BadName(GatewayError, ValueError):
    """A host name, address, port or pattern that is not written as it should be."""

    status = 400


class BadHttp(GatewayError, ValueError):
    """The box does not speak HTTP/1.1 as it should."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


class BadHeaders(GatewayError, ValueError):
    """Headers to attach that would break a request, or their pattern is none."""


class BadPrices(GatewayError, ValueError):
    """A price table lacks what it must have."""


class UpstreamFailed(GatewayError):
    """The server outside could not be reached or did not answer properly."""

    def __init__(self, text: str, status: int = 502) -> None:
        super().__init__(text)
        self.status = status


class CallRefused(GatewayError):
    """The grant does not cover a call.

    Attributes:
        status: one after which the known command line agents stop; they try 429 and 5xx again, and some 402 too.
        kind: short name for the answer, in Anthropic's words.
    """

    def __init__(self, text: str, status: int, kind: str) -> None:
        super().__init__(text)
        self.status, self.kind = status, kind
