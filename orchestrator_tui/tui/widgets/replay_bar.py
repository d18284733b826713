"""Where a replay stands: the phases as they stood then, and how much of it has been played."""

from collections.abc import Mapping

from rich.text import Text
from textual import events
from textual.message import Message
from textual.widget import Widget

from orchestrator_tui.domain import words
from orchestrator_tui.domain.statuses import PHASE_ORDER, PhaseName, PhaseStatus
from orchestrator_tui.tui import glyphs
from orchestrator_tui.tui.playback import Player, clock
from orchestrator_tui.tui.widgets.sheet import Ink, ink_of

SHORT = {PhaseName.ARCHITECTURE: "arch", PhaseName.TASK_BREAKDOWN: "breakdown", PhaseName.INITIALIZE: "init"}
LEAST_BAR = 10


class ReplayBar(Widget):
    """Three rows: phases, an empty one, the bar; a click on the bar goes there."""

    DEFAULT_CSS = """
    ReplayBar { height: 5; padding: 0 1; border: round $line; }
    """

    class Sought(Message):
        """A person wants to be at `share` of the whole, from 0 to 1."""

        def __init__(self, share: float) -> None:
            super().__init__()
            self.share = share

    def __init__(self) -> None:
        super().__init__()
        self._player = Player(playing=False)
        self._bar = (0, 0)

    def show(self, player: Player) -> None:
        """Shows where the player is."""
        if player != self._player:
            self._player = player
            self.refresh()

    def render(self) -> Text:
        ink, width = ink_of(self.app), self.content_size.width
        phases = self._player.tape.phases(self._player.count)
        return Text("\n\n").join((phase_row(phases, width, ink), self._progress(width, ink)))

    def on_click(self, event: events.Click) -> None:
        """Goes to where the bar was clicked."""
        offset = event.get_content_offset(self)
        start, length = self._bar
        if offset and offset.y == 2 and start <= offset.x < start + length:
            self.post_message(self.Sought((offset.x - start) / max(1, length - 1)))

    def _progress(self, width: int, ink: Ink) -> Text:
        player = self._player
        state = "▶ playing" if player.playing else ("■ end" if player.at_end and player.count else "‖ paused")
        facts = f"  {clock(player.position)} of {clock(player.tape.seconds)}"
        spent = f"{player.tape.done[player.count]} done  {words.money(player.tape.dollars[player.count])}"
        left = Text(f"{state:<10}", ink("accent")).append(f"{player.speed_name:>4}  ", ink("foreground"))
        right = Text(f"{facts}  ", ink("foreground")).append(spent, ink("muted"))
        length = width - left.cell_len - right.cell_len
        if length < LEAST_BAR:
            right, length = Text(facts, ink("foreground")), width - left.cell_len - len(facts)
        self._bar = left.cell_len, max(0, length)
        share = player.position / player.tape.seconds if player.tape.seconds else float(player.at_end)
        played = round(share * max(0, length))
        bar = Text("━" * played, ink("accent")).append("─" * max(0, length - played), ink("line"))
        return Text.assemble(left, bar, right, no_wrap=True, overflow="crop")


def phase_row(phases: Mapping[PhaseName, PhaseStatus], width: int, ink: Ink) -> Text:
    """The seven phases in one row, shorter the less space there is."""
    for joint, names in ((" ── ", {}), ("  ", SHORT), (" ", dict.fromkeys(PHASE_ORDER, ""))):
        row = _row(phases, joint, names, ink)
        if row.cell_len <= width:
            break
    return row


def _row(phases: Mapping[PhaseName, PhaseStatus], joint: str, names: Mapping[PhaseName, str], ink: Ink) -> Text:
    steps = []
    for phase, status in phases.items():
        sign, color = glyphs.PHASES[status]
        name = names.get(phase, words.title(phase))
        style = ink(color if color in ("accent", "muted") else "foreground")
        steps.append(Text(sign, ink(color)).append(f" {name}" if name else "", style))
    row = Text(joint, ink("line")).join(steps)
    row.no_wrap = True
    return row
