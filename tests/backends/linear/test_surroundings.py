"""What people do in Linear around the issues: workflow, labels, the project itself."""

import pytest

from orchestrator_tui.backends.linear import tracker as linear
from orchestrator_tui.domain.records import Project
from orchestrator_tui.domain.statuses import PhaseName
from tests.backends.linear.conftest import OpenLinear, ready
from tests.backends.linear.fake import LIMITED, FakeLinear
from tests.backends.linear.test_sending import settled
from tests.backends.linear.world import LONGEST_LABEL
from tests.database.samples import item

LONG_AGO = "2020-01-01T00:00:00.000Z"


@pytest.mark.parametrize("deleted", [False, True])
async def test_a_project_that_people_put_away_is_told_and_used_again_once_it_is_back(
    deleted: bool, open_linear: OpenLinear, fake: FakeLinear, here: Project
) -> None:
    async with open_linear() as tracker:
        await ready(tracker)
    (project,) = fake.world.projects.values()
    project.update(archivedAt=LONG_AGO, trashed=deleted or None)
    async with open_linear() as tracker:
        await ready(tracker)
        await tracker.create_work_items([item(here.id, "One")])
        state = await tracker.sync(here.id)
        assert state.last_error == f"The project {here.name} in Linear was archived or deleted."
        assert (len(fake.world.projects), fake.world.issues, state.pending) == (1, {}, 1)
        project.update(archivedAt=None, trashed=None)
        await settled(tracker)
        assert fake.world.by_title("One")


async def test_a_state_that_the_team_lacks_is_told_and_used_once_it_is_there(
    open_linear: OpenLinear, fake: FakeLinear, here: Project
) -> None:
    started = {name: state for name, state in fake.world.states.items() if state["type"] == "started"}
    for name in started:
        del fake.world.states[name]
    async with open_linear() as tracker:
        await ready(tracker)
        await tracker.create_work_items([item(here.id, "One")])
        await settled(tracker)
        await tracker.get_next_work_item(here.id, PhaseName.IMPLEMENT)
        assert "no workflow state of the type started" in str((await tracker.sync(here.id)).last_error)
        fake.world.states.update(started)
        await settled(tracker)
        assert fake.world.state_of(fake.world.by_title("One")) == "started"


async def test_a_state_that_people_replace_is_not_used_any_more(
    open_linear: OpenLinear, fake: FakeLinear, here: Project
) -> None:
    async with open_linear() as tracker:
        await ready(tracker)
        await tracker.create_work_items([item(here.id, "One")])
        await settled(tracker)
        states = fake.world.states
        old = next(name for name, state in states.items() if state["type"] == "started")
        states["new"] = {**states.pop(old), "id": "new"}
        await tracker.get_next_work_item(here.id, PhaseName.IMPLEMENT)
        # It is refused, by the worker or by a sync; the next sync looks what there is.
        while (await tracker.sync(here.id)).last_error is not None:
            pass
        await settled(tracker)
        assert fake.world.by_title("One")["state"] is states["new"]


async def test_a_label_that_linear_does_not_want_keeps_no_other_away(
    open_linear: OpenLinear, fake: FakeLinear, here: Project
) -> None:
    labels = ("ui", "x" * (LONGEST_LABEL + 1), "api", "db")
    async with open_linear() as tracker:
        await ready(tracker)
        (made,) = await tracker.create_work_items([item(here.id, "One", labels=labels)])
        await settled(tracker)
        assert fake.world.labels_of(fake.world.by_title("One")) == {"ui", "api", "db"}
        assert (await tracker.get_work_item(made.id)).labels == labels


async def test_who_is_told_to_wait_waits_longer_each_time(
    open_linear: OpenLinear, fake: FakeLinear, here: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[int] = []

    def backoff(failures: int) -> float:
        waited.append(failures)
        if len(waited) == 3:
            fake.troubles.clear()
        return 0.01

    monkeypatch.setattr(linear, "backoff", backoff)
    async with open_linear() as tracker:
        await ready(tracker)
        fake.troubles.extend([LIMITED] * 100)
        await tracker.create_work_items([item(here.id, "One")])
        await fake.until(lambda: len(fake.world.issues) == 1)
    assert waited[:3] == [1, 2, 3]
