"""The tables: the seed's six; those for events, requests, transcripts, trackers, the API, webhooks, the cluster."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from orchestrator_tui.database.columns import Identity, IdentityList, JsonValue, StorableText, UtcDateTime
from orchestrator_tui.domain.access import Scope
from orchestrator_tui.domain.statuses import (
    AgentStatus,
    InstructionKind,
    InstructionStatus,
    PipelineStatus,
    RequestKind,
    RequestStatus,
    SeatScope,
    WorkItemStatus,
)

Id = Annotated[str, mapped_column(Identity, primary_key=True)]
ProjectId = Annotated[str, mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))]
Status = Annotated[str, mapped_column(String(50))]
Phase = Annotated[str, mapped_column(String(50))]
Prose = Annotated[str, mapped_column(StorableText)]
Count = Annotated[int, mapped_column(BigInteger)]
# Items may be kept by another tracker, so these are no foreign keys.
ItemReference = Annotated[str, mapped_column(String(100))]


def one_of(column: str, values: Iterable[StrEnum]) -> CheckConstraint:
    """The constraint that `column` holds one of `values`."""
    allowed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({allowed})", name=column)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "idx_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012
        datetime: UtcDateTime(),
        dict[str, Any]: JsonValue,
        list[Any]: JsonValue,
        float: Double(),
    }


class ProjectRow(Base):
    __tablename__ = "projects"
    __table_args__ = (
        one_of("status", PipelineStatus),
        UniqueConstraint("number"),
        UniqueConstraint("slug"),
        Index("idx_projects_status", "status"),
        Index(None, "created_by"),
    )

    id: Mapped[Id]
    number: Mapped[int]
    name: Mapped[Prose]
    slug: Mapped[str] = mapped_column(String(255))
    description: Mapped[Prose]
    status: Mapped[Status]
    current_phase: Mapped[Phase | None]
    directory: Mapped[Prose]
    rehearsal: Mapped[bool] = mapped_column(server_default=false())
    config: Mapped[dict[str, Any]]
    created_by: Mapped[Prose] = mapped_column(server_default=text("''"))
    # What its ended sessions have used together: to sum all sessions of all projects of an owner takes too long.
    spent_usd: Mapped[float] = mapped_column(server_default=text("0"))
    spent_tokens: Mapped[Count] = mapped_column(server_default=text("0"))
    spent_sessions: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class PipelineStateRow(Base):
    __tablename__ = "pipeline_states"
    __table_args__ = (
        Index("idx_pipeline_states_project", "project_id", unique=True),
        Index(
            "idx_pipeline_states_queued",
            "queued_at",
            postgresql_where=text("queued_at IS NOT NULL"),
            sqlite_where=text("queued_at IS NOT NULL"),
        ),
    )

    id: Mapped[Id]
    project_id: Mapped[ProjectId]
    phases: Mapped[dict[str, Any]]
    last_checkpoint: Mapped[datetime]
    heartbeat: Mapped[datetime | None]
    shutdown_requested: Mapped[bool] = mapped_column(server_default=false())
    shutdown_reason: Mapped[str | None] = mapped_column(StorableText)
    resumes_at: Mapped[datetime | None]
    waits: Mapped[int] = mapped_column(server_default="0")
    queued_at: Mapped[datetime | None]
    agent_snapshots: Mapped[list[Any]]
    interrupted_work_items: Mapped[list[Any]]
    last_successful_step: Mapped[Prose]
    owner: Mapped[str | None] = mapped_column(StorableText)
    epoch: Mapped[int]
    lease_seconds: Mapped[float | None]
    lapsed: Mapped[bool] = mapped_column(server_default=false())
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class WorkItemRow(Base):
    __tablename__ = "work_items"
    __table_args__ = (
        one_of("status", WorkItemStatus),
        CheckConstraint("priority BETWEEN 1 AND 4", name="priority"),
        UniqueConstraint("project_id", "number"),
        Index("idx_work_items_project", "project_id"),
        Index("idx_work_items_status", "status"),
    )

    id: Mapped[Id]
    project_id: Mapped[ProjectId]
    number: Mapped[int]
    title: Mapped[Prose]
    description: Mapped[Prose]
    acceptance: Mapped[list[Any]]
    status: Mapped[Status]
    priority: Mapped[int]
    phase: Mapped[Phase]
    # Deferred, so that a batch may hold a child before its parent.
    parent_id: Mapped[str | None] = mapped_column(
        ForeignKey("work_items.id", ondelete="CASCADE", deferrable=True, initially="DEFERRED")
    )
    dependencies: Mapped[list[str]] = mapped_column(IdentityList)
    labels: Mapped[list[Any]]
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]


class CommentRow(Base):
    __tablename__ = "work_item_comments"

    id: Mapped[Id]
    work_item_id: Mapped[str] = mapped_column(ForeignKey("work_items.id", ondelete="CASCADE"), index=True)
    author: Mapped[Prose]
    content: Mapped[Prose]
    created_at: Mapped[datetime]


class TrackerLinkRow(Base):
    """What something of ours is called in an outside tracker."""

    __tablename__ = "tracker_links"
    __table_args__ = (UniqueConstraint("project_id", "tracker", "kind", "remote_id"),)

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    tracker: Mapped[str] = mapped_column(String(50), primary_key=True)
    kind: Mapped[str] = mapped_column(String(50), primary_key=True)
    local_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    remote_id: Mapped[str] = mapped_column(String(100))
    data: Mapped[dict[str, Any]]


class TrackerOutboxRow(Base):
    """A change that still has to reach an outside tracker."""

    __tablename__ = "tracker_outbox"
    __table_args__ = (Index(None, "project_id", "tracker", "seq"),)

    seq: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    project_id: Mapped[ProjectId]
    tracker: Mapped[str] = mapped_column(String(50))
    kind: Mapped[str] = mapped_column(String(50))
    work_item_id: Mapped[str | None] = mapped_column(ForeignKey("work_items.id", ondelete="CASCADE"))
    data: Mapped[dict[str, Any]]
    attempts: Mapped[int]
    error: Mapped[str | None] = mapped_column(StorableText)
    created_at: Mapped[datetime]


class TrackerSyncRow(Base):
    """How a project's tracker stands beside this database."""

    __tablename__ = "tracker_syncs"

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[Status]
    link: Mapped[str | None] = mapped_column(StorableText)
    pending: Mapped[int]
    last_error: Mapped[str | None] = mapped_column(StorableText)
    last_synced: Mapped[datetime | None]


class PhaseOutputRow(Base):
    __tablename__ = "phase_outputs"
    __table_args__ = (Index(None, "project_id", "phase"),)

    id: Mapped[Id]
    project_id: Mapped[ProjectId]
    phase: Mapped[Phase]
    output_type: Mapped[str] = mapped_column(String(100))
    content: Mapped[dict[str, Any]]
    content_hash: Mapped[str] = mapped_column(String(128))
    file_path: Mapped[str | None] = mapped_column(StorableText)
    round: Mapped[int]
    created_at: Mapped[datetime]


class SessionLogRow(Base):
    __tablename__ = "session_logs"
    __table_args__ = (
        one_of("status", AgentStatus),
        UniqueConstraint("project_id", "session_number"),
        Index(None, "ended_at"),
    )

    id: Mapped[Id]
    project_id: Mapped[ProjectId]
    phase: Mapped[Phase]
    session_number: Mapped[int]
    role: Mapped[Prose]
    work_item_id: Mapped[ItemReference | None]
    model: Mapped[Prose]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    status: Mapped[Status]
    summary: Mapped[Prose]
    error: Mapped[str | None] = mapped_column(StorableText)
    tool_calls: Mapped[list[Any]]
    input_tokens: Mapped[Count]
    output_tokens: Mapped[Count]
    cache_read_tokens: Mapped[Count]
    cache_write_tokens: Mapped[Count]
    cost_usd: Mapped[float]
    cli_session_id: Mapped[str | None] = mapped_column(String(100))
    attempt: Mapped[int] = mapped_column(server_default="1")
    prompt_hash: Mapped[str | None] = mapped_column(String(64))
    answer: Mapped[dict[str, Any] | None]


class InputRequestRow(Base):
    __tablename__ = "input_requests"
    __table_args__ = (
        one_of("kind", RequestKind),
        one_of("status", RequestStatus),
        Index(None, "project_id", "status"),
    )

    id: Mapped[Id]
    project_id: Mapped[ProjectId]
    kind: Mapped[Status]
    phase: Mapped[Phase | None]
    title: Mapped[Prose]
    body: Mapped[Prose]
    choices: Mapped[list[Any]]
    content_hash: Mapped[str] = mapped_column(String(128))
    artifact_id: Mapped[str | None] = mapped_column(ForeignKey("phase_outputs.id", ondelete="SET NULL"))
    work_item_id: Mapped[ItemReference | None]
    status: Mapped[Status]
    choice: Mapped[str | None] = mapped_column(String(50))
    text: Mapped[str | None] = mapped_column(StorableText)
    answered_by: Mapped[str | None] = mapped_column(StorableText)
    created_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    asked_by: Mapped[str | None] = mapped_column(StorableText)
    pattern: Mapped[str | None] = mapped_column(StorableText)
    taken_at: Mapped[datetime | None]


class InstructionRow(Base):
    __tablename__ = "instructions"
    __table_args__ = (
        one_of("kind", InstructionKind),
        one_of("status", InstructionStatus),
        Index(None, "project_id", "status"),
    )

    id: Mapped[Id]
    project_id: Mapped[ProjectId]
    kind: Mapped[Status]
    text: Mapped[Prose]
    by: Mapped[Prose]
    agent_id: Mapped[str | None] = mapped_column(Identity)
    work_item_id: Mapped[ItemReference | None]
    status: Mapped[Status]
    created_at: Mapped[datetime]


class EventRow(Base):
    __tablename__ = "events"
    __table_args__ = (Index(None, "project_id", "seq"),)

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    project_id: Mapped[ProjectId]
    kind: Mapped[str] = mapped_column(String(50))
    data: Mapped[dict[str, Any]]


class EventCounterRow(Base):
    """The one row whose lock puts the commits of all writers in order."""

    __tablename__ = "event_counter"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[Count]


class TranscriptRow(Base):
    """One line of a conversation. `subpath` is empty for the main one; `entry_uuid` makes appending idempotent."""

    __tablename__ = "transcripts"
    __table_args__ = (UniqueConstraint("project_key", "session_id", "subpath", "entry_uuid"),)

    project_key: Mapped[str] = mapped_column(String(255), primary_key=True)
    session_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    subpath: Mapped[str] = mapped_column(String(255), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    entry_uuid: Mapped[str | None] = mapped_column(String(100))
    entry: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class ApiTokenRow(Base):
    """A token of the REST API; only the hash of its secret is kept."""

    __tablename__ = "api_tokens"
    __table_args__ = (one_of("scope", Scope),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[Prose]
    scope: Mapped[Status]
    secret_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class ApiAuditRow(Base):
    """A command that came over the REST API; with its idempotency key, so that a repetition is told apart."""

    __tablename__ = "api_audit"
    __table_args__ = (UniqueConstraint("token_id", "idempotency_key"),)

    # BIGINT on SQLite would not count by itself.
    number: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    token_id: Mapped[str] = mapped_column(String(32))
    token_name: Mapped[Prose]
    address: Mapped[Prose]
    at: Mapped[datetime]
    command: Mapped[Status]
    detail: Mapped[Prose]
    idempotency_key: Mapped[str | None] = mapped_column(String(200))
    body_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None]
    answer: Mapped[str | None] = mapped_column(StorableText)
    ended_at: Mapped[datetime | None]


class AccountLimitRow(Base):
    """A used-up usage limit of an account, known by a hash of its credential, and when it is over."""

    __tablename__ = "account_limits"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    resets_at: Mapped[datetime]


class WebhookPlaceRow(Base):
    """How far a webhook receiver has been told of the stored events, and which process tells it just now."""

    __tablename__ = "webhook_places"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    seq: Mapped[Count]
    attempts: Mapped[int]
    next_at: Mapped[datetime | None]
    turn_of: Mapped[str | None] = mapped_column(StorableText)
    turn_until: Mapped[datetime | None]


class WorkerRow(Base):
    """A process that runs projects for an installation of several; its heartbeat says whether it still does."""

    __tablename__ = "workers"

    id: Mapped[Id]
    name: Mapped[Prose]
    process: Mapped[Prose]
    concurrency: Mapped[int]
    draining: Mapped[bool] = mapped_column(server_default=false())
    load: Mapped[float]
    started_at: Mapped[datetime]
    heartbeat: Mapped[datetime]


class MissingFolderRow(Base):
    """A worker does not find the folder of a project that waits to be run."""

    __tablename__ = "missing_folders"

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    worker_id: Mapped[str] = mapped_column(ForeignKey("workers.id", ondelete="CASCADE"), primary_key=True)


class AgentSeatRow(Base):
    """A session that is at work, or waits to be, where the agents of an installation are limited. It counts only while
    `epoch` is that of its project's lease."""

    __tablename__ = "agent_seats"
    __table_args__ = (one_of("awaits", SeatScope),)

    id: Mapped[Id]
    project_id: Mapped[ProjectId]
    epoch: Mapped[int]
    process: Mapped[Prose]
    # The order in which they were asked for.
    number: Mapped[Count]
    priority: Mapped[int]
    most: Mapped[int]
    most_here: Mapped[int]
    awaits: Mapped[Status | None]
    asked_at: Mapped[datetime]


def table_of(row: type[Base]) -> Table:
    """The Core table behind a model."""
    table = row.__table__
    assert isinstance(table, Table)
    return table


projects = table_of(ProjectRow)
pipeline_states = table_of(PipelineStateRow)
work_items = table_of(WorkItemRow)
work_item_comments = table_of(CommentRow)
tracker_links = table_of(TrackerLinkRow)
tracker_outbox = table_of(TrackerOutboxRow)
tracker_syncs = table_of(TrackerSyncRow)
phase_outputs = table_of(PhaseOutputRow)
session_logs = table_of(SessionLogRow)
input_requests = table_of(InputRequestRow)
instructions = table_of(InstructionRow)
events = table_of(EventRow)
event_counter = table_of(EventCounterRow)
transcripts = table_of(TranscriptRow)
api_tokens = table_of(ApiTokenRow)
api_audit = table_of(ApiAuditRow)
account_limits = table_of(AccountLimitRow)
webhook_places = table_of(WebhookPlaceRow)
workers = table_of(WorkerRow)
missing_folders = table_of(MissingFolderRow)
agent_seats = table_of(AgentSeatRow)
