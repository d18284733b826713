import pytest

from orchestrator_tui.backends.linear import tracker as linear
from orchestrator_tui.domain.records import Project
from orchestrator_tui.domain.statuses import PhaseName, WorkItemStatus
from tests.backends.linear.conftest import OpenLinear, ready
from tests.backends.linear.fake import PER_HOUR, FakeLinear
from tests.backends.linear.test_sending import plan, settled, told

MANY, SLOW = 250, 15
"""Items of the run, and how many of them are carried out here: each costs the same."""
POLLS = 3_600 // 30
"""Looks for people's changes in an hour."""


async def test_a_run_of_250_items_that_takes_an_hour_stays_below_1500_requests(
    open_linear: OpenLinear, fake: FakeLinear, here: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear, "GATHER_SECONDS", 0.5)
    async with open_linear() as tracker:
        await ready(tracker)
        await tracker.create_work_items(plan(here, MANY))
        item = await tracker.get_next_work_item(here.id, PhaseName.IMPLEMENT)
        await settled(tracker)
        made, finished = len(fake.asked), 0
        while item is not None and finished < SLOW:
            await tracker.add_comment(item.id, f"How {item.key} was done.", author="developer")
            await tracker.update_work_item(item.id, {"status": WorkItemStatus.DONE}, expected=item.status)
            item = await tracker.get_next_work_item(here.id, PhaseName.IMPLEMENT)
            finished += 1
            # Its agent takes so long that it is told of by itself, together with the beginning of the next.
            await settled(tracker)
        each = (len(fake.asked) - made) / finished
        worst = made + each * MANY + POLLS
        told(
            f"a run of {MANY} items: {made} requests to make them, {each:.1f} for each; at most {worst:.0f} in an hour"
        )
        assert fake.refused == 0 and worst < PER_HOUR
        assert len(fake.world.issues) == MANY and len(fake.world.comments) == SLOW
        ended = [issue for issue in fake.world.issues.values() if fake.world.state_of(issue) == "completed"]
        assert len(ended) == SLOW
