"""Which host the front asks for a box."""

from __future__ import annotations

import time

import pytest
from box_review.jobs import HostReport
from pydantic import SecretStr

from bot.errors import Refused
from bot.fleet import Fleet, Place


class _Registry:
    """A registry with the hosts of a test."""

    def __init__(self, *boxes: str, held: int = 0) -> None:
        self._hosts = [
            HostReport(
                id=f"h{number}",
                version="1",
                capacity=1,
                drivers=(),
                harnesses=(),
                roles=(),
                boxes=address,
                held=held * number,
                seen_at=time.time(),
            )
            for number, address in enumerate(boxes)
        ]

    async def hosts(self) -> list[HostReport]:
        return self._hosts


async def test_the_only_host_is_asked_whatever_it_is_for() -> None:
    fleet = Fleet(_Registry("/run/boxes.sock", ""), None)  # type: ignore[arg-type]
    place = Place("h0", "/run/boxes.sock")
    assert await fleet.places() == [place]
    assert await fleet.of_box("t", "any") == await fleet.of_snapshot("t", "any") == await fleet.of_visit("any") == place
    assert (place.socket, place.url) == ("/run/boxes.sock", "http://host")


@pytest.mark.parametrize("hosts", [(), ("", "")])
async def test_without_a_host_that_holds_boxes_the_front_says_so(hosts: tuple[str, ...]) -> None:
    with pytest.raises(Refused, match="no host") as refused:
        await Fleet(_Registry(*hosts), None).places()  # type: ignore[arg-type]
    assert refused.value.status_code == 503


async def test_new_boxes_go_where_fewest_are() -> None:
    fleet = Fleet(_Registry("http://a:1", "http://b:1", "http://c:1", held=2), None)  # type: ignore[arg-type]
    assert [(await fleet.for_new_box()).host_id for _ in range(6)] == ["h0", "h0", "h0", "h1", "h0", "h1"]


async def test_only_hosts_on_the_network_are_shown_the_token() -> None:
    fleet = Fleet(_Registry(), SecretStr("secret-of-the-fleet"))  # type: ignore[arg-type]
    assert fleet.shown(Place("h", "/run/boxes.sock")) == []
    assert fleet.shown(Place("h", "https://b:1/")) == [("x-box-host-token", "secret-of-the-fleet")]
    assert Place("h", "https://b:1/").url == "https://b:1"


async def test_host_that_does_not_answer_is_not_taken_for_one_that_lacks_the_box() -> None:
    fleet = Fleet(_Registry("http://127.0.0.1:1", "http://127.0.0.1:2"), None)  # type: ignore[arg-type]
    with pytest.raises(Refused) as refused:
        await fleet.of_box("t", "bx1")
    assert refused.value.status_code == 503
    await fleet.close()
