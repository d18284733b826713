from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.backends.base import TrackerContext
from orchestrator_tui.backends.linear import tracker as linear
from orchestrator_tui.backends.linear.tracker import LinearTracker, open_tracker
from orchestrator_tui.config.settings import SettingsModel
from orchestrator_tui.database.base import Store
from orchestrator_tui.database.repository import SqlStore
from orchestrator_tui.domain.records import Project
from tests.backends.linear.fake import KEY, SECRET, FakeLinear, served
from tests.conftest import make_project

OpenLinear = Callable[..., AbstractAsyncContextManager[LinearTracker]]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes are hardly gathered and troubles waited for, and nothing is given up because the machine is slow; tests
    that are about that wait for what they mean."""
    monkeypatch.setattr(linear, "GATHER_SECONDS", 0.02)
    monkeypatch.setattr(linear, "backoff", lambda failures: 0.05)
    monkeypatch.setattr(linear, "AT_ONCE_SECONDS", 200.0)
    monkeypatch.setattr(linear, "AT_END_SECONDS", 200.0)


@pytest.fixture
async def fake() -> AsyncIterator[FakeLinear]:
    async with served(FakeLinear()) as fake:
        yield fake


@pytest.fixture
async def here(sqlite_store: SqlStore) -> Project:
    return await make_project(sqlite_store, "mdcheck")


def context_of(store: Store, here: Project, url: str, **settings: Any) -> TrackerContext:
    chosen = {"team": "eng", "api_url": url, "poll_seconds": 3600, **settings}
    return TrackerContext(
        project=replace(here, config={**here.config, "backend": "linear"}),
        store=store,
        settings=SettingsModel.model_validate({"backend": {"type": "linear", "linear": chosen}}),
        environ={"LINEAR_API_KEY": KEY, "LINEAR_WEBHOOK_SECRET": SECRET},
    )


@pytest.fixture
def open_linear(sqlite_store: SqlStore, here: Project, fake: FakeLinear) -> OpenLinear:
    """Opens the tracker of the project `here`, as a run does but for `initialize`; settings by name."""
    return lambda **settings: open_tracker(context_of(sqlite_store, here, fake.url, **settings))


async def ready(tracker: LinearTracker) -> LinearTracker:
    await tracker.initialize(tracker.project.id, Path(tracker.project.directory))
    return tracker
