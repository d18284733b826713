from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator_tui.agents.rehearsal.generate import generated_scenario
from orchestrator_tui.agents.rehearsal.scenario import Scenario
from orchestrator_tui.domain.commands import CreateProject
from orchestrator_tui.domain.statuses import PhaseName, PipelineStatus
from orchestrator_tui.tui.least_size import LEAST
from tests.tui.board import board
from tests.tui.played import Playing, Speaking

RUDE = "Evil\x1b[2J \x07[bold]title[/bold] \u202e蜂"
TAMED = "Evil[2J [bold]title[/bold] 蜂"
NAMED = CreateProject(idea="An [i]idea[/i]", name="mark [red]up", rehearsal=True)


def titled(title: str) -> Scenario:
    """Two work items, of which the first has this title."""
    good = generated_scenario(2)

    def renamed(given: Any) -> Any:
        first, *others = given["items"]
        return {**given, "items": [{**first, "title": title}, *others]}

    answers = (
        replace(one, turns=(replace(one.turns[0], input=renamed(one.turns[0].input)),))
        if one.phase is PhaseName.TASK_BREAKDOWN and one.turns[0].input["items"]
        else one
        for one in good.answers
    )
    return replace(good, answers=tuple(answers))


async def test_a_paste_beside_the_input_bar_goes_into_it(tmp_path: Path) -> None:
    async with board(tmp_path / "home") as it:
        await it.press("escape")
        await it.paste("A page about bees")
        await it.until(lambda: it.typed == "A page about bees")


async def test_in_the_least_terminal_the_answers_of_the_form_are_seen(tmp_path: Path) -> None:
    async with board(tmp_path / "home", size=(LEAST.width, LEAST.height)) as it:
        await it.send("A page about bees and where they live, and how they can be helped to live there")
        await it.shows("New project", "Start", "Cancel")


async def test_a_pasted_text_of_several_lines_stays_whole_and_is_the_idea(tmp_path: Path) -> None:
    idea = "A garden planner 蜂\nwith beds, müsli and [bold]bees[/bold]\n\nand no moon"
    async with board(tmp_path / "home", has_credentials=True) as it:
        await it.paste(idea)
        await it.shows(
            "A garden planner 蜂", "müsli and [bold]bees[/bold]", "and no moon", "enter sends, ^j adds a line"
        )
        assert it.typed == idea
        await it.press("enter")
        await it.shows("New project", "garden", "müsli and [bold]bees[/bold]")
        await it.press("escape")
        await it.until(lambda: it.app.screen is it.app.main_screen)
        await it.until(lambda: it.typed == idea)


async def test_an_idea_that_is_too_long_is_told_and_stays(tmp_path: Path) -> None:
    async with board(tmp_path / "home") as it:
        await it.paste("x" * 100_001)
        await it.press("enter")
        await it.shows("The idea has 100,001 characters; 100,000 is the most.", "Shorten it to what matters")
        assert len(it.typed) == 100_001
        await it.press("backspace", "enter")
        await it.shows("New project")


async def test_markup_and_control_characters_in_names_titles_and_words_are_only_text(tmp_path: Path) -> None:
    said = "I say [red]nothing[/red]\x1b[31m\x07 at all 蜂"
    runtime = Speaking(titled(RUDE), words=(said,))
    runtime.go_on.set()
    async with board(tmp_path / "home", first=NAMED, runtime=runtime, autonomy="full") as it:
        await it.rests(PipelineStatus.COMPLETED)
        await it.shows("mark [red]up", "I say [red]nothing[/red] at all 蜂")
        await it.send("/items 1")
        shown = await it.shows(TAMED)
        assert "\x1b" not in shown and "\u202e" not in shown
        await it.leave()
        for command in ("/items", "/projects", "/status", "/cost", "/replay 1", "/diff", "/view task"):
            await it.send(command)
            await it.until(lambda: it.app.screen is not it.app.main_screen)
            await it.leave()
        await it.send("/resume mark")
        await it.until(lambda: it.typed == "")


async def test_an_idea_in_another_script_is_named_and_built(tmp_path: Path) -> None:
    runtime = Playing(generated_scenario(2))
    async with board(tmp_path / "home", runtime=runtime, has_credentials=True, autonomy="full") as it:
        await it.send("蜜蜂のための庭")
        await it.shows("New project", "蜜蜂のための庭")
        await it.shows("Name")
        await it.press("ctrl+u")
        await it.type("bees")
        await it.look()
        await it.press("enter")
        await it.rests(PipelineStatus.COMPLETED)
        (overview,) = (await it.client.snapshot()).projects
        assert overview.project.description == "蜜蜂のための庭"


async def test_what_was_sent_is_there_again_after_a_restart(tmp_path: Path) -> None:
    async with board(tmp_path / "home") as it:
        await it.command("/theme light")
        await it.until(lambda: it.typed == "" and (tmp_path / "home" / "history.jsonl").exists())
    async with board(tmp_path / "home") as it:
        assert it.app.theme == "light"
        await it.press("up")
        await it.until(lambda: it.typed == "/theme light")
