"""A usage limit is one credential's: it is known on all workers, and waited for by those that share it alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from orchestrator_tui.agents.base import AgentRuntime, AgentSession, SessionRequest
from orchestrator_tui.compose import open_engine
from orchestrator_tui.domain import events
from orchestrator_tui.domain.statuses import AgentStatus, PauseReason, PipelineStatus
from tests.conftest import PostgresForTests
from tests.engine.test_hand_over import Patient, PatientSession
from tests.lives import light_scenario
from tests.recovery import troubled
from tests.recovery.test_waiting import is_waiting, waiting_runtime
from tests.recovery.troubled import FakeClock
from tests.running import NO_PLANNING, Watched, launch


class InterruptibleSession(PatientSession):
    async def interrupt(self) -> None:
        await PatientSession.interrupt(self)
        self.go_on.set()


@dataclass(frozen=True, slots=True)
class PaidBy(Patient):
    """A patient runtime on somebody's account."""

    name: str = field(kw_only=True)

    @property
    def account(self) -> str:
        return self.name

    @asynccontextmanager
    async def session(self, request: SessionRequest) -> AsyncIterator[AgentSession]:
        self.started.append(request)
        yield InterruptibleSession(scenario=self.scenario, request=request, begun=self.begun, go_on=self.go_on)


async def test_a_usage_limit_found_on_one_worker_pauses_who_shares_the_credential_on_every_worker_and_nobody_else(
    postgres: PostgresForTests, tmp_path: Path
) -> None:
    clock = FakeClock(holds=True)
    finds = waiting_runtime(clock, [troubled.usage_limit(1)])
    finds.paid_by = "ada"
    shares, differs = (PaidBy(light_scenario(1), name=name) for name in ("ada", "bob"))
    async with postgres.migrated_database() as url:
        start = launch(tmp_path / "home", None, **NO_PLANNING)
        start = replace(start, environ={**start.environ, "DATABASE_URL": url})

        @asynccontextmanager
        async def worker(host: str, runtime: AgentRuntime) -> AsyncIterator[Watched]:
            async with open_engine(start, runtime=runtime, clock=clock) as engine:
                engine._runs._taking_up.owner = f"process 7 on {host} since 1"
                run = Watched(engine=engine)
                await run.create(name=host)
                yield run

        async with worker("second", shares) as second, worker("third", differs) as third:
            await asyncio.gather(shares.begun.wait(), differs.begun.wait())
            async with worker("first", finds) as first:
                found = await first.until(is_waiting)
                paused = await second.until(is_waiting)
            for one in (found, paused):
                assert isinstance(one, events.PipelineStatusChanged)
                assert (one.new, one.reason) == (PipelineStatus.PAUSED, PauseReason.USAGE_LIMIT)
                assert one.resumes_at == clock.now() + timedelta(hours=1, seconds=5)
            assert len(shares.started) == 1
            differs.go_on.set()
            await third.until(lambda event: isinstance(event, events.AgentFinished))
            assert {event.new for event in third.all(events.PipelineStatusChanged)} == {PipelineStatus.RUNNING}
            [ended] = third.all(events.AgentFinished)
            assert ended.status is AgentStatus.COMPLETED
