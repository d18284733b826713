"""What every work tracker must do, as contracts that anybody can run on a tracker of their own (see docs/trackers.md).

Each contract is an async function over a `Bench`: a fresh project in a fresh database. It needs no test framework and
raises `ContractBroken` with what is wrong.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orchestrator_tui.backends.base import LINK, OpenTracker, TrackerContext, WorkTracker
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import new_id
from orchestrator_tui.domain.errors import StaleState, UnknownDependency
from orchestrator_tui.domain.records import ItemCounts, WorkItem
from orchestrator_tui.domain.statuses import PhaseName, WorkItemStatus

MANY = 250
TODO, IN_PROGRESS, DONE, BLOCKED = WorkItemStatus
STRANGE = 'Zażółć "gęślą" \\ <jaźń>\n\ttab, emoji 🎉, and a last line'


class ContractBroken(AssertionError):
    """The tracker does not do what the engine relies on."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A project without items, and what opens its tracker."""

    open_tracker: OpenTracker
    context: TrackerContext

    def tracker(self) -> AbstractAsyncContextManager[WorkTracker]:
        """The project's tracker, opened; it may be opened again after it was closed."""
        return self.open_tracker(self.context)

    @property
    def project_id(self) -> str:
        return self.context.project.id

    def item(self, title: str, **fields: Any) -> WorkItem:
        """An item that is not stored yet."""
        return WorkItem(**{"id": new_id(), "project_id": self.project_id, "number": 0, "title": title, **fields})

    async def events(self) -> list[events.Event]:
        """What was told of the project, in order."""
        return [one.event for one in await self.context.store.events(project_id=self.project_id, limit=100_000)]


Contract = Callable[[Bench], Awaitable[None]]


async def c01_is_made_ready_as_often_as_one_likes(bench: Bench) -> None:
    for _ in range(2):
        async with bench.tracker() as tracker:
            project = await tracker.initialize(bench.project_id, Path(bench.context.project.directory))
            _same(project.id, bench.project_id, "the project that initialize returns")
            state = await tracker.status(bench.project_id)
            _same(state.kind, tracker.kind, "the kind that status tells")


async def c02_items_come_back_as_they_were_made(bench: Bench) -> None:
    made = bench.item(
        STRANGE.splitlines()[0],
        description=STRANGE,
        acceptance=("works", STRANGE),
        priority=1,
        labels=("api", "später"),
        metadata={"ref": "one", "deep": {"list": [1, None, True]}},
    )
    async with _ready(bench) as tracker:
        stored = await tracker.create_work_item(made)
    async with _ready(bench) as tracker:
        found = await tracker.get_work_item(made.id)
        _same(_linkless(found), _linkless(stored), "the item, read after the tracker was opened again")
    fields = ("id", "title", "description", "acceptance", "priority", "labels", "status", "parent_id", "dependencies")
    for name in fields:
        _same(getattr(found, name), getattr(made, name), name)
    _expect(made.metadata.items() <= found.metadata.items(), "metadata is not kept")
    _same(found.key, "TASK-1", "the key of the first item")
    _expect(found.created_at is not None and found.completed_at is None, "its moments are not kept")


async def c03_numbers_follow_each_other_over_batches(bench: Bench) -> None:
    async with _ready(bench) as tracker:
        await tracker.create_work_items([bench.item("a"), bench.item("b")])
        (third,) = await tracker.create_work_items([bench.item("c")])
        _same(third.number, 3, "the number of the third item")
        _same(list(await tracker.create_work_items([])), [], "what no items make")


async def c04_items_of_a_batch_may_depend_on_each_other(bench: Bench) -> None:
    parent, child = bench.item("parent"), bench.item("child")
    child = bench.item("child", id=child.id, parent_id=parent.id, dependencies=(parent.id,))
    async with _ready(bench) as tracker:
        await tracker.create_work_items([child, parent])
        found = await tracker.get_work_item(child.id)
        _same((found.parent_id, found.dependencies), (parent.id, (parent.id,)), "parent and dependencies")


async def c05_what_does_not_fit_together_is_refused_as_a_whole(bench: Bench) -> None:
    first, second = bench.item("first"), bench.item("second")
    circle = [
        bench.item("first", id=first.id, dependencies=(second.id,)),
        bench.item("second", id=second.id, dependencies=(first.id,)),
    ]
    async with _ready(bench) as tracker:
        await _raises(UnknownDependency, tracker.create_work_items(circle), "a circle")
        unknown = [bench.item("good"), bench.item("bad", dependencies=(new_id(),))]
        await _raises(UnknownDependency, tracker.create_work_items(unknown), "an unknown dependency")
        orphan = bench.item("orphan", parent_id=new_id())
        await _raises(UnknownDependency, tracker.create_work_item(orphan), "an unknown parent")
        _same(list(await tracker.list_work_items(bench.project_id)), [], "what is stored after that")


async def c06_links_that_change_must_fit_too(bench: Bench) -> None:
    first, second = bench.item("first"), bench.item("second")
    async with _ready(bench) as tracker:
        await tracker.create_work_items([first, second])
        changed = await tracker.update_work_item(second.id, {"dependencies": (first.id,)})
        _same(changed.dependencies, (first.id,), "the new dependencies")
        back = tracker.update_work_item(first.id, {"dependencies": (second.id,)})
        await _raises(UnknownDependency, back, "a circle made by a change")
        _same((await tracker.get_work_item(first.id)).dependencies, (), "the dependencies after the refusal")


async def c07_fields_change_and_metadata_is_merged(bench: Bench) -> None:
    async with _ready(bench) as tracker:
        item = await tracker.create_work_item(bench.item("old", metadata={"kept": 1, "changed": 1}))
        updates = {"title": "new", "priority": 4, "labels": ("x",), "metadata": {"changed": 2}}
        changed = await tracker.update_work_item(item.id, updates)
        _same((changed.title, changed.priority, changed.labels), ("new", 4, ("x",)), "the changed fields")
        _expect({"kept": 1, "changed": 2}.items() <= changed.metadata.items(), "metadata is not merged")
        _same(await tracker.get_work_item(item.id), changed, "the item, read again")


async def c08_a_status_changes_only_from_the_one_that_is_expected(bench: Bench) -> None:
    async with _ready(bench) as tracker:
        item = await tracker.create_work_item(bench.item("one"))
        stale = tracker.update_work_item(item.id, {"status": DONE}, expected=IN_PROGRESS)
        await _raises(StaleState, stale, "a status that is another one by now")
        _same((await tracker.get_work_item(item.id)).status, TODO, "the status after that")
        done = await tracker.update_work_item(item.id, {"status": DONE}, expected=TODO)
        _expect(done.completed_at is not None, "done does not set completed_at")
        again = await tracker.update_work_item(item.id, {"status": TODO}, expected=DONE)
        _expect(again.completed_at is None, "an item that is not done any more keeps completed_at")


async def c09_what_does_not_exist_is_a_key_error(bench: Bench) -> None:
    async with _ready(bench) as tracker:
        await _raises(KeyError, tracker.get_work_item(new_id()), "reading an unknown item")
        await _raises(KeyError, tracker.update_work_item(new_id(), {"title": "x"}), "changing an unknown item")


async def c10_the_next_item_is_urgent_wanted_by_others_and_old(bench: Bench) -> None:
    low, wanted, plain = bench.item("low", priority=4), bench.item("wanted"), bench.item("plain")
    waits = bench.item("waits", priority=1, dependencies=(wanted.id,))
    async with _ready(bench) as tracker:
        await tracker.create_work_items([low, plain, wanted, waits])
        order = []
        while (item := await tracker.get_next_work_item(bench.project_id, PhaseName.IMPLEMENT)) is not None:
            _same(item.status, IN_PROGRESS, "the status of an item that was claimed")
            order.append(item.title)
            await tracker.update_work_item(item.id, {"status": DONE}, expected=IN_PROGRESS)
        _same(order, ["wanted", "waits", "plain", "low"], "the order")


async def c11_an_item_is_claimed_once(bench: Bench) -> None:
    async with _ready(bench) as tracker:
        await tracker.create_work_items([bench.item(str(number)) for number in range(5)])
        claims = [tracker.get_next_work_item(bench.project_id, PhaseName.IMPLEMENT) for _ in range(8)]
        claimed = [item.title for item in await asyncio.gather(*claims) if item is not None]
        _same(sorted(claimed), ["0", "1", "2", "3", "4"], "what eight claims at once get of five items")


async def c12_nothing_is_next_that_is_blocked_or_waits_for_it(bench: Bench) -> None:
    first = bench.item("first")
    async with _ready(bench) as tracker:
        await tracker.create_work_items([first, bench.item("second", dependencies=(first.id,))])
        await tracker.update_work_item(first.id, {"status": BLOCKED})
        _same(await tracker.get_next_work_item(bench.project_id, PhaseName.IMPLEMENT), None, "the next item")


async def c13_items_are_listed_in_pages_and_by_status(bench: Bench) -> None:
    items = [bench.item(str(number)) for number in range(7)]
    async with _ready(bench) as tracker:
        await tracker.create_work_items(items)
        await tracker.update_work_item(items[3].id, {"status": DONE})
        titles: list[str] = []
        after = 0
        while page := await tracker.list_work_items(bench.project_id, after=after, limit=3):
            titles += [item.title for item in page]
            after = page[-1].number
        _same(titles, [item.title for item in items], "all pages together")
        done = await tracker.list_work_items(bench.project_id, status=DONE)
        _same([item.title for item in done], ["3"], "the items that are done")


async def c14_comments_keep_their_order_author_and_text(bench: Bench) -> None:
    async with _ready(bench) as tracker:
        item = await tracker.create_work_item(bench.item("one"))
        for number in range(3):
            await tracker.add_comment(item.id, f"{number} {STRANGE}", author=f"author {number}")
    async with _ready(bench) as tracker:
        found = [(comment.author, comment.content) for comment in await tracker.list_comments(item.id)]
    _same(found, [(f"author {number}", f"{number} {STRANGE}") for number in range(3)], "the comments")


async def c15_progress_is_counted(bench: Bench) -> None:
    items = [bench.item(str(number)) for number in range(4)]
    async with _ready(bench) as tracker:
        await tracker.create_work_items(items)
        await tracker.update_work_item(items[0].id, {"status": DONE})
        await tracker.update_work_item(items[1].id, {"status": BLOCKED})
        counts = await tracker.get_progress_summary(bench.project_id)
    _same(counts, ItemCounts(todo=2, done=1, blocked=1), "the counts")


async def c16_every_change_is_told_as_an_event(bench: Bench) -> None:
    async with _ready(bench) as tracker:
        item = await tracker.create_work_item(bench.item("one"))
        await tracker.get_next_work_item(bench.project_id, PhaseName.IMPLEMENT)
        await tracker.add_comment(item.id, "half way", author="engine")
        await tracker.update_work_item(item.id, {"status": DONE}, expected=IN_PROGRESS, reason="verified")
    told = [event for event in await bench.events() if getattr(event, "work_item_id", None) == item.id]
    kinds = [type(event).__name__ for event in told]
    wanted = ["WorkItemCreated", "WorkItemStatusChanged", "WorkItemCommented", "WorkItemStatusChanged"]
    _same(kinds, wanted, "the events of the item")
    last = told[-1]
    _expect(
        isinstance(last, events.WorkItemStatusChanged)
        and (last.old, last.new, last.reason) == (IN_PROGRESS, DONE, "verified"),
        "the last event does not say from what to what, and why",
    )


async def c17_many_items_are_made_at_once_and_in_sync(bench: Bench) -> None:
    items = [bench.item(f"item {number}", description="x" * 200) for number in range(MANY)]
    async with _ready(bench) as tracker:
        await tracker.create_work_items(items)
        state = await tracker.sync(bench.project_id)
        _same((state.pending, state.last_error), (0, None), "what is left to do after a sync, and the error")
        _same((await tracker.get_progress_summary(bench.project_id)).total, MANY, "how many there are")


async def c18_a_sync_by_itself_changes_nothing(bench: Bench) -> None:
    items = [bench.item("one", labels=("a",)), bench.item("two")]
    async with _ready(bench) as tracker:
        await tracker.create_work_items(items)
        await tracker.add_comment(items[0].id, STRANGE, author="engine")
        before = [_linkless(await tracker.get_work_item(item.id)) for item in items]
        for _ in range(2):
            await tracker.sync(bench.project_id)
        comments = await tracker.list_comments(items[0].id)
        after = [_linkless(await tracker.get_work_item(item.id)) for item in items]
        _same(after, before, "the items after a sync")
        _same(len(comments), 1, "how many comments there are after a sync")


CONTRACTS: Sequence[Contract] = tuple(
    contract for name, contract in sorted(globals().items()) if name[0] == "c" and name[1:3].isdigit()
)
"""All contracts, in order."""


@asynccontextmanager
async def _ready(bench: Bench) -> AsyncIterator[WorkTracker]:
    """The tracker of a bench, opened and initialized."""
    async with bench.tracker() as tracker:
        await tracker.initialize(bench.project_id, Path(bench.context.project.directory))
        yield tracker


def _linkless(item: WorkItem) -> WorkItem:
    """The item without the link to where the tracker keeps it, which may become known at any time."""
    metadata = {name: value for name, value in item.metadata.items() if name != LINK}
    return replace(item, metadata=metadata, updated_at=None)


def _expect(holds: bool, what: str) -> None:
    if not holds:
        raise ContractBroken(what)


def _same(found: object, wanted: object, what: str) -> None:
    _expect(found == wanted, f"{what}: {found!r}, not {wanted!r}")


async def _raises(kind: type[Exception], work: Awaitable[object], what: str) -> None:
    try:
        await work
    except kind:
        return
    raise ContractBroken(f"{what} does not raise {kind.__name__}")
