"""The queue."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass
class Message:
    """A message and how often it was taken."""

    body: str
    taken: int = 0


class Queue:
    """Messages in the order they were put.

    A message is taken at most limit times; those that failed that often are in dead, in the order they did.
    """

    def __init__(self, limit: int = 3) -> None:
        self.limit = limit
        self.dead: list[Message] = []
        self._waiting: deque[Message] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, body: str) -> None:
        """Add a message."""
        self._waiting.append(Message(body))

    def take(self) -> Message | None:
        """Remove the message that waits longest and return it; None where none waits."""
        if not self._waiting:
            return None
        message = self._waiting.popleft()
        message.taken += 1
        return message

    def failed(self, message: Message) -> None:
        """Let a message that was taken wait again, behind all others, or bury it once the limit is reached."""
        if message.taken >= self.limit:
            self.dead.append(message)
        else:
            self._waiting.append(message)
