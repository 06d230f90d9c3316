"""Making, finding, deleting."""

from __future__ import annotations

from sandbox.box import BoxSpec
from sandbox.conformance.check import a_box, expect, promise, shell
from sandbox.driver import Driver
from sandbox.errors import BoxDead, BoxNotFound


@promise("a deleted box is gone, and deleting it again is no error", "life")
async def _delete(driver: Driver) -> None:
    async with a_box(driver) as box:
        await box.delete()
        await box.delete()
        expect(box.id in [other.id for other in driver.boxes()], False, "still listed")
        for call in (lambda: shell(box, "true"), lambda: box.read_file("x")):
            try:
                await call()
            except BoxDead:
                continue
            raise AssertionError("a deleted box answered")


@promise("an unknown box or snapshot is said to be unknown", "life")
async def _unknown(driver: Driver) -> None:
    for box_id in ("bx0000000000000000", "../../etc", ""):
        try:
            driver.get(box_id)
        except BoxNotFound:
            continue
        raise AssertionError(f"{box_id!r} was found")
    try:
        await driver.create(BoxSpec(snapshot="sn../../../etc"))
    except BoxNotFound:
        return
    raise AssertionError("an unknown snapshot was used")
