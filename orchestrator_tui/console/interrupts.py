"""Ctrl-C and the other ways to be told to end: first in order, then in a hurry, then at once."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import NoReturn, Self

from orchestrator_tui.agents.environment import RUN_ID, THIS_RUN
from orchestrator_tui.agents.leftovers import end_leftovers

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
INTERRUPTED = 130
HURRY_SECONDS = 2.0
"""How long an end in a hurry may take."""


class Interrupts:
    """Takes the signals over while the context is open. `wanted` is set once somebody wants an orderly end, `forced`
    by the second signal: what is stored is then left within two seconds. A third one, or Ctrl-\\, leaves at once.

    `before_leaving` is called then, and `go_on` told: the command that goes on with what is left, once there is one."""

    def __init__(self) -> None:
        self.wanted = asyncio.Event()
        self.forced = asyncio.Event()
        self.exit_code = INTERRUPTED
        self._taken: Sequence[signal.Signals] = ()
        self.before_leaving: Callable[[], None] = lambda: None
        self.go_on = ""

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        # `nohup` has it ignored. What a shell has ignored in the background of a script, means nothing.
        is_unhangable = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        self._taken = [number for number in SIGNALS if number != signal.SIGHUP or not is_unhangable]
        for number in self._taken:
            loop.add_signal_handler(number, self._arrived, number)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        loop = asyncio.get_running_loop()
        for number in self._taken:
            loop.remove_signal_handler(number)

    def ask(self, exit_code: int = INTERRUPTED) -> None:
        """Ask for an orderly end, as the first signal does; `exit_code` says what it is to end with."""
        if not self.wanted.is_set():
            self.exit_code = exit_code
            self.wanted.set()

    def _arrived(self, number: int) -> None:
        if number == signal.SIGQUIT:
            self.leave_at_once()
        elif not self.wanted.is_set():
            self.ask(0)
        elif number == signal.SIGHUP:
            # A terminal that vanishes sends it to everybody in it, some more than once.
            return
        elif self.forced.is_set():
            self.leave_at_once()
        else:
            self.exit_code = INTERRUPTED
            self.forced.set()
            asyncio.get_running_loop().call_later(HURRY_SECONDS, self.leave_at_once)

    def leave_at_once(self) -> NoReturn:
        """End the process now, whatever is still at work: what is stored is enough to go on from."""
        self.before_leaving()
        end_leftovers(RUN_ID, THIS_RUN)
        how = f" Go on with: {self.go_on}" if self.go_on else ""
        sys.stderr.write(f"Leaving at once. The stored state is enough to resume from.{how}\n")
        sys.stderr.flush()
        os._exit(INTERRUPTED)
