"""Waits until an app has nothing left to do at once, as its tests do after each key.

Textual offers two ways: `pilot.pause()` waits until the processor is idle, for at least 20 ms and for a second where an
engine works in the same process; `pilot.pause(0)` waits for what is in the queues now, not for what comes of it. What
is known of neither is whether anything in the loop could still go on, and what the app has put off; so this module, and
no other one of the tests, looks at that itself.
"""

import asyncio
from typing import Any, cast

from textual._context import active_app
from textual.app import App

QUIET_TURNS = 3
MOST_TURNS, LONGEST_SECONDS = 200, 0.2
"""When both are over it is left: beside an engine at work there may be no end. A slow machine has its turns."""


async def wait_for_idle(min_sleep: float = 0.0, max_sleep: float = 0.0) -> None:
    """Takes the place of Textual's own."""
    await worked_off(active_app.get())


async def worked_off(app: App[Any]) -> None:
    """Return once everything in this loop waits, for a key, a time, a file, another thread, and all is painted."""
    loop = cast(Any, asyncio.get_running_loop())
    end, turns, quiet = loop.time() + LONGEST_SECONDS, 0, 0
    while quiet < QUIET_TURNS and (turns < MOST_TURNS or loop.time() < end):
        await asyncio.sleep(0)
        turns += 1
        quiet = 0 if loop._ready else quiet + 1
        if quiet == QUIET_TURNS and _does_what_is_put_off(app):
            quiet = 0


def _does_what_is_put_off(app: Any) -> bool:
    """Take a new size over, place widgets and paint them, also on screens below a modal, each of which the app does a
    little later; False when there is nothing of it to do."""
    if not app.is_running or app._batch_count or not app.screen_stack:
        return False
    if app._resize_timer is not None:
        app._check_resize()
        return True
    waiting = [screen for screen in (*app._background_screens, app.screen) if screen._update_timer._active.is_set()]
    for screen in waiting:
        screen._on_timer_update()
    return bool(waiting)
