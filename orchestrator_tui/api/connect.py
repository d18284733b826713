"""From a start of the program to the server it is to use: address, token, and what goes with new projects."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from orchestrator_tui.api.client import TOKEN_HINT, Hints, RemoteEngine, open_remote
from orchestrator_tui.api.token_file import read_token_file
from orchestrator_tui.config.address import is_local_url
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.config.whereabouts import read_whereabouts
from orchestrator_tui.domain import words
from orchestrator_tui.domain.errors import AccessDenied

VARIABLE = "ORCHESTRATOR_TOKEN"

_SENDABLE = re.compile(r"[\x21-\x7e]+")
"""What can be sent as a token; another one breaks the header that it stands in."""


@asynccontextmanager
async def connect(launch: Launch) -> AsyncIterator[RemoteEngine]:
    """The engine of the server that `launch` names.

    Raises:
        AccessDenied: there is no token for it, or the server does not take it.
        ServerUnavailable: it cannot be reached.
    """
    assert launch.connect is not None
    token = await asyncio.to_thread(find_token, launch)
    verify = await asyncio.to_thread(ssl.create_default_context) if launch.connect.startswith("https:") else True
    hints = await asyncio.to_thread(background_hints, launch) if launch.is_attached else None
    async with open_remote(launch.connect, token, config=_config(launch), verify=verify, hints=hints) as engine:
        yield engine


def background_hints(launch: Launch) -> Hints:
    """What to do about the background server, which nobody named."""
    found = read_whereabouts(launch.paths)
    process = f", {words.owner(found.process)}" if found is not None else ""
    return Hints(
        gone="It was the background server: leave, and start orchestrator-tui again.",
        silent=f"It is the background server{process}: leave, and end it with orchestrator-tui --stop --all.",
    )


def find_token(launch: Launch) -> str:
    """The token from the environment; for a server on this machine, that of its token file otherwise.

    Raises:
        AccessDenied: there is none, or it cannot be one.
    """
    given = launch.environ.get(VARIABLE, "").strip()
    if given and not launch.is_attached:
        if _SENDABLE.fullmatch(given) is None:
            raise AccessDenied(f"{VARIABLE} holds characters that are in no token.", hint=TOKEN_HINT)
        return given
    # It opens this machine's server to whoever has it, so no other one is told it.
    kept = read_token_file(launch.paths.api_token) if is_local_url(launch.connect or "") else None
    if kept is None or _SENDABLE.fullmatch(kept) is None:
        raise AccessDenied(f"There is no token for {launch.connect}.", hint=TOKEN_HINT)
    return kept


def _config(launch: Launch) -> Mapping[str, Any]:
    """What this start's command line says about new projects; name and folder are told with each."""
    settings = {group: values for group, values in launch.overrides.items() if group != "project"}
    config: dict[str, Any] = {"settings": settings} if settings else {}
    if (scenario := launch.scenario_reference if launch.is_attached else launch.scenario) is not None:
        config["scenario"] = scenario
    return config
