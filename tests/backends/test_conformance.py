from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from orchestrator_tui.backends.base import TrackerContext, WorkTracker
from orchestrator_tui.backends.conformance import CONTRACTS, Contract, ContractBroken
from orchestrator_tui.backends.database import DatabaseTracker
from orchestrator_tui.domain.records import ItemCounts
from tests.backends.bench import bench

KINDS = ("database", "json")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
async def test_a_tracker_keeps_its_contract(contract: Contract, kind: str, tmp_path: Path, store_url: str) -> None:
    async with bench(tmp_path, kind, store_url) as here:
        await contract(here)


def test_there_is_a_contract_for_everything_the_engine_relies_on() -> None:
    assert len(CONTRACTS) == 18
    assert len({contract.__name__[:3] for contract in CONTRACTS}) == len(CONTRACTS)


async def test_a_tracker_that_miscounts_is_found_out(tmp_path: Path) -> None:
    class Miscounting(DatabaseTracker):
        async def get_progress_summary(self, project_id: str) -> ItemCounts:
            return ItemCounts()

    @asynccontextmanager
    async def open_tracker(context: TrackerContext) -> AsyncIterator[WorkTracker]:
        yield Miscounting(context.store)

    broken = []
    for number, contract in enumerate(CONTRACTS):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with bench(folder, open_tracker) as here:
            try:
                await contract(here)
            except ContractBroken:
                broken.append(contract.__name__[:3])
    assert broken == ["c15", "c17"]
