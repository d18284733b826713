"""Makes the pictures of the README: plays the shipped rehearsal in the real dashboard and exports what it shows.

Usage: python -m docs.screenshots [FOLDER]
"""

import asyncio
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from textual.pilot import Pilot

from orchestrator_tui import cli, compose
from orchestrator_tui.agents.rehearsal.generate import generated_scenario
from orchestrator_tui.agents.rehearsal.scenario import SCENARIO_FILE, shipped_scenario
from orchestrator_tui.dashboard import Opening
from orchestrator_tui.domain.statuses import WorkItemStatus
from orchestrator_tui.tui.app import DashboardApp
from orchestrator_tui.tui.link import Link
from tests.replay_runtime import ReplayRuntime
from tests.running import Watched
from tests.tui.stage import text_of

FOLDER = Path(__file__).resolve().parent
QUESTION = ("mdcheck waits for you", "a Approve")
NORMAL, BROAD, SMALL = (120, 40), (160, 40), (80, 24)
PATIENCE = 120.0
"""Seconds to wait for a moment; on a busy machine everything takes long."""

PACE = "delta_characters = 6\ndelta_seconds = 0.08"
"""The shipped rehearsal hurries; here it writes as fast as a model that is not scripted."""

FONTS = "DejaVu Sans Mono, Menlo, Cascadia Mono, Consolas, monospace"


@dataclass(frozen=True)
class Studio:
    """A dashboard, and the folder its pictures go to; no picture may show the folder `home`."""

    app: DashboardApp
    pilot: Pilot[int]
    home: Path
    folder: Path

    @property
    def text(self) -> str:
        """What is on the screen, as lines of text."""
        return text_of(self.pilot)

    @property
    def done(self) -> int:
        """Work items that are done."""
        feed = self.app.bridge.feed
        return sum(item.status is WorkItemStatus.DONE for item in feed.items.values()) if feed else 0

    async def shows(self, *texts: str, also: Callable[[], object] = lambda: True) -> None:
        """Let the program work until all of these are on the screen at once.

        Raises:
            RuntimeError: they never were.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                while not (all(text in self.text for text in texts) and also()):
                    await self.pilot.pause(0.02)
        except TimeoutError as error:
            raise RuntimeError(f"Not within {PATIENCE:.0f} s: {texts}. The screen is:\n{self.text}") from error

    def can_answer(self) -> bool:
        """Whether a question is open whose keys count."""
        return self.app.asker.ready

    async def approve(self, document: str) -> None:
        """Say yes to a document, once it is asked about."""
        await self.shows(*QUESTION, document, also=self.can_answer)
        await self.pilot.press("a")

    async def resize(self, size: tuple[int, int]) -> None:
        """Give the terminal another size, and let everything find its place."""
        await self.pilot.resize_terminal(*size)
        await self.pilot.pause(0.2)

    async def theme(self, name: str) -> None:
        """Change the colours."""
        self.app.theme = name
        await self.pilot.pause(0.2)

    async def picture(self, name: str, *texts: str, also: Callable[[], object] = lambda: True) -> None:
        """Export the screen at a moment when it shows all of these."""
        await self.shows(*texts, also=also)
        file = self.folder / f"{name}.svg"
        file.write_text(portable(self.app.export_screenshot(title=cli.PROGRAM), self.home), encoding="utf-8")
        sys.stdout.write(f"{file}\n")


def portable(svg: str, home: Path) -> str:
    """The same picture with fonts that readers have, nothing to fetch, and a day that tells nothing.

    Raises:
        RuntimeError: it shows a folder of this machine.
    """
    svg = re.sub(r"@font-face \{.*?\n    \}\n", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\n", "", svg)
    svg = svg.replace("font-family: Fira Code, monospace;", f"font-family: {FONTS};")
    svg = svg.replace("font-family: arial;", "font-family: system-ui, sans-serif;")
    svg = re.sub(r"\d{4}-\d\d-\d\dT", "2026-01-01T", svg)
    for folder in (home, Path.home(), FOLDER):
        if str(folder) in svg:
            raise RuntimeError(f"A picture shows {folder}.")
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"


async def make_pictures(home: Path, folder: Path) -> None:
    """Play the rehearsal from its idea to the finished program; export each moment that is worth a look."""
    await _neighbours(home)
    opening = _opening(home, f"--rehearsal={_scenario(home)}")
    async with Link(opening.engine) as link:
        app = DashboardApp(opening.setup(link))
        async with app.run_test(size=BROAD) as pilot:
            await _play(Studio(app, pilot, home, folder))


async def _play(it: Studio) -> None:
    await it.picture("planners", "Who runs this", "A full Markdown parser", "The greatest risk", "3 agents")
    await it.resize(NORMAL)
    await it.picture("approval", *QUESTION, "Ideation", also=it.can_answer)
    await it.pilot.press("a")
    await it.approve("Architecture")
    await it.approve("breakdown")
    await it.picture("dashboard", "● agent-", "FAILED", "The check is red", "There it is", "Answer Each space")
    await it.resize(SMALL)
    await it.picture("small", "● agent-", "Bash", "→", also=lambda: it.done >= 9)
    await it.resize(NORMAL)
    await it.theme("light")
    await it.picture("light", "● agent-", "Write", "Bash", "Answer", also=lambda: it.done >= 12)
    await it.theme("dark")
    await it.shows("✓ completed")
    it.app.command("/diff")
    await it.picture("diff", "Changes", "@@")


def _opening(home: Path, *arguments: str) -> Opening:
    """A start of the program that knows nothing of this machine but where programs are."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "ORCHESTRATOR_HOME": str(home), "COLORTERM": "truecolor"}
    invocation = cli.parse(arguments)
    assert isinstance(invocation, cli.StartProject)
    return Opening(invocation, environ)


def _scenario(home: Path) -> Path:
    """The shipped scenario at a person's pace."""
    folder = home / "scenario"
    shutil.copytree(shipped_scenario(cli.DEFAULT_SCENARIO).parent, folder)
    file = folder / SCENARIO_FILE
    text, found = re.subn(r"delta_characters = .*\ndelta_seconds = .*", PACE, file.read_text(encoding="utf-8"))
    assert found == 1
    file.write_text(text, encoding="utf-8")
    return folder


async def _neighbours(home: Path) -> None:
    """Two more projects for the list: one is done, one waits. Their model is played without the CLI."""
    for name, autonomy, items in (("task-manager", "full", 12), ("recipe-box", "checkpoint", 4)):
        opening = _opening(home, f"--autonomy={autonomy}")
        runtime = ReplayRuntime(generated_scenario(items))
        async with compose.open_engine(opening.launch, runtime=runtime) as engine:
            run = Watched(engine=engine)
            await run.create(name=name)
            await run.until_rest()


def _begin_the_afternoon() -> None:
    """Let local time, which the pictures show, be a little after two."""
    minutes = (14 * 60 + 2) - int(time.time() // 60) % (24 * 60)
    sign, (hours, rest) = "-" if minutes > 0 else "", divmod(abs(minutes), 60)
    os.environ["TZ"] = f"LOCAL{sign}{hours}:{rest:02}"
    time.tzset()


def main() -> None:
    folder = Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else FOLDER
    _begin_the_afternoon()
    with tempfile.TemporaryDirectory(prefix="orchestrator-pictures-") as home:
        # The program looks for a settings file in the folder it is started in.
        os.chdir(home)
        asyncio.run(make_pictures(Path(home), folder))


if __name__ == "__main__":
    main()
