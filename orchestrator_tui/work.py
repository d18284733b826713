"""Runs the projects of a cluster, without a screen and without an address, until a signal ends it in order."""

import asyncio
import os
import sys
from contextlib import suppress

from orchestrator_tui import cli, compose, start
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.console.interrupts import Interrupts
from orchestrator_tui.domain.errors import UsageError


def work_for_cluster(wanted: cli.Work) -> int:
    """Work until a signal; returns the exit code.

    Raises:
        OrchestratorError: whatever ended it, in words for people.
    """
    launch = start.given(wanted, os.environ)
    with start.in_words(launch, wanted):
        return asyncio.run(work(wanted, launch))


async def work(wanted: cli.Work, launch: Launch) -> int:
    """Work until a signal. The first has the projects handed over at safe points, the second does not wait for those,
    the third for nothing.

    Raises:
        UsageError: projects are not left to workers here.
        StoreUnavailable: the database cannot be used.
    """
    if not launch.settings().cluster.enabled:
        raise UsageError(
            "Projects are not left to workers here.", hint="Set cluster.enabled, for the server and each worker."
        )
    async with Interrupts() as interrupts:
        await compose.wait_for_database(launch, tell=_note, ended=interrupts.wanted)
        if not interrupts.wanted.is_set():
            async with compose.open_service(launch, wakes=True) as service:
                assert service.worker is not None
                worker = service.worker(wanted.concurrency)
                record = worker.record
                _note(f"The worker {record.name} takes projects, {record.concurrency} at a time.")
                await worker.run(interrupts.wanted, interrupts.forced)
    return interrupts.exit_code


def _note(text: str) -> None:
    with suppress(OSError):
        sys.stderr.write(f"{cli.PROGRAM}: {text}\n")
        sys.stderr.flush()
