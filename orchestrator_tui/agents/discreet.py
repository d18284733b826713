"""What an agent says to its counsel, without credentials: it is shown to people, and kept with the work items."""

from collections.abc import Callable, Sequence

from orchestrator_tui.agents.base import Counsel, PermissionAsk
from orchestrator_tui.agents.decision import Decision, deny


class DiscreetCounsel:
    """A counsel that is told nothing secret; `hide` takes credentials out of a text."""

    def __init__(self, counsel: Counsel, hide: Callable[[str], str]) -> None:
        self._counsel = counsel
        self._hide = hide

    @property
    def patience_seconds(self) -> float:
        return self._counsel.patience_seconds

    def next_words(self, call_id: str) -> str:
        return self._counsel.next_words(call_id)

    async def permit(self, ask: PermissionAsk) -> Decision:
        """A command with a credential in it is denied: a person must see all that they allow."""
        if self._hide(ask.command) != ask.command:
            return deny(f"{ask.reason} It holds a credential, which nobody is shown; leave it out.")
        return await self._counsel.permit(ask)

    async def ask_user(self, question: str, choices: Sequence[str]) -> str:
        return await self._counsel.ask_user(self._hide(question), [self._hide(choice) for choice in choices])

    async def read_work_item(self, key: str) -> str:
        return await self._counsel.read_work_item(key)

    async def comment_on_work_item(self, key: str, text: str) -> str:
        return await self._counsel.comment_on_work_item(key, self._hide(text))

    async def report_progress(self, text: str) -> str:
        return await self._counsel.report_progress(self._hide(text))
