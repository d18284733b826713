"""Plays what happened in a project once more, at any speed."""

import time
from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from orchestrator_tui.domain.events import Recorded
from orchestrator_tui.tui.context import Context
from orchestrator_tui.tui.happenings import named
from orchestrator_tui.tui.history import PAGE
from orchestrator_tui.tui.keymap import Place, bindings
from orchestrator_tui.tui.playback import Player, tape_of
from orchestrator_tui.tui.screens.page import Page
from orchestrator_tui.tui.widgets.happening_list import HappeningList
from orchestrator_tui.tui.widgets.key_bar import KeyBar
from orchestrator_tui.tui.widgets.replay_bar import ReplayBar

TICKS_A_SECOND = 20


class ReplayPage(Page):
    """`seconds` is a clock that only goes forward, in seconds from anywhere."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.REPLAY)]

    def __init__(self, context: Context, project_id: str, *, seconds: Callable[[], float] = time.monotonic) -> None:
        super().__init__(context, "Replay")
        self._project_id = project_id
        self._seconds = seconds
        self._before = seconds()
        self._name = ""
        self.player = Player(playing=False)

    def body(self) -> ComposeResult:
        yield ReplayBar()
        yield HappeningList(empty="Reading what happened …")

    def on_mount(self) -> None:
        self.query_one(KeyBar).show(Place.REPLAY, Place.SCREEN)
        self.query_one(HappeningList).focus()
        self.set_interval(1 / TICKS_A_SECOND, self.tick, name="replay")

    async def load(self) -> None:
        client = self.context.client
        self._name = (await client.overview(self._project_id)).project.name
        recorded: list[Recorded] = []
        while page := await client.events(
            after_seq=recorded[-1].seq if recorded else 0, project_id=self._project_id, limit=PAGE
        ):
            recorded += page
            self.tell_head(f"Replay · {self._name} · reading, {len(recorded):,} events")
            if len(page) < PAGE:
                break
        names = dict(pair for one in recorded if (pair := named(one.event)))
        self._before = self._seconds()
        self._play(Player(tape_of(recorded, names)))

    def tick(self) -> None:
        """Goes on by the time that has passed."""
        now = self._seconds()
        passed, self._before = now - self._before, now
        self._play(self.player.advance(passed))

    def action_play(self) -> None:
        """Plays on, or pauses."""
        self._play(self.player.toggle())

    def action_faster(self) -> None:
        """Plays faster."""
        self._play(self.player.faster(1))

    def action_slower(self) -> None:
        """Plays more slowly."""
        self._play(self.player.faster(-1))

    def action_phase_after(self) -> None:
        """Goes to where the next phase begins."""
        self._play(self.player.jump(forward=True))

    def action_phase_before(self) -> None:
        """Goes back to where a phase began."""
        self._play(self.player.jump(forward=False))

    def on_replay_bar_sought(self, message: ReplayBar.Sought) -> None:
        """Goes to where the bar was clicked."""
        self._play(self.player.seek(message.share))

    def _play(self, player: Player) -> None:
        if player == self.player:
            return
        before, self.player = self.player, player
        self.query_one(ReplayBar).show(player)
        if (player.count, player.tape) == (before.count, before.tape):
            return
        self.tell_head(f"Replay · {self._name} · {player.count:,} of {len(player.tape.offsets):,} events")
        lines = player.tape.lines_until(player.count)
        shown = self.query_one(HappeningList)
        follows = shown.at_end()
        shown.show_empty("Nothing has happened yet.")
        shown.show(lines)
        if follows:
            shown.action_last()
