from pathlib import Path

from orchestrator_tui.domain.statuses import PipelineStatus
from tests.backends.linear.fake import FakeLinear
from tests.backends.linear.long_run import LOOKS, counted_run
from tests.backends.linear.test_sending import told
from tests.running import NO_PLANNING

FEW, MANY = 6, 250
MOST_FOR_EACH = 6
"""Requests for an item, when its claim, its note and its end are far apart: each is sent after a look at Linear."""


async def test_a_run_takes_few_requests_for_each_item_and_none_is_refused(fake: FakeLinear, tmp_path: Path) -> None:
    run = await counted_run(tmp_path / "home", fake, FEW, poll_seconds=3600, **NO_PLANNING)
    assert (run.status, run.items.done, run.completed) == (PipelineStatus.COMPLETED, FEW, FEW)
    assert run.refused == 0
    hour = run.making + run.each * MANY + LOOKS
    told(f"{FEW} items: {run.requests} requests, {run.each:.1f} for each; {MANY} in one hour would take {hour:.0f}")
    assert run.each <= MOST_FOR_EACH
