"""A cluster: projects finished a minute by 1, 2 and 3 workers beside one process without a queue, and what each work
item costs the database. The model answers at once, so that nothing but the engine is measured."""

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]

from benchmarks.report import Metric, report
from orchestrator_tui.compose import open_engine
from orchestrator_tui.domain import events
from orchestrator_tui.domain.commands import CreateProject
from orchestrator_tui.domain.statuses import PipelineStatus
from orchestrator_tui.engine.engine import LocalEngine
from tests.cluster.clusters import part_of_cluster
from tests.cluster.faults import Plan, worker_life
from tests.crash.__main__ import only_what_is_needed
from tests.lives import PATIENCE, life, light_scenario
from tests.own_postgres import OwnPostgres, own_postgres
from tests.replay_runtime import ReplayRuntime

WORKERS = (1, 2, 3)
PLAN = Plan(projects=6, items=4, seconds=0, stall=60, heartbeat=1.5)
"""Each worker runs as many projects as there are, so that nothing but processors limits it."""


STATEMENTS = """
    SELECT sum(calls)::bigint FROM pg_stat_statements JOIN pg_database ON pg_database.oid = dbid
    WHERE datname = current_database() AND query !~* '^(begin|start|commit|rollback|savepoint|release|set)'
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """`seconds` is the time from the first project's beginning to the last one's end."""

    seconds: float
    events: int
    statements: int
    transactions: int
    megabytes: float

    @property
    def projects_per_minute(self) -> float:
        return 60 * PLAN.projects / self.seconds

    @property
    def milliseconds_per_event(self) -> float:
        return 1000 * self.seconds / self.events


async def count_statements(server: OwnPostgres) -> None:
    """Have the server count them, those that begin and end transactions left out."""
    connection = await asyncpg.connect(server.url)
    await connection.execute("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
    await connection.close()
    await server.stop()
    await server.start()


@asynccontextmanager
async def fresh(server: OwnPostgres, name: str) -> AsyncIterator[str]:
    """A database of that name."""
    connection = await asyncpg.connect(server.url)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    url = server.url.replace("/postgres?", f"/{name}?")
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("CREATE EXTENSION pg_stat_statements")
    finally:
        await connection.close()
    yield url


async def measured(home: Path, url: str, workers: int) -> Measured:
    """Have all projects finished by so many workers; by this process when there are none."""
    start = part_of_cluster(home, url, heartbeat_seconds=PLAN.heartbeat, stall_seconds=PLAN.stall)
    if not workers:
        start = replace(start, overrides={**start.overrides, "cluster": {"enabled": False}})
    with ExitStack() as stack:
        hands = [
            stack.enter_context(life(worker_life, home, url, f"host-{number}", PLAN, output=home.with_suffix(".txt")))
            for number in range(workers)
        ]
        async with open_engine(start, runtime=ReplayRuntime(light_scenario(PLAN.items))) as engine:
            await _until_there(engine, hands)
            found = await _finished(engine, url)
        for hand in hands:
            assert hand.pid is not None
            os.kill(hand.pid, signal.SIGTERM)
            await asyncio.to_thread(hand.join, PATIENCE)
    return found


async def _until_there(engine: LocalEngine, hands: Sequence[ForkServerProcess]) -> None:
    while True:
        if len(await engine.workers()) == len(hands):
            return
        if any(hand.exitcode is not None for hand in hands):
            raise AssertionError("a worker ended before it was there")
        await asyncio.sleep(0.1)


async def _finished(engine: LocalEngine, url: str) -> Measured:
    before, told_before = await _transactions(url), await _asked(url, STATEMENTS)
    began, left = time.monotonic(), PLAN.projects
    size_before = await _asked(url, "SELECT pg_database_size(current_database())")
    async with engine.subscribe(0) as stream:
        for number in range(PLAN.projects):
            await engine.submit(CreateProject(idea="Small modules", name=f"demo-{number}", rehearsal=True))
        count = 0
        while left:
            one = await anext(stream)
            count += 1
            match getattr(one, "event", None):
                case events.PipelineStatusChanged(new=PipelineStatus.COMPLETED):
                    left -= 1
                case events.PipelineStatusChanged(new=PipelineStatus.FAILED):
                    raise AssertionError("a project failed")
    seconds = time.monotonic() - began
    # What was counted by a connection is told about a second later.
    await asyncio.sleep(1.5)
    size = await _asked(url, "SELECT pg_database_size(current_database())") - size_before
    transactions = await _transactions(url) - before
    return Measured(
        seconds=seconds,
        events=count,
        statements=await _asked(url, STATEMENTS) - told_before,
        transactions=transactions,
        megabytes=size / 1_000_000,
    )


async def _transactions(url: str) -> int:
    return await _asked(
        url, "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
    )


async def _asked(url: str, question: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        found: int = await connection.fetchval(question)
        return found
    finally:
        await connection.close()


def main() -> None:
    """Measure, and report."""
    only_what_is_needed()
    found: dict[int, Measured] = {}
    with tempfile.TemporaryDirectory(prefix="cluster-") as name, own_postgres() as server:

        async def one(workers: int) -> Measured:
            async with fresh(server, f"with_{workers}") as url:
                return await measured(Path(name) / f"home-{workers}", url, workers)

        asyncio.run(count_statements(server))
        for workers in (0, *WORKERS):
            found[workers] = asyncio.run(one(workers))
    alone = found[0]
    items = PLAN.projects * PLAN.items
    metrics = {"one process: projects per minute": Metric(value=alone.projects_per_minute, unit="1/min")}
    for workers in WORKERS:
        metrics[f"{workers} workers: projects per minute"] = Metric(
            value=found[workers].projects_per_minute,
            unit="1/min",
            baseline=alone.projects_per_minute,
            more_is_better=True,
        )
    metrics["1 worker: time per event"] = Metric(
        value=found[1].milliseconds_per_event, unit="ms", baseline=alone.milliseconds_per_event
    )
    metrics["3 workers: statements per work item"] = Metric(
        value=found[3].statements / items, unit="", baseline=alone.statements / items
    )
    metrics["3 workers: transactions per work item"] = Metric(
        value=found[3].transactions / items, unit="", baseline=alone.transactions / items
    )
    metrics["events per work item"] = Metric(value=alone.events / items, unit="")
    metrics["database per event"] = Metric(value=1000 * alone.megabytes / alone.events, unit="KB")
    report("cluster", metrics)


if __name__ == "__main__":
    main()
