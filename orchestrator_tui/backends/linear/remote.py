"""Linear's answers as typed values; only what is asked for."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from orchestrator_tui.backends.linear.errors import LinearAway
from orchestrator_tui.config.secrets import mask_tokens

R = TypeVar("R", bound="Remote")
N = TypeVar("N")


def _discreet(text: str) -> str:
    # Linear's editor puts a backslash before what would be Markdown, also within a token.
    plain = text.replace("\\_", "_")
    masked = mask_tokens(plain)
    return text if masked == plain else masked


Words = Annotated[str, AfterValidator(_discreet)]
"""What people write, without credentials."""


class Remote(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=to_camel, populate_by_name=True)


class Reference(Remote):
    id: str


class PageInfo(Remote):
    has_next_page: bool = False
    end_cursor: str | None = None


class WorkflowState(Remote):
    """`type` is one of triage, backlog, unstarted, started, completed, canceled, duplicate."""

    id: str
    type: str
    position: float = 0.0


class States(Remote):
    nodes: tuple[WorkflowState, ...]


class Team(Remote):
    id: str
    key: str
    name: str
    states: States


class Teams(Remote):
    nodes: tuple[Team, ...]


class TeamsAnswer(Remote):
    teams: Teams


class Label(Remote):
    id: str
    name: str
    is_group: bool


class Labels(Remote):
    nodes: tuple[Label, ...]
    page_info: PageInfo


class LinearProject(Remote):
    id: str
    name: str
    url: str
    trashed: bool | None = None
    archived_at: AwareDatetime | None = None

    @property
    def is_gone(self) -> bool:
        """Whether people do not see it any more, unless they look for it."""
        return bool(self.trashed) or self.archived_at is not None


class Projects(Remote):
    nodes: tuple[LinearProject, ...]


class SurroundingsAnswer(Remote):
    projects: Projects
    issue_labels: Labels


class Issue(Remote):
    """An issue; `priority` 0 is none, 1 urgent … 4 low."""

    id: str
    identifier: str
    url: str
    title: Words
    description: Words | None
    priority: float
    label_ids: tuple[str, ...]
    trashed: bool | None
    archived_at: AwareDatetime | None
    created_at: AwareDatetime
    updated_at: AwareDatetime
    added_to_project_at: AwareDatetime | None
    state: WorkflowState
    parent: Reference | None

    @property
    def came_at(self) -> datetime:
        """Since when it is in its project."""
        return self.added_to_project_at or self.created_at


class Issues(Remote):
    nodes: tuple[Issue, ...]
    page_info: PageInfo = PageInfo()


class Person(Remote):
    display_name: str


class Bot(Remote):
    name: str | None


class RemoteComment(Remote):
    id: str
    body: Words
    created_at: AwareDatetime
    issue: Reference | None
    user: Person | None
    external_user: Person | None
    bot_actor: Bot | None

    @property
    def author(self) -> str | None:
        """Who wrote it, as Linear shows them."""
        if self.user is not None:
            return self.user.display_name
        if self.external_user is not None:
            return self.external_user.display_name
        return self.bot_actor.name if self.bot_actor is not None else None


class Comments(Remote):
    nodes: tuple[RemoteComment, ...]
    page_info: PageInfo


class ChangesAnswer(Remote):
    """`issues` and `comments` are there when they were asked for."""

    issues: Issues | None = None
    comments: Comments | None = None


class References(Remote):
    nodes: tuple[Reference, ...]
    page_info: PageInfo = PageInfo()


class Blocker(Remote):
    id: str
    relations: References


class RelationsAnswer(Remote):
    issue: Blocker


class Blockers(Remote):
    nodes: tuple[Blocker, ...]


class ExistingAnswer(Remote):
    issues: Issues
    comments: References
    blockers: Blockers


class Document(Remote):
    id: str
    title: str
    content: str | None
    trashed: bool | None


class Documents(Remote):
    nodes: tuple[Document, ...]


class DocumentsAnswer(Remote):
    documents: Documents


class BatchPayload(Remote):
    success: bool
    issues: tuple[Issue, ...]


class BatchAnswer(Remote):
    issue_batch_create: BatchPayload


class Payload(Remote):
    """What a mutation gives back; `issue` for those of issues, `project` for those of projects."""

    success: bool
    issue: Issue | None = None
    project: LinearProject | None = None


def parse(kind: type[R], data: Mapping[str, Any]) -> R:
    """An answer's data as `kind`.

    Raises:
        LinearAway: it has another shape.
    """
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise LinearAway(f"Linear's answer cannot be understood ({kind.__name__}, {where}).") from error
