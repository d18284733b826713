"""The program under load: panes of logs that are fed while somebody types into the input bar below them."""

import argparse
import asyncio
import gc
import json
import random
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from rich.text import Text
from textual.app import App, ComposeResult
from textual.containers import Grid
from textual.widget import Widget
from textual.widgets import RichLog

from orchestrator_tui.domain.clock import now
from orchestrator_tui.tui.collector import settle_collector
from orchestrator_tui.tui.logbuffer import LogBuffer
from orchestrator_tui.tui.loglines import Kind
from orchestrator_tui.tui.themes import load_themes
from orchestrator_tui.tui.widgets.flush_timer import FlushTimer
from orchestrator_tui.tui.widgets.input_bar import InputBar
from orchestrator_tui.tui.widgets.log_view import LogView

PROMPT = "key:"
"""Stands in the input bar as soon as everything is loaded and the feed runs."""

KINDS = (Kind.SAY, Kind.THOUGHT, Kind.CALL, Kind.RESULT)
TICK = 0.01
"""Seconds between two batches of lines; between them keys and the screen get their turn."""

WORDS = ("read", "the", "plan", "and", "write", "tests", "for", "token", "auth", "then", "run", "src/api/auth.py")


class Pane(Protocol):
    """A log on the screen."""

    @property
    def widget(self) -> Widget: ...

    def add(self, kind: Kind, text: str, at: datetime) -> None:
        """Appends a line while people look on."""

    def load(self, kind: Kind, text: str, at: datetime) -> None:
        """Appends a line in the cheapest way there is."""

    @property
    def has_news(self) -> bool:
        """Whether lines were added since the last flush."""

    def flush(self) -> bool:
        """Shows the end; called at every tick of the one timer for all panes."""


class LogViewPane:
    """Ours."""

    def __init__(self, limit: int) -> None:
        self._buffer = LogBuffer(limit=limit)
        self.widget = LogView(self._buffer)

    def add(self, kind: Kind, text: str, at: datetime) -> None:
        self._buffer.append(kind, text, at)

    load = add

    @property
    def has_news(self) -> bool:
        return self.widget.has_news

    def flush(self) -> bool:
        return self.widget.flush()


class RichLogPane:
    """Textual's own, with the same columns and as many lines kept, without markup and highlighting."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.widget = RichLog(wrap=True)

    def add(self, kind: Kind, text: str, at: datetime) -> None:
        self.widget.write(styled(kind, text, at))

    def load(self, kind: Kind, text: str, at: datetime) -> None:
        self.widget.write(styled(kind, text, at), scroll_end=False)

    has_news = True

    def flush(self) -> bool:
        # Not before all is loaded: from then on each line copies the list of all.
        self.widget.max_lines = self._limit
        return False


def styled(kind: Kind, text: str, at: datetime) -> Text:
    """The line as ours paints it."""
    return Text.assemble((f"{at:%H:%M} ", "bright_black"), (f"{kind.name:<8}", "cyan"), text)


PANES: dict[str, Callable[[int], Pane]] = {"LogView": LogViewPane, "RichLog": RichLogPane}


class Load(App[None]):
    """`lines` in all are loaded into `panes`, then `rate` lines a second arrive in turn, until Enter is pressed."""

    CSS = "Grid { grid-gutter: 0 1; height: 1fr; }"

    def __init__(self, widget: str, panes: int, rate: int, lines: int, report: Path) -> None:
        super().__init__()
        theme = load_themes(Path("/nowhere")).themes["dark"].theme
        self.register_theme(theme)
        self.theme = theme.name
        self._panes: list[Pane] = [PANES[widget](lines // panes) for _ in range(panes)]
        self._rate, self._lines, self._report = rate, lines, report
        self._source = texts()
        self._field = InputBar(lambda kind: (), report.with_name("history"))
        self._fed = 0
        self._numbers: dict[str, float] = {}

    def compose(self) -> ComposeResult:
        with Grid() as grid:
            grid.styles.grid_size_columns = min(3, len(self._panes))
            for pane in self._panes:
                yield pane.widget
        yield self._field

    def on_mount(self) -> None:
        self._field.focus_text()
        timer = FlushTimer(self)
        for pane in self._panes:
            timer.add(pane)
        self.call_after_refresh(self.run_worker, self._work(), name="load")

    async def _work(self) -> None:
        before = resident_bytes()
        self._load()
        self._numbers["bytes_a_line"] = (resident_bytes() - before) / self._lines
        self.run_worker(self._feed(), name="feed")
        self._field.fill(PROMPT)

    def _load(self) -> None:
        at = now()
        for number, (kind, text) in zip(range(self._lines), self._source, strict=False):
            self._panes[number % len(self._panes)].load(kind, text, at)
        for pane in self._panes:
            pane.flush()
        settle_collector()

    async def _feed(self) -> None:
        batch = max(1, round(self._rate * TICK))
        self._began, self._processor = time.perf_counter(), time.process_time()
        while True:
            self._feed_batch(batch)
            due = self._began + self._fed / self._rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))

    def _feed_batch(self, count: int) -> None:
        at = now()
        for _ in range(count):
            kind, text = next(self._source)
            self._panes[self._fed % len(self._panes)].add(kind, text, at)
            self._fed += 1

    def on_input_bar_submitted(self) -> None:
        seconds = time.perf_counter() - self._began
        self._numbers["kept_up"] = min(1.0, self._fed / (seconds * self._rate))
        self._numbers["processor"] = (time.process_time() - self._processor) / seconds
        self._report.write_text(json.dumps(self._numbers), encoding="utf-8")
        self.exit()


def texts() -> Iterator[tuple[Kind, str]]:
    """Lines of 30 to 130 characters, all different, the same ones in every run."""
    chance = random.Random(7)
    stock = [" ".join(chance.choices(WORDS, k=chance.randint(6, 24))) for _ in range(1000)]
    number = 0
    while True:
        yield KINDS[number % len(KINDS)], f"{number:06} {stock[number % len(stock)]}"
        number += 1


def resident_bytes() -> int:
    """What this process holds of the memory, garbage not counted."""
    gc.collect()
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * 4096


def main() -> None:
    """Run until Enter is pressed, then write what was measured here to `--report`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--widget", choices=PANES, required=True)
    for name in ("--panes", "--rate", "--lines"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--report", type=Path, required=True)
    options: Any = parser.parse_args()
    Load(options.widget, options.panes, options.rate, options.lines, options.report).run()


if __name__ == "__main__":
    main()
