from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_tui.backends.base import TOUCHES
from orchestrator_tui.domain.records import WorkItem
from orchestrator_tui.domain.statuses import PhaseName, WorkItemStatus
from orchestrator_tui.phases.scheduling import collide, next_item, ready, scope_of

IMPLEMENT = PhaseName.IMPLEMENT
PLACES = ("src", "src/api", "src/api/users.py", "docs/", "./docs/index.md", "HTTP API", "src/*.py")


def item(number: int, *touches: str, depends_on: tuple[int, ...] = (), priority: int = 3) -> WorkItem:
    return WorkItem(
        id=f"i{number}",
        project_id="p",
        number=number,
        title=f"Item {number}",
        priority=priority,
        dependencies=tuple(f"i{other}" for other in depends_on),
        metadata={TOUCHES: list(touches)} if touches else {},
    )


@st.composite
def projects(draw: st.DrawFn) -> list[WorkItem]:
    """Items that depend on earlier ones only."""
    return [
        item(
            number,
            *draw(st.lists(st.sampled_from(PLACES), max_size=2, unique=True)),
            depends_on=tuple(draw(st.sets(st.integers(1, number - 1), max_size=2))) if number > 1 else (),
            priority=draw(st.integers(1, 4)),
        )
        for number in range(1, draw(st.integers(1, 12)) + 1)
    ]


def with_status(items: Sequence[WorkItem], which: set[str], status: WorkItemStatus) -> list[WorkItem]:
    return [replace(one, status=status) if one.id in which else one for one in items]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("src", "src/api/users.py", True),
        ("src/", "./src", True),
        ("src", "srcs/a.py", False),
        ("src/api.py", "src/users.py", False),
        ("HTTP API", "http api", True),
        ("HTTP API", "HTTP", False),
        ("src/*.py", "src/deep/a.py", True),
        ("**/*.py", "docs", True),
        (".", "anything", True),
        (".github/ci.yml", "github/ci.yml", False),
    ],
)
def test_two_collide_when_one_is_within_the_other(one: str, other: str, expected: bool) -> None:
    assert collide(scope_of(item(1, one)), scope_of(item(2, other))) is expected
    assert collide(scope_of(item(1, other)), scope_of(item(2, one))) is expected


def test_who_says_nothing_collides_with_nobody() -> None:
    assert not collide(scope_of(item(1)), scope_of(item(2, "src")))
    assert scope_of(replace(item(1), metadata={TOUCHES: "src"})) == frozenset()


def test_what_has_to_wait_is_not_overtaken_by_what_would_make_it_wait_longer() -> None:
    running, urgent, other, free = item(1, "a"), item(2, "a", "b", priority=1), item(3, "b"), item(4, "c")
    assert next_item([running, urgent, other, free], [running], IMPLEMENT) == free
    assert next_item([running, urgent, other], [running], IMPLEMENT) is None


@given(projects(), st.data())
def test_whatever_is_handed_out_is_ready_and_in_nobody_s_way_and_all_get_done(
    items: list[WorkItem], data: st.DataObject
) -> None:
    most = data.draw(st.integers(1, 4))
    done: set[str] = set()
    running: list[WorkItem] = []
    begun: list[str] = []
    while len(done) < len(items):
        busy = {one.id for one in running}
        now = with_status(with_status(items, done, WorkItemStatus.DONE), busy, WorkItemStatus.IN_PROGRESS)
        chosen = next_item(now, running, IMPLEMENT) if len(running) < most else None
        if chosen is None:
            assert running, "nothing is at work, and yet nothing is begun"
            done.add(running.pop(data.draw(st.integers(0, len(running) - 1))).id)
            continue
        assert done.issuperset(chosen.dependencies)
        assert not any(collide(scope_of(chosen), scope_of(other)) for other in running)
        before = [one for one in ready(now, IMPLEMENT) if one.id != chosen.id]
        overtaken = before[: [one.id for one in ready(now, IMPLEMENT)].index(chosen.id)]
        # Who is passed over waits for somebody at work, or for one before it that does; not for what is begun now.
        assert not any(collide(scope_of(one), scope_of(chosen)) for one in overtaken)
        running.append(chosen)
        begun.append(chosen.id)
    assert sorted(begun) == sorted(one.id for one in items)


@given(projects())
def test_one_at_a_time_the_order_is_that_of_the_tracker(items: list[WorkItem]) -> None:
    done: set[str] = set()
    while len(done) < len(items):
        now = with_status(items, done, WorkItemStatus.DONE)
        chosen = next_item(now, [], IMPLEMENT)
        assert chosen is not None
        assert chosen == ready(now, IMPLEMENT)[0]
        done.add(chosen.id)
