"""Everything a person can ask of the engine, as one closed union of frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from orchestrator_tui.domain.statuses import Choice


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateProject:
    """Start something new. `directory` is an absolute path or None for `<workspace>/<slug>`."""

    idea: str
    name: str | None = None
    directory: str | None = None
    rehearsal: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportProject:
    """Build a project again from its folder, an absolute path; it rests until it is resumed."""

    directory: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ResumeProject:
    project_id: str


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


Command = CreateProject | ImportProject | ResumeProject | StopProject | AnswerRequest | EditArtifact

COMMAND_TYPES: Mapping[str, type[Any]] = {kind.__name__: kind for kind in get_args(Command)}
