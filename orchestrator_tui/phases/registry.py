"""All phases of a run, by name."""

from collections.abc import Mapping

from orchestrator_tui.domain.statuses import PhaseName
from orchestrator_tui.phases.base import Phase
from orchestrator_tui.phases.deploy import DeployPhase
from orchestrator_tui.phases.implement import ImplementPhase
from orchestrator_tui.phases.initialize import InitializePhase
from orchestrator_tui.phases.planning import ArchitecturePhase, IdeationPhase
from orchestrator_tui.phases.services import Services
from orchestrator_tui.phases.task_breakdown import TaskBreakdownPhase
from orchestrator_tui.phases.testing import TestingPhase


def make_phases(services: Services) -> Mapping[PhaseName, Phase]:
    """All seven phases of one project's run, by name."""
    phases: tuple[Phase, ...] = (
        IdeationPhase(services),
        ArchitecturePhase(services),
        TaskBreakdownPhase(services),
        InitializePhase(services),
        ImplementPhase(services),
        TestingPhase(services),
        DeployPhase(services),
    )
    return {phase.name: phase for phase in phases}
