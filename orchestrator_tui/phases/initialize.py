"""Initialize: a repository, a scaffold, and a check that the engine can run and has seen pass."""

from functools import partial
from pathlib import Path

from orchestrator_tui.backends.base import WorkTracker
from orchestrator_tui.config.settings import PhaseSettings
from orchestrator_tui.domain.errors import GaveUp, PhaseFailed
from orchestrator_tui.domain.records import PhaseResult
from orchestrator_tui.domain.statuses import Pattern, PhaseName, PhaseStatus
from orchestrator_tui.engine.conversation import Conversation
from orchestrator_tui.engine.verify import objection
from orchestrator_tui.phases import documents
from orchestrator_tui.phases.answers import Initialized
from orchestrator_tui.phases.attempts import Attempts, Objection, red
from orchestrator_tui.phases.base import Phase, PhaseInput
from orchestrator_tui.phases.planning import architecture_text, requirements_text
from orchestrator_tui.phases.services import Services

FIRST_ITEMS = 12
ROLE = "initializer"


class InitializePhase(Phase):
    name = PhaseName.INITIALIZE
    display_name = "Initialize"

    def __init__(self, services: Services) -> None:
        self._services = services

    def get_prompts(self, pattern: Pattern) -> list[str]:
        return ["initialize/initialize", "implement/verify_failed"]

    async def run(
        self, input_data: PhaseInput, config: PhaseSettings, work_tracker: WorkTracker, project_dir: Path
    ) -> PhaseResult:
        services = self._services
        await services.workspace.initialize()
        answer = await services.committed_answer(input_data, self.name, ROLE, Initialized)
        if answer is None:
            answer = await self._made(input_data, work_tracker)
            await services.commit(input_data, f"Scaffold of {input_data.project.name}", phase=self.name)
        content = answer.model_dump()
        return PhaseResult(
            status=PhaseStatus.COMPLETED,
            output_type="initialization",
            content=content,
            markdown=documents.initialization(content),
        )

    async def _made(self, input_data: PhaseInput, work_tracker: WorkTracker) -> Initialized:
        """A scaffold in the folder that passes its own check, made by an agent."""
        services = self._services
        first = await work_tracker.list_work_items(input_data.project.id, limit=FIRST_ITEMS)
        prompt = services.render(
            self.name.value,
            "initialize",
            project_name=input_data.project.name,
            requirements=requirements_text(input_data),
            architecture=architecture_text(input_data),
            first_items=[item.title for item in first],
        )
        task = services.task(
            input_data,
            self.name,
            ROLE,
            prompt,
            Initialized,
            writes=True,
            attempt=input_data.round,
        )

        attempts = Attempts(services, input_data, task)
        try:
            return await attempts.work(Initialized, partial(self._objection, input_data, attempts))
        except GaveUp as error:
            raise PhaseFailed(
                f"The scaffold and its check could not be made: {error.message}",
                hint="The session's log has its output; resume to try again.",
            ) from error

    async def _objection(
        self, given: PhaseInput, attempts: Attempts, answer: Initialized, conversation: Conversation
    ) -> Objection | None:
        if problems := await self._problems(answer):
            return Objection.invalid(self._services, problems)
        verdict = await self._services.verify(given, answer.verify_command)
        return None if verdict.passed else red(self._services, verdict, attempts)

    async def _problems(self, answer: Initialized) -> list[str]:
        """What is missing from the scaffold, whatever its check says."""
        command, workspace = answer.verify_command, self._services.workspace
        if (problem := objection(command)) is not None:
            return [problem]
        problems = []
        if not await workspace.changes() and await workspace.head() is None:
            problems.append("the project folder is still empty: make the scaffold")
        if not (workspace.directory / ".gitignore").is_file():
            problems.append("there is no ignore file: write .gitignore")
        if not problems and await self._services.verifier.passes_without_project(command):
            problems.append(
                f"the verify command `{command}` is green in an empty folder too, so it checks nothing of this project"
            )
        return problems
