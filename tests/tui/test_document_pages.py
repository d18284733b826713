from pathlib import Path

import pytest

from orchestrator_tui.domain.commands import EditArtifact
from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.domain.statuses import Choice, PhaseName
from orchestrator_tui.tui import view
from orchestrator_tui.tui.document_rounds import difference
from orchestrator_tui.tui.messages import Happened
from orchestrator_tui.tui.patches import parse
from orchestrator_tui.tui.screens.diff import DiffPage
from orchestrator_tui.tui.screens.document import DocumentPage
from orchestrator_tui.tui.screens.phase import PhasePage
from orchestrator_tui.tui.screens.session import SessionPage
from tests.running import Watched
from tests.tui.stage import SMALL, WIDE, Stage, context, played_project, text_of, until


async def edited(run: Watched, markdown: str) -> None:
    request = await run.request()
    await run.engine.submit(
        EditArtifact(request_id=request.id, content_hash=request.content_hash, markdown=markdown, by="test")
    )


def happened(*recorded: Recorded) -> Happened:
    return Happened(view.Dashboard(), recorded)


async def news(run: Watched, after: int) -> Happened:
    return happened(*await run.engine.events(after_seq=after, project_id=run.project_id))


def test_the_difference_of_two_rounds_is_a_patch() -> None:
    patch = parse(difference("requirements.md", "# A\n\none\ntwo\n", "# A\n\none\nthree\n"))
    assert [(file.path, file.added, file.removed) for file in patch.files] == [("requirements.md", 1, 1)]
    assert difference("a.md", "same\n", "same") == ""


def test_two_huge_rounds_are_compared_in_no_time() -> None:
    old = "\n".join(f"line {n}" for n in range(30_000))
    new = old.replace("line 15000", "another")
    patch = parse(difference("a.md", old, new))
    assert patch.summary() == "1 file +1 −1"
    assert [(line.old, line.new) for line in patch.lines[-2:]] == [(15_001, 0), (0, 15_001)]


async def test_a_document_shows_its_rounds_and_their_difference(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home", autonomy="checkpoint") as run:
        await edited(run, "# Requirements\n\nOnly *one* thing.\n")
        page = DocumentPage(context(run.engine, tmp_path), run.project_id, PhaseName.IDEATION)
        async with Stage().run_test(size=WIDE) as pilot:
            await pilot.app.push_screen(page)
            await until(pilot, lambda: "Only one thing." in text_of(pilot))
            assert "requirements · round 1 · edited by hand · 2 of 2" in text_of(pilot)
            await pilot.press("left")
            await until(pilot, lambda: "A package of 3 small modules." in text_of(pilot))
            assert "1 of 2" in text_of(pilot)
            await pilot.press("left", "right", "d")
            await until(pilot, lambda: "+ Only *one* thing." in text_of(pilot))
            assert "− A package of 3 small modules." in text_of(pilot)
            assert "against round 1" in text_of(pilot)
            await pilot.press("left")
            await until(pilot, lambda: "This is the first round" in text_of(pilot))
            await pilot.press("d", "escape")
            assert pilot.app.screen is not page


async def test_a_document_edited_elsewhere_comes_by_itself(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home", autonomy="checkpoint") as run:
        page = DocumentPage(context(run.engine, tmp_path), run.project_id)
        async with Stage().run_test(size=SMALL) as pilot:
            await pilot.app.push_screen(page)
            await until(pilot, lambda: "A package of 3" in text_of(pilot))
            before = run.seen[-1].seq
            await edited(run, "# Requirements\n\nSomething else.\n")
            page.post_message(await news(run, before))
            await until(pilot, lambda: "Something else." in text_of(pilot))


async def test_a_phase_without_a_document_says_what_comes_first(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home", autonomy="checkpoint") as run:
        where = context(run.engine, tmp_path)
        async with Stage().run_test(size=SMALL) as pilot:
            await pilot.app.push_screen(DocumentPage(where, run.project_id, PhaseName.DEPLOY))
            await until(pilot, lambda: "No document yet" in text_of(pilot))
            assert "It comes after testing." in " ".join(text_of(pilot).split())
            await pilot.press("d", "left", "right")
            await pilot.app.push_screen(PhasePage(where, run.project_id, PhaseName.DEPLOY))
            await until(pilot, lambda: "No document yet" in text_of(pilot))
            await pilot.press("2")
            await until(pilot, lambda: "No session yet." in text_of(pilot))


async def test_a_phase_shows_its_document_its_sessions_and_its_history(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home") as run:
        page = PhasePage(context(run.engine, tmp_path), run.project_id, PhaseName.IMPLEMENT)
        async with Stage().run_test(size=WIDE) as pilot:
            await pilot.app.push_screen(page)
            await until(pilot, lambda: "3 History 2" in text_of(pilot))
            assert "Implement · demo · completed" in text_of(pilot)
            assert "3 of 3 work items are done." in text_of(pilot)
            await pilot.press("right")
            await until(pilot, lambda: "developer  TASK-1" in text_of(pilot))
            await pilot.click("SectionTabs", offset=(32, 0))
            await until(pilot, lambda: "check passed" in text_of(pilot))
            assert "ideation" not in text_of(pilot)
            await pilot.press("2", "enter")
            await until(pilot, lambda: "is given its task" in text_of(pilot))
            assert isinstance(pilot.app.screen, SessionPage)
            assert "developer · TASK-1 · completed" in text_of(pilot)
            await pilot.press("escape", "d")
            await until(pilot, lambda: "implementation · round 1" in text_of(pilot))


async def test_a_phase_under_way_grows_by_what_happens(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home", autonomy="checkpoint") as run:
        page = PhasePage(context(run.engine, tmp_path), run.project_id, PhaseName.IDEATION)
        async with Stage().run_test(size=WIDE) as pilot:
            await pilot.app.push_screen(page)
            await until(pilot, lambda: "awaiting approval" in text_of(pilot))
            before = run.seen[-1].seq
            await run.answer(Choice.REQUEST_CHANGES, "Say more.")
            await run.until_rest()
            page.post_message(await news(run, before))
            await until(pilot, lambda: "round 2" in text_of(pilot))
            await pilot.press("3")
            await until(pilot, lambda: "request changes: Say more." in text_of(pilot))


async def test_all_changes_are_listed_by_commit_with_their_patch(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home") as run:
        page = DiffPage(context(run.engine, tmp_path), run.project_id)
        async with Stage().run_test(size=WIDE) as pilot:
            await pilot.app.push_screen(page)
            await until(pilot, lambda: '+     return "item0000' in text_of(pilot))
            assert "Changes · demo · 4 commits" in text_of(pilot)
            await pilot.press("end")
            await until(pilot, lambda: "verify.py  new" in text_of(pilot))
            await pilot.press("home", "enter", "ctrl+f", *"return", "enter")
            await until(pilot, lambda: "1 of 1" in text_of(pilot))
            await pilot.press("escape", "escape")
            assert pilot.app.screen is not page


async def test_what_is_changed_in_the_folder_now_stands_first(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home") as run:
        folder = Path((await run.project()).directory)
        (folder / "brand_new.py").write_text("answer = 42\n")
        async with Stage().run_test(size=SMALL) as pilot:
            await pilot.app.push_screen(DiffPage(context(run.engine, tmp_path), run.project_id))
            await until(pilot, lambda: "+ answer = 42" in text_of(pilot))
            assert "◐ now in the folder, not committed" in text_of(pilot)


async def test_one_item_s_patch_fills_the_page(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home") as run, Stage().run_test(size=SMALL) as pilot:
        await pilot.app.push_screen(DiffPage(context(run.engine, tmp_path), run.project_id, "task-2"))
        await until(pilot, lambda: "test_item00002.py  new" in text_of(pilot))
        assert "Changes · TASK-2 Module item00002 · 2 files +13 −0" in text_of(pilot)


async def test_an_item_that_does_not_exist_is_told_with_those_that_do(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home") as run, Stage().run_test(size=SMALL) as pilot:
        await pilot.app.push_screen(DiffPage(context(run.engine, tmp_path), run.project_id, "TASK-99"))
        await until(pilot, lambda: "There is no work item TASK-99" in text_of(pilot))
        assert "There are TASK-1 to TASK-3." in text_of(pilot)


async def test_before_there_is_a_repository_the_page_says_why_it_is_empty(tmp_path: Path) -> None:
    async with played_project(tmp_path / "home", autonomy="checkpoint") as run, Stage().run_test(size=SMALL) as pilot:
        await pilot.app.push_screen(DiffPage(context(run.engine, tmp_path), run.project_id))
        await until(pilot, lambda: "The initialize phase makes it." in text_of(pilot))


@pytest.mark.parametrize("size", [(1, 1), (4, 3), (20, 8), (300, 90)])
async def test_pages_survive_every_size(tmp_path: Path, size: tuple[int, int]) -> None:
    async with played_project(tmp_path / "home") as run:
        where = context(run.engine, tmp_path)
        async with Stage().run_test(size=WIDE) as pilot:
            for page in (
                DocumentPage(where, run.project_id),
                DiffPage(where, run.project_id),
                PhasePage(where, run.project_id, PhaseName.IMPLEMENT),
            ):
                await pilot.app.push_screen(page)
                await pilot.resize_terminal(*size)
                await pilot.press("d", "down", "2", "3", "left")
                await pilot.resize_terminal(*WIDE)
            pilot.app.theme = "ansi"
            await pilot.pause()
