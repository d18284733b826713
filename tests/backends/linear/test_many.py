from pathlib import Path

from orchestrator_tui.domain.statuses import PipelineStatus
from tests.backends.linear.fake import PER_HOUR, FakeLinear
from tests.backends.linear.long_run import LOOKS, counted_run
from tests.backends.linear.test_sending import told
from tests.running import NO_PLANNING

FEW, MANY = 6, 250
MOST_FOR_MAKING = 15
"""Requests for the issues of 250 items, as another test shows."""


async def test_a_run_of_250_items_would_stay_below_1500_requests_if_it_took_an_hour(
    fake: FakeLinear, tmp_path: Path
) -> None:
    run = await counted_run(tmp_path / "home", fake, FEW, **NO_PLANNING)
    assert (run.status, run.items.done, run.completed) == (PipelineStatus.COMPLETED, FEW, FEW)
    assert run.refused == 0
    worst = MOST_FOR_MAKING + run.each * MANY + LOOKS
    told(f"{run.making} requests to make {FEW} issues, {run.each:.1f} for each item; {MANY} take at most {worst:.0f}")
    assert worst < PER_HOUR
