"""Writes a whole project at once, as it is built again from its folder."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table, insert

from orchestrator_tui.database import rows, spending
from orchestrator_tui.database.models import (
    input_requests,
    instructions,
    phase_outputs,
    session_logs,
    work_item_comments,
    work_items,
)
from orchestrator_tui.database.pipeline_writes import PipelineWrites
from orchestrator_tui.domain.codec import to_plain
from orchestrator_tui.domain.records import Dossier, Project


class ImportWrites(PipelineWrites):
    """The part of a unit of work that takes in what another database held."""

    async def import_project(self, dossier: Dossier) -> Project:
        given, state = dossier.project, dossier.state
        created = await self.create_project(
            project_id=given.id,
            name=given.name,
            slug=given.slug,
            description=given.description,
            directory=given.directory,
            rehearsal=given.rehearsal,
            config=given.config,
            created_by=given.created_by,
        )
        current = given.current_phase.value if given.current_phase else None
        await self._set_project(given.id, status=given.status.value, current_phase=current, created_at=given.created_at)
        await self._set_state(
            given.id,
            phases=to_plain(state.phases),
            last_checkpoint=state.last_checkpoint,
            heartbeat=state.heartbeat,
            shutdown_reason=state.shutdown_reason,
            resumes_at=state.resumes_at,
            waits=state.waits,
            agent_snapshots=to_plain(state.agent_snapshots),
            interrupted_work_items=to_plain(state.interrupted_work_items),
            last_successful_step=state.last_successful_step,
            epoch=state.epoch,
        )
        await self._add(work_items, [rows.item_values(item) for item in dossier.items])
        await self._add(work_item_comments, [rows.comment_values(comment) for comment in dossier.comments])
        await self._add(phase_outputs, [rows.artifact_values(artifact) for artifact in dossier.artifacts])
        await self._add(session_logs, [rows.session_values(session) for session in dossier.sessions])
        await spending.keep_spent(self._runner, given.id)
        await self._add(input_requests, [rows.request_values(request) for request in dossier.requests])
        await self._add(instructions, [rows.instruction_values(given) for given in dossier.instructions])
        return created

    async def _add(self, table: Table, values: Sequence[dict[str, Any]]) -> None:
        if values:
            await self._runner.run(insert(table), values)
