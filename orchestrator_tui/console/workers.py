"""The workers of a cluster as lines of text."""

from collections.abc import Sequence

from orchestrator_tui.domain import words
from orchestrator_tui.domain.records import WorkerRecord
from orchestrator_tui.domain.text import one_line


def lines(workers: Sequence[WorkerRecord]) -> list[str]:
    """Each worker with what it runs, the silent ones last."""
    if not workers:
        return [words.NO_WORKER]
    found: list[str] = []
    for worker in sorted(workers, key=words.is_silent):
        found.append(f"{one_line(worker.name)}: {words.worker(worker)}")
        found += [f"  {one.number}  {one_line(one.name)}" for one in worker.projects]
    return found
