"""Every error the program raises on purpose. A docstring is the default message; `title` and `hint` are for display."""

from datetime import datetime
from pathlib import Path

from orchestrator_tui.domain.statuses import PauseReason
from orchestrator_tui.domain.troubles import Trouble


class OrchestratorError(Exception):
    """Something went wrong."""

    title = "Error"
    hint = ""

    def __init__(self, message: str | None = None, *, hint: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())
        if hint is not None:
            self.hint = hint

    @property
    def message(self) -> str:
        return str(self.args[0])

    def line(self) -> str:
        """The whole error in one line: what is wrong, then what to do."""
        return " ".join(f"{self.message} {self.hint}".split())


class UsageError(OrchestratorError):
    """The command line cannot be understood."""

    title = "Usage"


class SettingsError(UsageError):
    """A setting cannot be used."""

    title = "Settings"


class BadIdea(UsageError):
    """The idea cannot be used."""

    title = "Idea"


class DirectoryUnusable(UsageError):
    """The project's folder cannot be used."""

    title = "Folder"

    def __init__(self, directory: Path, reason: str, *, hint: str) -> None:
        super().__init__(f"{directory}: {reason}.", hint=hint)
        self.directory = directory


class FolderGone(DirectoryUnusable):
    """The project's folder is not where it was, or not on this machine."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            directory,
            "the project's folder is gone",
            hint="Move it back, or say where it is now: orchestrator-tui import FOLDER.",
        )


class NotOnThisMachine(DirectoryUnusable):
    """The project's folder is on another machine, or what is here of it is not what it is now."""

    title = "Elsewhere"


class ToolMissing(UsageError):
    """A program that a run needs is not installed."""

    title = "Missing program"

    def __init__(self, tool: str, *, hint: str) -> None:
        super().__init__(f"{tool} was not found on this machine.", hint=hint)
        self.tool = tool


class CredentialsMissing(UsageError):
    """No credentials for Claude were found."""

    title = "Credentials"
    hint = (
        "Set CLAUDE_CODE_OAUTH_TOKEN or ANTHROPIC_API_KEY in the environment, "
        "or add --rehearsal to try everything with a scripted model, at no cost."
    )


class PromptBroken(UsageError):
    """A prompt file cannot be used."""

    title = "Prompt"


class ScenarioBroken(UsageError):
    """A rehearsal scenario cannot be used."""

    title = "Scenario"


class ProjectNotFound(UsageError):
    """There is no such project."""

    title = "Project"


class WorkerNotFound(UsageError):
    """There is no such worker."""

    title = "Worker"


class ProjectKnown(UsageError):
    """The project is in the database already."""

    title = "Import"

    def __init__(self, message: str, *, number: int, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.number = number


class StateFileMissing(UsageError):
    """A project's folder has no state file."""

    title = "State file"

    def __init__(self, file: Path, *, hint: str = "") -> None:
        super().__init__(f"{file} does not exist.", hint=hint)
        self.file = file


class StateFileDamaged(OrchestratorError):
    """A project's state file cannot be used."""

    title = "State file"

    def __init__(self, file: Path, reason: str, *, hint: str = "") -> None:
        super().__init__(f"{file}: {reason}.", hint=hint)
        self.file = file
        self.reason = reason


class IllegalTransition(OrchestratorError):
    """That is not possible in the present state."""

    title = "Not now"


class StaleState(OrchestratorError):
    """Somebody else changed this in the meantime."""

    title = "Changed meanwhile"
    hint = "Look at it again and repeat what you wanted."


class AlreadyOwned(OrchestratorError):
    """Another process runs this project."""

    title = "Running elsewhere"
    hint = "Stop it first (--stop works from here), or wait until it ends; --logs --follow shows what it does."

    def __init__(self, owner: str, *, hint: str | None = None) -> None:
        super().__init__(f"The project is running in {owner.partition(' since ')[0]}.", hint=hint)
        self.owner = owner


class LeaseLost(OrchestratorError):
    """Another process has taken the project over; this one writes nothing more about it."""

    title = "Taken over"
    hint = "Follow it there, or stop it there first."


class RequestClosed(OrchestratorError):
    """The question was answered already, or its content changed."""

    title = "Too late"


class SandboxMissing(OrchestratorError):
    """What agents write must not run outside of a sandbox, and there is none."""

    title = "Sandbox"


class UnknownDependency(OrchestratorError):
    """A work item depends on one that does not exist, or on itself in a circle."""

    title = "Work items"


class TrackerUnusable(UsageError):
    """A work tracker cannot be used."""

    title = "Work tracker"


class WebUnavailable(UsageError):
    """The dashboard cannot be served to browsers."""

    title = "Web"


class ServeFailed(UsageError):
    """The server cannot be started."""

    title = "Server"


class AccessDenied(UsageError):
    """The server does not allow that."""

    title = "Access"


class WebhookRejected(OrchestratorError):
    """A webhook was not sent by the tracker, or not now."""

    title = "Webhook"


class StoreUnavailable(OrchestratorError):
    """The database cannot be used. `final`: not in this process any more."""

    title = "Database"

    def __init__(self, message: str | None = None, *, hint: str | None = None, final: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.final = final


class ServerUnavailable(StoreUnavailable):
    """The server that has the projects cannot be reached, or gives no answer."""

    title = "Server"


class StoreRefused(StoreUnavailable):
    """The database is there and lets nobody in like this; waiting alone does not change that."""


class DiskFull(StoreUnavailable):
    """No room is left where a project lies: nothing of it can be kept, as without its database."""

    title = "Disk full"

    def __init__(self, directory: Path) -> None:
        hint = "Make room on it: a project at work then goes on by itself, any other can be resumed."
        super().__init__(f"{directory}: the disk is full.", hint=hint)
        self.directory = directory


class RemoteUnavailable(StoreUnavailable):
    """The repository that the workers of a project share cannot be used: nothing of it counts as done, as without its
    database."""

    title = "Shared repository"

    def __init__(self, address: str, said: str) -> None:
        hint = (
            "Let git on this machine reach it without asking anybody (workspace.remote; where that is no folder, an "
            "empty repository of that name must be there). A project at work then goes on by itself."
        )
        super().__init__(f"{address} cannot be used: {said.rstrip('.')}.", hint=hint)
        self.address = address
        self.said = said


class AgentFailed(OrchestratorError):
    """A Claude session ended with an error. `summary` is what it had done until then, for whoever follows it."""

    title = "Agent"

    def __init__(
        self,
        message: str,
        *,
        kind: str = "unknown",
        status: int | None = None,
        hint: str = "",
        trouble: Trouble = Trouble.UNKNOWN,
        summary: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
        self.status = status
        self.trouble = trouble
        self.summary = summary


class GaveUp(AgentFailed):
    """A task was tried in every way there is. `report` says how, as Markdown."""

    def __init__(self, message: str, *, trouble: Trouble, report: str) -> None:
        super().__init__(message, kind="gave_up", trouble=trouble, hint="Its report says what was tried.")
        self.report = report


class MustWait(OrchestratorError):
    """The API takes no requests for now. `resets_at` says until when, if anybody knows; `kind` is what the API calls
    the limit that is used up."""

    title = "Waiting"

    def __init__(
        self, message: str, *, trouble: Trouble, resets_at: datetime | None = None, kind: str | None = None
    ) -> None:
        super().__init__(message, hint="The project goes on by itself.")
        self.trouble = trouble
        self.resets_at = resets_at
        self.kind = kind


class DecisionAwaited(OrchestratorError):
    """All that can be done without a person is done. `requests` are the ids of what waits for them."""

    title = "Decision"

    def __init__(self, message: str, *, requests: frozenset[str], reason: PauseReason = PauseReason.ERROR) -> None:
        super().__init__(message)
        self.requests = requests
        self.reason = reason


class AnswerAwaited(OrchestratorError):
    """An agent has waited for a person for so long that its work item makes room for others."""

    title = "Question"


class ToolRefused(OrchestratorError):
    """What an agent asked of the program's own tools is not possible."""

    title = "Tool"


class LimitReached(OrchestratorError):
    """A limit is used up, or what a session was given of what is left. `item_id` is the work item it was at,
    `resumes_at` when there is more again by itself."""

    title = "Limit"

    def __init__(
        self, message: str, *, hint: str = "", phase: str, item_id: str | None, resumes_at: datetime | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.phase = phase
        self.item_id = item_id
        self.resumes_at = resumes_at


class PhaseFailed(OrchestratorError):
    """A phase could not be finished."""

    title = "Phase"


class ServerBroken(OrchestratorError):
    """The server could not carry this out; its log says why."""

    title = "Server"
