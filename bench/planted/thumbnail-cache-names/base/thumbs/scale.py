"""Scaling down pictures, here: lists of rows of grey values."""

from __future__ import annotations

Picture = list[list[int]]


def scale(picture: Picture, factor: int) -> Picture:
    """Return a picture with every factor-th value of every factor-th row."""
    if factor < 1:
        raise ValueError("the factor is at least 1")
    return [row[::factor] for row in picture[::factor]]


def to_bytes(picture: Picture) -> bytes:
    """Return a picture as bytes, a line per row."""
    return b"\n".join(" ".join(map(str, row)).encode() for row in picture)


def from_bytes(content: bytes) -> Picture:
    """Read a picture from bytes."""
    return [[int(value) for value in line.split()] for line in content.splitlines()]
