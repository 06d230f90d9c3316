"""Boxes of a box-review server, through the official Upstash Box client, and what that client lacks.

boxes = Boxes()                                # BOX_REVIEW_URL and BOX_REVIEW_API_KEY, or Boxes(Address(...))
box = boxes.create(name="scratch")
print(box.exec.command("uname -a").result)
other = box.fork()
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Self, cast

import upstash_box
from upstash_box import BoxData

from box_review.client import Address


class Box(upstash_box.Box[Any]):
    """A box. All of the official client's, and `fork`."""

    def fork(self) -> Self:
        """A new box that starts from what this one is now; from one that is paused with its programs, with them."""
        made = self._request("POST", f"/v2/box/{self.id}/fork")
        return type(self).get(made["id"], base_url=self._base_url, api_key=self._headers["X-Box-Api-Key"])  # type: ignore[return-value]


class Boxes:
    """The boxes of one server. Raises what the official client raises, `upstash_box.BoxError` above all."""

    def __init__(self, address: Address | None = None) -> None:
        given = address or official_address() or Address.from_environment()
        self._where: dict[str, Any] = {"base_url": given.url, "api_key": given.api_key}

    def create(self, **config: Any) -> Box:
        """A new box; see `upstash_box.Box.create`."""
        return cast("Box", Box.create(**config, **self._where))

    def from_snapshot(self, snapshot_id: str, **config: Any) -> Box:
        """A new box with the files of a snapshot."""
        return cast("Box", Box.from_snapshot(snapshot_id, **config, **self._where))

    def get(self, name: str) -> Box:
        """A box by id or name."""
        return cast("Box", Box.get(name, **self._where))

    def list(self, label: str | None = None) -> list[BoxData]:
        """All boxes, or those with a label."""
        return Box.list(**({"label": label} if label else {}), **self._where)

    def delete(self, ids: Sequence[str]) -> None:
        """Delete boxes by id or name."""
        Box.delete_boxes(box_ids=[*ids], **self._where)


def official_address() -> Address | None:
    """What the official client reads, if it is set and `BOX_REVIEW_URL` names no other server."""
    url, key = os.environ.get("UPSTASH_BOX_BASE_URL", ""), os.environ.get("UPSTASH_BOX_API_KEY", "")
    return Address(url.rstrip("/"), key) if url and key and not os.environ.get("BOX_REVIEW_URL") else None
