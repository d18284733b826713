"""What a store would give of stories: overviews, and one log of events."""

from collections.abc import Sequence
from dataclasses import replace

from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.records import ItemCounts, PipelineState, ProjectOverview, Usage
from orchestrator_tui.domain.statuses import PhaseName, WorkItemStatus
from tests.tui.story import Story


def overview_of(story: Story) -> ProjectOverview:
    """What a store would tell of a project."""
    last = max(at for at, _ in story.told)
    usage: dict[PhaseName, Usage] = {}
    for session in story.sessions.values():
        usage[session.phase] = usage.get(session.phase, Usage()) + session.usage
    counts = {status.value: 0 for status in WorkItemStatus}
    for item in story.items.values():
        counts[item.status] += 1
    return ProjectOverview(
        project=replace(story.project, updated_at=last),
        state=PipelineState(
            project_id=story.id,
            status=story.project.status,
            current_phase=story.project.current_phase,
            phases=story.phases,
            last_checkpoint=last,
            heartbeat=last,
            shutdown_reason=story.reason,
        ),
        usage=usage,
        items=ItemCounts(**counts),
        waiting_for=story.requests[0] if story.requests else None,
        running=tuple(one for one in story.sessions.values() if one.ended_at is None),
    )


def recorded(stories: Sequence[Story]) -> tuple[Recorded, ...]:
    """The events of all of them in one log, in the order of time."""
    told = [(at, story.id, event) for story in stories for at, event in story.told]
    in_order = sorted(told, key=lambda one: one[0])
    return tuple(
        Recorded(seq=seq, at=at, project_id=project_id, event=event)
        for seq, (at, project_id, event) in enumerate(in_order, 1)
    )
