"""Screens that give their result once, however often and whenever they are told to."""

from collections.abc import Coroutine
from typing import Any, TypeVar

from textual.await_complete import AwaitComplete
from textual.css.query import NoMatches
from textual.screen import ModalScreen, Screen

Result = TypeVar("Result")


class OnceScreen(Screen[Result]):
    """Closes at the first `dismiss`; below another screen, as soon as that one is gone."""

    _is_dismissed = False
    _late: tuple[Result | None] | None = None

    def dismiss(self, result: Result | None = None) -> AwaitComplete:
        """Gives `result` and closes. A second key may already be on its way, and would close another screen."""
        if self._is_dismissed:
            return AwaitComplete()
        if self.app.screen is not self:
            self._late = self._late or (result,)
            return AwaitComplete()
        self._is_dismissed = True
        return super().dismiss(result)

    async def while_open(self, work: Coroutine[Any, Any, None]) -> None:
        """Do `work`, which may come back to a screen that is closed, or is about to be with the whole app."""
        try:
            await work
        except NoMatches:
            if self.is_attached and self.is_running and self.app.is_running:
                raise

    def on_screen_resume(self) -> None:
        """What was wanted while another screen was above."""
        if self._late is not None:
            self.dismiss(*self._late)


class OnceModal(ModalScreen[Result], OnceScreen[Result]):
    """The same, over a screen that stays visible."""
