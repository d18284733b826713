"""The workers of a cluster as lines of text."""

from collections.abc import Sequence
from datetime import datetime

from orchestrator_tui.domain import words
from orchestrator_tui.domain.records import WorkerRecord
from orchestrator_tui.domain.text import one_line


def lines(workers: Sequence[WorkerRecord], moment: datetime) -> list[str]:
    """Each worker with what it runs, the silent ones last; `moment` is the present one."""
    if not workers:
        return [words.NO_WORKER]
    found: list[str] = []
    for worker in sorted(workers, key=lambda one: words.is_silent(one, moment)):
        found.append(f"{one_line(worker.name)}: {words.worker(worker, moment)}")
        found += [f"  {one.number}  {one_line(one.name)}" for one in worker.projects]
    return found
