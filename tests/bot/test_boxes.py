"""Which host the front asks for boxes."""

from __future__ import annotations

import time
from typing import cast

import pytest
from box_review.jobs import HostReport

from bot.boxes import Hosts
from bot.errors import Refused
from bot.reviews import Reviews


class Registry:
    """Hosts that say they are up, by the sockets of their boxes."""

    def __init__(self, *sockets: str) -> None:
        self._sockets = sockets

    async def hosts(self) -> list[HostReport]:
        said = {"version": "1", "capacity": 1, "drivers": (), "harnesses": (), "roles": (), "seen_at": time.time()}
        return [HostReport.model_validate({"id": f"h{number}", "boxes": socket, **said}) for number, socket in enumerate(self._sockets)]


async def test_the_one_host_with_boxes_is_asked() -> None:
    assert await Hosts(cast("Reviews", Registry("", "/run/boxes.sock"))).socket() == "/run/boxes.sock"


@pytest.mark.parametrize(("sockets", "said"), [((), "no host"), (("",), "no host"), (("/a", "/b"), "several hosts")])
async def test_no_host_and_too_many_are_said_clearly(sockets: tuple[str, ...], said: str) -> None:
    with pytest.raises(Refused, match=said) as refused:
        await Hosts(cast("Reviews", Registry(*sockets))).socket()
    assert refused.value.status_code == 503
