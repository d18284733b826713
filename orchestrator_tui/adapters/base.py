"""The input adapter: how a channel asks a person (the seed's five methods)."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from orchestrator_tui.domain.records import PipelineState


class InputAdapter(ABC):
    """One channel to a person: a console, a dashboard, an API, a chat."""

    @abstractmethod
    async def get_initial_idea(self) -> str:
        """What to build, in the person's words."""

    @abstractmethod
    async def get_approval(self, summary: str, phase: str) -> bool:
        """Whether the person approves what a phase made. Only a clear yes is True."""

    @abstractmethod
    async def get_clarification(self, question: str) -> str:
        """The person's answer to a question."""

    @abstractmethod
    async def show_progress(self, status: PipelineState) -> None:
        """Show where the pipeline stands."""

    @abstractmethod
    async def show_error(self, error: str, options: Sequence[str]) -> str:
        """Show an error; returns the option the person chose, one of `options`."""
