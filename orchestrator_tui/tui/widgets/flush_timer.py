"""One timer for all logs on the screen: each is repainted at most once a tick, and only if something changed."""

from typing import Protocol

from textual.message_pump import MessagePump
from textual.timer import Timer


class Flushable(Protocol):
    """What wants to be told once a tick that it may repaint."""

    @property
    def has_news(self) -> bool:
        """Whether something has arrived since the last flush."""

    def flush(self) -> bool:
        """Shows what has arrived; cheap if nothing has. Returns whether nothing of what was shown is left."""


class FlushTimer:
    """Flushes everything added to it, `rate` times a second, while `owner` lives.

    A key pressed while something is painted waits for that, so one long paint is split: the members that have news
    take their turns one after the other in the time of a tick. One that replaced all its rows, which nobody can have
    read, rests for a tick.
    """

    def __init__(self, owner: MessagePump, rate: float = 10.0) -> None:
        self._owner = owner
        self._seconds = 1 / rate
        self._members: list[Flushable] = []
        self._resting: list[Flushable] = []
        self._timer: Timer = owner.set_interval(self._seconds, self.tick, name="flush of the logs", pause=True)

    def add(self, *members: Flushable) -> None:
        """Starts flushing `members`."""
        self._members.extend(members)
        self._timer.resume()

    def remove(self, member: Flushable) -> None:
        """Stops flushing `member`; the timer rests when nobody is left."""
        self._members.remove(member)
        if not self._members:
            self._timer.pause()

    def tick(self) -> None:
        """Gives every member with news its turn."""
        rested, self._resting = self._resting, []
        due = [member for member in self._members if member.has_news and member not in rested]
        for number, member in enumerate(due):
            if number == 0:
                self._flush(member)
            else:
                self._owner.set_timer(number * self._seconds / len(due), lambda member=member: self._flush(member))

    def _flush(self, member: Flushable) -> None:
        if member in self._members and member.flush():
            self._resting.append(member)
