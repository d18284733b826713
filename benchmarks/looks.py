"""What a worker's look costs with many projects on a real PostgreSQL, half of them at work and half waiting; and what
it costs to know what all of them, which are one owner's, have used together. Processor time is measured, of this
process and of the database, so that a busy machine says little; of several tries the least counts."""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]

from benchmarks.report import Metric, report
from orchestrator_tui.database.repository import SqlStore, open_store
from orchestrator_tui.domain.clock import now
from orchestrator_tui.engine.silence import Silence
from orchestrator_tui.engine.worker import WAITING_AT_ONCE
from tests.conftest import make_project
from tests.own_postgres import own_postgres

LOOK_MILLISECONDS, SUM_MILLISECONDS = 50.0, 20.0
"""What each may take with 10,000 projects."""

SESSIONS, TODAY = 50, 2
"""Of each project: sessions that have ended, and those of them on this day."""

PROJECTS = """
    INSERT INTO projects
    SELECT (jsonb_populate_record(NULL::projects, to_jsonb(first) || jsonb_build_object(
        'id', gen_random_uuid(), 'number', n, 'slug', 'p' || n,
        'status', CASE WHEN n % 2 = 0 THEN 'running' ELSE 'not_started' END))).*
    FROM (SELECT * FROM projects WHERE number = 1) first, generate_series($1::int, $2::int) n
"""
STATES = """
    INSERT INTO pipeline_states
    SELECT (jsonb_populate_record(NULL::pipeline_states, to_jsonb(first) || jsonb_build_object(
        'id', gen_random_uuid(), 'project_id', projects.id, 'epoch', 1, 'heartbeat', now(),
        'owner', CASE WHEN number % 2 = 0 THEN 'process 9 on elsewhere since 1 in 01234567' END,
        'queued_at', CASE WHEN number % 2 = 1 THEN now() END))).*
    FROM projects,
        (SELECT state.* FROM pipeline_states state JOIN projects ON projects.id = project_id AND number = 1) first
    WHERE number BETWEEN $1 AND $2
"""
SESSION_LOGS = """
    INSERT INTO session_logs (id, project_id, phase, session_number, role, model, started_at, ended_at, status, summary,
        tool_calls, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_usd)
    SELECT gen_random_uuid(), id, 'implement', session, 'developer', 'claude', now() - age, now() - age, 'completed',
        '', '[]', 1, 1, 1, 1, 0.25
    FROM projects, generate_series(1, $3::int) session, LATERAL (SELECT CASE WHEN session <= $4::int
        THEN interval '1 second' ELSE interval '3 days' END AS age) ages
    WHERE number BETWEEN $1 AND $2
"""

KEPT = """
    UPDATE projects SET spent_usd = 0.25 * $3::int, spent_tokens = 4 * $3::int, spent_sessions = $3::int
    WHERE number BETWEEN $1 AND $2
"""


async def fill(connection: "asyncpg.Connection", begin: int, end: int) -> None:
    """Projects of these numbers, like the first one."""
    await connection.execute(PROJECTS, begin, end)
    await connection.execute(STATES, begin, end)
    await connection.execute(SESSION_LOGS, begin, end, SESSIONS, TODAY)
    await connection.execute(KEPT, begin, end, SESSIONS)
    await connection.execute("VACUUM ANALYZE")


def _nanoseconds(process: int) -> int:
    """What a process has run. Raises OSError when it is gone."""
    return int(Path(f"/proc/{process}/schedstat").read_text(encoding="ascii").split()[0])


async def processor_seconds(connection: "asyncpg.Connection") -> float:
    """What this process has used, and all connections to the database on its side."""
    used = time.process_time()
    for row in await connection.fetch("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()"):
        with suppress(OSError):
            used += _nanoseconds(row["pid"]) / 1e9
    return used


async def least(connection: "asyncpg.Connection", work: Callable[[], Awaitable[object]], tries: int = 9) -> float:
    """Milliseconds of processor time."""
    idle = used = float("inf")
    for _ in range(tries):
        marks = [await processor_seconds(connection), await processor_seconds(connection)]
        await work()
        marks.append(await processor_seconds(connection))
        idle, used = min(idle, marks[1] - marks[0]), min(used, marks[2] - marks[1])
    return 1000 * (used - idle)


async def measure(store: SqlStore, connection: "asyncpg.Connection", project_id: str) -> tuple[float, float]:
    """Milliseconds of a look, without what it puts into the queue, and of the sums of an owner."""
    silence = Silence(1.0)

    async def look() -> None:
        silence.look(await store.roster.wanted(waiting=WAITING_AT_ONCE))

    async def sums() -> None:
        await store.spent(project_id, since=now() - timedelta(hours=1), of_owner=True)

    return await least(connection, look), await least(connection, sums)


async def measure_all(numbers: list[int]) -> dict[str, Metric]:
    """For so many projects each."""
    metrics: dict[str, Metric] = {}
    with own_postgres() as server:
        async with open_store(server.url) as store:
            project = await make_project(store, "first")
            connection = await asyncpg.connect(server.url)
            # Those would come and go unseen.
            await connection.execute("ALTER SYSTEM SET max_parallel_workers_per_gather = 0")
            await connection.execute("SELECT pg_reload_conf()")
            known = 1
            for number in sorted(numbers):
                await fill(connection, known + 1, number)
                known = number
                look, sums = await measure(store, connection, project.id)
                metrics[f"a worker's look, {number:,} projects"] = Metric(
                    value=look, target=LOOK_MILLISECONDS, unit="ms"
                )
                metrics[f"sums of an owner, {number:,} projects"] = Metric(
                    value=sums, target=SUM_MILLISECONDS, unit="ms"
                )
                sys.stderr.write(f"{number:,} projects: look {look:.1f} ms, sums {sums:.1f} ms\n")
            await connection.close()
    return metrics


def main() -> int:
    """Measure, print a table, write `benchmarks/results/looks.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--projects", type=int, nargs="+", default=[1_000, 10_000])
    report("looks", asyncio.run(measure_all(parser.parse_args().projects)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
