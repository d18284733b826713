"""Takes over what is changed on the settings page while the dashboard is open: colours, calls for attention, keys."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from orchestrator_tui.domain.text import one_line
from orchestrator_tui.tui.binding_ids import bindings_by_id, unknown
from orchestrator_tui.tui.slash import CommandProblem
from orchestrator_tui.tui.theming import SETTING

if TYPE_CHECKING:
    from orchestrator_tui.config.loader import Settings
    from orchestrator_tui.tui.app import DashboardApp

KEYMAP = "keymap."


class LiveSettings:
    """What counts at once; everything else counts for the runs that begin after it."""

    def __init__(self, app: "DashboardApp") -> None:
        self._app = app
        self.settings: Settings | None = None

    async def begin(self) -> None:
        """Read the settings for the first time.

        Raises:
            SettingsError: they cannot be read.
        """
        app = self._app
        settings = await asyncio.to_thread(app.setup.load_settings)
        self.settings = app.theming.settings = settings
        app.attention.settings = settings.tui
        if settings.tui.theme != app.setup.theme:
            self._use_theme(settings.tui.theme)
        self._use_keys(settings)

    async def take(self, key: str) -> None:
        """A setting was written into a file, or taken out of one.

        Raises:
            SettingsError: the settings cannot be read.
        """
        app = self._app
        settings = await asyncio.to_thread(app.setup.load_settings)
        self.settings = app.theming.settings = settings
        app.attention.settings = settings.tui
        if key == SETTING:
            app.theming.show(settings.tui.theme)
        if key.startswith(KEYMAP):
            self._use_keys(settings)

    def _use_theme(self, name: str) -> None:
        try:
            self._app.theming.show(name)
        except CommandProblem as error:
            self._app.notify(one_line(error.line(), 400), severity="warning", markup=False, timeout=20)

    def _use_keys(self, settings: "Settings") -> None:
        app = self._app
        app.keys.use(settings.keymap)
        app.set_keymap(app.keys.as_textual())
        for screen in app.screen_stack:
            screen.query("KeyBar, Welcome").refresh()
        for conflict in app.keys.conflicts(settings.origin):
            app.notify(one_line(conflict, 400), severity="warning", markup=False, timeout=20)
        if app.keys.by_id:
            app.run_worker(self._check_ids(app.keys.by_id), name="ids of keys", group="ids of keys", exclusive=True)

    async def _check_ids(self, ids: Mapping[str, str]) -> None:
        """Tell of an id that no binding has; which there are is known once all screens are imported."""
        if problem := unknown(ids, await asyncio.to_thread(bindings_by_id)):
            self._app.notify(one_line(problem, 400), severity="warning", markup=False, timeout=20)
