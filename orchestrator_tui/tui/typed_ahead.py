"""Keeps what is typed while the dashboard starts off the shell's screen, where it would still stand afterwards."""

import os
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_LOCAL_MODES = 3
"""Where `termios` has them in its list."""


@contextmanager
def unseen(terminal: int) -> Iterator[Callable[[], None]]:
    """The terminal behind this descriptor shows nothing of what is typed until the function given is called, or the
    context ends. It is kept, and read by whoever reads next. Where there is no terminal of ours, nothing is changed."""
    before: int | None = None
    with suppress(OSError, termios.error):
        # Whoever changes a terminal from the background is stopped.
        if os.tcgetpgrp(terminal) == os.getpgrp():
            before = termios.tcgetattr(terminal)[_LOCAL_MODES] & termios.ECHO
            _set_echo(terminal, 0)

    def seen() -> None:
        nonlocal before
        if before is not None:
            with suppress(OSError, termios.error):
                _set_echo(terminal, before)
            before = None

    try:
        yield seen
    finally:
        seen()


def _set_echo(terminal: int, echo: int) -> None:
    modes = termios.tcgetattr(terminal)
    modes[_LOCAL_MODES] = modes[_LOCAL_MODES] & ~termios.ECHO | echo
    termios.tcsetattr(terminal, termios.TCSANOW, modes)
