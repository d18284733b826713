"""Tells keys that were meant for what is on the screen from those that were on their way, are held down, or are letters
of words."""

import time
from collections.abc import Callable

from textual.message_pump import MessagePump

QUIET = 0.4
"""Seconds without a key, after what is decided about has appeared, before one decides."""

HELD = 0.1
"""Seconds within which a key that is held down comes again."""

FIRST_REPEAT = 1.0
"""Seconds after which a key that is held down has come again for the first time; terminals differ in them."""

NEVER = float("-inf")

EARLY = "Nothing was decided: this had only just appeared. Look at it, then choose again."
TYPED = "Nothing was decided: this was a letter of what you typed. Look at it, then choose again."
HELD_DOWN = "Nothing was decided: the key is held down. Let go of it, look, then choose again."


class Guard:
    """Is told what appears and which keys are pressed, before what they do is done."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.held = HELD
        """Seconds that are waited for a key to come again."""
        self._monotonic = monotonic
        self._closed_at = monotonic()
        self._key = ""
        self._key_at = NEVER
        self._gap = -NEVER
        self._presses = 0
        self._does_nothing = self._in_words = False

    def appeared(self) -> None:
        """What is decided about is new, or was pasted at: keys that come now were not meant for it."""
        self._closed_at = self._monotonic()

    def opened_by(self, key: str, at: float) -> None:
        """This key came last, elsewhere."""
        self._key, self._key_at = key, at

    def pressed(self, key: str, *, does_nothing: bool = False) -> None:
        """A key came; one that is too early makes the pause begin anew. Whoever types letters that do nothing here
        writes words without looking, and so do those that follow quickly."""
        at = self._monotonic()
        self._in_words = (self._in_words or self._does_nothing) and at - self._key_at < QUIET
        self._does_nothing = does_nothing
        self._gap = at - self._key_at if key == self._key else -NEVER
        self._key, self._key_at = key, at
        self._presses += 1
        if at - self._closed_at < QUIET:
            self._closed_at = at

    @property
    def is_open(self) -> bool:
        """Whether a key may decide now, or whatever else a person does."""
        return self._monotonic() - self._closed_at >= QUIET

    @property
    def is_repeated(self) -> bool:
        """Whether the last key came again so soon that nobody has looked in between."""
        return self._gap < QUIET and self._monotonic() - self._key_at < QUIET

    def decide(self, screen: MessagePump, work: Callable[[], None]) -> str:
        """Does `work`, or says why not; waits for a moment when this can be the first repeat of a key held down."""
        if not self.is_open:
            return EARLY
        if self.is_repeated:
            return HELD_DOWN
        if self._in_words:
            return TYPED
        if self._gap < FIRST_REPEAT:
            self._unless_repeated(screen, work)
        else:
            work()
        return ""

    def _unless_repeated(self, screen: MessagePump, work: Callable[[], None]) -> None:
        """Does `work` when no key comes for a while; a loop that was busy meanwhile may have keys it has not seen."""
        presses, due = self._presses, self._monotonic() + self.held

        def look() -> None:
            if presses != self._presses:
                return
            if self._monotonic() - due > self.held:
                self._unless_repeated(screen, work)
            else:
                work()

        screen.set_timer(self.held, look, name="held down?")
