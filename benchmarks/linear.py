"""The requests that a run with its work items in Linear takes, beside the 1,500 an hour that Linear allows.

A rehearsal of many items goes from the idea to its end, without the CLI, against a Linear on loopback that refuses what
is too much. Real agents take minutes for an item and a run hours. Here each developer begins once Linear knows of all
that was before, so that an item takes as many requests as it would then; and all of them fall into one hour, which is
more than any hour of a real run has. What an hour has besides, looks for people's changes, is added.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from benchmarks.report import Metric, report
from orchestrator_tui.domain.statuses import PipelineStatus
from tests.backends.linear.complexity import AN_HOUR
from tests.backends.linear.fake import PER_HOUR, FakeLinear, served
from tests.backends.linear.long_run import LOOKS, Counted, counted_run

MOST_FOR_MAKING = 15
"""Requests for 250 issues."""


async def measure(items: int, home: Path) -> Counted:
    async with served(FakeLinear()) as fake:
        return await counted_run(home, fake, items)


def main() -> int:
    """Measure, print a table, write `benchmarks/results/linear.json`; 1 when the run did not get to its end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=250)
    items = parser.parse_args().items
    with tempfile.TemporaryDirectory(prefix="linear-") as folder:
        run = asyncio.run(measure(items, Path(folder)))
    report(
        "linear",
        {
            "work items done": Metric(value=run.items.done, baseline=items, target=1, unit="", more_is_better=True),
            "issues completed in Linear": Metric(
                value=run.completed, baseline=run.issues, target=1, unit="", more_is_better=True
            ),
            "to make the issues": Metric(value=run.making, baseline=MOST_FOR_MAKING, target=1, unit="requests"),
            "for each item": Metric(value=run.each, unit="requests"),
            "in all": Metric(value=run.requests, unit="requests"),
            "in the busiest hour": Metric(value=run.busiest_hour, baseline=PER_HOUR, target=1, unit="requests"),
            "all in one hour, with the looks of an hour": Metric(
                value=run.requests + LOOKS, baseline=PER_HOUR, target=1, unit="requests"
            ),
            "complexity, all in one hour": Metric(value=run.points, baseline=AN_HOUR, target=1, unit="points"),
            "refused as too many": Metric(value=run.refused, target=0, unit="requests"),
            "whole run": Metric(value=run.seconds, unit="s"),
        },
    )
    return 0 if run.status is PipelineStatus.COMPLETED and run.items.done == run.issues == items else 1


if __name__ == "__main__":
    sys.exit(main())
