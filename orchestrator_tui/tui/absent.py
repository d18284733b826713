"""Stands for an engine that is not there yet, so that help, settings and colours need not wait for it."""

from collections.abc import Callable
from typing import Any, cast

from orchestrator_tui.domain.errors import OrchestratorError
from orchestrator_tui.engine.client import EngineClient


class _Absent:
    """Whatever it is asked raises the error that `why` gives."""

    def __init__(self, why: Callable[[], OrchestratorError]) -> None:
        self._why = why

    def __getattr__(self, name: str) -> Any:
        raise self._why()


def absent_engine(why: Callable[[], OrchestratorError]) -> EngineClient:
    """A client for screens that ask the engine nothing; `why` says why there is none."""
    return cast(EngineClient, _Absent(why))
