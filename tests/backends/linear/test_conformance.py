from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator_tui.backends.base import OpenTracker, TrackerContext, WorkTracker
from orchestrator_tui.backends.conformance import CONTRACTS, Contract
from orchestrator_tui.backends.linear.tracker import open_tracker
from tests.backends.bench import bench
from tests.backends.linear.conftest import context_of
from tests.backends.linear.fake import FakeLinear


def at(fake: FakeLinear) -> OpenTracker:
    def opened(context: TrackerContext) -> AbstractAsyncContextManager[WorkTracker]:
        linear = context_of(context.store, context.project, fake.url)
        return open_tracker(replace(context, settings=linear.settings, environ=linear.environ))

    return opened


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
async def test_linear_keeps_its_contract(contract: Contract, fake: FakeLinear, tmp_path: Path, store_url: str) -> None:
    async with bench(tmp_path, at(fake), store_url) as here:
        await contract(here)
