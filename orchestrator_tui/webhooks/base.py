"""Who is told of what calls for a person, as an interface."""

from typing import Protocol

from orchestrator_tui.domain.notices import Notice


class NotDelivered(Exception):
    """A receiver did not take it. `final` when it never will; it wants to be left alone for `seconds`."""

    def __init__(self, reason: str, *, final: bool = False, seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.final = final
        self.seconds = seconds


class Receiver(Protocol):
    """Somebody who is told."""

    @property
    def name(self) -> str: ...

    def wants(self, notice: Notice) -> bool: ...

    async def tell(self, notice: Notice) -> None:
        """Returns once it has been taken.

        Raises:
            NotDelivered: it was not.
        """
        ...
