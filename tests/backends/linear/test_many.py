import pytest

from orchestrator_tui.backends.linear import tracker as linear
from orchestrator_tui.domain.records import Project
from orchestrator_tui.domain.statuses import PhaseName, WorkItemStatus
from tests.backends.linear.conftest import OpenLinear, ready
from tests.backends.linear.fake import PER_HOUR, FakeLinear
from tests.backends.linear.test_sending import plan, settled, told

MANY, SLOW = 250, 20
POLLS = 3_600 // 30
"""Looks for people's changes in an hour."""


async def test_a_run_of_250_items_stays_below_1500_requests_an_hour(
    open_linear: OpenLinear, fake: FakeLinear, here: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear, "GATHER_SECONDS", 0.5)
    async with open_linear() as tracker:
        await ready(tracker)
        await tracker.create_work_items(plan(here, MANY))
        item = await tracker.get_next_work_item(here.id, PhaseName.IMPLEMENT)
        await settled(tracker)
        made, finished = len(fake.asked), 0
        while item is not None:
            await tracker.add_comment(item.id, f"How {item.key} was done.", author="developer")
            await tracker.update_work_item(item.id, {"status": WorkItemStatus.DONE}, expected=item.status)
            item = await tracker.get_next_work_item(here.id, PhaseName.IMPLEMENT)
            finished += 1
            if finished <= SLOW:
                # Its agent takes so long that it is told of by itself, together with the beginning of the next.
                await settled(tracker)
                each = (len(fake.asked) - made) / finished
        await settled(tracker)
        worst = made + each * MANY + POLLS
        told(f"a run of {MANY} items: {len(fake.asked)} requests; in an hour at most {worst:.0f} of {PER_HOUR}")
        assert fake.refused == 0 and max(worst, len(fake.asked)) < PER_HOUR
        assert {fake.world.state_of(issue) for issue in fake.world.issues.values()} == {"completed"}
        assert len(fake.world.comments) == MANY
