"""Deploy: Dockerfile, run instructions and release notes of the built program, checked as far as the machine allows."""

import re
import shlex
from functools import partial
from pathlib import Path

from orchestrator_tui.backends.base import WorkTracker
from orchestrator_tui.config.settings import PhaseSettings
from orchestrator_tui.domain.errors import GaveUp, PhaseFailed
from orchestrator_tui.domain.records import PhaseResult
from orchestrator_tui.domain.statuses import Pattern, PhaseName, PhaseStatus
from orchestrator_tui.engine.conversation import Conversation
from orchestrator_tui.phases import context, documents
from orchestrator_tui.phases.answers import Deployed
from orchestrator_tui.phases.attempts import Attempts, Objection, red
from orchestrator_tui.phases.base import Phase, PhaseInput
from orchestrator_tui.phases.implement import verify_command
from orchestrator_tui.phases.planning import architecture_text, requirements_text
from orchestrator_tui.phases.repair import Repair
from orchestrator_tui.phases.services import Services

ROLE = "deployer"
_COPY = re.compile(r"^\s*(?:COPY|ADD)\s+(?P<rest>.+)$", re.IGNORECASE)
_FROM = re.compile(r"^\s*FROM\s+\S+", re.IGNORECASE)


class DeployPhase(Phase):
    name = PhaseName.DEPLOY
    display_name = "Deploy"

    def __init__(self, services: Services) -> None:
        self._services = services
        self._repair = Repair(services)

    def get_prompts(self, pattern: Pattern) -> list[str]:
        return ["deploy/deploy", "implement/verify_failed"]

    async def run(
        self, input_data: PhaseInput, config: PhaseSettings, work_tracker: WorkTracker, project_dir: Path
    ) -> PhaseResult:
        services, command = self._services, verify_command(input_data)
        answer = await services.committed_answer(input_data, self.name, ROLE, Deployed)
        if answer is None:
            await self._repair.make_green(input_data, command)
            answer = await self._made(input_data, command)
            await services.commit(input_data, "Deployment files", phase=self.name)
        built = (
            "The image was built with Docker."
            if await self._docker_answers()
            else "The image was not built: no Docker engine answers on this machine."
        )
        checks = [
            "Every file named above exists.",
            "Everything the Dockerfile copies exists.",
            f"The project's check `{command}` is green with them.",
            built,
        ]
        return PhaseResult(
            status=PhaseStatus.COMPLETED,
            output_type="deployment",
            content={**answer.model_dump(), "checks": checks},
            markdown=documents.deployment(answer, checks),
        )

    async def _made(self, input_data: PhaseInput, command: str) -> Deployed:
        """The deployment files, made by an agent and as sound as can be told here."""
        services = self._services
        prompt = services.render(
            self.name.value,
            "deploy",
            project_name=input_data.project.name,
            requirements=requirements_text(input_data),
            architecture=architecture_text(input_data),
            tree=await services.workspace.tree(context.TREE_LIMIT),
            verify_command=command,
        )
        task = services.task(input_data, self.name, ROLE, prompt, Deployed, writes=True, attempt=input_data.round)

        attempts = Attempts(services, input_data, task)
        try:
            return await attempts.work(Deployed, partial(self._objection, input_data, command, attempts))
        except GaveUp as error:
            raise PhaseFailed(f"The deployment files could not be made sound: {error.message}") from error

    async def _objection(
        self, given: PhaseInput, command: str, attempts: Attempts, answer: Deployed, conversation: Conversation
    ) -> Objection | None:
        """What is wrong with the answer, as far as it can be checked here."""
        if problems := file_problems(answer, self._services.workspace.directory):
            return Objection.invalid(self._services, problems)
        verdict = await self._services.verify(given, command)
        if verdict.passed and await self._docker_answers():
            verdict = await self._services.verify(given, f"docker build --quiet --file {_dockerfile(answer)} .")
        return None if verdict.passed else red(self._services, verdict, attempts)

    async def _docker_answers(self) -> bool:
        verdict = await self._services.verifier.run("docker info", self._services.workspace.directory)
        return verdict.passed


def _dockerfile(answer: Deployed) -> str:
    """The Dockerfile among the files of an answer, quoted for the shell; empty when there is none."""
    found = next((name for name in answer.files if Path(name).name.casefold().startswith("dockerfile")), "")
    return shlex.quote(found) if found else ""


def file_problems(answer: Deployed, directory: Path) -> list[str]:
    """What is wrong with the files the deployer names: missing, outside the project, or copying what is not there."""
    problems = [] if _dockerfile(answer) else ["files: a Dockerfile is missing"]
    root = directory.resolve()
    for name in answer.files:
        path = (root / name).resolve()
        if not path.is_relative_to(root):
            problems.append(f"files: `{name}` is outside the project")
        elif not path.is_file():
            problems.append(f"files: `{name}` does not exist")
        elif path.name.casefold().startswith("dockerfile"):
            problems += dockerfile_problems(path.read_text(encoding="utf-8", errors="replace"), name, root)
    return problems


def dockerfile_problems(text: str, name: str, root: Path) -> list[str]:
    """What can be seen to be wrong with a Dockerfile without building it."""
    problems = [] if any(_FROM.match(line) for line in text.splitlines()) else [f"`{name}` has no FROM line"]
    for line in text.splitlines():
        match = _COPY.match(line)
        if match is None or "--from=" in line or "[" in line:
            continue
        words = [word for word in match["rest"].split() if not word.startswith("--")]
        for source in words[:-1]:
            if "$" in source or "://" in source or any(root.glob(source.lstrip("/") or ".")):
                continue
            problems.append(f"`{name}` copies `{source}`, which does not exist")
    return problems
