"""Writes to artifacts, session logs and what waits for a person."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select, update

from orchestrator_tui.database import rows, spending
from orchestrator_tui.database.models import account_limits, input_requests, phase_outputs, session_logs
from orchestrator_tui.database.queries import get_request
from orchestrator_tui.database.writes import Writes, upsert_into
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.errors import RequestClosed
from orchestrator_tui.domain.records import Artifact, InputRequest, SessionLog, Usage
from orchestrator_tui.domain.statuses import AgentStatus, Choice, RequestStatus

_IDENTITY = frozenset({"id", "project_id", "session_number", "started_at"})


class RequestWrites(Writes):
    """The part of a unit of work that concerns artifacts, sessions with what they found used up, and requests."""

    async def add_artifact(self, artifact: Artifact) -> None:
        newest = select(func.max(phase_outputs.c.created_at)).where(
            phase_outputs.c.project_id == artifact.project_id, phase_outputs.c.phase == artifact.phase.value
        )
        before = (await self._runner.run(newest)).scalar_one()
        if before is not None and before >= artifact.created_at:
            # The clock was set back; the newest must still be found to be that.
            artifact = replace(artifact, created_at=before + timedelta(microseconds=1))
        await self._runner.run(insert(phase_outputs).values(rows.artifact_values(artifact)))

    async def start_session(self, session: SessionLog) -> SessionLog:
        if not session.session_number:
            number = await self._next_number(session.project_id, session_logs.c.session_number)
            session = replace(session, session_number=number)
        await self._runner.run(insert(session_logs).values(rows.session_values(session)))
        return session

    async def end_session(self, session: SessionLog) -> None:
        await self._keep_others_out(session.project_id)
        values = {name: value for name, value in rows.session_values(session).items() if name not in _IDENTITY}
        ended = await self._runner.run(update(session_logs).where(session_logs.c.id == session.id).values(values))
        if ended.rowcount == 0:
            raise KeyError(session.id)
        await spending.keep_spent(self._runner, session.project_id)

    async def save_answer(self, session_id: str, answer: Mapping[str, Any] | None) -> None:
        await self._runner.run(update(session_logs).where(session_logs.c.id == session_id).values(answer=answer))

    async def save_usage(self, session_id: str, usage: Usage) -> None:
        running = session_logs.c.status == AgentStatus.RUNNING.value
        at_work = update(session_logs).where(session_logs.c.id == session_id, running)
        await self._runner.run(at_work.values(asdict(usage)))

    async def limit_account(self, name: str, resets_at: datetime) -> None:
        upsert = upsert_into(self._runner, account_limits).values(name=name, resets_at=resets_at)
        await self._runner.run(upsert.on_conflict_do_update(index_elements=["name"], set_={"resets_at": resets_at}))

    async def open_request(self, request: InputRequest) -> None:
        await self._runner.run(insert(input_requests).values(rows.request_values(request)))

    async def answer_request(
        self, request_id: str, *, content_hash: str, choice: Choice, text: str | None, by: str
    ) -> InputRequest:
        answered = await self._runner.run(
            update(input_requests)
            .where(
                input_requests.c.id == request_id,
                input_requests.c.status == RequestStatus.OPEN.value,
                input_requests.c.content_hash == content_hash,
            )
            .values(
                status=RequestStatus.ANSWERED.value,
                choice=choice.value,
                text=text,
                answered_by=by,
                answered_at=now(),
            )
            .returning(input_requests)
        )
        row = answered.one_or_none()
        if row is None:
            raise _closed(await get_request(self._runner, request_id))
        return rows.input_request(row)

    async def withdraw_requests(self, project_id: str) -> None:
        await self._runner.run(
            update(input_requests)
            .where(input_requests.c.project_id == project_id, input_requests.c.status == RequestStatus.OPEN.value)
            .values(status=RequestStatus.WITHDRAWN.value)
        )


def _closed(request: InputRequest) -> RequestClosed:
    match request.status:
        case RequestStatus.ANSWERED:
            return RequestClosed(f"{request.title}: answered already by {request.answered_by} ({request.choice}).")
        case RequestStatus.WITHDRAWN:
            return RequestClosed(f"{request.title}: no longer asked.")
        case RequestStatus.OPEN:
            return RequestClosed(f"{request.title}: its content changed.", hint="Read it again, then answer.")
