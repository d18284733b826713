"""Puts together what makes a process part of a cluster: the queue in the database, and a worker that runs projects."""

import os
import socket
from contextlib import AsyncExitStack
from functools import partial

from orchestrator_tui.config.loader import Settings
from orchestrator_tui.config.settings import NO_LIMIT
from orchestrator_tui.database.repository import SqlStore
from orchestrator_tui.domain.clock import new_id, now
from orchestrator_tui.domain.errors import SettingsError
from orchestrator_tui.domain.records import WorkerRecord
from orchestrator_tui.engine.bus import Bus
from orchestrator_tui.engine.cluster import Cluster
from orchestrator_tui.engine.heartbeat import BEATS
from orchestrator_tui.engine.priority import priority_of
from orchestrator_tui.engine.runs import Runs
from orchestrator_tui.engine.seats import SeatLimits, Seats
from orchestrator_tui.engine.worker import Worker, WorkerOptions


def require_shared_database(url: str | None) -> None:
    """Refuse a database of this machine alone, before one is made; None is the one of the data folder.

    Raises:
        SettingsError.
    """
    if url is None or url.startswith("sqlite:"):
        raise _unshared()


def _unshared() -> SettingsError:
    return SettingsError(
        "cluster.enabled needs a PostgreSQL database that is reached without a pooler.",
        hint="Name one in DATABASE_URL, or leave cluster.enabled out.",
    )


async def open_cluster(settings: Settings, store: SqlStore) -> Cluster:
    """The queue in the database, and how urgent a project is in it.

    Raises:
        SettingsError: there can be none.
        StoreUnavailable: the database cannot be used.
    """
    if store.connect is None:
        raise _unshared()
    try:
        # Imported when it is needed: few starts are part of a cluster.
        from orchestrator_tui.cluster.queue import open_queue
    except ImportError as error:
        hint = 'Install it: pip install "orchestrator-tui[cluster]".'
        raise SettingsError("cluster.enabled needs the extra orchestrator-tui[cluster].", hint=hint) from error

    return Cluster(queue=await open_queue(store), priority_of=partial(priority_of, settings=settings))


async def open_seats(
    settings: Settings, store: SqlStore, bus: Bus, lease_seconds: float, stack: AsyncExitStack
) -> Seats | None:
    """The line for seats, open until `stack` is closed; None where the agents of the installation are not limited."""
    most = settings.cluster.max_agents
    if most == NO_LIMIT:
        return None
    limits = SeatLimits(most=most, most_here=settings.agent.max_parallel)
    seats = Seats(store, bus, limits, lease_seconds=lease_seconds, look_seconds=lease_seconds / BEATS)
    return await stack.enter_async_context(seats)


def make_worker(settings: Settings, store: SqlStore, runs: Runs, cluster: Cluster, concurrency: int | None) -> Worker:
    """A worker of this process that runs so many projects at a time, or as many as the settings say."""
    moment = now()
    record = WorkerRecord(
        id=new_id(),
        name=f"{socket.gethostname() or 'localhost'}-{os.getpid()}",
        process=runs.owner,
        concurrency=concurrency or settings.cluster.concurrency,
        load=0.0,
        started_at=moment,
        heartbeat=moment,
    )
    how = WorkerOptions(heartbeat_seconds=_heartbeat_seconds(settings), stall_seconds=settings.cluster.stall_seconds)
    return Worker(record, store, runs, cluster, how)


def _heartbeat_seconds(settings: Settings) -> float:
    """Often enough for two to get lost before a worker counts as gone."""
    return min(settings.cluster.heartbeat_seconds, settings.cluster.stall_seconds / BEATS)
