"""The two clients of an engine that a dashboard may have: the engine in its process, or one behind a server."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from orchestrator_tui.api.access import mint
from orchestrator_tui.api.base import Options
from orchestrator_tui.api.client import open_remote
from orchestrator_tui.api.routes.parts import House
from orchestrator_tui.api.server import serving
from orchestrator_tui.api.token_file import LOCAL
from orchestrator_tui.config.address import address_of, listen
from orchestrator_tui.database.repository import SqlStore
from orchestrator_tui.domain.access import Scope
from orchestrator_tui.engine.client import EngineClient
from orchestrator_tui.engine.engine import LocalEngine
from orchestrator_tui.tui.link import OpenClient

Opening = Callable[[OpenClient], OpenClient]
"""What a board opens its engine through."""


def here(open_client: OpenClient) -> OpenClient:
    """The engine itself."""
    return open_client


def far(open_client: OpenClient) -> OpenClient:
    """The same engine over real HTTP, as `--connect` has it; its server is in this process."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[EngineClient]:
        async with open_client() as engine:
            assert isinstance(engine, LocalEngine)
            store = engine._store
            assert isinstance(store, SqlStore)
            minted = mint(LOCAL, Scope.ADMIN)
            await store.ledger.add_token(minted.token)
            with listen("127.0.0.1", 0) as listening:
                address = address_of(listening, "127.0.0.1", None)
                house = House(options=Options(hosts=address.hosts, workspace=engine._options.folders.workspace))
                house.open(engine, store.ledger)
                async with serving(house, listening, None), open_remote(address.origin, minted.text) as remote:
                    yield remote

    return opened


usual = far if os.environ.get("DASHBOARD_CLIENT") == "far" else here
"""What boards open their engine through that are not told: every flow can be run on either client."""

on_both_clients = pytest.mark.parametrize("client", [here, far])
"""Runs a flow twice; it opens its board with `opening=client`."""
