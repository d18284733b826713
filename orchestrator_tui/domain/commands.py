"""Everything a person can ask of the engine, as one closed union of frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from orchestrator_tui.domain.limits import Resource, Scope
from orchestrator_tui.domain.statuses import Choice


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateProject:
    """Start something new. `directory` is an absolute path or None for `<workspace>/<slug>`; `by` is whose it is, None
    for the person whose engine it is."""

    idea: str
    name: str | None = None
    directory: str | None = None
    rehearsal: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)
    by: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportProject:
    """Build a project again from its folder, an absolute path; it rests until it is resumed. A known one whose folder
    was moved there is told so.

    With `new_repository` its repository is lost, and begun anew with the files as they are. `by` is whose it is from
    then on if it is not known yet, None for the person whose engine it is."""

    directory: str
    new_repository: bool = False
    by: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ResumeProject:
    """Go on with a project; with `if_waiting` only with one that would go on by itself, now or later."""

    project_id: str
    if_waiting: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class StopProject:
    project_id: str
    reason: str = "user_request"
    force: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerRequest:
    """Answer what waits for a person; `content_hash` is the one that was shown."""

    request_id: str
    choice: Choice
    content_hash: str
    text: str | None = None
    by: str = "person"


@dataclass(frozen=True, kw_only=True, slots=True)
class EditArtifact:
    """Replace the Markdown face of the artifact under approval; it becomes a new round with a new hash."""

    request_id: str
    content_hash: str
    markdown: str
    by: str = "person"


@dataclass(frozen=True, kw_only=True, slots=True)
class SetLimit:
    """Change a limit of one project, running or not; it counts at once and is kept with the project.

    `amount` is in the unit of the resource, None for no limit.
    """

    project_id: str
    scope: Scope
    resource: Resource
    amount: float | None
    by: str = "person"


@dataclass(frozen=True, kw_only=True, slots=True)
class SetPriority:
    """Change how urgent one project is, running or not, from -1000 to 1000; it is kept with the project. It counts at
    once where the project waits for a worker, or sessions of it for seats, and for all that comes to wait later."""

    project_id: str
    priority: int
    by: str = "person"


@dataclass(frozen=True, kw_only=True, slots=True)
class SteerAgent:
    """Say something to a running agent; it takes it in at its next step. One that has ended leaves it to the next."""

    project_id: str
    agent_id: str
    text: str
    by: str = "person"


@dataclass(frozen=True, kw_only=True, slots=True)
class SyncTracker:
    """Bring a project's items and what people see of them in its tracker to the same state now."""

    project_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveTracker:
    """Keep a project's items in tracker `kind` from now on. With `force` also when the present one cannot be reached:
    what people changed there since is then lost."""

    project_id: str
    kind: str
    force: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaveNote:
    """Say something to the next session that starts: of a work item, or of the whole project."""

    project_id: str
    text: str
    work_item_id: str | None = None
    by: str = "person"


@dataclass(frozen=True, kw_only=True, slots=True)
class InterruptAgent:
    """Stop the step that an agent is at, or all agents of the project; their sessions go on."""

    project_id: str
    agent_id: str | None = None
    by: str = "person"


@dataclass(frozen=True, kw_only=True, slots=True)
class RemovePermission:
    """No longer allow a command that a person had allowed in the project."""

    project_id: str
    pattern: str
    by: str = "person"


@dataclass(frozen=True, kw_only=True, slots=True)
class DrainWorker:
    """Have a worker of the cluster, known by its name or id, hand over what it runs and take nothing more."""

    worker: str


Stepping = SteerAgent | LeaveNote | InterruptAgent
"""What a person says to agents unasked."""

Command = (
    CreateProject
    | ImportProject
    | ResumeProject
    | StopProject
    | AnswerRequest
    | EditArtifact
    | SetLimit
    | SetPriority
    | SyncTracker
    | MoveTracker
    | Stepping
    | RemovePermission
    | DrainWorker
)

COMMAND_TYPES: Mapping[str, type[Any]] = {kind.__name__: kind for kind in get_args(Command)}
