"""Serves an engine to tests as the program does, in this process: real sockets, a model played without the CLI."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from orchestrator_tui import preflight
from orchestrator_tui.agents.base import AgentRuntime
from orchestrator_tui.api.access import mint
from orchestrator_tui.api.base import Check, Ledger, Limits, Options
from orchestrator_tui.api.client import RemoteEngine, open_remote
from orchestrator_tui.api.routes.parts import House
from orchestrator_tui.api.server import serving
from orchestrator_tui.compose import Service, open_service
from orchestrator_tui.config.address import address_of, listen, local_names
from orchestrator_tui.config.launch import Launch
from orchestrator_tui.config.secrets import read_secrets
from orchestrator_tui.domain.access import Scope
from orchestrator_tui.engine.engine import LocalEngine
from tests.lives import light_scenario
from tests.replay_runtime import ReplayRuntime
from tests.running import FAST, launch


@dataclass
class Served:
    """A server, the engine behind it, and a token of each scope."""

    house: House
    origin: str
    start: Launch
    service: Service
    tokens: Mapping[Scope, str] = field(default_factory=dict)

    @property
    def engine(self) -> LocalEngine:
        return self.service.engine

    @property
    def ledger(self) -> Ledger:
        return self.service.ledger

    @property
    def host(self) -> str:
        return self.origin.removeprefix("http://")

    def http(self, scope: Scope | None = Scope.ADMIN, **how: Any) -> httpx.AsyncClient:
        """A client with the token of a scope."""
        headers = {"Authorization": f"Bearer {self.tokens[scope]}"} if scope else {}
        return httpx.AsyncClient(base_url=self.origin, headers=headers, timeout=60, trust_env=False, **how)

    @asynccontextmanager
    async def remote(self, scope: Scope = Scope.ADMIN, **how: Any) -> AsyncIterator[RemoteEngine]:
        async with open_remote(self.origin, self.tokens[scope], **how) as engine:
            yield engine


@asynccontextmanager
async def served(
    home: Path,
    *,
    items: int = 2,
    autonomy: str = "checkpoint",
    limits: Limits = Limits(),  # noqa: B008 - frozen
    checks: Mapping[str, Check] | None = None,
    runtime: AgentRuntime | None = None,
    port: int = 0,
    environ: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] = FAST,
) -> AsyncIterator[Served]:
    """A server whose engine builds `items` small modules."""
    start = launch(home, None, autonomy=autonomy, **settings)
    start = replace(start, environ={**start.environ, **(environ or {})})
    with listen("127.0.0.1", port) as listening:
        address = address_of(listening, "127.0.0.1", None)
        options = Options(
            hosts=address.hosts | local_names("http", address.port),
            workspace=preflight.new_projects_folder(start),
            checks=checks or {},
            mask=read_secrets(start.environ).mask,
            limits=limits,
        )
        house = House(options=options)
        async with serving(house, listening, None):
            played = runtime or ReplayRuntime(light_scenario(items))
            async with open_service(start, runtime=played) as service:
                house.open(service.engine, service.ledger, service.engine.take_webhook)
                yield Served(
                    house=house,
                    origin=address.origin,
                    start=start,
                    service=service,
                    tokens={scope: await _token(service.ledger, scope) for scope in Scope},
                )


async def _token(ledger: Ledger, scope: Scope) -> str:
    minted = mint(f"{scope.value}er", scope)
    await ledger.add_token(minted.token)
    return minted.text
