"""What a channel can say about a document beyond yes and no: adapters that offer it are asked through it."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from orchestrator_tui.domain.errors import OrchestratorError
from orchestrator_tui.domain.records import InputRequest


@dataclass(frozen=True, slots=True)
class Approved:
    """A clear yes."""


@dataclass(frozen=True, slots=True)
class ChangesWanted:
    """No; `text` says what should be different, and is never blank."""

    text: str


@dataclass(frozen=True, slots=True)
class Edited:
    """The person rewrote the document."""

    markdown: str


@dataclass(frozen=True, slots=True)
class StopWanted:
    """The person wants the project to stop."""


Verdict = Approved | ChangesWanted | Edited | StopWanted


@runtime_checkable
class Reviewer(Protocol):
    """A channel on which a document can also be edited, or the project stopped, when asked about it."""

    async def review(self, request: InputRequest) -> Verdict:
        """Show what waits for approval and return what the person says."""
        ...


class InputEnded(OrchestratorError):
    """Nobody answers any more."""

    title = "Input"
