from pathlib import Path

from textual.events import Key

from orchestrator_tui.domain.statuses import PhaseName, PipelineStatus
from tests.tui.board import REHEARSED, board
from tests.tui.clients import Opening, on_both_clients
from tests.tui.stage import SMALL


@on_both_clients
async def test_a_newcomer_without_credentials_is_led_to_a_finished_rehearsal(tmp_path: Path, client: Opening) -> None:
    async with board(tmp_path / "home", opening=client, size=SMALL) as it:
        await it.shows("Type what you want built", "F5", "No credentials for Claude")
        await it.press("f5")
        for phase in ("Ideation", "Architecture", "Task breakdown"):
            await it.question("waits for you", phase, "a Approve")
            await it.press("a")
        await it.until(lambda: it.project.status is PipelineStatus.COMPLETED)
        await it.shows("✓ completed", "2/2")


@on_both_clients
async def test_typing_a_sentence_starts_a_project_and_a_name_of_ones_own_takes_the_suggested_ones_place(
    tmp_path: Path, client: Opening
) -> None:
    async with board(tmp_path / "home", opening=client, has_credentials=True) as it:
        await it.command("Build me a portfolio website with blog")
        await it.shows("Name", "portfolio-website-blog", "Folder")
        await it.type("my-portfolio")
        await it.shows("my-portfolio", "/workspace/my")
        await it.look()
        await it.press("enter")
        await it.question("my-portfolio waits for you", "Ideation")
        assert it.project.name == "my-portfolio"
        assert Path(it.project.directory) == it.app.setup.paths.workspace / "my-portfolio"
        assert it.app.main_screen.input_bar.text == ""


async def test_words_on_a_new_project_are_kept_when_it_is_cancelled(tmp_path: Path) -> None:
    async with board(tmp_path / "home") as it:
        await it.command("A page about bees")
        await it.shows("Run with")
        await it.press("escape")
        await it.until(lambda: it.app.screen is it.app.main_screen)
        await it.until(lambda: it.typed == "A page about bees")
        await it.press("x")
        assert it.typed == "A page about beesx"


@on_both_clients
async def test_editing_in_place_makes_a_new_document_to_approve(tmp_path: Path, client: Opening) -> None:
    async with board(tmp_path / "home", opening=client, first=REHEARSED) as it:
        await it.question("small waits for you")
        await it.press("escape")
        await it.command("/edit")
        await it.shows("^s Save", "# Requirements")
        await it.type("Bees first. ")
        await it.look()
        await it.press("ctrl+s")
        await it.question("This is your edited text", "Bees first.")
        await it.press("a")
        await it.until(lambda: it.project.phases[PhaseName.ARCHITECTURE].round == 1)
        (edited,) = [one for one in await it.client.artifacts(it.project.id) if "edited_markdown" in one.content]
        assert edited.content["edited_markdown"].startswith("Bees first. # Requirements")


@on_both_clients
async def test_the_seed_s_conversation(tmp_path: Path, client: Opening) -> None:
    async with board(tmp_path / "home", opening=client, first=REHEARSED) as it:
        await it.question("small waits for you")
        await it.press("escape")
        await it.command("/projects")
        await it.shows("ID", "Name", "Status", "Phase", "Progress", "small", "paused", "awaiting approval")
        await it.press("escape")
        await it.command("/status 1")
        await it.shows("Status", "paused", "Progress", "Last", "Backend")
        await it.press("escape")
        await it.command("/resume 1")
        await it.question("small waits for you", "a Approve")
        await it.press("v")
        await it.shows("Requirements")
        await it.question()
        await it.press("a")
        await it.until(lambda: it.project.phases[PhaseName.ARCHITECTURE].round == 1)
        await it.question("Architecture", "a Approve")
        await it.press("escape")
        await it.command("/stop")
        await it.until(lambda: it.project.status is PipelineStatus.STOPPED)
        await it.command("/help")
        await it.shows("/projects", "List all projects.", "/resume <id>", "/stop [id]")


@on_both_clients
async def test_an_id_that_does_not_exist_is_told_with_those_that_do_and_the_text_stays(
    tmp_path: Path, client: Opening
) -> None:
    async with board(tmp_path / "home", opening=client, first=REHEARSED) as it:
        await it.question("small waits for you")
        await it.press("escape")
        await it.command("/resume 9")
        await it.shows("There is no project '9'", "There are: 1 (small)")
        assert it.app.main_screen.input_bar.text == "/resume 9"


async def test_what_a_person_writes_while_a_question_arrives_is_not_disturbed(tmp_path: Path) -> None:
    async with board(tmp_path / "home") as it:
        await it.type("A page about")
        await it.press("f5")
        await it.until(lambda: it.app.selected is not None and it.app.selected.waits_for_person)
        await it.shows("1 waits")
        assert it.app.screen is it.app.main_screen
        await it.type(" bees")
        assert it.app.main_screen.input_bar.text == "A page about bees"


@on_both_clients
async def test_changes_are_asked_for_in_words_and_the_next_round_shows_the_difference(
    tmp_path: Path, client: Opening
) -> None:
    async with board(tmp_path / "home", opening=client, first=REHEARSED) as it:
        await it.question("small waits for you")
        await it.press("escape")
        await it.command("/reject Leave out the moon.")
        await it.until(lambda: it.project.phases[PhaseName.IDEATION].round == 2)
        await it.shows("round 2", "a Approve")


async def test_approving_by_command_needs_what_was_seen(tmp_path: Path) -> None:
    async with board(tmp_path / "home") as it:
        await it.type("x")
        await it.press("f5")
        await it.until(lambda: it.app.selected is not None and it.app.selected.waits_for_person)
        await it.press("backspace")
        await it.command("/approve")
        await it.question("waits for you", "a Approve")
        assert it.project.phases[PhaseName.ARCHITECTURE].round == 0
        await it.press("escape")
        await it.command("/approve")
        await it.until(lambda: it.project.phases[PhaseName.ARCHITECTURE].round == 1)


async def test_leaving_while_something_runs_asks_and_then_stops_it(tmp_path: Path) -> None:
    async with board(tmp_path / "home", first=REHEARSED, items=300, autonomy="full") as it:
        await it.until(lambda: it.app.selected is not None and it.project.status is PipelineStatus.RUNNING)
        await it.press("ctrl+q")
        await it.shows("is running", "Stay")
        await it.press("enter")
        await it.until(lambda: it.app.screen is it.app.main_screen)
        await it.press("ctrl+q")
        await it.shows("Stop and leave")
        await it.press("l")
        await it.until(lambda: it.app.return_code is not None or not it.app.is_running)


async def test_keys_that_come_right_behind_the_slash_are_a_command_and_nothing_else(tmp_path: Path) -> None:
    async with board(tmp_path / "home", first=REHEARSED) as it:
        await it.question("small waits for you")
        await it.press("escape", "escape")
        for key in "/status":
            it.app.post_message(Key("slash" if key == "/" else key, key))
        await it.until(lambda: it.app.main_screen.input_bar.text == "/status")
        assert it.project.status is PipelineStatus.PAUSED
