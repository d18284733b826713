"""The dashboard's theme: loaded from files, chosen by settings and terminal, changed while it runs."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import App

from orchestrator_tui.domain.text import one_line
from orchestrator_tui.tui.setup import Setup
from orchestrator_tui.tui.slash import CommandProblem
from orchestrator_tui.tui.terminal_colors import choose_theme
from orchestrator_tui.tui.themes import load_themes

if TYPE_CHECKING:
    from orchestrator_tui.config.loader import Settings
    from orchestrator_tui.tui.screens.theme_picker import ThemePicker
    from orchestrator_tui.tui.theme_watch import ThemesChanged

FALLBACK = "dark"
SETTING = "tui.theme"


class Theming:
    """Registers the themes with `app` and keeps it on one that exists."""

    def __init__(self, app: App[int], setup: Setup) -> None:
        self._app = app
        self._setup = setup
        self.settings: Settings | None = None
        self._user = setup.paths.user_themes
        self._catalog = load_themes(self._user)
        for loaded in self._catalog.themes.values():
            app.register_theme(loaded.theme)
        wanted = choose_theme(setup.theme, setup.theme_is_chosen, setup.environ)
        self._missing = wanted if wanted not in self._catalog.themes else None
        """The theme that a person wants and that cannot be shown now."""
        app.theme = FALLBACK if self._missing else wanted

    @property
    def problems(self) -> list[str]:
        """What is wrong with the themes, a line each."""
        if self._missing is None:
            return list(self._catalog.problems)
        is_there = (self._user / f"{self._missing}.toml").exists()
        what = f"The theme {self._missing} cannot be used" if is_there else f"There is no theme {self._missing}"
        return [*self._catalog.problems, f"{what}; {FALLBACK} is used."]

    def names(self) -> Iterable[str]:
        """The themes that can be used."""
        return sorted(self._catalog.themes)

    async def use(self, name: str) -> None:
        """Change to a theme, and keep it for the next time.

        Raises:
            CommandProblem: there is none of this name.
            SettingsError: it is used, but the settings file cannot be written.
        """
        from orchestrator_tui.config.toml_edit import set_in_file

        self.show(name)
        if file := self._file_for_it():
            await asyncio.to_thread(set_in_file, file, SETTING, name)

    def show(self, name: str) -> None:
        """Change to a theme for now.

        Raises:
            CommandProblem: there is none of this name.
        """
        if name not in self._catalog.themes:
            raise CommandProblem(f"There is no theme {name}.", hint=f"There are: {', '.join(self.names())}.")
        self._app.theme = name
        self._missing = None

    def _file_for_it(self) -> Path | None:
        """The settings file that decides about the theme; None when the environment or the command line does."""
        origin = self.settings.origin(SETTING) if self.settings else "default"
        if origin.startswith(str(self._setup.project_file)):
            return self._setup.project_file
        from_outside = origin.startswith(("environment", "command line"))
        return None if from_outside else self._setup.paths.user_settings

    def picker(self) -> "ThemePicker":
        """The screen to choose from, which shows each theme as it is passed."""
        from orchestrator_tui.tui.screens.theme_picker import ThemePicker

        return ThemePicker(self._catalog)

    async def watch(self) -> None:
        """Follow the theme files until cancelled."""
        from orchestrator_tui.tui.theme_watch import watch_themes

        async with watch_themes(self._user, self._catalog) as changes:
            async for change in changes:
                self._take(change)

    def _take(self, change: "ThemesChanged") -> None:
        self._catalog = change.catalog
        for name in change.changed:
            self._app.register_theme(change.catalog.themes[name].theme)
        if self._missing in change.changed:
            self.show(self._missing)
        if self._app.theme in change.gone:
            self._missing = self._app.theme
            self._app.theme = FALLBACK
        elif self._app.theme in change.changed:
            # The name is the same, so Textual sees no change by itself.
            self._app._watch_theme(self._app.theme)
        for name in change.gone:
            self._app.unregister_theme(name)
        for problem in change.catalog.problems:
            self._app.notify(one_line(problem, 300), severity="warning", markup=False)
