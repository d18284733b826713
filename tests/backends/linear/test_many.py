from orchestrator_tui.domain.records import Project
from orchestrator_tui.domain.statuses import PhaseName, WorkItemStatus
from tests.backends.linear.conftest import OpenLinear, ready
from tests.backends.linear.fake import PER_HOUR, FakeLinear
from tests.backends.linear.test_sending import plan, settled, told


async def test_a_run_of_250_items_stays_below_1500_requests_an_hour(
    open_linear: OpenLinear, fake: FakeLinear, here: Project
) -> None:
    async with open_linear() as tracker:
        await ready(tracker)
        await tracker.create_work_items(plan(here, 250))
        item = await tracker.get_next_work_item(here.id, PhaseName.IMPLEMENT)
        while item is not None:
            # An agent takes so long that each item is told of by itself, together with the beginning of the next.
            await settled(tracker)
            await tracker.add_comment(item.id, f"How {item.key} was done.", author="developer")
            await tracker.update_work_item(item.id, {"status": WorkItemStatus.DONE}, expected=item.status)
            item = await tracker.get_next_work_item(here.id, PhaseName.IMPLEMENT)
        await settled(tracker)
        told(f"a run of 250 items: {len(fake.asked)} requests of {PER_HOUR} an hour")
        assert fake.refused == 0 and len(fake.asked) < PER_HOUR
        assert {fake.world.state_of(issue) for issue in fake.world.issues.values()} == {"completed"}
        assert len(fake.world.comments) == 250
