"""From a start of the program to the server it is to use: address, token, and what goes with new projects."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from orchestrator_tui.api.client import TRY_AGAIN, RemoteEngine, open_remote
from orchestrator_tui.api.token_file import read_token_file
from orchestrator_tui.config.address import is_local_url
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.domain.errors import AccessDenied

VARIABLE = "ORCHESTRATOR_TOKEN"
START_AGAIN = "It was the background server: leave, and start orchestrator-tui again."


@asynccontextmanager
async def connect(launch: Launch) -> AsyncIterator[RemoteEngine]:
    """The engine of the server that `launch` names.

    Raises:
        AccessDenied: there is no token for it, or the server does not take it.
        StoreUnavailable: it cannot be reached.
    """
    assert launch.connect is not None
    token = await asyncio.to_thread(find_token, launch)
    verify = await asyncio.to_thread(ssl.create_default_context) if launch.connect.startswith("https:") else True
    hint = START_AGAIN if launch.is_attached else TRY_AGAIN
    async with open_remote(launch.connect, token, config=_config(launch), verify=verify, hint=hint) as engine:
        yield engine


def find_token(launch: Launch) -> str:
    """The token from the environment; for a server on this machine, that of its token file otherwise.

    Raises:
        AccessDenied: there is none.
    """
    given = launch.environ.get(VARIABLE, "").strip()
    if given and not launch.is_attached:
        return given
    # It opens this machine's server to whoever has it, so no other one is told it.
    kept = read_token_file(launch.paths.api_token) if is_local_url(launch.connect or "") else None
    if kept is None:
        raise AccessDenied(
            f"There is no token for {launch.connect}.",
            hint=f"Set {VARIABLE} to one that orchestrator-tui token create made on the server.",
        )
    return kept


def _config(launch: Launch) -> Mapping[str, Any]:
    """What this start's command line says about new projects; name and folder are told with each."""
    settings = {group: values for group, values in launch.overrides.items() if group != "project"}
    config: dict[str, Any] = {"settings": settings} if settings else {}
    if (scenario := launch.scenario_reference if launch.is_attached else launch.scenario) is not None:
        config["scenario"] = scenario
    return config
