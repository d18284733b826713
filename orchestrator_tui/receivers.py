"""Has the webhooks' receivers of a start told of what happens, as the settings say."""

import logging
from contextlib import AsyncExitStack
from datetime import timedelta

from orchestrator_tui.config.launch import Launch
from orchestrator_tui.config.loader import Settings
from orchestrator_tui.config.secrets import read_secrets
from orchestrator_tui.database.repository import SqlStore
from orchestrator_tui.domain.errors import SettingsError
from orchestrator_tui.engine.bus import Bus
from orchestrator_tui.engine.courier import Courier, OnTried

logger = logging.getLogger(__name__)


async def tell_receivers(
    launch: Launch,
    settings: Settings,
    store: SqlStore,
    bus: Bus,
    stack: AsyncExitStack,
    on_tried: OnTried,
    *,
    strict: bool,
) -> None:
    """Have them told until `stack` is closed: after the runs, whose ends they hear of, too.

    Raises:
        SettingsError: one of them cannot be reached as it is written; unless `strict`, nobody is told then.
    """
    webhooks = settings.webhooks
    if not webhooks.receivers:
        return
    # Imported when it is needed.
    from orchestrator_tui.webhooks.sending import open_receivers

    hide = read_secrets(launch.environ).mask
    try:
        receivers = await stack.enter_async_context(open_receivers(webhooks.receivers, launch.environ, hide))
    except SettingsError as error:
        if strict:
            raise
        # Whoever only looks at a project needs no key of a receiver.
        logger.warning("nobody is told of anything from here: %s", error.line())
        return
    give_up = timedelta(hours=webhooks.give_up_hours)
    await stack.enter_async_context(
        Courier(store.places, store.find_project, bus, receivers, give_up=give_up, on_tried=on_tried)
    )
