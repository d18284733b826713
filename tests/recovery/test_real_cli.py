"""Trouble that is about the CLI and the API, through the real CLI: what it is told as, and how it ends."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator_tui.compose import open_engine
from orchestrator_tui.domain import events
from orchestrator_tui.domain.clock import now
from orchestrator_tui.domain.statuses import PauseReason, PipelineStatus
from orchestrator_tui.domain.troubles import Rung, Trouble
from orchestrator_tui.engine import classification
from tests.agents.support import end_of, rehearsed
from tests.recovery.test_classes import PHASES
from tests.recovery.troubled import FakeClock
from tests.running import Watched, launch
from tests.scenarios import answer, bash, structured, write, write_scenario

DONE = structured(status="done", summary="Done.", notes="Nothing left.")
TEST = """import unittest
import {ref}


class NameTest(unittest.TestCase):
    def test_name(self):
        self.assertEqual({ref}.name(), "{ref}")
"""


def work(ref: str = "item00001") -> list[Any]:
    code = f'def name() -> str:\n    return "{ref}"\n'
    return [write(f"{ref}.py", code), write(f"test_{ref}.py", TEST.format(ref=ref)), DONE]


def fault(**fields: Any) -> dict[str, Any]:
    return {"fault": fields}


OVERFLOW = "prompt is too long: 210000 tokens > 200000 maximum"


@pytest.mark.parametrize(
    ("turn", "trouble"),
    [
        (fault(kind="status", status=400, message=OVERFLOW, times=9), Trouble.CONTEXT_OVERFLOW),
        (fault(kind="status", status=529, times=9), Trouble.OVERLOAD),
        (fault(kind="status", status=429, times=9), Trouble.RATE_LIMIT),
        (fault(kind="status", status=401, times=9), Trouble.AUTHENTICATION),
    ],
)
async def test_errors_of_the_api_have_their_class(tmp_path: Path, turn: dict[str, Any], trouble: Trouble) -> None:
    async with rehearsed(tmp_path, [{"say": "never", **turn}]) as rig:
        end = end_of(await rig.turn())
    assert end.error_kind is not None
    assert classification.of_session(end.error_kind, end.status, end.error or "", None) is trouble


async def test_a_refused_call_is_told_as_refused(tmp_path: Path) -> None:
    async with rehearsed(tmp_path, [bash("sudo ls"), bash("ls missing"), {"say": "end"}]) as rig:
        outputs = await rig.turn()
    refused = [output.refused for output in outputs if hasattr(output, "refused")]
    assert refused == [True, False]


async def test_a_usage_limit_pauses_the_project_until_it_resets_and_the_conversation_then_goes_on(
    tmp_path: Path,
) -> None:
    limited = {**write("item00001.py", "x = 1\n")}
    script = [limited, {**fault(kind="status", status=429, resets_in=3600), "say": "Going on."}, *work()]
    scenario = write_scenario(tmp_path / "s", answer("implement", "developer", *script), items=1)
    clock = FakeClock(holds=True)
    clock.at = began = now()
    async with open_engine(launch(tmp_path / "home", scenario, phases=PHASES), clock=clock) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.PAUSED
        paused = run.all(events.PipelineStatusChanged)[-1]
        assert paused.reason == PauseReason.USAGE_LIMIT and paused.resumes_at is not None
        assert paused.resumes_at >= began + timedelta(hours=1)
        await clock.asleep.wait()
        clock.advance(3700 + 600)
        assert await run.until_rest() is PipelineStatus.COMPLETED
        started = [event for event in run.all(events.AgentStarted) if event.role == "developer"]
        prompted = [event.kind for event in run.all(events.AgentPrompted) if event.agent_id == started[-1].agent_id]
        assert (len(started), prompted) == (2, ["resumed"])
        assert not run.all(events.AttemptFailed)


async def test_an_agent_that_calls_the_same_again_and_again_is_interrupted_and_told(tmp_path: Path) -> None:
    script = [*(bash("ls missing-file") for _ in range(3)), *work()]
    scenario = write_scenario(tmp_path / "s", answer("implement", "developer", *script), items=1)
    async with open_engine(launch(tmp_path / "home", scenario, phases=PHASES)) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.COMPLETED
        (failed,) = run.all(events.AttemptFailed)
        assert (failed.trouble, failed.then) == (Trouble.LOOPING, Rung.HINT)
        (started,) = [event for event in run.all(events.AgentStarted) if event.role == "developer"]
        told = [event for event in run.all(events.AgentPrompted) if event.agent_id == started.agent_id]
        assert [event.kind for event in told] == ["task", "looping"]
        assert "The same error came 3 times" in told[1].text


async def test_a_stream_that_says_nothing_more_is_a_stall(tmp_path: Path) -> None:
    stall = fault(kind="stall", seconds=600, after_deltas=1)
    script = [{**stall, "say": "Now I wait for a long time."}, *work()]
    scenario = write_scenario(
        tmp_path / "s",
        answer("implement", "developer", *script, attempt=1),
        answer("implement", "developer", *work(), attempt=2),
        items=1,
    )
    start = launch(tmp_path / "home", scenario, phases=PHASES, error_recovery={"stall_timeout_minutes": 0.1})
    async with open_engine(start) as engine:
        run = Watched(engine=engine)
        await run.create()
        assert await run.until_rest() is PipelineStatus.COMPLETED
        stalled = [event for event in run.all(events.AttemptFailed) if event.role == "developer"]
        assert [(event.trouble, event.then) for event in stalled] == [(Trouble.STALLED, Rung.FRESH)]
