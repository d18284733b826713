"""Every screen as it was last looked at, at the sizes people have."""

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.domain import events
from orchestrator_tui.domain.statuses import MergeStep, PhaseName, PipelineStatus
from tests.tui.board import Board
from tests.tui.showcase import LINKS, PORTFOLIO, RECIPES, SHOP, WEATHER, Showcase, resting, showcase
from tests.tui.snapshot import FOLDER, check, settled
from tests.tui.stage import SMALL, WIDE

SIZES = (WIDE, SMALL)
THEMES = ("dark", "light", "high-contrast", "ansi")

Step = Callable[[Board, Showcase], Awaitable[object]]


@pytest.fixture(autouse=True)
def _times_are_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def command(text: str) -> Step:
    async def step(it: Board, client: Showcase) -> None:
        it.app.command(text)

    return step


def sees(*words: str) -> Step:
    return lambda it, client: it.shows(*words)


def press(*keys: str) -> Step:
    return lambda it, client: it.press(*keys)


def types(text: str) -> Step:
    return lambda it, client: it.type(text)


async def at_rest(it: Board, client: Showcase) -> None:
    """What was in a log before its pane is left is no news of it."""
    await settled(it.pilot, resting=lambda: resting(it.app))


async def loses_the_database(it: Board, client: Showcase) -> None:
    await client.break_down()
    await it.shows("is kept; it is tried again")


async def another_document(it: Board, client: Showcase) -> None:
    await client.rewrite_architecture()
    await it.shows("The document changed")


async def leaving(it: Board, client: Showcase) -> None:
    """The engine takes its time to end."""
    client.may_end.clear()
    await it.press("l")
    await it.shows("Stopping")
    stopping = events.PipelineStatusChanged(
        old=PipelineStatus.RUNNING, new=PipelineStatus.STOPPING, reason="user_request"
    )
    told = (
        events.StopProgressed(step=1, text="Stop signal received"),
        events.StopProgressed(step=2, text="Waiting for 3 agents to reach a safe point (at most 30 s)"),
        events.StopProgressed(step=3, text="Capturing agent snapshots", details=("phase: implement · TASK-34",)),
    )
    await client.happens(PORTFOLIO, stopping, *told)
    await it.shows("◌ my-portfolio", "3/5", "TASK-34")


async def more_implementers(it: Board, client: Showcase) -> None:
    """Two more begin, and one of the first is done in its own folder and waits for its turn."""
    items = {item.key: item for item in await client.items(PORTFOLIO, limit=100)}
    begun = [
        events.AgentStarted(
            agent_id=f"implementer-{number}",
            phase=PhaseName.IMPLEMENT,
            role="developer",
            session_number=number,
            model="claude-opus-4-5",
            scripted=False,
            work_item_id=items[key].id,
            work_item_key=key,
        )
        for number, key in ((48, "TASK-38"), (49, "TASK-40"))
    ]
    waits = events.MergeProgressed(work_item_id=items["TASK-35"].id, key="TASK-35", step=MergeStep.WAITING)
    await client.claim(PORTFOLIO, "TASK-38", "TASK-40")
    await client.happens(PORTFOLIO, *begun, waits)
    await it.shows("5 agents", "Merge")


async def handing_over(it: Board, client: Showcase) -> None:
    """Agents take their time to come to a safe point."""
    client.may_hand_over.clear()
    await it.press("k")
    await it.shows("Handing over")


@dataclass(frozen=True)
class Scene:
    """What leads from the start to the picture; `given` goes into the dashboard's setup."""

    steps: tuple[Step, ...]
    selected: str = PORTFOLIO
    empty: bool = False
    given: Mapping[str, Any] = field(default_factory=dict)


def scene(*steps: Step, selected: str = PORTFOLIO, empty: bool = False, **given: Any) -> Scene:
    return Scene(steps, selected, empty, given)


ITEM = (command("/items TASK-33"), sees("Calls to"))
PHASE = (press("escape", "tab", "tab", "left", "left", "left", "enter"), sees("SQLite with WAL"))
SETTINGS = (command("/config"), sees("autonomy", "checkpoint"))

SCENES: Mapping[str, Scene] = {
    "first-run": scene(sees("No credentials"), empty=True),
    "first-run-with-credentials": scene(sees("Credentials for Claude were found"), empty=True, has_credentials=True),
    "implementers": scene(more_implementers),
    "zoomed-log": scene(at_rest, command("/logs agent-46"), press("z"), sees("generation")),
    "log-search": scene(at_rest, command("/logs agent-46"), press("ctrl+f"), types("clock"), sees("1 of")),
    "log-filter": scene(at_rest, command("/logs agent-46"), press("f"), sees("1 ✓ words")),
    "completion": scene(types("/re"), sees("/replay")),
    "input-error": scene(types("/resume 9"), press("enter"), sees("There is no project '9'")),
    "database-gone": scene(loses_the_database),
    "approval": scene(sees("a Approve", "Stripe"), selected=SHOP),
    "approval-difference": scene(sees("a Approve", "Stripe"), press("d"), sees("Compared with"), selected=SHOP),
    "approval-changes": scene(
        sees("a Approve", "Stripe"), press("c"), types("Name the basket a cart."), sees("cart."), selected=SHOP
    ),
    "approval-edit": scene(sees("a Approve", "Stripe"), press("e"), sees("Save", "# Architecture"), selected=SHOP),
    "approval-changed-meanwhile": scene(sees("a Approve", "Stripe"), another_document, selected=SHOP),
    "clarification": scene(sees("Your answer", "family"), selected=RECIPES),
    "permission": scene(sees("sudo", "n Deny"), selected=WEATHER),
    "decision": scene(sees("hangs", "s Stop"), selected=LINKS),
    "new-project": scene(
        command("A page about bees and where they live"), sees("bees-where", "/tmp/ada/projects"), has_credentials=True
    ),
    "new-project-without-credentials": scene(
        command("A page about bees and where they live"), sees("No credentials", "Rehearsal", "Start")
    ),
    "confirm": scene(press("ctrl+q"), sees("Stop and leave")),
    "stopping": scene(press("ctrl+q"), sees("Stop and leave"), leaving),
    "handing-over": scene(press("ctrl+q"), sees("Keep running"), handing_over),
    "palette": scene(press("ctrl+p"), sees("/projects", "my-portfolio")),
    "palette-search": scene(press("ctrl+p"), types("cost"), sees("/cost")),
    "help": scene(command("/help"), sees("/projects")),
    "settings": scene(*SETTINGS),
    "settings-field": scene(*SETTINGS, press("enter"), sees("backend", "database")),
    "theme-picker": scene(command("/theme"), sees("high-contrast")),
    "status": scene(command("/status"), sees("Last activity", "deploy")),
    "status-waiting": scene(command("/status 6"), sees("Waits for you", "deploy")),
    "projects": scene(command("/projects"), sees("task-manager", "awaiting approval")),
    "items": scene(command("/items"), sees("TASK-34")),
    "item": scene(*ITEM),
    "item-notes": scene(*ITEM, press("2"), sees("The clock is injected")),
    "item-checks": scene(*ITEM, press("3"), sees("naive")),
    "item-diff": scene(*ITEM, press("4"), sees("A token that lasts")),
    "item-sessions": scene(*ITEM, press("5"), sees("was stopped")),
    "diff": scene(command("/diff"), sees("src/api/auth.py", "TASK-32")),
    "document": scene(command("/view architecture"), sees("SQLite with WAL")),
    "document-difference": scene(
        command("/view architecture"), sees("SQLite with WAL"), press("d"), sees("PostgreSQL")
    ),
    "phase": scene(*PHASE),
    "phase-sessions": scene(*PHASE, press("2"), sees("aggregator")),
    "phase-history": scene(*PHASE, press("3"), sees("No database server")),
    "cost": scene(command("/cost"), sees("By phase")),
    "workers": scene(command("/workers"), sees("build-1", "drained")),
    "history": scene(press("escape", "h"), sees("editor.py")),
    "replay": scene(
        command("/replay 7"), sees("events"), press("space", *["right"] * 8, "left"), sees("implement running")
    ),
    "session-log": scene(*ITEM, press("5"), sees("was stopped"), press("end", "enter"), sees("generation")),
}


@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
@pytest.mark.parametrize("theme", THEMES)
async def test_the_main_screen_looks_as_it_did_in_every_theme(
    theme: str, size: tuple[int, int], tmp_path: Path
) -> None:
    async with showcase(tmp_path, size=size, theme=theme) as it:
        await it.shows("my-portfolio", "32/50")
        await settled(it.pilot, resting=lambda: resting(it.app))
        check(it.pilot, f"main-{theme}-{size[0]}x{size[1]}")


@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
@pytest.mark.parametrize("name", SCENES)
async def test_the_screen_looks_as_it_did(name: str, size: tuple[int, int], tmp_path: Path) -> None:
    of, client = SCENES[name], Showcase(empty=SCENES[name].empty)
    async with showcase(tmp_path, size=size, client=client, selected=of.selected, **of.given) as it:
        for step in of.steps:
            await step(it, client)
        await settled(it.pilot, resting=lambda: resting(it.app))
        check(it.pilot, f"{name}-{size[0]}x{size[1]}")


async def test_a_terminal_that_is_too_small_is_told_so(tmp_path: Path) -> None:
    async with showcase(tmp_path, size=(44, 12)) as it:
        await it.shows("too small")
        await settled(it.pilot, resting=lambda: resting(it.app))
        check(it.pilot, "too-small-44x12")


def test_no_picture_is_left_over() -> None:
    scenes = [*SCENES, *(f"main-{theme}" for theme in THEMES)]
    wanted = {f"{name}-{width}x{height}" for name in scenes for width, height in SIZES} | {"too-small-44x12"}
    assert {file.stem for file in FOLDER.glob("*.txt")} <= wanted
