"""One timer for all logs on the screen: each is repainted at most once a tick, and only if something changed."""

from typing import Protocol

from textual.message_pump import MessagePump
from textual.timer import Timer


class Flushable(Protocol):
    """What wants to be told once a tick that it may repaint."""

    def flush(self) -> None:
        """Shows what has arrived since the last call; cheap if nothing has."""


class FlushTimer:
    """Calls `flush` of everything added to it, `rate` times a second, while `owner` lives."""

    def __init__(self, owner: MessagePump, rate: float = 10.0) -> None:
        self._members: list[Flushable] = []
        self._timer: Timer = owner.set_interval(1 / rate, self.flush, name="flush of the logs", pause=True)

    def add(self, member: Flushable) -> None:
        """Starts flushing `member`."""
        self._members.append(member)
        self._timer.resume()

    def remove(self, member: Flushable) -> None:
        """Stops flushing `member`; the timer rests when nobody is left."""
        self._members.remove(member)
        if not self._members:
            self._timer.pause()

    def flush(self) -> None:
        """Flushes every member now."""
        for member in tuple(self._members):
            member.flush()
