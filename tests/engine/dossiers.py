"""Dossiers for tests: any that hypothesis can think of, and one of a project in the middle of its work."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from orchestrator_tui.domain.records import (
    AgentSnapshot,
    Artifact,
    Comment,
    Dossier,
    InputRequest,
    Instruction,
    PhaseState,
    PipelineState,
    Project,
    SessionLog,
    Usage,
    WorkItem,
)
from orchestrator_tui.domain.statuses import (
    PHASE_ORDER,
    AgentStatus,
    Choice,
    InstructionKind,
    InstructionStatus,
    PhaseName,
    PhaseStatus,
    PipelineStatus,
    RequestKind,
    RequestStatus,
    WorkItemStatus,
)
from orchestrator_tui.engine.statefile import read_state, render, write_state

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
PROJECT_ID = "00000000-0000-4000-8000-000000000000"


def id_of(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
moments = st.timedeltas(timedelta(days=-9_000), timedelta(days=9_000)).map(lambda distance: NOON + distance)
counts = st.integers(0, 2**31 - 1)
amounts = st.floats(0, 1e9, allow_nan=False)
phases = st.sampled_from(PhaseName)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
contents = st.dictionaries(texts, json_values, max_size=3)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def projects(status: PipelineStatus) -> st.SearchStrategy[Project]:
    return st.builds(
        Project,
        id=st.just(PROJECT_ID),
        number=counts,
        name=texts,
        slug=texts,
        description=texts,
        status=st.just(status),
        current_phase=optional(phases),
        directory=texts,
        rehearsal=st.booleans(),
        config=contents,
        created_at=moments,
        updated_at=moments,
    )


def phase_states(phase: PhaseName) -> st.SearchStrategy[PhaseState]:
    return st.builds(
        PhaseState,
        phase=st.just(phase),
        status=st.sampled_from(PhaseStatus),
        round=counts,
        started_at=optional(moments),
        ended_at=optional(moments),
        running_since=optional(moments),
        seconds=amounts,
        error=optional(texts),
        feedback=optional(texts),
    )


snapshots = st.builds(
    AgentSnapshot,
    agent_id=texts,
    phase=phases,
    started_at=moments,
    last_activity=moments,
    current_work_item=optional(texts),
    last_tool_call=optional(texts),
    conversation_summary=texts,
    can_resume=st.booleans(),
)


def states(status: PipelineStatus) -> st.SearchStrategy[PipelineState]:
    return st.builds(
        PipelineState,
        project_id=st.just(PROJECT_ID),
        status=st.just(status),
        current_phase=optional(phases),
        phases=st.fixed_dictionaries({phase: phase_states(phase) for phase in PHASE_ORDER}),
        last_checkpoint=moments,
        heartbeat=optional(moments),
        shutdown_requested=st.booleans(),
        shutdown_reason=optional(texts),
        agent_snapshots=st.lists(snapshots, max_size=1).map(tuple),
        interrupted_work_items=st.lists(texts, max_size=2).map(tuple),
        last_successful_step=texts,
        owner=optional(texts),
        epoch=counts,
        lease_seconds=optional(amounts),
    )


def numbered(kind: type[Any], first_id: int, /, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    """Up to three records with ids of their own, the first `first_id`."""

    def identified(found: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(replace(record, id=id_of(first_id + at)) for at, record in enumerate(found))

    return st.lists(st.builds(kind, id=st.just(""), **fields), max_size=3).map(identified)


@st.composite
def dossiers(draw: st.DrawFn) -> Dossier:
    """Whole ones: every record belongs to the project, and what it names is there."""
    status = draw(st.sampled_from(PipelineStatus))
    owned = st.just(PROJECT_ID)
    items: tuple[WorkItem, ...] = draw(
        numbered(
            WorkItem,
            100,
            project_id=owned,
            number=st.just(1),
            title=texts,
            description=texts,
            acceptance=st.lists(texts, max_size=2).map(tuple),
            status=st.sampled_from(WorkItemStatus),
            priority=st.integers(1, 4),
            phase=phases,
            labels=st.lists(texts, max_size=2).map(tuple),
            metadata=contents,
            created_at=optional(moments),
            updated_at=optional(moments),
            completed_at=optional(moments),
        )
    )
    items = tuple(
        replace(item, number=at, dependencies=tuple(i.id for i in items[: at - 1])) for at, item in enumerate(items, 1)
    )
    artifacts: tuple[Artifact, ...] = draw(
        numbered(
            Artifact,
            200,
            project_id=owned,
            phase=phases,
            output_type=texts,
            content=contents,
            content_hash=texts,
            file_path=optional(texts),
            round=counts,
            created_at=moments,
        )
    )
    sessions: tuple[SessionLog, ...] = draw(
        numbered(
            SessionLog,
            300,
            project_id=owned,
            phase=phases,
            session_number=st.just(0),
            role=texts,
            work_item_id=optional(texts),
            model=texts,
            started_at=moments,
            ended_at=optional(moments),
            status=st.sampled_from(AgentStatus),
            summary=texts,
            error=optional(texts),
            usage=st.builds(Usage, input_tokens=st.integers(0, 2**60), output_tokens=counts, cost_usd=amounts),
            cli_session_id=optional(texts),
        )
    )
    requests = draw(
        numbered(
            InputRequest,
            400,
            project_id=owned,
            kind=st.sampled_from(RequestKind),
            phase=optional(phases),
            title=texts,
            body=texts,
            choices=st.lists(st.sampled_from(Choice), max_size=2).map(tuple),
            content_hash=texts,
            artifact_id=st.sampled_from([None, *(artifact.id for artifact in artifacts)]),
            status=st.sampled_from(RequestStatus),
            choice=optional(st.sampled_from(Choice)),
            text=optional(texts),
            answered_by=optional(texts),
            created_at=moments,
            answered_at=optional(moments),
        )
    )
    instructions = draw(
        numbered(
            Instruction,
            600,
            project_id=owned,
            kind=st.sampled_from(InstructionKind),
            text=texts,
            by=texts,
            agent_id=optional(texts),
            work_item_id=optional(texts),
            status=st.just(InstructionStatus.OPEN),
            created_at=moments,
        )
    )
    comments: tuple[Comment, ...] = ()
    if items:
        of_items = st.sampled_from([item.id for item in items])
        comments = draw(numbered(Comment, 500, work_item_id=of_items, author=texts, content=texts, created_at=moments))
    return Dossier(
        project=draw(projects(status)),
        state=draw(states(status)),
        items=items,
        comments=comments,
        artifacts=artifacts,
        sessions=tuple(replace(session, session_number=at) for at, session in enumerate(sessions, 1)),
        requests=requests,
        instructions=instructions,
    )


def item(number: int, status: WorkItemStatus = WorkItemStatus.TODO, **fields: Any) -> WorkItem:
    usual: dict[str, Any] = {"metadata": {"ref": f"item{number}"}, "created_at": NOON, "updated_at": NOON}
    return WorkItem(
        id=id_of(100 + number),
        project_id=PROJECT_ID,
        number=number,
        title=f"Module {number}",
        status=status,
        **usual | fields,
    )


def at_work(*items: WorkItem, directory: str = "/nowhere", **state: Any) -> Dossier:
    """A project whose implement phase began at noon and was last heard of a minute later."""
    done = {name: PhaseState(phase=name, status=PhaseStatus.COMPLETED, round=1) for name in PHASE_ORDER[:4]}
    implement = PhaseState(
        phase=PhaseName.IMPLEMENT, status=PhaseStatus.RUNNING, round=1, started_at=NOON, running_since=NOON
    )
    later = {name: PhaseState(phase=name) for name in PHASE_ORDER[5:]}
    usual: dict[str, Any] = {"last_checkpoint": NOON + timedelta(minutes=1), "heartbeat": NOON}
    return Dossier(
        project=Project(
            id=PROJECT_ID,
            number=7,
            name="Demo",
            slug="demo",
            description="A demo.",
            status=PipelineStatus.RUNNING,
            current_phase=PhaseName.IMPLEMENT,
            directory=directory,
            rehearsal=True,
            config={"settings": {"autonomy": {"mode": "full"}}, "scenario": None},
            created_at=NOON,
            updated_at=NOON,
        ),
        state=PipelineState(
            project_id=PROJECT_ID,
            status=PipelineStatus.RUNNING,
            current_phase=PhaseName.IMPLEMENT,
            phases={**done, PhaseName.IMPLEMENT: implement, **later},
            **usual | state,
        ),
        items=items,
    )


def forget_owner(folder: Path) -> None:
    """The process that wrote the state file is this one, which is still there."""
    dossier = read_state(folder)
    write_state(folder, render(replace(dossier, state=replace(dossier.state, owner=None))))
