"""Chooses a theme; the one under the cursor is tried on the whole screen at once."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.theme import Theme
from textual.widgets import Static

from orchestrator_tui.tui.colors import rich_color
from orchestrator_tui.tui.keymap import Place, bindings
from orchestrator_tui.tui.screens.once import OnceModal
from orchestrator_tui.tui.themes import Catalog, LoadedTheme
from orchestrator_tui.tui.widgets.row_list import RowList

SWATCH = "■"


class ThemePicker(OnceModal[str | None]):
    """Gives the name of the theme that was chosen; None when the old one stays."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.SCREEN)]
    DEFAULT_CSS = """
    ThemePicker { align: center middle; background: transparent; }
    ThemePicker > #themes-box {
        width: 64; max-width: 100%; height: auto; max-height: 100%;
        border: round $accent; border-title-color: $accent; border-subtitle-color: $muted;
        background: $background; padding: 0 1;
    }
    ThemePicker RowList { height: auto; max-height: 12; }
    ThemePicker #themes-notes { height: auto; max-height: 8; color: $muted; margin: 1 0 0 0; }
    ThemePicker #themes-problems { height: auto; max-height: 8; color: $warning; margin: 1 0 0 0; }
    """

    def __init__(self, catalog: Catalog) -> None:
        super().__init__()
        self._catalog = catalog
        self._before = ""

    def compose(self) -> ComposeResult:
        with Vertical(id="themes-box"):
            yield RowList[LoadedTheme](self._paint, lambda theme: theme.name)
            yield Static(id="themes-notes", markup=False)
            yield Static("\n".join(f"! {one}" for one in self._catalog.problems), id="themes-problems", markup=False)

    def on_mount(self) -> None:
        """The theme of now is marked."""
        self._before = self.app.theme
        box = self.query_one("#themes-box")
        box.border_title, box.border_subtitle = "Colours", "enter keeps · esc goes back"
        self.query_one("#themes-problems").display = bool(self._catalog.problems)
        themes = [self._catalog.themes[name] for name in self._catalog.names]
        for one in themes:
            self.app.register_theme(one.theme)
        shown = self.query_one(RowList)
        shown.styles.height = max(1, min(len(themes), 12))
        shown.show(themes)
        shown.mark(self._before)
        shown.focus()

    @on(RowList.Marked)
    def _try(self, message: RowList.Marked) -> None:
        theme: LoadedTheme = message.row
        self.app.theme = theme.name
        notes = self.query_one("#themes-notes", Static)
        notes.update("\n".join(theme.notes))
        notes.display = bool(theme.notes)

    @on(RowList.Chosen)
    def _keep(self, message: RowList.Chosen) -> None:
        self.dismiss(message.row.name)

    def action_close(self) -> None:
        """The old theme comes back."""
        self.app.theme = self._before
        self.dismiss(None)

    def _paint(self, loaded: LoadedTheme, width: int, marked: bool) -> Sequence[Text]:
        theme = loaded.theme
        text = Text(f"{loaded.name:<24}", "bold" if marked else "", no_wrap=True)
        text.append(f"{_kind(theme):<10}", self.query_one(RowList).color("muted"))
        for color in (theme.accent, theme.success, theme.warning, theme.error, theme.secondary):
            text.append(SWATCH, rich_color(color or ""))
        return (text,)


def _kind(theme: Theme) -> str:
    return "terminal" if theme.ansi else "dark" if theme.dark else "light"
