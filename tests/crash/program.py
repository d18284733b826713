"""The whole program in a process of its own, its model played without the CLI; it tells when an agent is at work."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from types import MappingProxyType
from typing import Any

from orchestrator_tui import compose
from orchestrator_tui.__main__ import main
from orchestrator_tui.agents.base import AgentOutput, AgentSession, CalledTool, SessionRequest, ToolReturned
from orchestrator_tui.agents.rehearsal.scenario import Scenario
from orchestrator_tui.domain.errors import AgentFailed
from orchestrator_tui.domain.statuses import PhaseName
from tests.lives import light_scenario
from tests.replay_runtime import ReplaySession, Scripted

ITEMS = 1
SLOW = "slow"
"""The id of the tool call that is under way."""


@dataclass(slots=True)
class SlowSession(ReplaySession):
    """In the middle of its first tool call until it is to settle; it then ends that call, and begins no other."""

    at_work: Connection | None = None
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def turn(self, prompt: str) -> AsyncIterator[AgentOutput]:
        assert self.at_work is not None
        first = self.scenario.turns(self.request, 1)[0]
        tool, arguments = ("Write", first.input) if first.tool == "Write" else ("Read", {})
        yield CalledTool(call_id=SLOW, tool=tool, arguments=arguments)
        _write(arguments, half=True)
        self.at_work.send(self.request.role)
        await self.closing.wait()
        _write(arguments, half=False)
        self.over.set()
        yield ToolReturned(call_id=SLOW, is_error=False, output="")
        await asyncio.Event().wait()

    async def settle(self) -> None:
        self.closing.set()
        await self.over.wait()


def _write(arguments: Mapping[str, Any], *, half: bool) -> None:
    """Write a file as a tool call says, or the first half of it; nothing for a call that writes none."""
    if arguments:
        content = arguments["content"]
        Path(arguments["file_path"]).write_text(content[: len(content) // 2] if half else content)


@dataclass(slots=True)
class SlowInOnePhase(Scripted):
    """Plays `scenario`; the agents of `phase`, if there is one, are slow and tell so."""

    scenario: Scenario
    phase: PhaseName | None
    at_work: Connection | None

    @asynccontextmanager
    async def session(self, request: SessionRequest) -> AsyncIterator[AgentSession]:
        if request.resume is not None:
            raise AgentFailed("Nothing is kept of a conversation here.", kind="resume")
        if request.phase is self.phase:
            yield SlowSession(scenario=self.scenario, request=request, at_work=self.at_work)
        else:
            yield ReplaySession(scenario=self.scenario, request=request)


def program(
    home: Path,
    arguments: Sequence[str],
    phase: PhaseName | None = None,
    at_work: Connection | None = None,
    environ: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """`orchestrator-tui` with these arguments in `home`, knowing nothing of this machine but PATH, and `environ`."""
    home.mkdir(exist_ok=True)
    os.chdir(home)
    path = f"{without_docker(home)}:{os.environ['PATH']}"
    os.environ.clear()
    os.environ.update({"PATH": path, "HOME": str(home), "ORCHESTRATOR_HOME": str(home), **environ})
    runtime = SlowInOnePhase(light_scenario(ITEMS), phase, at_work)
    compose.open_engine = partial(compose.open_engine, runtime=runtime)
    compose.open_service = partial(compose.open_service, runtime=runtime)
    sys.exit(main(arguments))


def without_docker(home: Path) -> Path:
    """A folder for the front of PATH in which Docker never answers: a machine that has it would fetch images."""
    folder = home / "bin"
    folder.mkdir(exist_ok=True)
    (folder / "docker").write_text("#!/bin/sh\nexit 1\n")
    (folder / "docker").chmod(0o755)
    return folder
