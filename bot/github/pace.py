"""How long is waited for what. Tests have less patience."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Seconds.

    Args:
        call_s: for one call; GitHub itself ends what takes longer than ten.
        settle_s: after a call that creates something got no answer, until it is looked whether it is there.
        again_s: pauses before a call that may be made twice is.
        pause_s, longest_s: after a failure, until a pull request is looked at again; twice as long each time.
        look_s: a review that runs is looked at so often, should its end go unheard.
        gone_s: so long an installation may be unknown before its pull requests are given up.
        patience_s: the same of everything else that goes wrong.
    """

    call_s: float = 20.0
    settle_s: float = 10.0
    again_s: tuple[float, ...] = (0.3, 1.0, 3.0)
    pause_s: float = 1.0
    longest_s: float = 300.0
    look_s: float = 15.0
    gone_s: float = 60.0
    patience_s: float = 24 * 3600.0


USUAL = Pace()
