"""What a phase is (the seed's interface), what it is given, and what it may use."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from orchestrator_tui.backends.base import WorkTracker
from orchestrator_tui.config.settings import PhaseSettings, SettingsModel
from orchestrator_tui.domain.records import Artifact, PhaseResult, Project
from orchestrator_tui.domain.statuses import Pattern, PhaseName


@dataclass(frozen=True, kw_only=True, slots=True)
class PhaseInput:
    """What a phase starts from.

    Attributes:
        round: 1 for the first time, one more for each time a person or a later phase sent it back.
        feedback: what a person wants changed; `previous` is the artifact they saw then.
        artifacts: newest artifact of each phase that has one.
    """

    project: Project
    settings: SettingsModel
    round: int
    artifacts: Mapping[PhaseName, Artifact]
    feedback: str | None = None
    previous: Artifact | None = None


class PromptRenderer(Protocol):
    """Renders `prompts/<phase>/<name>.md` with variables."""

    def __call__(self, phase: str, name: str, /, **variables: Any) -> str:
        """Raises PromptBroken."""
        ...


class Phase(ABC):
    """One of the seven. Runs from its input to a result; whatever it has finished on the way is stored."""

    name: PhaseName
    display_name: str

    @abstractmethod
    async def run(
        self, input_data: PhaseInput, config: PhaseSettings, work_tracker: WorkTracker, project_dir: Path
    ) -> PhaseResult:
        """Do the phase's work.

        Raises:
            AgentFailed, PhaseFailed, LimitReached: it could not be done.
        """

    async def accept(self, artifact: Artifact, project: Project, work_tracker: WorkTracker) -> None:
        """Act on the phase's result once it counts (approved, or nobody is asked). Doing it twice does no harm."""
        return

    async def still_holds(self, input_data: PhaseInput) -> bool:
        """Whether what the completed phase made is still as it should be."""
        return True

    @abstractmethod
    def get_prompts(self, pattern: Pattern) -> list[str]:
        """Names of the prompt files the phase uses with this pattern, as `phase/name`."""
