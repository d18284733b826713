"""Bodies of requests: what they may hold, how long it may be, and examples of them; unknown fields are refused."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from functools import reduce
from operator import or_
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model

from orchestrator_tui.domain.commands import COMMAND_TYPES
from orchestrator_tui.domain.limits import Resource, Scope
from orchestrator_tui.domain.priority import HIGHEST, LOWEST
from orchestrator_tui.domain.statuses import Choice

PROSE = frozenset({"idea", "markdown", "text"})
"""Fields that hold what people write; every other text is short."""
LONGEST_PROSE = 400_000
LONGEST_TEXT = 4_000

HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

DEEPEST = 20
"""How deep what a project is made with may be nested; those there are need three."""


def _shallow(value: dict[str, Any]) -> dict[str, Any]:
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in (outer.values() if isinstance(outer, dict) else outer)]
        level = [one for one in level if isinstance(one, dict | list)]
        if not level:
            return value
    raise ValueError(f"it is nested more than {DEEPEST} deep")


ProjectConfig = Annotated[dict[str, Any], AfterValidator(_shallow)]
ShortText = Annotated[str, Field(max_length=LONGEST_TEXT)]
Prose = Annotated[str, Field(max_length=LONGEST_PROSE)]
ContentHash = Annotated[
    str, Field(max_length=128, description="`content_hash` of what was shown; other content is refused with 409.")
]
AGENT, ITEM = "1e1b6bd0-4a6e-4f4f-9a57-2f3c8f6f9d11", "7c9e6679-7425-40de-944b-e07fc1f90ae7"
AgentId = Annotated[str, Field(max_length=100, description="`id` of a session, as `…/sessions` lists them.")]
RequestId = Annotated[str, Field(max_length=100, description="Which request is meant, when several wait.")]


class Body(BaseModel):
    """Whatever is not listed is refused."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class NewProject(Body):
    """What to build."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"idea": "A checker for links in Markdown files", "name": "mdcheck"},
                {"idea": "Small modules that tell their names", "rehearsal": True},
            ]
        }
    )

    idea: Prose
    """What a person wants, in their own words."""
    name: ShortText | None = None
    """Made from the idea when not given."""
    directory: ShortText | None = None
    """Absolute folder on the server; a new one in its workspace when not given."""
    rehearsal: bool = False
    """Whether a scripted model builds it, at no cost."""
    config: ProjectConfig = Field(default_factory=dict)
    """Settings of its own, as `{"settings": {"autonomy": {"mode": "full"}}}`; needs the scope `admin`."""


class Nothing(Body):
    """Nothing needs to be said."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})


class Stop(Body):
    """How to stop."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}, {"force": True}]})

    reason: ShortText = "user_request"
    force: bool = False
    """Whether not to wait for the agents."""


class Approve(Body):
    """Yes to what waits."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"content_hash": HASH}]})

    content_hash: ContentHash
    request_id: RequestId | None = None


class Reject(Body):
    """What should be different."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"content_hash": HASH, "feedback": "Leave out the web page."}]}
    )

    content_hash: ContentHash
    feedback: Prose
    request_id: RequestId | None = None


class Edit(Body):
    """The document as it should be; it is asked about again, with a hash of its own."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"content_hash": HASH, "markdown": "# Requirements\n\n- Links are checked.\n"}]}
    )

    content_hash: ContentHash
    markdown: Prose
    request_id: RequestId | None = None


class Answer(Body):
    """An answer to a question of any kind; the question lists the choices it takes."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"content_hash": HASH, "choice": "retry_with_hint", "text": "Use port 0."}]}
    )

    content_hash: ContentHash
    choice: Choice
    text: Prose | None = None
    request_id: RequestId | None = None


class Steer(Body):
    """Words for an agent that is at work; it takes them in at its next step."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"agent_id": AGENT, "text": "Use the standard library only."}]}
    )

    agent_id: AgentId
    text: Prose


class Note(Body):
    """Words for the next session that starts: of a work item, or of the whole project."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": "Keep the tests short."}, {"text": "See RFC 3986.", "item_id": ITEM}]}
    )

    text: Prose
    item_id: Annotated[str, Field(max_length=100)] | None = None


class Interrupt(Body):
    """Which agent is to stop the step that it is at; all of the project's without one. Their sessions go on."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}, {"agent_id": AGENT}]})

    agent_id: AgentId | None = None


class Limit(Body):
    """A limit of a project: US dollars, tokens, sessions or hours; none when `amount` is null."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"scope": "project", "resource": "money", "amount": 75.0}]}
    )

    scope: Scope
    resource: Resource
    amount: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None


class Priority(Body):
    """How urgent a project is where it, or a session of it, waits for others; the highest goes first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"priority": 10}]})

    priority: Annotated[int, Field(ge=LOWEST, le=HIGHEST)]


def _limited(name: str, annotation: Any) -> Any:
    """The annotation of a command's field, with the limits of its length."""
    if annotation is str:
        return Prose if name in PROSE else ShortText
    if get_origin(annotation) is Mapping:
        return ProjectConfig
    if get_origin(annotation) in (Union, UnionType):
        return reduce(or_, (_limited(name, argument) for argument in get_args(annotation)))
    return annotation


class _Command(Body):
    """What bodies of commands share: made below, they have no source to take words from, and looking for it is slow."""

    model_config = ConfigDict(use_attribute_docstrings=False)


def _command_model(name: str, kind: type[Any]) -> type[BaseModel]:
    """The body of a command: its fields, with their defaults, and its name as `type`."""
    hints = get_type_hints(kind)
    members: dict[str, Any] = {"type": (Literal[name], ...)}
    for field in fields(kind):
        annotation = _limited(field.name, hints[field.name])
        if field.default_factory is not MISSING:
            members[field.name] = (annotation, Field(default_factory=field.default_factory))
        else:
            members[field.name] = (annotation, ... if field.default is MISSING else field.default)
    return create_model(name, __base__=_Command, __doc__=kind.__doc__, **members)


if TYPE_CHECKING:
    AnyCommand = BaseModel
else:
    AnyCommand = Annotated[
        reduce(or_, (_command_model(name, kind) for name, kind in COMMAND_TYPES.items())),
        Field(discriminator="type"),
    ]


class Done(BaseModel):
    """The project that a command concerned."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"project_id": ITEM}]})

    project_id: str


class Prioritized(Done):
    """A project of another priority; `note` says what that changes now."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"project_id": ITEM, "note": "That counts at once. Waiting: a worker to take it up."}]
        }
    )

    note: str


class Drained(BaseModel):
    """The worker that a command concerned."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"worker_id": ITEM}]})

    worker_id: str


class EventOut(BaseModel):
    """A stored event; `type` is the name of its kind, `data` what it tells."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "seq": 17,
                    "at": "2026-01-01T12:00:00+00:00",
                    "project_id": ITEM,
                    "type": "PipelineStatusChanged",
                    "data": {"old": "running", "new": "paused", "reason": "approval", "resumes_at": None},
                }
            ]
        }
    )

    seq: int
    at: str
    project_id: str
    type: str
    data: dict[str, Any]


class Patch(BaseModel):
    """A difference as git writes it; empty when nothing is different."""

    patch: str


class Text(BaseModel):
    """A text in Markdown."""

    text: str


class Ready(BaseModel):
    """What is checked, by name, and what is wrong with it; an empty text is fine. Notes keep nothing from working."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"ready": True, "checks": {"engine": "", "database": "", "sandbox": "", "credentials": ""}}]
        }
    )

    ready: bool
    checks: dict[str, str]
    notes: dict[str, str]


class Taken(BaseModel):
    """Whether what a webhook tells of is looked at now."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"taken": True}]})

    taken: bool


class Alive(BaseModel):
    """The server is there."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"alive": True, "version": "1.0.0"}]})

    alive: bool
    version: str


class Problem(BaseModel):
    """What went wrong, as RFC 9457 has it. `error` is the name of the kind, `hint` says what to do."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "status": 404,
                    "title": "Project",
                    "detail": "There is no project '9'.",
                    "error": "ProjectNotFound",
                    "hint": "There are: 1 (mdcheck).",
                    "fields": {},
                }
            ]
        }
    )

    type: str
    status: int
    title: str
    detail: str
    error: str
    hint: str
    fields: dict[str, Any] = Field(default_factory=dict)
