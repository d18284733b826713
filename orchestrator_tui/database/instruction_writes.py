"""Writes to what people say to agents unasked, to answers on their way to an agent, and to a project's permissions."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Update, insert, or_, select, update

from orchestrator_tui.database import queries, rows
from orchestrator_tui.database.models import input_requests, instructions, projects, session_logs
from orchestrator_tui.database.writes import Writes
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.records import PERMISSIONS, InputRequest, Instruction, SessionLog, permissions_of
from orchestrator_tui.domain.statuses import (
    AgentStatus,
    InstructionKind,
    InstructionStatus,
    PhaseName,
    RequestKind,
    RequestStatus,
)

_OF_AGENTS = (RequestKind.CLARIFICATION.value, RequestKind.PERMISSION.value)
_OPEN = instructions.c.status == InstructionStatus.OPEN.value


def _unfinished_item(agent_id: str) -> ScalarSelect[Any]:
    """The item of an agent whose session came to no end, so that another goes on with it."""
    column = session_logs.c
    ended = column.status == AgentStatus.COMPLETED.value
    return select(column.work_item_id).where(column.id == agent_id, ~ended).scalar_subquery()


class InstructionWrites(Writes):
    """The part of a unit of work that concerns a person who steps in."""

    async def give_instruction(self, instruction: Instruction) -> None:
        await self._runner.run(insert(instructions).values(rows.instruction_values(instruction)))

    async def claim_notes(self, project_id: str, work_item_id: str | None, agent_id: str) -> Sequence[Instruction]:
        column = instructions.c
        fits: ColumnElement[bool] = column.work_item_id.is_(None)
        if work_item_id is not None:
            fits = or_(fits, column.work_item_id == work_item_id)
        note = column.kind == InstructionKind.NOTE.value
        claimed = update(instructions).where(
            _OPEN, column.project_id == project_id, note, column.agent_id.is_(None), fits
        )
        return await self._changed(claimed.values(agent_id=agent_id))

    async def take_instruction(self, instruction_id: str) -> bool:
        taken = update(instructions).where(_OPEN, instructions.c.id == instruction_id)
        return (await self._runner.run(taken.values(status=InstructionStatus.TAKEN.value))).rowcount == 1

    async def release_instructions(self, agent_id: str) -> Sequence[Instruction]:
        column = instructions.c
        mine = select(instructions).where(_OPEN, column.agent_id == agent_id).order_by(column.created_at, column.id)
        found = [rows.instruction(row) for row in await self._runner.run(mine)]
        if found:
            interrupts = column.kind == InstructionKind.INTERRUPT.value
            left = update(instructions).where(_OPEN, column.agent_id == agent_id)
            await self._runner.run(left.where(interrupts).values(status=InstructionStatus.VOID.value))
            # Others are at work beside it: what was said about its item is of no use to them.
            said = left.where(column.kind == InstructionKind.STEER.value, column.work_item_id.is_(None))
            await self._runner.run(said.values(work_item_id=_unfinished_item(agent_id)))
            await self._runner.run(left.values(kind=InstructionKind.NOTE.value, agent_id=None))
        return found

    async def running_sessions(self, project_id: str) -> Sequence[SessionLog]:
        column = session_logs.c
        running = select(session_logs).where(
            column.project_id == project_id, column.status == AgentStatus.RUNNING.value
        )
        return [rows.session_log(row) for row in await self._runner.run(running.order_by(column.session_number))]

    async def open_requests(self, project_id: str) -> Sequence[InputRequest]:
        return await queries.open_requests(self._runner, project_id)

    async def withdraw_request(self, request_id: str) -> None:
        column = input_requests.c
        still_open = update(input_requests).where(column.id == request_id, column.status == RequestStatus.OPEN.value)
        await self._runner.run(still_open.values(status=RequestStatus.WITHDRAWN.value))

    async def asked_before(self, project_id: str, content_hash: str) -> InputRequest | None:
        column = input_requests.c
        same = select(input_requests).where(
            column.project_id == project_id,
            column.content_hash == content_hash,
            column.kind.in_(_OF_AGENTS),
            column.status != RequestStatus.WITHDRAWN.value,
        )
        newest = same.order_by(column.created_at.desc(), column.id.desc()).limit(1)
        row = (await self._runner.run(newest)).one_or_none()
        return None if row is None else rows.input_request(row)

    async def answers_for(
        self, project_id: str, phase: PhaseName, work_item_id: str | None, asked_by: str
    ) -> Sequence[InputRequest]:
        column = input_requests.c
        waiting = select(input_requests).where(
            column.project_id == project_id,
            column.phase == phase.value,
            column.work_item_id.is_not_distinct_from(work_item_id),
            column.asked_by == asked_by,
            column.kind.in_(_OF_AGENTS),
            column.status == RequestStatus.ANSWERED.value,
            column.taken_at.is_(None),
        )
        oldest_first = waiting.order_by(column.created_at, column.id)
        return [rows.input_request(row) for row in await self._runner.run(oldest_first)]

    async def take_answer(self, request_id: str) -> bool:
        column = input_requests.c
        taken = update(input_requests).where(
            column.id == request_id, column.status == RequestStatus.ANSWERED.value, column.taken_at.is_(None)
        )
        return (await self._runner.run(taken.values(taken_at=now()))).rowcount == 1

    async def set_permission(self, project_id: str, pattern: str, *, allowed: bool) -> bool:
        found = await self._runner.run(select(projects.c.config).where(projects.c.id == project_id).with_for_update())
        row = found.one_or_none()
        if row is None:
            raise KeyError(project_id)
        config: dict[str, Any] = dict(row.config)
        before = permissions_of(config)
        if allowed is (pattern in before):
            return False
        after = [*before, pattern] if allowed else [one for one in before if one != pattern]
        changed = update(projects).where(projects.c.id == project_id)
        await self._runner.run(changed.values(config={**config, PERMISSIONS: after}, updated_at=now()))
        return True

    async def _changed(self, statement: Update) -> Sequence[Instruction]:
        found = [rows.instruction(row) for row in await self._runner.run(statement.returning(instructions))]
        return sorted(found, key=lambda one: (one.created_at, one.id))
