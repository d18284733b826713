"""How the programs of a project are kept from the rest of the machine in one run, or who is asked when they are not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

from orchestrator_tui.domain.clock import new_id, now
from orchestrator_tui.domain.errors import SandboxMissing
from orchestrator_tui.domain.records import InputRequest, Project
from orchestrator_tui.domain.statuses import Choice, RequestKind

Wrap = Callable[[Sequence[str], Path], Sequence[str]]
"""Arguments of a program, and the folder it starts in, to the arguments that run it confined."""

QUESTION = "run-without-sandbox"
"""The content hash of the question: it always asks the same."""


class Confined(Enum):
    """Whether a run has its sandbox, goes on without, asks first, or must not go on."""

    SANDBOX = auto()
    WITHOUT = auto()
    ASKS = auto()
    REFUSED = auto()


def unconfined(arguments: Sequence[str], directory: Path) -> Sequence[str]:
    """Nothing is wrapped around the arguments."""
    return arguments


@dataclass(frozen=True, kw_only=True, slots=True)
class Confinement:
    """What was decided for one run. `why` says in words why there is no sandbox, or what is missing in it."""

    how: Confined
    why: str = ""
    hint: str = ""
    sandbox: Wrap = unconfined

    def wrap(self, arguments: Sequence[str], directory: Path) -> Sequence[str]:
        """The arguments as they may run.

        Raises:
            SandboxMissing: they may not run at all as things are.
        """
        match self.how:
            case Confined.SANDBOX:
                return self.sandbox(arguments, directory)
            case Confined.WITHOUT:
                return arguments
            case Confined.ASKS | Confined.REFUSED:
                raise self.missing()

    def missing(self) -> SandboxMissing:
        """The error that says why nothing runs, and what to do."""
        return SandboxMissing(f"There is no sandbox: {self.why}.", hint=self.hint)

    def require(self) -> None:
        """
        Raises:
            SandboxMissing: the run must not go on, and nobody is asked.
        """
        if self.how is Confined.REFUSED:
            raise self.missing()

    def question(self, project: Project) -> InputRequest:
        """Asks a person whether the project may run without."""
        body = (
            f"There is no sandbox: {self.why}.\n\n"
            "Without it the programs that agents write and run can read your files, reach the network and end your "
            "other programs; only the check of each command before it runs is left.\n\n"
            f"{self.hint}\n\n"
            "What you allow here counts for this project from now on."
        )
        return InputRequest(
            id=new_id(),
            project_id=project.id,
            kind=RequestKind.PERMISSION,
            phase=None,
            title=f"Run {project.name} without a sandbox?",
            body=body,
            choices=(Choice.ALLOW_PROJECT, Choice.STOP),
            content_hash=QUESTION,
            created_at=now(),
        )


NO_SANDBOX = {"sandbox": {"mode": "off"}}


def allowed_without(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """A project's stored configuration after a person allowed it to run without a sandbox."""
    return {**config, "settings": {**config.get("settings", {}), **NO_SANDBOX}}


def asks_for_sandbox(request: InputRequest) -> bool:
    """Whether a request is the question above."""
    return request.kind is RequestKind.PERMISSION and request.content_hash == QUESTION
